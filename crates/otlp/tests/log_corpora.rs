//! The log request of the OpenTelemetry proto repository, as Loki maps it.

use std::process::ExitCode;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use otlp::json::{Dialect, Request, to_protobuf};
use otlp::logs::{Config, to_streams};
use prost::Message as _;
use testkit::Corpus;

fn main() -> ExitCode {
    let mut corpus = Corpus::new("otlp/proto-examples");
    corpus.case("logs.json", |dir| {
        let json = std::fs::read(dir.join("logs.json")).map_err(|error| error.to_string())?;
        let protobuf = to_protobuf(Request::Logs, Dialect::Otlp, &json).map_err(|error| error.to_string())?;
        let ours = ExportLogsServiceRequest::decode(&protobuf[..]).map_err(|error| error.to_string())?;
        let theirs: ExportLogsServiceRequest =
            serde_json::from_slice(&json).map_err(|error| error.to_string())?;
        if ours != theirs {
            return Err("opentelemetry-proto reads the JSON otherwise".to_owned());
        }
        check(ours)
    });
    corpus.run()
}

fn check(request: ExportLogsServiceRequest) -> Result<(), String> {
    let (streams, rejected) = to_streams(request, 1, &Config::default());
    if rejected.count != 0 || streams.len() != 1 || streams[0].entries.len() != 1 {
        return Err(format!("{streams:?} {rejected:?}"));
    }
    let entry = &streams[0].entries[0];
    let labels = streams[0].labels.to_string();
    let got = (labels.as_str(), entry.time_ns, entry.line.as_str());
    let expected = (r#"{service_name="my.service"}"#, 1_544_712_660_300_000_000, "Example log record");
    if got != expected {
        return Err(format!("{got:?}"));
    }
    let expected = [
        ("string_attribute", "some string"),
        ("boolean_attribute", "true"),
        ("int_attribute", "10"),
        ("double_attribute", "637.704"),
        ("array_attribute", r#"["many","values"]"#),
        ("map_attribute_some_map_key", "some value"),
        ("observed_timestamp", "1544712660300000000"),
        ("severity_number", "10"),
        ("severity_text", "Information"),
        ("trace_id", "5b8efff798038103d269b633813fc60c"),
        ("span_id", "eee19b7ec3c1b174"),
        ("my_scope_attribute", "some scope attribute"),
        ("scope_name", "my.library"),
        ("scope_version", "1.0.0"),
    ];
    let metadata = entry.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    if metadata.eq(expected) { Ok(()) } else { Err(format!("{:?}", entry.metadata)) }
}
