//! Any bytes as a log request: no panic, and every record is either in a stream or counted as rejected.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use otlp::logs::{Config, to_streams};
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = ExportLogsServiceRequest::decode(bytes) else { return };
    let records: usize = request
        .resource_logs
        .iter()
        .flat_map(|group| &group.scope_logs)
        .map(|group| group.log_records.len())
        .sum();
    let (streams, rejected) = to_streams(request, 1, &Config::default());
    let entries: usize = streams.iter().map(|stream| stream.entries.len()).sum();
    assert_eq!(entries + rejected.count as usize, records);
    assert!(streams.iter().all(|stream| !stream.labels.get("service_name").is_empty()));
});
