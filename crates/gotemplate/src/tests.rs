//! The same templates over the same data as Go runs them: `tests/go.json` holds what Go 1.26 gave.

use std::any::Any;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::time::{Duration, Time};

#[derive(Debug)]
struct Person(Signature);

impl Object for Person {
    fn type_name(&self) -> &'static str {
        "*main.S"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "A" => Some("aa".into()),
            "N" => Some(Value::Int(3)),
            _ => None,
        }
    }

    fn method(&self, name: &str) -> Option<&Signature> {
        (name == "Greet").then_some(&self.0)
    }

    fn call(&self, _name: &str, args: &[Value]) -> Result<Value, String> {
        Ok(format!("hi {}", args[0].as_str().unwrap()).into())
    }

    fn print(&self) -> String {
        "{aa 3 <nil>}".to_owned()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn data() -> Value {
    let greet = Signature { params: vec![Type::String], is_variadic: false };
    let entries = [
        ("labels", Value::string_map([("a", "1"), ("b", "two")])),
        ("list", Value::strings(["a", "b", "c"])),
        ("empty", Value::strings::<&str>([])),
        ("n", Value::Int(7)),
        ("f", Value::Float(2.5)),
        ("big", Value::Float(1_234_567_890.5)),
        ("s", Value::Object(Arc::new(Person(greet)))),
        ("dur", Value::Duration(Duration(90_000_000_000))),
        ("t", Value::Time(Time(1_435_065_584_128_000_000))),
    ];
    let entries: BTreeMap<String, Value> =
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Value::Map(Arc::new(Map { type_name: "map[string]interface {}", entries, zero: Value::Nil }))
}

fn functions() -> Functions<'static> {
    Functions::new()
        .with("upper", &[Type::String], |args| Ok(args[0].as_str().unwrap_or("").to_uppercase().into()))
}

fn run(text: &str, missing_key: MissingKey) -> Result<String, Error> {
    let mut templates = Templates::new(functions(), missing_key);
    templates.parse("test", text)?;
    templates.execute("test", &data())
}

#[test]
fn as_go_has_it() {
    let cases: serde_json::Value = serde_json::from_str(include_str!("tests/go.json")).unwrap();
    let mut wrong = Vec::new();
    for case in cases.as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let missing_key = match case["missingkey"].as_str().unwrap() {
            "zero" => MissingKey::Zero,
            "error" => MissingKey::Error,
            _ => MissingKey::Invalid,
        };
        let expected = match &case["error"] {
            serde_json::Value::String(error) => Err(error.clone()),
            _ => Ok(case["out"].as_str().unwrap().to_owned()),
        };
        let found = run(text, missing_key).map_err(|error| error.to_string());
        if found != expected {
            wrong.push(format!("{text:?} {missing_key:?}\n  Go:   {expected:?}\n  here: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_template_comes_to_an_end() {
    for (text, reason) in [
        (r#"{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}"#, "maximum template depth"),
        ("{{ range 1000000000 }}{{ end }}", "steps"),
        (r#"{{ range 100000 }}{{ printf "%1000d" 1 }}{{ end }}"#, "longer than"),
    ] {
        let error = run(text, MissingKey::Invalid).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(run(&deep, MissingKey::Invalid).unwrap_err().to_string().contains("max expression depth"));
    let deep = "{{ if 1 }}".repeat(10_000);
    assert!(run(&deep, MissingKey::Invalid).unwrap_err().to_string().contains("max expression depth"));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "(\\{\\{|\\}\\}|-| |range|if|end|else|define|\\$x|:=|\\||\\.a|\"s\"|1|\\(|\\)|é|\n){0,24}") {
        _ = run(&text, MissingKey::Zero);
    }
}
