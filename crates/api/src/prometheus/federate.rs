//! `GET /federate`: the newest sample of each selected series, for another Prometheus to scrape
//! (<https://prometheus.io/docs/prometheus/latest/federation/>).
//!
//! As Prometheus 3.14 does it: series by name; samples that are older than the lookback, and those that end a series, are
//! left out; every sample has its time; labels of the server are added where a series does not have them, and an empty
//! `instance`, so that the scraping one does not set its own. Native histograms go out as protobuf only, those with custom
//! bounds as classic ones in either format.

mod format;
mod names;
mod protobuf;
mod text;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::histogram::CUSTOM_SCHEMA;
use model::labels::METRIC_NAME;
use model::sample::{ResetHint, STALE_NAN_BITS};
use model::{Histogram, Labels, Matcher};
use promql::engine::Options;
use promql::storage::{FloatPoint, HistogramPoint, MsRange, Series as _, Storage};
use tsdb::{SelectedSeries, Tsdb};

use self::format::Format;
use super::params::Params;
use crate::{Context, go};

/// A family as it goes out.
#[derive(Debug)]
struct Family<'a> {
    name: &'a str,
    kind: Kind,
    metrics: Vec<Metric<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Untyped,
    Histogram,
    GaugeHistogram,
}

#[derive(Debug)]
struct Metric<'a> {
    labels: Vec<(&'a str, &'a str)>,
    time_ms: i64,
    value: Value,
}

#[derive(Debug, Clone)]
enum Value {
    Float(f64),
    Histogram(Arc<Histogram>),
}

impl Value {
    fn is_stale(&self) -> bool {
        let number = match self {
            Self::Float(value) => *value,
            Self::Histogram(histogram) => histogram.sum,
        };
        number.to_bits() == STALE_NAN_BITS
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Float(_) => Kind::Untyped,
            Self::Histogram(histogram) if histogram.reset_hint == ResetHint::Gauge => Kind::GaugeHistogram,
            Self::Histogram(_) => Kind::Histogram,
        }
    }

    /// Whether a format has a form for it.
    fn fits(&self, format: Format) -> bool {
        match self {
            Self::Float(_) => true,
            Self::Histogram(histogram) => format.protobuf || histogram.schema == CUSTOM_SCHEMA,
        }
    }
}

pub(super) async fn federate(
    State(context): State<Context>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Response> {
    let refuse = |status: StatusCode, message: String| go::http_error(status, &message);
    params.well_formed().map_err(|error| refuse(StatusCode::BAD_REQUEST, error))?;
    let sets = params.selectors().map_err(|error| refuse(StatusCode::BAD_REQUEST, error))?;
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::negotiate(accept.collect::<Vec<_>>().join(",").as_str());
    let end_ms = context.clock.now_ms();
    let range = MsRange { start_ms: end_ms.saturating_sub(Options::default().lookback_ms), end_ms };
    let external = context.external_labels();
    let work = move || page(&context.metrics, &sets, range, &external, format);
    let body = context
        .pool
        .run(work)
        .await
        .map_err(|error| refuse(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?
        .map_err(|error| refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let mut response = body.into_response();
    if let Ok(content_type) = HeaderValue::from_str(&format.content_type()) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    Ok(response)
}

fn page(
    store: &Tsdb,
    sets: &[Vec<Matcher>],
    range: MsRange,
    external: &Labels,
    format: Format,
) -> tsdb::Result<Vec<u8>> {
    let mut samples = newest(store, sets, range)?;
    samples.retain(|(_, _, value)| value.fits(format));
    let mut page = Vec::new();
    let mut text = String::new();
    let mut family: Option<Family<'_>> = None;
    let mut finish = |family: Family<'_>| {
        if format.protobuf {
            protobuf::write(&mut page, &family, format.escaping);
        } else {
            text::write(&mut text, &family, format.escaping);
        }
    };
    for (labels, time_ms, value) in &samples {
        let name = labels.get(METRIC_NAME);
        if name.is_empty() {
            tracing::warn!(%labels, "a metric without a name is left out of federation");
            continue;
        }
        let kind = value.kind();
        let goes_on = family.as_ref().is_some_and(|family| family.name == name && family.kind == kind);
        if !goes_on {
            family.replace(Family { name, kind, metrics: Vec::new() }).into_iter().for_each(&mut finish);
        }
        if let Some(family) = &mut family {
            let labels = with_external(labels, external);
            family.metrics.push(Metric { labels, time_ms: *time_ms, value: value.clone() });
        }
    }
    family.into_iter().for_each(&mut finish);
    Ok(if format.protobuf { page } else { text.into_bytes() })
}

/// The newest sample of each series, by name.
fn newest(store: &Tsdb, sets: &[Vec<Matcher>], range: MsRange) -> tsdb::Result<Vec<(Labels, i64, Value)>> {
    let mut samples = Vec::new();
    let (mut floats, mut histograms) = (Vec::new(), Vec::new());
    for matchers in sets {
        for series in store.select(matchers, range)? {
            floats.clear();
            histograms.clear();
            let newest = newest_of(&series, &mut floats, &mut histograms);
            samples.extend(
                newest
                    .filter(|(_, value)| !value.is_stale())
                    .map(|(time_ms, value)| (series.labels().clone(), time_ms, value)),
            );
        }
    }
    if sets.len() > 1 {
        samples.sort_by(|left, right| left.0.cmp(&right.0));
        samples.dedup_by(|left, right| left.0 == right.0);
    }
    samples.sort_by(|left, right| left.0.get(METRIC_NAME).cmp(right.0.get(METRIC_NAME)));
    Ok(samples)
}

fn newest_of(
    series: &SelectedSeries,
    floats: &mut Vec<FloatPoint>,
    histograms: &mut Vec<HistogramPoint>,
) -> Option<(i64, Value)> {
    series.read(floats, histograms);
    let float = floats.last().map(|point| (point.time_ms, Value::Float(point.value)));
    let histogram =
        histograms.last().map(|point| (point.time_ms, Value::Histogram(Arc::clone(&point.histogram))));
    match (float, histogram) {
        (Some(float), Some(histogram)) => Some(if float.0 > histogram.0 { float } else { histogram }),
        (float, histogram) => float.or(histogram),
    }
}

/// The labels of a series but for its name, and behind them what the server adds.
fn with_external<'a>(labels: &'a Labels, external: &'a Labels) -> Vec<(&'a str, &'a str)> {
    let mut all: Vec<(&str, &str)> = labels.iter().filter(|(name, _)| *name != METRIC_NAME).collect();
    let instance = ("instance", "");
    let mut added: Vec<(&str, &str)> = external.iter().collect();
    if external.get(instance.0).is_empty() {
        added.push(instance);
        added.sort_unstable();
    }
    all.extend(added.into_iter().filter(|(name, _)| labels.get(name).is_empty()));
    all
}

/// Bounds of a histogram with custom ones, each with the observations up to it.
fn cumulative(histogram: &Histogram) -> impl Iterator<Item = (f64, f64)> + '_ {
    let mut counts = vec![0.0; histogram.custom_values.len()];
    let mut index = 0_i64;
    let mut buckets = histogram.positive_buckets.iter();
    for span in &histogram.positive_spans {
        index += i64::from(span.offset);
        for count in buckets.by_ref().take(span.length as usize) {
            if let Some(slot) = usize::try_from(index).ok().and_then(|index| counts.get_mut(index)) {
                *slot = *count;
            }
            index += 1;
        }
    }
    let mut sum = 0.0;
    histogram.custom_values.iter().zip(counts).map(move |(bound, count)| {
        sum += count;
        (*bound, sum)
    })
}
