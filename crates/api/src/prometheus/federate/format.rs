//! In which format the asker wants it: `Accept`, as Prometheus' client library reads it.

use exposition::EscapingScheme;

const PROTOBUF: &str = "application/vnd.google.protobuf";
const FAMILY: &str = "io.prometheus.client.MetricFamily";

/// A format with how names are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) protobuf: bool,
    pub(super) escaping: EscapingScheme,
}

impl Format {
    /// What is asked for first and is there; text if nothing is. Of protobuf the delimited form is.
    pub(super) fn negotiate(accept: &str) -> Self {
        let mut escaping = EscapingScheme::Underscores;
        for range in ranges(accept) {
            if let Some(asked) = range.parameter("escaping").and_then(EscapingScheme::from_name) {
                escaping = asked;
            }
            let version = range.parameter("version");
            if range.essence.eq_ignore_ascii_case(PROTOBUF)
                && range.parameter("proto") == Some(FAMILY)
                && range.parameter("encoding") == Some("delimited")
            {
                return Self { protobuf: true, escaping };
            }
            if range.essence.eq_ignore_ascii_case("text/plain")
                && matches!(version, None | Some("0.0.4" | ""))
            {
                return Self { protobuf: false, escaping };
            }
        }
        Self { protobuf: false, escaping }
    }

    /// The `Content-Type` of the answer.
    pub(super) fn content_type(self) -> String {
        let escaping = self.escaping.name();
        if self.protobuf {
            format!("{PROTOBUF}; proto={FAMILY}; encoding=delimited; escaping={escaping}")
        } else {
            format!("text/plain; version=0.0.4; charset=utf-8; escaping={escaping}")
        }
    }
}

/// One of the media ranges that are asked for.
struct Range<'a> {
    essence: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Range<'a> {
    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// The ranges of a header, the most wanted first.
fn ranges(accept: &str) -> Vec<Range<'_>> {
    let mut ranges: Vec<(f64, Range<'_>)> = accept
        .split(',')
        .map(|text| {
            let mut parts = text.split(';').map(str::trim);
            let essence = parts.next().unwrap_or_default();
            let parameters: Vec<(&str, &str)> = parts
                .filter_map(|part| part.split_once('='))
                .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
                .collect();
            let range = Range { essence, parameters };
            let wanted = range.parameter("q").and_then(|q| q.parse().ok()).unwrap_or(1.0);
            (wanted, range)
        })
        .collect();
    ranges.sort_by(|left, right| right.0.total_cmp(&left.0));
    ranges.into_iter().map(|(_, range)| range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_that_there_is() {
        let of = |accept: &str| Format::negotiate(accept).content_type();
        let text = |escaping: &str| format!("text/plain; version=0.0.4; charset=utf-8; escaping={escaping}");
        assert_eq!(of(""), text("underscores"));
        assert_eq!(of("*/*"), text("underscores"));
        assert_eq!(of("text/plain;version=0.0.4;escaping=allow-utf-8"), text("allow-utf-8"));
        assert_eq!(
            of(
                "application/openmetrics-text;version=1.0.0;escaping=values;q=0.5,text/plain;version=0.0.4;q=0.4"
            ),
            text("values")
        );
        let protobuf =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        assert_eq!(
            of(&format!("text/plain;q=0.4,{protobuf};q=0.6")),
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; \
             escaping=underscores"
        );
        assert_eq!(of(&format!("text/plain;q=0.7,{protobuf};q=0.6")), text("underscores"));
    }
}
