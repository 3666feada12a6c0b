//! Aggregations: series put together by labels, step by step.

mod count_values;
mod fold;
mod heap;
mod params;
mod pick;
mod ratio;

use std::collections::HashMap;

use model::Labels;
use model::labels::METRIC_NAME;

use super::Error;
use super::evaluator::Evaluator;
use super::plan::Aggregate;
use super::value::{Series, total_size};
use crate::ast::AggregateOp;
use params::Params;

impl Evaluator<'_> {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Vec<Series>, Error> {
        let before = self.samples;
        let out = match aggregate.op {
            AggregateOp::CountValues => self.count_values(aggregate)?,
            AggregateOp::TopK | AggregateOp::BottomK | AggregateOp::LimitK | AggregateOp::LimitRatio => {
                let params = self.params(aggregate)?;
                let series = self.vector(&aggregate.expr)?;
                self.pick(aggregate, &params, series)?
            }
            _ => {
                let params = self.params(aggregate)?;
                let series = self.vector(&aggregate.expr)?;
                self.fold(aggregate, &params, &series)?
            }
        };
        self.replace_held(before, total_size(&out))?;
        Ok(out)
    }

    /// The parameter at every step.
    fn params(&mut self, aggregate: &Aggregate) -> Result<Params, Error> {
        let count = self.steps.count();
        match &aggregate.param {
            None => Ok(Params::new(vec![0.0; count])),
            Some(param) => self.scalar(param).map(Params::new),
        }
    }
}

/// The labels of the group that a series belongs to. The labels of the grouping are sorted.
fn group_labels(labels: &Labels, grouping: &[String], is_without: bool) -> Labels {
    let is_listed = |name: &str| grouping.binary_search_by(|label| label.as_str().cmp(name)).is_ok();
    let belongs =
        |name: &str| if is_without { name != METRIC_NAME && !is_listed(name) } else { is_listed(name) };
    Labels::from_sorted(labels.iter().filter(move |(name, _)| belongs(name)))
}

/// The groups of series, in the order in which they come first: labels, and positions of the series.
fn groups(series: &[Series], aggregate: &Aggregate) -> Vec<(Labels, Vec<usize>)> {
    let mut known: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<(Labels, Vec<usize>)> = Vec::new();
    for (at, one) in series.iter().enumerate() {
        let labels = group_labels(&one.labels, &aggregate.grouping, aggregate.is_without);
        let group = *known.entry(labels).or_insert_with_key(|labels| {
            groups.push((labels.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(at);
    }
    groups
}
