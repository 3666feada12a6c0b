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
