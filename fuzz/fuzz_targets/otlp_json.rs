//! Any bytes as a request in JSON, of every signal and in both dialects: no panic, and what comes out is a request. The
//! first byte chooses, the rest is the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use otlp::json::{Dialect, Request, to_protobuf};
use otlp::traces::{Limits, decode};
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, text)) = bytes.split_first() else { return };
    let dialect = if choice & 1 == 0 { Dialect::Otlp } else { Dialect::ProtoJson };
    let request = [Request::Traces, Request::Logs, Request::Metrics][usize::from(choice >> 1) % 3];
    let Ok(protobuf) = to_protobuf(request, dialect, text) else { return };
    match request {
        Request::Traces => drop(decode(&protobuf, &Limits::NONE).expect("our own bytes")),
        Request::Logs => drop(ExportLogsServiceRequest::decode(&protobuf[..]).expect("our own bytes")),
        Request::Metrics => drop(ExportMetricsServiceRequest::decode(&protobuf[..]).expect("our own bytes")),
    }
});
