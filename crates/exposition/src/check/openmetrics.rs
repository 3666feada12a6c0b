//! A body against the OpenMetrics 1.0 specification.

use std::collections::HashSet;

use model::MetricType;

use super::family::{Family, Read};
use crate::openmetrics::OpenMetricsParser;
use crate::parser::Event;
use crate::{Error, Result};

/// Suffixes of the samples of a type; the empty one is the family's name itself.
pub(super) fn suffixes(kind: MetricType) -> &'static [&'static str] {
    match kind {
        MetricType::Counter => &["_total", "_created"],
        MetricType::Summary => &["", "_count", "_sum", "_created"],
        MetricType::Histogram => &["_count", "_sum", "_bucket", "_created"],
        MetricType::GaugeHistogram => &["_gcount", "_gsum", "_bucket"],
        MetricType::Info => &["_info"],
        _ => &[""],
    }
}

/// Holds a body against the specification. The error has the line where it was noticed; what a family as a whole lacks
/// is noticed where it ends.
pub fn openmetrics(body: &[u8]) -> Result<()> {
    let mut parser = OpenMetricsParser::new(body, false);
    let mut taken = HashSet::new();
    let mut family: Option<Family> = None;
    loop {
        let event = parser.next(&[])?;
        let line = parser.line();
        let at = |message: String| Error { message, line };
        let Some(event) = event else {
            return family.map_or(Ok(()), |family| family.finish(&mut taken).map_err(at));
        };
        let described = match event {
            Event::Type { family, .. } | Event::Help { family, .. } | Event::Unit { family, .. } => family,
            Event::Comment(_) | Event::Histogram => continue,
            Event::Float => {
                let read = sample(&mut parser)?;
                if family.as_ref().is_none_or(|family| !family.has(&read.name)) {
                    let new = Family::new(&read.name);
                    if let Some(ended) = family.replace(new) {
                        ended.finish(&mut taken).map_err(at)?;
                    }
                }
                if let Some(family) = &mut family {
                    family.sample(&read).map_err(at)?;
                }
                continue;
            }
        };
        let name = String::from_utf8_lossy(described);
        if family.as_ref().is_none_or(|family| family.name != name)
            && let Some(ended) = family.replace(Family::new(&name))
        {
            ended.finish(&mut taken).map_err(at)?;
        }
        if let Some(family) = &mut family {
            family.describe(event).map_err(at)?;
        }
    }
}

/// The sample that was read last, its labels by name.
fn sample(parser: &mut OpenMetricsParser<'_>) -> Result<Read> {
    let raw = parser.sample();
    let line = parser.line();
    let at = |message: &str| Err(Error { message: message.to_owned(), line });
    if raw.key.ends_with(b",}") {
        return at("a comma behind the last label");
    }
    let mut labels = Vec::new();
    parser.verbatim_labels(&mut labels)?;
    labels.sort();
    if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return at("a label is there twice");
    }
    let at_name = labels.iter().position(|(name, _)| name == model::labels::METRIC_NAME);
    let name = at_name.map(|index| labels.remove(index).1).unwrap_or_default();
    let exemplar = parser.exemplar().map(|exemplar| exemplar.labels);
    Ok(Read { name, labels, value: raw.value, seconds: parser.seconds(), exemplar })
}
