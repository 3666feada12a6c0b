//! What real components and ours are asked, without a runtime.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::http;

/// A series of an instant query's answer.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its labels, `__name__` too.
    pub labels: BTreeMap<String, String>,
    /// Its value at the time of the query.
    pub value: f64,
}

/// An instant query; empty where nothing answers.
pub fn series(prometheus: &str, expression: &str) -> Vec<Series> {
    let answer = json(&format!("{prometheus}/api/v1/query?query={}", escaped(expression)));
    let result = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    let one = |series: &Value| {
        let labels = series["metric"].as_object()?;
        let labels =
            labels.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Some(Series { labels: labels.collect(), value: series["value"][1].as_str()?.parse().ok()? })
    };
    result.iter().filter_map(one).collect()
}

/// The JSON that an address answers with; `Null` where it does not.
pub fn json(url: &str) -> Value {
    let answer = http::get(url).ok().filter(|answer| answer.status == 200);
    answer.and_then(|answer| serde_json::from_str(&answer.body).ok()).unwrap_or(Value::Null)
}

/// Asks until there is an answer.
///
/// # Errors
/// If there is none in time; `otherwise` says more about it.
pub fn until<T>(
    what: &str,
    within: Duration,
    mut ask: impl FnMut() -> Option<T>,
    otherwise: impl FnOnce() -> String,
) -> Result<T, Failed> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(format!("{what}: not within {} s\n{}", within.as_secs(), otherwise()).into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A text as a value in an address.
pub fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(byte.into());
        } else {
            // Writing to a String does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_escaped() {
        assert_eq!(escaped(r#"up{job="a/b"} > 0"#), "up%7Bjob%3D%22a%2Fb%22%7D%20%3E%200");
    }
}
