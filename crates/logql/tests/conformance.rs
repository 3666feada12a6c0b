//! Loki's own parser cases, one test each: `conformance/loki/logql-parse/cases.json`.

use std::process::ExitCode;

use logql::{Pipeline, parse};
use serde_json::Value;
use testkit::Corpus;

/// What a query that Loki takes may be refused for, for now. A test fails as soon as its reason is gone, so the list only
/// shrinks.
const NOT_YET: [&str; 5] = [
    "metric queries are not supported yet",
    "parser stages are not supported yet",
    "formatting stages are not supported yet",
    "ip() filters are not supported yet",
    "drop and keep are not supported yet",
];

fn main() -> ExitCode {
    let mut corpus = Corpus::new("loki/logql-parse");
    let cases: Vec<Value> = corpus
        .dir()
        .and_then(|dir| std::fs::read_to_string(dir.join("cases.json")).ok())
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    for (index, case) in cases.into_iter().enumerate() {
        let query = case["query"].as_str().unwrap_or_default().to_owned();
        let name = format!("{index:03} {}", query.split_whitespace().collect::<Vec<_>>().join(" "));
        corpus.case(&name, move |_| check(&query, &case));
    }
    corpus.run()
}

fn check(query: &str, case: &Value) -> Result<(), String> {
    let parsed = parse(query);
    if case["parses"] == false {
        let error = parsed.err().ok_or("accepted")?;
        let expected = (case["message"].as_str(), case["line"].as_u64(), case["col"].as_u64());
        let got = (Some(error.message.as_str()), Some(error.line as u64), Some(error.column as u64));
        return if got == expected { Ok(()) } else { Err(format!("{got:?} instead of {expected:?}")) };
    }
    let expr = parsed.map_err(|error| format!("rejected: {error}"))?;
    let printed = expr.to_string();
    let again = parse(&printed).map_err(|error| format!("{printed}: {error}"))?;
    if again != expr {
        return Err(format!("printed as {printed}, which reads as {again:?}"));
    }
    let refusal = match expr.into_log() {
        Ok(log) => Pipeline::new(&log).err().map(|refusal| refusal.to_string()),
        Err(refusal) => Some(refusal.to_string()),
    };
    match refusal {
        Some(refusal) if !NOT_YET.iter().any(|reason| refusal.starts_with(reason)) => {
            Err(format!("refused without a known reason: {refusal}"))
        }
        _ => Ok(()),
    }
}
