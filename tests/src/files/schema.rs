//! JSON Schema, and the schema within a Kubernetes resource definition.

use serde_json::{Value, json};

use super::{Complaints, items};

/// What a schema finds wrong with a document: the place and what is wrong there.
pub fn violations(schema: &Value, document: &Value) -> Complaints {
    match jsonschema::validator_for(schema) {
        Ok(validator) => validator
            .iter_errors(document)
            .map(|error| format!("{}: {error:.400}", error.instance_path()))
            .collect(),
        Err(error) => vec![format!("the schema itself cannot be read: {error}")],
    }
}

/// The schema of a Kubernetes resource's version, strict: a key that it does not name is refused, as programs do that
/// read such a file with strict decoding.
pub fn of_resource(definition: &Value, version: &str) -> Option<Value> {
    let versions = items(&definition["spec"]["versions"]);
    let found = versions.iter().find(|entry| entry["name"] == version)?;
    let mut schema = found["schema"]["openAPIV3Schema"].clone();
    if let Some(whole) = schema.as_object_mut() {
        // The definition leaves this to the API server.
        let metadata = json!({
            "type": "object",
            "required": ["name"],
            "additionalProperties": false,
            "properties": {
                "name": { "type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" },
                "namespace": { "type": "string" },
                "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                "annotations": { "type": "object", "additionalProperties": { "type": "string" } },
            },
        });
        if let Some(properties) = whole.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("metadata".to_owned(), metadata);
        }
    }
    close(&mut schema);
    Some(schema)
}

/// Forbids what is not named, wherever properties are named.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            if entries.get("properties").is_some_and(Value::is_object)
                && !entries.contains_key("additionalProperties")
            {
                entries.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            // Kubernetes's own words, which mean nothing to JSON Schema.
            entries.retain(|key, _| !key.starts_with("x-kubernetes-"));
            entries.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_name_their_place() {
        let schema = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
        assert!(violations(&schema, &json!({ "a": "x" })).is_empty());
        let found = violations(&schema, &json!({ "a": 1 }));
        assert!(found.len() == 1 && found[0].starts_with("/a: "), "{found:?}");
        assert!(!violations(&json!({ "type": 1 }), &json!({})).is_empty());
    }

    #[test]
    fn a_resource_is_strict() {
        let definition = json!({ "spec": { "versions": [{ "name": "v1", "schema": { "openAPIV3Schema": {
            "type": "object",
            "properties": {
                "metadata": { "type": "object" },
                "spec": { "type": "object", "properties": { "target": { "type": "string" } } },
            },
        } } }] } });
        let schema = of_resource(&definition, "v1").unwrap();
        let found = |spec: Value| violations(&schema, &json!({ "metadata": { "name": "a" }, "spec": spec }));
        assert!(found(json!({ "target": "95" })).is_empty());
        assert!(!found(json!({ "target": 95 })).is_empty());
        assert!(!found(json!({ "targets": "95" })).is_empty());
        assert!(!violations(&schema, &json!({ "metadata": { "name": "A b" } })).is_empty());
        assert!(of_resource(&definition, "v2").is_none());
    }
}
