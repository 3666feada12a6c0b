//! Classic buckets and native histograms of a vector, by the histogram that they belong to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use model::histogram::ClassicBucket;
use model::labels::METRIC_NAME;
use model::{Histogram, Labels};

use super::At;
use crate::engine::Error;
use crate::engine::annotations::{Annotations, Notice};
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::Node;
use crate::engine::value::Series;
use crate::error::Span;

/// The label with a classic bucket's upper bound.
const BUCKET: &str = "le";

/// A histogram at a step.
pub(super) enum Input<'a> {
    /// Its classic buckets, by their bounds.
    Classic(&'a mut Vec<ClassicBucket>),
    /// A native one.
    Native(&'a Histogram),
}

/// Histograms at all steps.
pub(super) struct Inputs {
    series: Vec<Series>,
    groups: Vec<Group>,
    /// Of the vector.
    span: Span,
}

/// A histogram.
struct Group {
    /// Without the bucket's bound.
    labels: Labels,
    /// Upper bounds, ascending, with the series that has the counts.
    classic: Vec<(f64, usize)>,
    /// The series with native histograms.
    native: Option<usize>,
}

impl Inputs {
    /// Of the vector that an argument is; says of which buckets the bound cannot be read.
    pub(super) fn new(evaluator: &mut Evaluator<'_>, vector: &Node) -> Result<Self, Error> {
        let series = evaluator.vector(vector)?;
        let mut inputs = Self { series: Vec::new(), groups: Vec::new(), span: vector.span };
        let mut by_labels = HashMap::with_capacity(series.len());
        for (index, one) in series.iter().enumerate() {
            if !one.histograms.is_empty() {
                inputs.group(&mut by_labels, one.labels.clone()).native = Some(index);
            }
            if one.floats.is_empty() {
                continue;
            }
            let label = one.labels.get(BUCKET);
            if let Some(upper_bound) = parse_float(label) {
                let labels = one.labels.iter().filter(|(name, _)| *name != BUCKET).collect();
                inputs.group(&mut by_labels, labels).classic.push((upper_bound, index));
            } else {
                let metric = one.labels.get(METRIC_NAME);
                evaluator.annotations.add(Notice::BadBucketLabel { metric, label }, inputs.span);
            }
        }
        for group in &mut inputs.groups {
            group.classic.sort_by(|(left, _), (right, _)| left.total_cmp(right));
        }
        inputs.series = series;
        Ok(inputs)
    }

    fn group(&mut self, by_labels: &mut HashMap<Labels, usize>, labels: Labels) -> &mut Group {
        let index = match by_labels.entry(labels) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let labels = new.key().clone();
                self.groups.push(Group { labels, classic: Vec::new(), native: None });
                *new.insert(self.groups.len() - 1)
            }
        };
        &mut self.groups[index]
    }

    /// A series with a value for each histogram. Where one has classic buckets and a native histogram too there is no
    /// value, but a warning.
    pub(super) fn evaluate(
        &self,
        evaluator: &mut Evaluator<'_>,
        mut value: impl FnMut(At<'_>, Input<'_>, &mut Annotations) -> f64,
    ) -> Result<Vec<Series>, Error> {
        let steps = evaluator.steps();
        let mut out = Vec::with_capacity(self.groups.len());
        let mut buckets = Vec::new();
        let mut cursors = Vec::new();
        for group in &self.groups {
            evaluator.check_stop()?;
            let metric = group.labels.get(METRIC_NAME);
            let mut native = group.native.map_or(&[][..], |index| &self.series[index].histograms);
            cursors.clear();
            cursors.extend(group.classic.iter().map(|(bound, index)| (*bound, &*self.series[*index].floats)));
            let mut series = Series::new(group.labels.clone(), true);
            for (step, time_ms) in steps.times().enumerate() {
                buckets.clear();
                for (upper_bound, floats) in &mut cursors {
                    if let Some(((_, count), rest)) =
                        floats.split_first().filter(|((at_ms, _), _)| *at_ms == time_ms)
                    {
                        *floats = rest;
                        buckets.push(ClassicBucket { upper_bound: *upper_bound, count: *count });
                    }
                }
                let histogram = match native.split_first() {
                    Some(((at_ms, histogram), rest)) if *at_ms == time_ms => {
                        native = rest;
                        Some(histogram)
                    }
                    _ => None,
                };
                let input = match histogram {
                    Some(_) if !buckets.is_empty() => {
                        evaluator.annotations.add(Notice::MixedClassicNativeHistograms { metric }, self.span);
                        continue;
                    }
                    Some(histogram) => Input::Native(histogram),
                    None if buckets.is_empty() => continue,
                    None => Input::Classic(&mut buckets),
                };
                let at = At { step, time_ms, metric };
                series.floats.push((time_ms, value(at, input, &mut evaluator.annotations)));
            }
            if !series.is_empty() {
                out.push(series);
            }
        }
        Ok(out)
    }
}

/// A bucket's bound. What is too large for a number is none, unlike what says that it is infinite.
fn parse_float(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let is_too_large = number.is_infinite() && text.contains(|character: char| character.is_ascii_digit());
    (!is_too_large).then_some(number)
}
