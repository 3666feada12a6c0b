//! The queries that every storage of Jaeger has to answer, over head and blocks.

#![allow(clippy::unwrap_used, reason = "a test, where a panic is the report")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use common::Bench;
use model::{TimeRange, TraceId};
use otlp::json::{Dialect, Request, to_protobuf};
use otlp::traces::{Limits, decode};
use serde_json::Value as Json;
use testkit::Corpus;
use tracestore::{Search, SpanFilter, Tag, TagMatch, TagScopes};

/// A store with every fixture in the head, and one with every fixture in a block of its own.
static STORES: LazyLock<Arc<[Bench; 2]>> = LazyLock::new(|| {
    let dir = testkit::conformance_dir().unwrap().join("jaeger/storage-integration/traces");
    let stores = [Bench::new(), Bench::new()];
    for entry in std::fs::read_dir(dir).unwrap() {
        let bytes =
            to_protobuf(Request::Traces, Dialect::ProtoJson, &std::fs::read(entry.unwrap().path()).unwrap())
                .unwrap();
        for bench in &stores {
            bench.store.append(&decode(&bytes, &Limits::default()).unwrap().0).unwrap();
        }
        stores[1].store.seal().unwrap();
    }
    Arc::new(stores)
});

fn main() -> ExitCode {
    let mut corpus = Corpus::new("jaeger/storage-integration");
    let queries: Vec<Json> = corpus
        .dir()
        .map(|dir| serde_json::from_slice(&std::fs::read(dir.join("queries.json")).unwrap()).unwrap())
        .unwrap_or_default();
    for query in queries {
        let caption = query["Caption"].as_str().unwrap().to_owned();
        corpus.case(&caption, move |dir| check(dir, &query));
    }
    corpus.run()
}

fn check(dir: &Path, fixture: &Json) -> Result<(), String> {
    let query = &fixture["Query"];
    let text = |key: &str| query[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let number = |key: &str| query[key].as_u64().filter(|number| *number > 0);
    let tags = query["Tags"].as_object().cloned().unwrap_or_default();
    let search = Search {
        range: TimeRange {
            start_ns: time(query["StartTimeMin"].as_str().unwrap()),
            end_ns: time(query["StartTimeMax"].as_str().unwrap()) + 1,
        },
        filter: SpanFilter {
            service: text("ServiceName"),
            name: text("OperationName"),
            min_duration_ns: number("DurationMin"),
            max_duration_ns: number("DurationMax"),
            tags: tags
                .into_iter()
                .map(|(key, value)| Tag {
                    scopes: TagScopes::ALL,
                    key,
                    value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
                    matching: TagMatch::Equal,
                })
                .collect(),
            ..SpanFilter::default()
        },
        also: Vec::new(),
        overlaps: None,
        root_service_contains: None,
        root_name_contains: None,
        min_trace_duration_ns: None,
        max_trace_duration_ns: None,
        limit: query["NumTraces"].as_u64().unwrap() as usize,
        spans_per_trace: 1,
    };
    let expected: BTreeSet<TraceId> = fixture["ExpectedFixtures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| {
            let path = dir.join(format!("traces/{}.json", name.as_str().unwrap()));
            let bytes =
                to_protobuf(Request::Traces, Dialect::ProtoJson, &std::fs::read(path).unwrap()).unwrap();
            let (batch, _) = decode(&bytes, &Limits::default()).unwrap();
            batch.spans()[0].trace_id
        })
        .collect();
    for (bench, place) in STORES.iter().zip(["head", "blocks"]) {
        let found: BTreeSet<TraceId> =
            bench.store.search(&search).unwrap().traces.iter().map(|trace| trace.trace_id).collect();
        if found != expected {
            return Err(format!("{place}: expected {expected:?}, found {found:?}"));
        }
    }
    Ok(())
}

/// `2017-01-26T15:46:31.639875Z` in nanoseconds since the Unix epoch.
fn time(text: &str) -> u64 {
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    // Days from civil, as in Howard Hinnant's "chrono-compatible low-level date algorithms".
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let era = shifted / 400;
    let year_of_era = shifted - era * 400;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let seconds = days * 86_400 + part(11, 13) * 3600 + part(14, 16) * 60 + part(17, 19);
    let fraction = text[19..].trim_start_matches('.').trim_end_matches('Z');
    let nanos: u64 = format!("{fraction:0<9}").parse().unwrap();
    seconds as u64 * 1_000_000_000 + nanos
}
