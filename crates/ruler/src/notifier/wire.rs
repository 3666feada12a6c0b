//! What is sent: `POST /api/v2/alerts`.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::notify::Outgoing;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    annotations: &'a std::collections::BTreeMap<String, String>,
    ends_at: String,
    starts_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    generator_url: &'a str,
    labels: &'a model::Labels,
}

/// The body of a request.
pub(super) fn body(alerts: &[Arc<Outgoing>]) -> Vec<u8> {
    let alerts: Vec<Alert<'_>> = alerts
        .iter()
        .map(|alert| Alert {
            annotations: &alert.annotations,
            ends_at: time(alert.ends_at_ns),
            starts_at: time(alert.starts_at_ns),
            generator_url: &alert.generator_url,
            labels: &alert.labels,
        })
        .collect();
    serde_json::to_vec(&alerts).unwrap_or_default()
}

/// A time with milliseconds; that there is none is Go's first moment.
fn time(time_ns: Option<i64>) -> String {
    let known = time_ns.and_then(|time_ns| Timestamp::from_millisecond(time_ns.div_euclid(1_000_000)).ok());
    known.map_or_else(|| "0001-01-01T00:00:00.000Z".to_owned(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_written_as_alertmanager_reads_them() {
        let alert = Outgoing {
            labels: [("alertname", "Down"), ("job", "a")].into_iter().collect(),
            annotations: [("summary".to_owned(), "It is \"down\"".to_owned())].into(),
            starts_at_ns: Some(1_700_000_000_123_456_789),
            ends_at_ns: None,
            generator_url: "http://x/graph?g0.expr=a&g0.tab=1".to_owned(),
        };
        let text = String::from_utf8(body(&[Arc::new(alert)])).unwrap();
        assert_eq!(
            text,
            r#"[{"annotations":{"summary":"It is \"down\""},"endsAt":"0001-01-01T00:00:00.000Z","startsAt":"2023-11-14T22:13:20.123Z","generatorURL":"http://x/graph?g0.expr=a&g0.tab=1","labels":{"alertname":"Down","job":"a"}}]"#
        );
    }
}
