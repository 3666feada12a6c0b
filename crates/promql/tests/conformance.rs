//! Prometheus' parser cases: what upstream reads has to be read, and printed so that it is read again as the same; what it
//! rejects has to be rejected, with upstream's first message and its place.

use std::process::ExitCode;

use testkit::Corpus;

const FOLDER: &str = "prometheus/promql-parse";

fn main() -> ExitCode {
    let mut corpus = Corpus::new(FOLDER);
    let cases = corpus
        .dir()
        .and_then(|dir| std::fs::read_to_string(dir.join("cases.json")).ok())
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|cases| cases.as_array().cloned())
        .unwrap_or_default();
    for (index, case) in cases.into_iter().enumerate() {
        let query = case["query"].as_str().unwrap_or_default().to_owned();
        corpus.case(&format!("{index:03} {query}"), move |_| check(&query, &case));
    }
    corpus.run()
}

fn check(query: &str, case: &serde_json::Value) -> Result<(), String> {
    let upstream_parses = case["parses"].as_bool().unwrap_or_default();
    match promql::parse(query) {
        Ok(expr) if upstream_parses => {
            let printed = expr.to_string();
            match promql::parse(&printed) {
                Ok(again) if again.to_string() == printed => Ok(()),
                Ok(again) => Err(format!("printed as {printed:?}, then as {:?}", again.to_string())),
                Err(error) => Err(format!("printed as {printed:?}, which is rejected: {error}")),
            }
        }
        Ok(expr) => Err(format!("read, though upstream rejects it: {expr:?}")),
        Err(error) if upstream_parses => Err(format!("rejected: {error}")),
        Err(error) => {
            let first = &case["errors"][0];
            let expected = (first["start"].as_u64(), first["end"].as_u64(), first["message"].as_str());
            let found =
                (Some(error.span.start as u64), Some(error.span.end as u64), Some(error.message.as_str()));
            let same = (expected.0.is_none() || expected.0 == found.0)
                && (expected.1.is_none() || expected.1 == found.1)
                && (expected.2.is_none() || expected.2 == found.2);
            if same { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}")) }
        }
    }
}
