//! Which queries are asked.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use super::answers::Exactness;

/// One query.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) text: String,
}

/// What is computed with powers and logarithms: the last of the sixteen digits is then that of the language's library.
const ROUNDED: [&str; 5] = ["^", "ln(", "log", "exp(", "histogram_quantile"];

/// What Prometheus hands out in the order of a hash table, or in the order in which series were created.
const UNORDERED: [&str; 5] = ["histogram_", "info(", "count_values", ":", "_bucket"];

impl Query {
    /// How equal the answers of two servers of one version have to be.
    pub(super) fn exactness(&self) -> Exactness {
        let has = |parts: &[&str]| parts.iter().any(|part| self.text.contains(part));
        let tolerance = if has(&ROUNDED) { 4e-15 } else { 0.0 };
        Exactness { tolerance, order: !has(&UNORDERED), words: true }
    }

    /// Whether it has a subquery: since 3.0 a range does not contain its beginning, so that one has a value less.
    pub(super) fn has_subquery(&self) -> bool {
        let mut ranges = self.text.split('[').skip(1).filter_map(|rest| rest.split(']').next());
        ranges.any(|range| range.contains(':'))
    }
}

/// Ours: a query a line; `#` begins a comment.
pub(super) fn own() -> Vec<Query> {
    let lines = include_str!("queries.txt").lines().map(str::trim);
    let queries = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    queries.map(|text| Query { text: text.to_owned() }).collect()
}

/// The compliance tester's, with all values of their arguments.
pub(super) fn compliance(corpora: &Path) -> Result<Vec<Query>, Failed> {
    let dir = corpora.join("compliance/promql");
    let read = |name: &str| -> Result<Value, Failed> {
        Ok(serde_saphyr::from_str(&std::fs::read_to_string(dir.join(name))?)?)
    };
    let variants: BTreeMap<String, Vec<Value>> = serde_json::from_value(read("variants.yaml")?)?;
    let cases = read("promql-test-queries.yml")?;
    let mut queries = Vec::new();
    for case in cases["test_cases"].as_array().ok_or("no test_cases")? {
        let mut texts = vec![case["query"].as_str().ok_or("a case without a query")?.to_owned()];
        for argument in case["variant_args"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let values = variants.get(argument).ok_or_else(|| format!("no variants of {argument}"))?;
            let place = format!("{{{{.{argument}}}}}");
            let filled = texts.iter().flat_map(|text| {
                let place = &place;
                values.iter().map(move |value| {
                    text.replace(
                        place,
                        value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str(),
                    )
                })
            });
            texts = filled.collect();
        }
        queries.extend(texts.into_iter().map(|text| Query { text }));
    }
    Ok(queries)
}
