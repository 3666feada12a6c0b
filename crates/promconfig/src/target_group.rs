//! Groups of targets: `static_configs`, the files of file discovery, the answers of HTTP discovery.

use model::literal::Quoted;
use serde_json::Value as Json;
use yaml::{Context, Dialect, Fields, Limits, Node, Outcome, Output};

use crate::error::{Error, Result};
use crate::go_json;
use crate::print::Block;
use crate::read::label_set;

/// Targets that share labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetGroup {
    /// Addresses, `host:port`.
    pub targets: Vec<String>,
    /// Labels of all of them, by name.
    pub labels: Vec<(String, String)>,
}

/// The type as Go names it, which has no name of its own.
const TYPE: &str =
    "struct { Targets []string \"yaml:\\\"targets\\\"\"; Labels model.LabelSet \"yaml:\\\"labels\\\"\" }";

impl TargetGroup {
    pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, TYPE)?;
        let mut group = Self::default();
        fields.set("targets", &mut group.targets, context, yaml::strings)?;
        fields.set("labels", &mut group.labels, context, label_set)?;
        fields.close(context)?;
        Ok(group)
    }

    pub(crate) fn print(&self) -> Output {
        let mut block = Block::default();
        block.always("targets", Output::texts(&self.targets)).pairs("labels", &self.labels);
        block.into()
    }

    /// Reads a file of groups in YAML.
    ///
    /// # Errors
    /// Go's text.
    pub fn list_from_yaml(text: &str) -> Result<Vec<Self>> {
        let groups = yaml::read(text, Dialect::V2, Limits::default(), |node, context| {
            yaml::list(node, context, "[]*targetgroup.Group", |node, context| {
                if node.is_null() { Ok(None) } else { Self::read(node, context).map(Some) }
            })
        })?;
        // A null is no group: the file is refused, and so are its others.
        groups
            .into_iter()
            .collect::<Option<_>>()
            .ok_or_else(|| Error::Json("nil target group item found".to_owned()))
    }

    /// Reads groups in JSON.
    ///
    /// # Errors
    /// Where it is no JSON, and what has the wrong type or no place.
    pub fn list_from_json(text: &[u8]) -> Result<Vec<Self>> {
        let json: Json =
            serde_json::from_slice(text).map_err(|error| Error::Json(go_json::syntax_error(text, &error)))?;
        let groups = match &json {
            Json::Null => return Ok(Vec::new()),
            Json::Array(groups) => groups,
            other => return Err(mismatch(other, "value of type []*targetgroup.Group")),
        };
        groups.iter().map(Self::from_json).collect()
    }

    fn from_json(json: &Json) -> Result<Self> {
        let group = match json {
            Json::Null => return Err(Error::Json("nil target group item found".to_owned())),
            Json::Object(group) => group,
            other => return Err(mismatch(other, WRITTEN)),
        };
        if let Some(unknown) =
            group.keys().find(|key| !KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)))
        {
            return Err(Error::Json(format!("json: unknown field {}", Quoted(unknown))));
        }
        let get = |name: &str| {
            let found = group.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value)
        };
        let texts = |json: &Json, kind: &str| match json {
            Json::Null => Ok(String::new()),
            Json::String(text) => Ok(text.clone()),
            other => Err(mismatch(other, kind)),
        };
        let targets = match get("targets") {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(targets)) => targets
                .iter()
                .map(|json| texts(json, "struct field .targets of type string"))
                .collect::<Result<_>>()?,
            Some(other) => return Err(mismatch(other, "struct field .targets of type []string")),
        };
        let labels = match get("labels") {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Object(labels)) => labels
                .iter()
                .map(|(name, json)| {
                    if name.is_empty() {
                        return Err(Error::Json("\"\" is not a valid label name".to_owned()));
                    }
                    texts(json, "struct field .labels of type model.LabelValue")
                        .map(|value| (name.clone(), value))
                })
                .collect::<Result<_>>()?,
            Some(other) => {
                return Err(mismatch(
                    other,
                    "struct field .labels of type map[model.LabelName]model.LabelValue",
                ));
            }
        };
        Ok(Self { targets, labels })
    }
}

/// The keys of a group; JSON may write them in capitals too.
const KEYS: [&str; 2] = ["targets", "labels"];

/// What Go calls a group in JSON.
const WRITTEN: &str = r#"value of type struct { Targets []string "json:\"targets\""; Labels model.LabelSet "json:\"labels\"" }"#;

fn mismatch(json: &Json, wanted: &str) -> Error {
    Error::Json(format!("json: cannot unmarshal {} into Go {wanted}", go_json::kind(json)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_from_both_formats() {
        let expected = vec![TargetGroup {
            targets: vec!["a:1".to_owned(), "b:2".to_owned()],
            labels: vec![("env".to_owned(), "x".to_owned())],
        }];
        let yaml = TargetGroup::list_from_yaml("- targets: [a:1, 'b:2']\n  labels:\n    env: x\n").unwrap();
        let json = br#"[{"targets": ["a:1", "b:2"], "labels": {"env": "x"}}]"#;
        assert_eq!(yaml, expected);
        assert_eq!(TargetGroup::list_from_json(json).unwrap(), expected);
        assert_eq!(TargetGroup::list_from_yaml("").unwrap(), []);
        assert_eq!(TargetGroup::list_from_json(b"[]").unwrap(), []);
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let yaml = |text: &str| TargetGroup::list_from_yaml(text).unwrap_err().to_string();
        let json = |text: &str| TargetGroup::list_from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(
            yaml("- target: [a]\n")
                .contains("line 1: field target not found in type struct { Targets []string")
        );
        assert!(yaml("a: b\n").contains("cannot unmarshal !!map into []*targetgroup.Group"));
        assert_eq!(yaml("- \n"), "nil target group item found");
        assert_eq!(json(r#"[{"target": []}]"#), "json: unknown field \"target\"");
        for (text, words) in [
            (
                r#"[{"targets": [1]}]"#,
                "json: cannot unmarshal number into Go struct field .targets of type string",
            ),
            (
                r#"[{"labels": {"x": 1}}]"#,
                "json: cannot unmarshal number into Go struct field .labels of type model.LabelValue",
            ),
            ("{}", "json: cannot unmarshal object into Go value of type []*targetgroup.Group"),
            ("[null]", "nil target group item found"),
            ("[", "unexpected end of JSON input"),
            ("[] x", "invalid character 'x' after top-level value"),
        ] {
            assert_eq!(json(text), words);
        }
        // Go takes keys in capitals too.
        assert!(TargetGroup::list_from_json(br#"[{"Targets": ["a"]}]"#).is_ok());
    }
}
