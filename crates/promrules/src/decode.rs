//! From YAML to what is written, with the complaints of Go's `yaml/v3`.
//!
//! Prometheus reads a file twice: once for the values, where keys that it does not know are errors, and once for the
//! places, where types have other names and any key goes. What is wrong for both is told twice.

use std::collections::BTreeMap;
use std::time::Duration;

use yaml::{Context, Dialect, Failure, Fields, Limits, Node, Outcome};

use crate::validate::validate;
use crate::written::{Group, Rule, Text};
use crate::{Error, Options, Parsed, Place};

const SECOND_DOCUMENT: &str =
    "Multiple document yaml rules files are not supported, only the first document is processed";

/// Reads a rule file.
///
/// # Errors
/// Everything that is wrong with it, in the words of Prometheus.
pub fn parse(text: &str, options: Options) -> Result<Parsed, Vec<Error>> {
    let read = |pass: Pass| {
        yaml::read(text, Dialect::V3, Limits::default(), |node, context| file(node, context, pass))
    };
    let values = read(Pass { names: VALUES, strict: !options.ignore_unknown_fields, places: false });
    let places = read(Pass { names: PLACES, strict: false, places: true });
    let groups = match (values, places) {
        (Ok(groups), Ok(_)) => groups,
        (values, places) => {
            let errors = [values.err(), places.err()].into_iter().flatten();
            return Err(errors.map(|error| Error::Yaml(error.to_string())).collect());
        }
    };
    let file = validate(groups, options.names)?;
    let has_second = has_second_document(text);
    Ok(Parsed { file, warnings: has_second.then(|| SECOND_DOCUMENT.to_owned()).into_iter().collect() })
}

/// Whether a second document begins: three dashes at the beginning of a line that is not the first with content.
fn has_second_document(text: &str) -> bool {
    let is_mark = |line: &str| {
        line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    };
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty() || line.starts_with(['#', '%']));
    lines.next();
    lines.any(is_mark)
}

/// Names of Go's types.
#[derive(Clone, Copy)]
struct Names {
    groups: &'static str,
    group: &'static str,
    group_list: &'static str,
    rule: &'static str,
    rule_list: &'static str,
}

const VALUES: Names = Names {
    groups: "rulefmt.RuleGroups",
    group: "rulefmt.RuleGroup",
    group_list: "[]rulefmt.RuleGroup",
    rule: "rulefmt.Rule",
    rule_list: "[]rulefmt.Rule",
};

const PLACES: Names = Names {
    groups: "rulefmt.ruleGroups",
    group: "rulefmt.RuleGroupNode",
    group_list: "[]rulefmt.RuleGroupNode",
    rule: "rulefmt.RuleNode",
    rule_list: "[]rulefmt.RuleNode",
};

/// How a file is gone through.
#[derive(Clone, Copy)]
struct Pass {
    names: Names,
    /// Whether keys that nobody knows are errors.
    strict: bool,
    /// Whether the texts whose places are wanted may be anything.
    places: bool,
}

impl Pass {
    fn close(self, fields: Fields<'_>, context: &mut Context, complaints: usize) -> Outcome<()> {
        if self.strict {
            fields.close(context)
        } else if context.complaints() > complaints {
            Err(Failure::Noted)
        } else {
            Ok(())
        }
    }
}

fn file(node: &Node, context: &mut Context, pass: Pass) -> Outcome<Vec<Group>> {
    let complaints = context.complaints();
    let mut fields = Fields::open(node, context, pass.names.groups)?;
    let groups = fields.optional("groups", context, |node, context| {
        yaml::list(node, context, pass.names.group_list, |node, context| group(node, context, pass))
    })?;
    pass.close(fields, context, complaints)?;
    Ok(groups.unwrap_or_default())
}

fn group(node: &Node, context: &mut Context, pass: Pass) -> Outcome<Group> {
    let complaints = context.complaints();
    let mut fields = Fields::open(node, context, pass.names.group)?;
    let mut group = Group::default();
    fields.set("name", &mut group.name, context, yaml::string)?;
    fields.set("interval", &mut group.interval, context, duration)?;
    group.query_offset = fields.optional("query_offset", context, duration)?;
    fields.set("limit", &mut group.limit, context, |node, context| yaml::integer(node, context, "int"))?;
    let rules = |node: &Node, context: &mut Context| {
        yaml::list(node, context, pass.names.rule_list, |node, context| rule(node, context, pass))
    };
    fields.set("rules", &mut group.rules, context, rules)?;
    fields.set("labels", &mut group.labels, context, texts)?;
    pass.close(fields, context, complaints)?;
    Ok(group)
}

fn rule(node: &Node, context: &mut Context, pass: Pass) -> Outcome<Rule> {
    let complaints = context.complaints();
    let mut fields = Fields::open(node, context, pass.names.rule)?;
    let mut rule = Rule::default();
    let text = |node: &Node, context: &mut Context| {
        let place = Place { line: node.position.line as usize, column: node.position.column as usize };
        let value = if pass.places { String::new() } else { yaml::string(node, context)? };
        Ok(Text { value, place })
    };
    fields.set("record", &mut rule.record, context, text)?;
    fields.set("alert", &mut rule.alert, context, text)?;
    fields.set("expr", &mut rule.expr, context, text)?;
    fields.set("for", &mut rule.hold, context, duration)?;
    fields.set("keep_firing_for", &mut rule.keep_firing_for, context, duration)?;
    fields.set("labels", &mut rule.labels, context, texts)?;
    fields.set("annotations", &mut rule.annotations, context, texts)?;
    pass.close(fields, context, complaints)?;
    Ok(rule)
}

