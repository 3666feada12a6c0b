//! Asking HTTP APIs.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;

/// A client that goes straight to its address: no proxy stands before a stack on the same machine.
pub(crate) fn client(timeout: Duration) -> anyhow::Result<Client> {
    let agent = concat!("mirante/", env!("CARGO_PKG_VERSION"));
    let builder = Client::builder().no_proxy().timeout(timeout).connect_timeout(timeout).user_agent(agent);
    builder.build().context("cannot make an HTTP client")
}

/// Asks for JSON. Anything but 200 is an error that shows the beginning of the answer.
pub(crate) async fn get_json(client: &Client, url: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
    let request = client.get(url).query(query).header("accept", "application/json");
    json(&answer(request).await?)
}

/// Sends JSON and takes JSON. Errors as those of [`get_json`].
pub(crate) async fn post_json(client: &Client, url: &str, document: &Value) -> anyhow::Result<Value> {
    let body = answer(client.post(url).json(document)).await?;
    // Some have nothing to say but that it went well.
    if body.is_empty() { Ok(Value::Null) } else { json(&body) }
}

/// Asks for an answer of whatever kind. Errors as those of [`get_json`].
pub(crate) async fn get_bytes(client: &Client, url: &str) -> anyhow::Result<Bytes> {
    answer(client.get(url)).await
}

async fn answer(request: RequestBuilder) -> anyhow::Result<Bytes> {
    let response = request.send().await.map_err(|error| reason(&error))?;
    let status = response.status();
    let body = response.bytes().await.map_err(|error| reason(&error))?;
    if status != StatusCode::OK {
        bail!("answered {status}: {}", beginning(&body));
    }
    Ok(body)
}

fn json(body: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(body)
        .with_context(|| format!("answered something else than JSON: {}", beginning(body)))
}

/// The innermost cause of a failed request: "connection refused" rather than "error sending request".
pub(crate) fn reason(error: &reqwest::Error) -> anyhow::Error {
    if error.is_timeout() {
        return anyhow::anyhow!("no answer in time");
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    anyhow::anyhow!("{cause}")
}

fn beginning(body: &[u8]) -> String {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Runs a future on a runtime of one thread: all that a command needs that asks and goes.
pub(crate) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(future)
}
