//! Pyrra's objectives.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::look::Look;
use super::report::{Check, Place};
use crate::client::post_json;

pub(super) const PYRRA: Place = Place {
    name: "pyrra",
    asked: "each objective",
    hint: "docker compose logs pyrra-filesystem: a file of slo/ that cannot be read is only named there",
};

/// Their names, as in slo/*.yaml.
const OBJECTIVES: [&str; 4] =
    ["users-availability", "users-latency", "albums-availability", "albums-latency"];

pub(super) async fn pyrra(look: &Look<'_>) -> Check {
    // Connect's unary call with JSON.
    let url = format!("{}/objectives.v1alpha1.ObjectiveService/List", look.places.pyrra);
    let found =
        look.until_found(PYRRA, async || objectives(&post_json(look.client, &url, &json!({})).await?));
    Check::new(PYRRA, found.await)
}

fn objectives(answer: &Value) -> anyhow::Result<String> {
    // protobuf's JSON leaves out an empty list.
    let listed = match &answer["objectives"] {
        Value::Null => &Vec::new(),
        list => list.as_array().context("the answer is not shaped like Pyrra's")?,
    };
    let is_there = |name: &str| listed.iter().any(|objective| objective["labels"]["__name__"] == name);
    let missing: Vec<_> = OBJECTIVES.into_iter().filter(|name| !is_there(name)).collect();
    ensure!(missing.is_empty(), "not there: {}", missing.join(", "));
    Ok(format!("{} objectives", listed.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_that_are_missing_are_named() {
        let objective =
            |name: &str| json!({"labels": {"__name__": name, "namespace": "demo"}, "target": 0.95});
        let all: Vec<_> = OBJECTIVES.into_iter().map(objective).collect();
        assert_eq!(objectives(&json!({"objectives": all})).unwrap(), "4 objectives");
        let missing = objectives(&json!({"objectives": all[..3]})).unwrap_err().to_string();
        assert_eq!(missing, "not there: albums-latency");
        assert!(objectives(&json!({})).unwrap_err().to_string().contains("users-availability"));
    }
}
