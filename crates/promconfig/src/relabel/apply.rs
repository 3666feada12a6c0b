//! Running rules over labels.

use md5::{Digest as _, Md5};
use regex::Captures;

use super::{Action, Rule, template};

/// Runs rules over labels, in order. `false` says that all is dropped; the labels are not to be used then.
///
/// `labels` are names with values, each name once, in any order; a label that gets an empty value is removed.
pub fn apply(rules: &[Rule], labels: &mut Vec<(String, String)>) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

fn expand(template: &str, captures: &Captures<'_>) -> String {
    let mut text = String::with_capacity(template.len());
    model::regex::expand(template, captures, &mut text);
    text
}

fn get<'l>(labels: &'l [(String, String)], name: &str) -> &'l str {
    labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn set(labels: &mut Vec<(String, String)>, name: &str, value: String) {
    if value.is_empty() {
        labels.retain(|(known, _)| known != name);
    } else if let Some((_, present)) = labels.iter_mut().find(|(known, _)| known == name) {
        *present = value;
    } else {
        labels.push((name.to_owned(), value));
    }
}

impl Rule {
    fn apply(&self, labels: &mut Vec<(String, String)>) -> bool {
        let source = match self.source_labels.as_deref().unwrap_or_default() {
            [] => String::new(),
            [one] => get(labels, one).to_owned(),
            many => many.iter().map(|name| get(labels, name)).collect::<Vec<_>>().join(&self.separator),
        };
        match self.action {
            Action::Drop => return !self.regex.is_match(&source),
            Action::Keep => return self.regex.is_match(&source),
            Action::DropEqual => return get(labels, &self.target_label) != source,
            Action::KeepEqual => return get(labels, &self.target_label) == source,
            Action::Replace => self.replace(labels, &source),
            Action::Lowercase => set(labels, &self.target_label, source.to_lowercase()),
            Action::Uppercase => set(labels, &self.target_label, source.to_uppercase()),
            Action::HashMod => {
                let hash: [u8; 16] = Md5::digest(source.as_bytes()).into();
                let last = hash[8..].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
                set(labels, &self.target_label, (last % self.modulus.max(1)).to_string());
            }
            Action::LabelMap => {
                for (name, value) in labels.clone() {
                    if let Some(captures) = self.regex.captures(&name) {
                        let target = expand(&self.replacement, &captures);
                        set(labels, &target, value);
                    }
                }
            }
            Action::LabelDrop => labels.retain(|(name, _)| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|(name, _)| self.regex.is_match(name)),
        }
        true
    }

    fn replace(&self, labels: &mut Vec<(String, String)>, source: &str) {
        let plain =
            !template::has_variables(&self.target_label) && !template::has_variables(&self.replacement);
        // Without an expression a rule that only adds or removes a label needs no match.
        if plain && source.is_empty() && self.pattern.is_none() {
            return set(labels, &self.target_label, self.replacement.clone());
        }
        let Some(captures) = self.regex.captures(source) else { return };
        let target = expand(&self.target_label, &captures);
        if self.scheme.is_label_name(&target) {
            set(labels, &target, expand(&self.replacement, &captures));
        }
    }
}

#[cfg(test)]
mod tests {
    use yaml::{Dialect, Limits};

    use super::*;
    use crate::names::ValidationScheme;

    fn rules(text: &str) -> Vec<Rule> {
        let mut rules = yaml::read(text, Dialect::V2, Limits::default(), |node, context| {
            yaml::list(node, context, "rules", Rule::read)
        })
        .unwrap();
        for rule in &mut rules {
            rule.validate(ValidationScheme::Legacy).unwrap();
        }
        rules
    }

