//! How many series of each group have a value.

use std::collections::{BTreeMap, HashMap};

use model::Labels;
use model::labels::{METRIC_NAME, Quoted};
use model::number::Fixed;

use crate::ast::StringLiteral;
use crate::engine::Error;
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::{Aggregate, Kind, Node};
use crate::engine::value::Series;

impl Evaluator<'_> {
    /// A series for each group and each value in it.
    pub(super) fn count_values(&mut self, aggregate: &Aggregate) -> Result<Vec<Series>, Error> {
        let label = aggregate.param.as_ref().map_or("", Node::text);
        let param = aggregate.param.as_ref().map(|param| &param.inner().kind);
        if let Some(Kind::Text(StringLiteral { bytes: Some(bytes), .. })) = param {
            return Err(Error::Execution(format!("invalid label name {bytes}")));
        }
        if label.is_empty() {
            return Err(Error::Execution(format!("invalid label name {}", Quoted(label))));
        }
        let series = self.vector(&aggregate.expr)?;
        let mut groups: HashMap<Labels, usize> = HashMap::new();
        let mut counts: Vec<(Labels, BTreeMap<i64, u32>)> = Vec::new();
        for one in &series {
            self.check_stop()?;
            let floats = one.floats.iter().map(|(time_ms, value)| (*time_ms, Fixed(*value).to_string()));
            let histograms = one.histograms.iter().map(|(time_ms, value)| (*time_ms, value.to_string()));
            for (time_ms, value) in floats.chain(histograms) {
                let labels = labels_of(&one.labels, aggregate, label, &value);
                let group = *groups.entry(labels).or_insert_with_key(|labels| {
                    counts.push((labels.clone(), BTreeMap::new()));
                    counts.len() - 1
                });
                *counts[group].1.entry(time_ms).or_default() += 1;
            }
        }
        let series = |(labels, by_time): (Labels, BTreeMap<i64, u32>)| {
            let floats = by_time.into_iter().map(|(time_ms, count)| (time_ms, f64::from(count))).collect();
            Series { floats, ..Series::new(labels, false) }
        };
        Ok(counts.into_iter().map(series).collect())
    }
}

/// The labels of the group of a series, and the value. The value's label is as others are: `without` may take it out.
fn labels_of(labels: &Labels, aggregate: &Aggregate, label: &str, value: &str) -> Labels {
    let is_listed = |name: &str| aggregate.grouping.iter().any(|listed| listed == name);
    let others = labels.iter().filter(|(name, _)| *name != label);
    let all = others.chain([(label, value)]);
    if aggregate.is_without {
        return all.filter(|(name, _)| *name != METRIC_NAME && !is_listed(name)).collect();
    }
    all.filter(|(name, _)| *name == label || is_listed(name)).collect()
}
