//! Answers of the query API, and where two of them differ.

use std::collections::BTreeSet;

use libtest_mimic::Failed;
use serde_json::Value;
use tests::http;

/// What a server answered.
pub(super) struct Answer {
    status: u16,
    body: Value,
}

/// How equal two answers have to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exactness {
    /// By how much numbers may differ, as a share of the greater one.
    pub(super) tolerance: f64,
    /// Whether the order of an instant query's series counts.
    pub(super) order: bool,
    /// Whether errors, warnings and infos have to have the same words.
    pub(super) words: bool,
}

impl Answer {
    pub(super) fn of(url: &str, endpoint: &str, form: &str) -> Result<Self, Failed> {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = http::send("POST", &format!("{url}/api/v1/{endpoint}"), &headers, form)?;
        let body = serde_json::from_str(&answer.body)
            .map_err(|error| format!("{error} in the answer to {form}: {}", short(&answer.body)))?;
        Ok(Self { status: answer.status, body })
    }

    pub(super) fn has_failed(&self) -> bool {
        self.body["status"] == "error"
    }

    /// Whether the language that the server speaks does not have this.
    pub(super) fn is_not_understood(&self) -> bool {
        let error = self.body["error"].as_str().unwrap_or_default();
        // Any text may be a label's name since 3.0.
        error.contains("parse error") || error.starts_with("invalid destination label name")
    }

    /// The first thing in which they differ.
    pub(super) fn difference(&self, other: &Self, exactness: Exactness) -> Option<String> {
        if self.status != other.status {
            let error = |answer: &Self| short(&answer.body["error"].to_string());
            return Some(format!(
                "{} and {}: {} and {}",
                self.status,
                other.status,
                error(self),
                error(other)
            ));
        }
        if self.body["errorType"] != other.body["errorType"] {
            return Some(format!("{} and {}", self.body["errorType"], other.body["errorType"]));
        }
        if exactness.words {
            let (left, right) = (without_order(&self.body["error"]), without_order(&other.body["error"]));
            if left != right {
                return Some(format!("{left:?} and {right:?}"));
            }
            for key in ["warnings", "infos"] {
                // Their order is that of a hash table.
                let (left, right) = (texts(&self.body[key]), texts(&other.body[key]));
                if left != right {
                    return Some(format!("{key}: {left:?} and {right:?}"));
                }
            }
        }
        let (left, right) = (&self.body["data"], &other.body["data"]);
        if left["resultType"] != right["resultType"] {
            return Some(format!("{} and {}", left["resultType"], right["resultType"]));
        }
        let (left, right) = (&left["result"], &right["result"]);
        if exactness.order || self.body["data"]["resultType"] != "vector" {
            return differing(left, right, "result", exactness.tolerance);
        }
        differing(&sorted(left), &sorted(right), "result", exactness.tolerance)
    }
}

/// An error, with the series that it names in brackets in the order of their texts: 3.14 names them as they come.
fn without_order(error: &Value) -> String {
    let error = error.as_str().unwrap_or_default();
    let Some((before, (series, after))) =
        error.split_once("operation: [").and_then(|(before, rest)| Some((before, rest.split_once(']')?)))
    else {
        return error.to_owned();
    };
    let mut series: Vec<&str> = series.trim_end_matches('}').split("}, ").collect();
    series.sort_unstable();
    format!("{before} {series:?} {after}")
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn sorted(result: &Value) -> Value {
    let mut result = result.clone();
    if let Some(list) = result.as_array_mut()
        && list.iter().all(Value::is_object)
    {
        list.sort_by_cached_key(|item| item["metric"].to_string());
    }
    result
}

/// The first place where they differ. Numbers stand in texts.
fn differing(left: &Value, right: &Value, path: &str, tolerance: f64) -> Option<String> {
    match (left, right) {
        (Value::Array(lefts), Value::Array(rights)) => {
            let mut pairs = lefts.iter().zip(rights).enumerate();
            let found = pairs.find_map(|(index, (left, right))| {
                differing(left, right, &format!("{path}[{index}]"), tolerance)
            });
            found.or_else(|| more(lefts, rights).map(|more| format!("{path}: {more}")))
        }
        (Value::Object(lefts), Value::Object(rights)) => {
            let names: BTreeSet<&String> = lefts.keys().chain(rights.keys()).collect();
            names.into_iter().find_map(|name| {
                let of =
                    |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                differing(&of(lefts), &of(rights), &format!("{path}.{name}"), tolerance)
            })
        }
        (Value::String(left), Value::String(right)) if are_close(left, right, tolerance) => None,
        _ if left == right => None,
        _ => Some(format!("{path}: {} and {}", short(&left.to_string()), short(&right.to_string()))),
    }
}

/// What the longer of two lists has more.
fn more(lefts: &[Value], rights: &[Value]) -> Option<String> {
    let counts = format!("{} and {} items", lefts.len(), rights.len());
    let next = lefts.get(rights.len()).or_else(|| rights.get(lefts.len()))?;
    Some(format!("{counts}, the next is {}", short(&next.to_string())))
}

fn are_close(left: &str, right: &str, tolerance: f64) -> bool {
    let (Ok(left), Ok(right)) = (left.parse::<f64>(), right.parse::<f64>()) else { return false };
    (left - right).abs() <= tolerance * left.abs().max(right.abs())
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}
