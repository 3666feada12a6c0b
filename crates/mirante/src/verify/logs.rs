//! Log lines of the request in Loki.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Client;
use serde_json::Value;

use super::look::Look;
use super::report::{Check, Place};
use super::request::Sent;
use crate::client::get_json;

const LOKI: Place = Place {
    name: "loki",
    asked: "lines by trace id",
    hint: "are logs exported (OTEL_LOGS_EXPORTER), and do they carry the trace id?",
};

/// How far back the search begins before the request: clocks of several machines differ.
const LOOK_BACK: Duration = Duration::from_mins(5);

pub(super) async fn in_loki(look: &Look<'_>) -> Check {
    let found = look.until_found(LOKI, async || lines(look.client, &look.places.loki, look.sent).await);
    Check::new(LOKI, found.await)
}

/// Says how many lines carry the trace's id, if any do.
async fn lines(client: &Client, loki: &str, sent: &Sent) -> anyhow::Result<String> {
    let url = format!("{loki}/loki/api/v1/query_range");
    let query = format!(r#"{{service_name=~"users|albums"}} | trace_id="{}""#, sent.trace_id);
    let since = format!("{}s", (LOOK_BACK + sent.answered.elapsed() + sent.took).as_secs());
    let answer = get_json(client, &url, &[("query", &query), ("since", &since), ("limit", "100")]).await?;
    let lines = count(&answer).context("the answer is not shaped like Loki's")?;
    ensure!(lines > 0, "no line with the trace id");
    let word = if lines == 1 { "line" } else { "lines" };
    Ok(format!("{lines} {word} with the trace id"))
}

fn count(answer: &Value) -> Option<usize> {
    let streams = answer["data"]["result"].as_array()?;
    streams.iter().map(|stream| Some(stream["values"].as_array()?.len())).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_of_all_streams_are_counted() {
        let stream = |lines: usize| json!({"stream": {}, "values": vec![json!(["1", "x"]); lines]});
        let answer =
            json!({"status": "success", "data": {"resultType": "streams", "result": [stream(2), stream(3)]}});
        assert_eq!(count(&answer), Some(5));
        assert_eq!(count(&json!({"status": "error"})), None);
    }
}
