//! `google.rpc.Status`: how OTLP says what went wrong, over gRPC and over HTTP, in protobuf and in JSON.

use std::time::Duration;

use prost::Message;
use serde_json::{Value, json};

use crate::Error;

/// gRPC's status codes, those that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

/// What went wrong, for the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// Sent as `google.rpc.RetryInfo`; without it `RESOURCE_EXHAUSTED` must not be retried.
    pub(crate) retry_after: Option<Duration>,
}

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// A message alone, as Loki sends it.
    pub(crate) fn without_code(message: impl Into<String>) -> Self {
        Self::new(Code::Ok, message)
    }

    /// The status that a gRPC sender gets.
    pub(crate) fn for_grpc(error: &Error) -> Self {
        let code = match error {
            Error::Malformed(_) | Error::NoStreams => Code::InvalidArgument,
            Error::UnsupportedCoding(_) => Code::Unimplemented,
            Error::TooLarge { .. } | Error::Busy { .. } => Code::ResourceExhausted,
            Error::Timeout(_) => Code::DeadlineExceeded,
            Error::Aborted(_) => Code::Cancelled,
            Error::Unavailable(_) => Code::Unavailable,
            Error::Internal(_) => Code::Internal,
        };
        Self { code, message: error.to_string(), retry_after: error.retry_after() }
    }

    /// The status in the body of an HTTP answer; codes as the collector derives them from the HTTP status.
    pub(crate) fn for_http(error: &Error) -> Self {
        let code = match error {
            Error::Malformed(_) | Error::UnsupportedCoding(_) | Error::Aborted(_) | Error::NoStreams => {
                Code::InvalidArgument
            }
            Error::Busy { .. } => Code::ResourceExhausted,
            Error::Unavailable(_) => Code::Unavailable,
            Error::TooLarge { .. } | Error::Timeout(_) | Error::Internal(_) => Code::Unknown,
        };
        Self { code, message: error.to_string(), retry_after: error.retry_after() }
    }

    /// As protobuf.
    pub(crate) fn to_protobuf(&self) -> Vec<u8> {
        let details = self.retry_after.iter().map(|delay| wire::Any {
            type_url: RETRY_INFO.to_owned(),
            value: wire::RetryInfo {
                retry_delay: Some(wire::Duration {
                    seconds: delay.as_secs() as i64,
                    nanos: delay.subsec_nanos() as i32,
                }),
            }
            .encode_to_vec(),
        });
        wire::Status { code: self.code as i32, message: self.message.clone(), details: details.collect() }
            .encode_to_vec()
    }

    /// As JSON, by protobuf's JSON mapping.
    pub(crate) fn to_json(&self) -> Value {
        let mut status = json!({ "code": self.code as i32, "message": self.message });
        if let Some(delay) = self.retry_after {
            let retry_delay = format!("{}s", delay.as_secs_f64());
            status["details"] = json!([{ "@type": RETRY_INFO, "retryDelay": retry_delay }]);
        }
        status
    }
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The messages of `google/rpc/status.proto` and `google/rpc/error_details.proto`, those that are sent.
pub(crate) mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Status {
        #[prost(int32, tag = "1")]
        pub(crate) code: i32,
        #[prost(string, tag = "2")]
        pub(crate) message: String,
        #[prost(message, repeated, tag = "3")]
        pub(crate) details: Vec<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Any {
        #[prost(string, tag = "1")]
        pub(crate) type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        pub(crate) value: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        pub(crate) retry_delay: Option<Duration>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(crate) struct Duration {
        #[prost(int64, tag = "1")]
        pub(crate) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(crate) nanos: i32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_told_in_both_encodings() {
        let busy = Error::Busy { message: "full".to_owned(), retry_after: Duration::from_millis(1500) };
        let status = Status::for_grpc(&busy);
        assert_eq!(
            status.to_json(),
            json!({
                "code": 8,
                "message": "full",
                "details": [{
                    "@type": "type.googleapis.com/google.rpc.RetryInfo",
                    "retryDelay": "1.5s"
                }]
            })
        );
        let wire = wire::Status::decode(status.to_protobuf().as_slice()).unwrap();
        assert_eq!((wire.code, wire.message.as_str()), (8, "full"));
        let info = wire::RetryInfo::decode(wire.details[0].value.as_slice()).unwrap();
        assert_eq!(info.retry_delay, Some(wire::Duration { seconds: 1, nanos: 500_000_000 }));
    }

    #[test]
    fn too_large_is_not_to_be_retried() {
        let status = Status::for_grpc(&Error::TooLarge { what: "the request body", limit: 5 });
        assert_eq!((status.code, status.retry_after), (Code::ResourceExhausted, None));
    }
}