    /// Labels as `a=b c=d`; `None` where all is dropped.
    fn run(text: &str, labels: &str) -> Option<String> {
        let mut pairs: Vec<(String, String)> = labels
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        apply(&rules(text), &mut pairs).then(|| {
            pairs.sort();
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "what is expected, in the shape of what is found")]
    fn kept(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn replace_writes_where_the_whole_source_matches() {
        let labels = "a=foo b=bar c=baz";
        let rule = "[{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-ch${1}'}]";
        assert_eq!(run(rule, labels), kept("a=foo b=bar c=baz d=choo-choo"));
        let rule =
            "[{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}]";
        assert_eq!(run(rule, labels), kept("a=boobam b=bar c=baz"));
        let rule = "[{source_labels: [a], regex: 'o', target_label: d}]";
        assert_eq!(run(rule, labels), kept(labels), "anchored");
        let rule = "[{source_labels: [a], regex: '.*(b).*', target_label: d, replacement: x}]";
        assert_eq!(run(rule, "a=boo"), kept("a=boo d=x"));
        assert_eq!(
            run("[{source_labels: [a], regex: f, target_label: b, replacement: bar}]", "a=f"),
            kept("a=f b=bar")
        );
    }

    #[test]
    fn groups_make_label_names() {
        let rule = "[{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: '${2}'}]";
        assert_eq!(run(rule, "a=some-name-value"), kept("a=some-name-value name=value"));
        let rule = "[{source_labels: [a], regex: '([^,]+),(.*)', target_label: '${3}', replacement: '${1}'}]";
        assert_eq!(run(rule, "a=x,y"), kept("a=x,y"), "no name, no label");
        let rule = "[{source_labels: [a], regex: '(\\w+)-.*', target_label: '${1}', replacement: 'foo${1}'}]";
        assert_eq!(run(rule, "a=some-name"), kept("a=some-name some=foosome"));
        let rule = "[{source_labels: [a], target_label: '$1'}]";
        assert_eq!(run(rule, "a=0no-name"), kept("a=0no-name"));
    }

    #[test]
    fn an_empty_replacement_removes_and_an_empty_source_adds() {
        assert_eq!(run("[{target_label: a, replacement: ''}]", "a=x b=y"), kept("b=y"));
        assert_eq!(run("[{target_label: c, replacement: z}]", "a=x"), kept("a=x c=z"));
        assert_eq!(
            run("[{source_labels: [nope], regex: 'x', target_label: c, replacement: z}]", "a=x"),
            kept("a=x")
        );
        assert_eq!(run("[{source_labels: [a], target_label: b}]", "a=x"), kept("a=x b=x"));
    }

    #[test]
    fn keep_and_drop_decide() {
        let labels = "a=foo b=foo c=bar";
        assert_eq!(run("[{source_labels: [a], regex: '.*o.*', action: drop}]", labels), None);
        assert_eq!(run("[{source_labels: [a], regex: 'o', action: drop}]", labels), kept(labels));
        assert_eq!(run("[{source_labels: [a], regex: 'f|fo', action: keep}]", labels), None);
        assert_eq!(run("[{source_labels: [a], regex: 'foo', action: keep}]", labels), kept(labels));
        assert_eq!(run("[{source_labels: [a], target_label: b, action: dropequal}]", labels), None);
        assert_eq!(run("[{source_labels: [a], target_label: c, action: dropequal}]", labels), kept(labels));
        assert_eq!(run("[{source_labels: [a], target_label: b, action: keepequal}]", labels), kept(labels));
        assert_eq!(run("[{source_labels: [a], target_label: c, action: keepequal}]", labels), None);
    }

    #[test]
    fn rules_see_what_earlier_ones_wrote_and_a_drop_ends_all() {
        let text = "[{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'x${1}'}, {source_labels: [d], \
                    regex: xoo, action: drop}, {target_label: e, replacement: never}]";
        assert_eq!(run(text, "a=foo"), None);
        assert_eq!(run(text, "a=fa"), kept("a=fa d=xa e=never"));
    }

    #[test]
    fn hashes_are_prometheus() {
        let rule = "[{source_labels: [c], target_label: d, action: hashmod, modulus: 1000}]";
        assert_eq!(run(rule, "a=foo b=bar c=baz"), kept("a=foo b=bar c=baz d=976"));
    }

    #[test]
    fn names_are_mapped_dropped_and_kept() {
        let labels = "a=foo b1=bar b2=baz";
        let rule = "[{regex: '(b.*)', replacement: 'bar_${1}', action: labelmap}]";
        assert_eq!(run(rule, labels), kept("a=foo b1=bar b2=baz bar_b1=bar bar_b2=baz"));
        let rule = "[{regex: '__meta_(my_.*)', replacement: '$1', action: labelmap}]";
        let mapped = run(rule, "__meta_my_bar=aaa __meta_my_baz=bbb __meta_other=ccc");
        assert_eq!(
            mapped,
            kept("__meta_my_bar=aaa __meta_my_baz=bbb __meta_other=ccc my_bar=aaa my_baz=bbb")
        );
        assert_eq!(run("[{regex: '(b.*)', action: labeldrop}]", labels), kept("a=foo"));
        assert_eq!(run("[{regex: '(b.*)', action: labelkeep}]", labels), kept("b1=bar b2=baz"));
    }

    #[test]
    fn cases_are_changed() {
        let text = "[{source_labels: [foo], target_label: u, action: uppercase}, {source_labels: [foo], target_label: l, \
                    action: LOWERCASE}]";
        assert_eq!(run(text, "foo=bAr123Foo"), kept("foo=bAr123Foo l=bar123foo u=BAR123FOO"));
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        let refused = |text: &str| {
            let mut rule = yaml::read(text, Dialect::V2, Limits::default(), Rule::read)?;
            rule.validate(ValidationScheme::Legacy)
                .map_err(|message| yaml::Error::Refused { message, position: None })
        };
        for (text, message) in [
            ("action: nope", "unknown relabel action \"nope\""),
            ("action:", "relabel action cannot be empty"),
            (
                "{action: hashmod, target_label: a}",
                "relabel configuration for hashmod requires non-zero modulus",
            ),
            ("{action: replace}", "relabel configuration for replace action requires 'target_label' value"),
            ("{target_label: a-b}", "\"a-b\" is invalid 'target_label' for replace action"),
            ("{target_label: '${1}-b'}", "\"${1}-b\" is invalid 'target_label' for replace action"),
            (
                "{action: uppercase, target_label: '$1'}",
                "\"$1\" is invalid 'target_label' for uppercase action",
            ),
            (
                "{action: labelmap, replacement: 'a b'}",
                "\"a b\" is invalid 'replacement' for labelmap action",
            ),
            (
                "{action: labeldrop, source_labels: [a]}",
                "labeldrop action requires only 'regex', and no other fields",
            ),
            ("{regex: 'a(', target_label: a}", "error parsing regexp: missing closing ): `^(?s:a()$`"),
        ] {
            assert_eq!(refused(text).unwrap_err().to_string(), message, "{text}");
        }
        assert!(refused("{target_label: '${1}_b'}").is_ok());
    }
}
