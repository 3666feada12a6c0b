//! `Export…ServiceResponse` of the three signals: one message with a partial success, whose fields have the same
//! numbers for all three.

use otlp::Rejected;
use prost::Message;
use serde_json::{Value, json};

use crate::names::Signal;

#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    /// `rejected_spans`, `rejected_log_records`, `rejected_data_points`.
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// In protobuf; empty where all was kept.
pub(crate) fn protobuf(rejected: &Rejected) -> Vec<u8> {
    let partial_success = is_partial(rejected)
        .then(|| PartialSuccess { rejected: rejected.count as i64, error_message: rejected.message.clone() });
    ExportResponse { partial_success }.encode_to_vec()
}

/// In JSON. The collector writes an empty `partialSuccess` where all was kept, which means the same as none.
pub(crate) fn json(signal: Signal, rejected: &Rejected) -> Value {
    if !is_partial(rejected) {
        return json!({ "partialSuccess": {} });
    }
    let field = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
    };
    // 64-bit integers are strings in protobuf's JSON.
    json!({ "partialSuccess": { field: rejected.count.to_string(), "errorMessage": rejected.message } })
}

/// A message without a count is a warning, which is worth telling as well.
fn is_partial(rejected: &Rejected) -> bool {
    rejected.count > 0 || !rejected.message.is_empty()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;

    use super::*;

    #[test]
    fn says_how_many_and_why() {
        let mut rejected = Rejected::default();
        assert_eq!(protobuf(&rejected), Vec::<u8>::new());
        assert_eq!(json(Signal::Logs, &rejected), json!({ "partialSuccess": {} }));

        rejected.add_many("line_too_long", 3, || "too long".to_owned());
        let oracle = ExportLogsServiceResponse::decode(protobuf(&rejected).as_slice()).unwrap();
        let partial = oracle.partial_success.unwrap();
        assert_eq!((partial.rejected_log_records, partial.error_message.as_str()), (3, "too long"));
        assert_eq!(
            json(Signal::Logs, &rejected),
            json!({ "partialSuccess": { "rejectedLogRecords": "3", "errorMessage": "too long" } })
        );
    }
}
