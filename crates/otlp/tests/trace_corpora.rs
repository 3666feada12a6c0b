//! Trace requests in JSON from the OpenTelemetry proto repository, Tempo and Jaeger: every span of theirs is taken, with
//! the identifiers, times and values that the file has.

#![allow(clippy::unwrap_used, reason = "a test, where a panic is the report")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use otlp::json::{Dialect, Request, to_protobuf};
use otlp::traces::{Limits, decode};
use serde_json::Value as Json;
use testkit::Corpus;

fn main() -> ExitCode {
    let mut proto = Corpus::new("otlp/proto-examples");
    proto.case("trace.json", |dir| {
        check(&dir.join("trace.json"))?;
        example(&dir.join("trace.json"))
    });
    let mut all = vec![proto];
    for folder in ["tempo/otlp-traces", "jaeger/storage-integration/traces"] {
        let mut corpus = Corpus::new(folder);
        for file in corpus.dir().map(files).unwrap_or_default() {
            let name = file.strip_prefix(corpus.dir().unwrap()).unwrap().display().to_string();
            corpus.case(&name, move |_| check(&file));
        }
        all.push(corpus);
    }
    let mut jaeger = Corpus::new("jaeger/otlp2jaeger");
    jaeger.case("otlp2jaeger-in.json", |dir| check(&dir.join("otlp2jaeger-in.json")));
    all.push(jaeger);
    testkit::run(all)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn list<'a>(json: &'a Json, keys: &[&str]) -> &'a [Json] {
    keys.iter().find_map(|key| json[*key].as_array()).map_or(&[], Vec::as_slice)
}

/// Compares name, times and the texts of attributes with a plain reading of the JSON.
fn check(file: &Path) -> Result<(), String> {
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    let bytes = to_protobuf(Request::Traces, Dialect::ProtoJson, &text).map_err(|error| error.to_string())?;
    let (batch, rejected) = decode(&bytes, &Limits::default()).map_err(|error| error.to_string())?;
    if rejected.count > 0 {
        return Err(rejected.message);
    }
    let json: Json = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let mut expected = Vec::new();
    for group in list(&json, &["resourceSpans", "batches"]) {
        let service = list(&group["resource"], &["attributes"])
            .iter()
            .find(|pair| pair["key"] == "service.name")
            .and_then(|pair| pair["value"]["stringValue"].as_str())
            .unwrap_or_default();
        for group in list(group, &["scopeSpans"]) {
            for span in list(group, &["spans"]) {
                let time = |key: &str| span[key].as_str().map_or(0, |time| time.parse::<u64>().unwrap());
                let texts: Vec<String> = list(span, &["attributes"])
                    .iter()
                    .filter_map(|pair| pair["value"]["stringValue"].as_str().map(str::to_owned))
                    .collect();
                let name = span["name"].as_str().unwrap_or_default();
                expected.push(format!(
                    "{service} {name} {} {} {texts:?} {} {}",
                    time("startTimeUnixNano"),
                    time("endTimeUnixNano"),
                    list(span, &["events"]).len(),
                    list(span, &["links"]).len(),
                ));
            }
        }
    }
    let got: Vec<String> = batch
        .to_spans()
        .iter()
        .map(|span| {
            let texts: Vec<String> =
                span.attributes.iter().filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect();
            format!(
                "{} {} {} {} {texts:?} {} {}",
                span.resource.service_name(),
                span.name,
                span.start_ns,
                span.end_ns,
                span.events.len(),
                span.links.len(),
            )
        })
        .collect();
    if expected.is_empty() {
        return Err("no spans in the file".to_owned());
    }
    if got == expected { Ok(()) } else { Err(format!("expected {expected:#?}, got {got:#?}")) }
}

/// The example of the specification, in full.
fn example(file: &Path) -> Result<(), String> {
    let bytes = to_protobuf(Request::Traces, Dialect::ProtoJson, &std::fs::read(file).unwrap()).unwrap();
    let spans = decode(&bytes, &Limits::default()).unwrap().0.to_spans();
    let span = &spans[0];
    let got = format!(
        "{} {} {} {} {:?} {} {}",
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.kind.as_str(),
        span.scope.attributes,
        span.scope.name,
        span.scope.version
    );
    let expected = "5b8efff798038103d269b633813fc60c eee19b7ec3c1b174 eee19b7ec3c1b173 server \
                    [(\"my.scope.attribute\", String(\"some scope attribute\"))] my.library 1.0.0";
    if got == expected { Ok(()) } else { Err(got) }
}
