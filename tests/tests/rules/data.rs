//! Samples for rules, by remote write.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::Failed;
use tests::remote_write::{Connection, Request};

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "a real server has the real time")]
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Waits for a time.
pub(crate) fn wait_until(time_ms: i64) {
    let left = time_ms.saturating_sub(now_ms());
    std::thread::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
}

/// Labels of a series.
pub(crate) fn labels(name: &str, others: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = [("__name__", name)].into_iter().chain(others.iter().copied());
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Sends a request to servers, each at `127.0.0.1:PORT`.
pub(crate) fn send(addresses: &[&str], request: Request) -> Result<(), Failed> {
    let body = request.finish();
    for address in addresses {
        let (status, answer) = Connection::open(address)?.send(&body)?;
        if status / 100 != 2 {
            return Err(format!("{address}: {status} {answer}").into());
        }
    }
    Ok(())
}
