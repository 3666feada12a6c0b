//! `and`, `or` and `unless`.

use super::matching::Groups;
use crate::ast::BinaryOp;
use crate::engine::Error;
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::Binary;
use crate::engine::steps::Steps;
use crate::engine::value::{Series, merge_results};

/// At which steps a group of series has a sample.
struct Presence {
    steps: Steps,
    by_group: Vec<Vec<bool>>,
}

impl Presence {
    fn new(steps: Steps, series: &[Series], groups: &[usize], count: usize) -> Self {
        let mut by_group = vec![Vec::new(); count];
        for (one, group) in series.iter().zip(groups) {
            let present: &mut Vec<bool> = &mut by_group[*group];
            present.resize(steps.count(), false);
            for (time_ms, _) in &one.floats {
                present[steps.index(*time_ms)] = true;
            }
            for (time_ms, _) in &one.histograms {
                present[steps.index(*time_ms)] = true;
            }
        }
        Self { steps, by_group }
    }

    fn has(&self, group: usize, time_ms: i64) -> bool {
        self.by_group[group].get(self.steps.index(time_ms)).is_some_and(|present| *present)
    }

    /// The samples of series at steps where their group has one, or where it has none.
    fn filter(&self, mut series: Vec<Series>, groups: &[usize], wanted: bool) -> Vec<Series> {
        for (one, group) in series.iter_mut().zip(groups) {
            one.floats.retain(|(time_ms, _)| self.has(*group, *time_ms) == wanted);
            one.histograms.retain(|(time_ms, _)| self.has(*group, *time_ms) == wanted);
        }
        series.retain(|one| !one.is_empty());
        series
    }
}

impl Evaluator<'_> {
    pub(super) fn set_operation(
        &mut self,
        binary: &Binary,
        left: Vec<Series>,
        right: Vec<Series>,
    ) -> Result<Vec<Series>, Error> {
        self.check_stop()?;
        let steps = self.steps;
        let groups = Groups::new(&left, &right, &binary.matching);
        if binary.op == BinaryOp::Or {
            let present = Presence::new(steps, &left, &groups.left, groups.count);
            let right = present.filter(right, &groups.right, false);
            let mut all = left;
            all.extend(right);
            if steps.is_single() {
                self.may_repeat = true;
                return Ok(all);
            }
            return merge_results(all);
        }
        let present = Presence::new(steps, &right, &groups.right, groups.count);
        Ok(present.filter(left, &groups.left, binary.op == BinaryOp::And))
    }
}
