//! Requests whose time counts until the last byte is there, without what a client does with it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::Value;
use tests::http::unchunked;

/// A request's body and how long it took.
pub(crate) struct Asked {
    pub(crate) took: Duration,
    pub(crate) raw: Vec<u8>,
}

/// `GET` on a connection of its own; `raw` is memory to be used again.
pub(crate) fn ask(address: &str, path: &str, mut raw: Vec<u8>) -> io::Result<Asked> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(2)))?;
    raw.clear();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let began = Instant::now();
    stream.write_all(request.as_bytes())?;
    stream.read_to_end(&mut raw)?;
    Ok(Asked { took: began.elapsed(), raw })
}

impl Asked {
    /// The answer's `data`, in an order that does not depend on the server.
    pub(crate) fn data(&self) -> Result<Value, Failed> {
        let end = self.raw.windows(4).position(|window| window == b"\r\n\r\n").ok_or("no HTTP answer")?;
        let head = String::from_utf8_lossy(&self.raw[..end]).to_ascii_lowercase();
        let body = &self.raw[end + 4..];
        let body = if head.contains("transfer-encoding: chunked") {
            unchunked(body).ok_or("an answer that ends early")?
        } else {
            body.to_vec()
        };
        let mut answer: Value = serde_json::from_slice(&body)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&body[..body.len().min(300)])))?;
        if answer["status"] != "success" {
            return Err(format!("{answer}").into());
        }
        let mut data = answer["data"].take();
        let list = if data.is_array() { Some(&mut data) } else { data.get_mut("result") };
        if let Some(list) = list.and_then(Value::as_array_mut) {
            list.sort_by_cached_key(|item| item.get("metric").unwrap_or(item).to_string());
        }
        Ok(data)
    }
}

/// Where two answers differ; numbers in texts may differ by what additions in another order make of them.
pub(crate) fn difference(left: &Value, right: &Value, path: &str) -> Option<String> {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(index, (left, right))| difference(left, right, &format!("{path}[{index}]"))),
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            left.iter().find_map(|(key, left)| {
                difference(left, right.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"))
            })
        }
        (Value::String(left), Value::String(right)) if left == right || close(left, right) => None,
        _ if left == right => None,
        _ => {
            let short = |value: &Value| value.to_string().chars().take(120).collect::<String>();
            Some(format!("{path}: {} and {}", short(left), short(right)))
        }
    }
}

fn close(left: &str, right: &str) -> bool {
    let (Ok(left), Ok(right)) = (left.parse::<f64>(), right.parse::<f64>()) else { return false };
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs())
}