/// A duration as Prometheus writes it; one that is wrong ends the reading, as in Go.
fn duration(node: &Node, context: &mut Context) -> Outcome<Duration> {
    let text = yaml::string(node, context)?;
    promql::parse_duration(&text).map_err(|error| node.refuse(error))
}

fn texts(node: &Node, context: &mut Context) -> Outcome<BTreeMap<String, String>> {
    Ok(yaml::map(node, context, "map[string]string", yaml::string)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong, each on a line of its own.
    fn refused(text: &str) -> Vec<String> {
        let errors = parse(text, Options::default()).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_both_readings_complain_about_is_told_twice() {
        let text =
            "groups:\n  - name: [a]\n    limit: abc\n    rules:\n     - record: [a]\n       labels: abc\n";
        let value =
            "  line 2: cannot unmarshal !!seq into string\n  line 3: cannot unmarshal !!str `abc` into int\n";
        let labels = "  line 6: cannot unmarshal !!str `abc` into map[string]string";
        let record = "  line 5: cannot unmarshal !!seq into string\n";
        assert_eq!(
            refused(text),
            [
                format!("yaml: unmarshal errors:\n{value}{record}{labels}"),
                format!("yaml: unmarshal errors:\n{value}{labels}"),
            ]
        );
        let unit = "unknown unit \"x\" in duration \"5x\"".to_owned();
        assert_eq!(refused("groups:\n  - name: a\n    interval: 5x\n"), [unit.clone(), unit]);
        assert_eq!(
            refused("[]"),
            [
                "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into rulefmt.RuleGroups",
                "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into rulefmt.ruleGroups",
            ]
        );
    }

    #[test]
    fn unknown_keys_are_errors_unless_they_are_passed_over() {
        let text = "extra: 1\ngroups:\n  - name: a\n    rules:\n      - record: b\n        expr: 1\n        note: c\n";
        assert_eq!(
            refused(text),
            ["yaml: unmarshal errors:\n  line 1: field extra not found in type rulefmt.RuleGroups\n  \
              line 7: field note not found in type rulefmt.Rule"]
        );
        let options = Options { ignore_unknown_fields: true, ..Options::default() };
        assert_eq!(parse(text, options).unwrap().file.rule_count(), 1);
    }

    #[test]
    fn places_are_those_of_the_values() {
        let text = "groups:\n  - name: a\n    rules:\n      - record: x\n        alert: y\n        expr: |\n          sum(\n            foo\n        for: 5m\n      - {}\n";
        assert_eq!(
            refused(text),
            [
                "4:17: 5:16: group \"a\", rule 1, \"y\": only one of 'record' and 'alert' must be set",
                "6:15: group \"a\", rule 1, \"y\": could not parse expression: 3:1: parse error: unclosed left parenthesis",
                "4:17: group \"a\", rule 1, \"y\": invalid field 'for' in recording rule",
                "0:0: 0:0: group \"a\", rule 2, \"\": one of 'record' or 'alert' must be set",
                "0:0: group \"a\", rule 2, \"\": field 'expr' must be set in rule",
            ]
        );
    }

    #[test]
    fn nothing_and_a_second_document() {
        for text in ["", "# nothing\n", "groups: ~\n", "---\n", "groups: []\n"] {
            let parsed = parse(text, Options::default()).unwrap();
            assert_eq!(parsed, Parsed::default(), "{text:?}");
        }
        for text in ["groups: []\n---\n", "---\ngroups: []\n--- x\n"] {
            assert_eq!(parse(text, Options::default()).unwrap().warnings, [SECOND_DOCUMENT], "{text:?}");
        }
    }

    #[test]
    fn labels_of_a_group_are_those_of_its_rules() {
        let text = "groups:\n  - name: g\n    interval: 1m\n    limit: 3\n    query_offset: 10s\n    labels: {a: g, b: g}\n    rules:\n      - alert: A\n        expr: up == 0\n        for: 5m\n        labels: {b: r}\n        annotations: {summary: s}\n";
        let file = parse(text, Options::default()).unwrap().file;
        let group = &file.groups[0];
        assert_eq!((group.interval, group.limit), (Duration::from_secs(60), 3));
        assert_eq!(group.query_offset, Some(Duration::from_secs(10)));
        let rule = &group.rules[0];
        let labels: Vec<_> = rule.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(labels, ["a=g", "b=r"]);
        assert_eq!(rule.alerting().unwrap().hold, Duration::from_secs(300));
    }

    #[test]
    fn names_of_the_older_kind() {
        let text =
            "groups:\n  - name: g\n    labels: {a.b: c}\n    rules:\n      - record: a-b\n        expr: 1\n";
        assert!(parse(text, Options::default()).is_ok());
        let options = Options { names: crate::NameScheme::Legacy, ..Options::default() };
        let errors: Vec<String> = parse(text, options).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "invalid label name: a.b",
                "5:17: group \"g\", rule 1, \"a-b\": invalid recording rule name: a-b"
            ]
        );
    }
}
