//! Profiles of a service that works, in Pyroscope.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::look::Look;
use super::now_ms;
use super::report::{Check, Place};
use crate::client::{get_bytes, post_json};

pub(super) const PYROSCOPE: Place = Place {
    name: "pyroscope",
    asked: "profile of users",
    hint: "is PYROSCOPE_SERVER_ADDRESS set for users, and does /work answer?",
};

/// CPU time, as the profiler of the services calls it.
const TYPE: &str = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";
/// How far back a profile may lie.
const LOOK_BACK_MS: i64 = 10 * 60 * 1000;

pub(super) async fn pyroscope(look: &Look<'_>) -> Check {
    // A service that idles uses too little of the CPU to be sampled, so it is given work. Whether that fails shows below.
    let work = async {
        let _ = get_bytes(look.client, &format!("{}/work?seconds=1", look.places.users)).await;
    };
    let url = format!("{}/querier.v1.QuerierService/SelectMergeStacktraces", look.places.pyroscope);
    let found = look.until_found(PYROSCOPE, async || {
        let end = now_ms();
        let query = json!({
            "profileTypeID": TYPE, "labelSelector": r#"{service_name="users"}"#,
            "start": (end - LOOK_BACK_MS).to_string(), "end": end.to_string(), "maxNodes": "64",
        });
        sampled(&post_json(look.client, &url, &query).await?)
    });
    let ((), found) = tokio::join!(work, found);
    Check::new(PYROSCOPE, found)
}

fn sampled(answer: &Value) -> anyhow::Result<String> {
    // protobuf's JSON has 64-bit numbers as text, and leaves out what is zero.
    let total = match &answer["flamegraph"]["total"] {
        Value::Null => 0,
        total => total
            .as_str()
            .and_then(|text| text.parse::<u64>().ok())
            .or(total.as_u64())
            .context("the answer is not shaped like Pyroscope's")?,
    };
    ensure!(total > 0, "no samples");
    Ok(format!("{:.1} s of CPU time in the last 10 min", total as f64 / 1e9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_added_up() {
        let answer = |total: Value| json!({"flamegraph": {"names": ["total"], "levels": [], "total": total, "maxSelf": "1"}});
        assert_eq!(sampled(&answer(json!("1500000000"))).unwrap(), "1.5 s of CPU time in the last 10 min");
        assert_eq!(sampled(&answer(json!(2_000_000_000))).unwrap(), "2.0 s of CPU time in the last 10 min");
        assert_eq!(sampled(&json!({})).unwrap_err().to_string(), "no samples");
        assert_eq!(sampled(&json!({"flamegraph": {}})).unwrap_err().to_string(), "no samples");
        assert!(sampled(&answer(json!("many"))).is_err());
    }
}
