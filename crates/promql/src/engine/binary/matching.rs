//! Which series of two vectors belong together, and what their results are called.

use std::collections::HashMap;

use model::Labels;
use model::labels::METRIC_NAME;

use super::changes_meaning;
use crate::ast::{BinaryOp, Cardinality, Matching};
use crate::engine::value::Series;

/// The labels that have to be equal.
pub(super) fn matched_labels(labels: &Labels, matching: &Matching) -> Labels {
    let is_listed = |name: &str| matching.labels.iter().any(|label| label == name);
    let belongs = |name: &str| {
        if matching.is_on { is_listed(name) } else { name != METRIC_NAME && !is_listed(name) }
    };
    Labels::from_sorted(labels.iter().filter(move |(name, _)| belongs(name)))
}

/// Groups of series that belong together: for each the positions of series on either side.
pub(super) struct Groups {
    /// For each series of the left side its group.
    pub(super) left: Vec<usize>,
    /// For each series of the right side its group.
    pub(super) right: Vec<usize>,
    /// How many groups there are.
    pub(super) count: usize,
}

impl Groups {
    pub(super) fn new(left: &[Series], right: &[Series], matching: &Matching) -> Self {
        let mut known: HashMap<Labels, usize> = HashMap::with_capacity(left.len().max(right.len()));
        let mut of = |series: &[Series]| -> Vec<usize> {
            series
                .iter()
                .map(|one| {
                    let next = known.len();
                    *known.entry(matched_labels(&one.labels, matching)).or_insert(next)
                })
                .collect()
        };
        let (left, right) = (of(left), of(right));
        Self { left, right, count: known.len() }
    }

    /// The members of each group of one side.
    pub(super) fn members(&self, of: &[usize]) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.count];
        for (series, group) in of.iter().enumerate() {
            members[*group].push(series);
        }
        members
    }
}

/// The labels of a result, from those of the side with many and those of the side with one.
pub(super) fn result_labels(many: &Labels, one: &Labels, op: BinaryOp, matching: &Matching) -> Labels {
    let drops_metadata = changes_meaning(op);
    let is_one_to_one = matching.cardinality == Cardinality::OneToOne;
    let stays = |name: &str| {
        if drops_metadata && matches!(name, METRIC_NAME | "__type__" | "__unit__") {
            return false;
        }
        !is_one_to_one || matching.labels.iter().any(|label| label == name) == matching.is_on
    };
    let kept = many.iter().filter(|(name, _)| stays(name));
    if matching.include.is_empty() {
        return Labels::from_sorted(kept);
    }
    let included = |name: &str| matching.include.iter().any(|label| label == name);
    let taken = matching.include.iter().map(|label| (label.as_str(), one.get(label)));
    kept.filter(|(name, _)| !included(name)).chain(taken).collect()
}
