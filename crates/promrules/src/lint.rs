//! What is allowed, and still hardly meant.

use std::collections::BTreeMap;

use crate::RuleFile;

/// A name with labels that more than one rule has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duplicate {
    /// Name of the metric or alert.
    pub metric: String,
    /// The rule's labels.
    pub labels: BTreeMap<String, String>,
}

/// Rules that write the same series, each once, sorted.
pub fn duplicates(file: &RuleFile) -> Vec<Duplicate> {
    let mut seen: BTreeMap<Duplicate, usize> = BTreeMap::new();
    for rule in file.groups.iter().flat_map(|group| &group.rules) {
        *seen.entry(Duplicate { metric: rule.name.clone(), labels: rule.labels.clone() }).or_default() += 1;
    }
    seen.into_iter().filter(|(_, count)| *count > 1).map(|(duplicate, _)| duplicate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_told_once_and_labels_of_groups_count() {
        let text = "groups:\n  - name: g\n    labels: {a: b}\n    rules: [{record: x, expr: 1}]\n  - name: h\n    rules:\n      - {record: x, expr: 2, labels: {a: b}}\n      - {record: x, expr: 3, labels: {a: b}}\n      - {alert: x, expr: 4}\n";
        let file = crate::parse(text, crate::Options::default()).unwrap().file;
        let labels = [("a".to_owned(), "b".to_owned())].into();
        assert_eq!(duplicates(&file), [Duplicate { metric: "x".to_owned(), labels }]);
    }
}
