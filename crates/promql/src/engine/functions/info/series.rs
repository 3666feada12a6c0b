//! Info series by what they belong to, and which of them counts when.

use std::collections::{HashMap, HashSet};

use model::Labels;
use model::labels::METRIC_NAME;

use super::{Failure, IDENTIFYING, fail};
use crate::engine::Error;
use crate::engine::steps::Steps;
use crate::engine::value::Series;

/// Info series in groups of the same name, instance and job.
pub(super) struct InfoSeries {
    steps: Steps,
    series: Vec<Series>,
    /// Groups by name, then by instance and job.
    groups: HashMap<String, HashMap<[String; 2], usize>>,
    /// For each group and step the series whose sample is the newest.
    newest: Vec<Vec<Option<usize>>>,
}

impl InfoSeries {
    /// Of series whose values are the times of their samples in seconds. Two of a group with samples of the same time are
    /// an error, where there is something that they could be about.
    pub(super) fn new(series: Vec<Series>, steps: Steps, base: &[Series]) -> (Self, Failure) {
        let mut failure = None;
        let mut new = Self { steps, groups: HashMap::new(), newest: Vec::new(), series: Vec::new() };
        let relevant = relevant_steps(steps, base);
        for (index, one) in series.iter().enumerate() {
            let group = new.group(&one.labels);
            let newest = &mut new.newest[group];
            for (time_ms, measured) in &one.floats {
                let step = steps.index(*time_ms);
                let known = newest[step];
                let known_measured = known.and_then(|known| value_at(&series[known], *time_ms));
                match known_measured {
                    Some(known_measured) if known_measured > *measured => {}
                    Some(known_measured) if known_measured == *measured && relevant.contains(&step) => {
                        let existing = known.map_or(&one.labels, |known| &series[known].labels);
                        fail(&mut failure, *time_ms, || duplicate(existing, &one.labels, *measured));
                    }
                    _ => newest[step] = Some(index),
                }
            }
        }
        new.series = series;
        (new, failure)
    }

    fn group(&mut self, labels: &Labels) -> usize {
        let by_target = self.groups.entry(labels.get(METRIC_NAME).to_owned()).or_default();
        let next = self.newest.len();
        let group = *by_target.entry(target(labels)).or_insert(next);
        if group == next {
            self.newest.push(vec![None; self.steps.count()]);
        }
        group
    }

    /// The groups that a series belongs to: one of each metric's name at most, by name.
    pub(super) fn groups_of(&self, labels: &Labels) -> Vec<usize> {
        let target = target(labels);
        let mut groups: Vec<usize> =
            self.groups.values().filter_map(|by_target| by_target.get(&target).copied()).collect();
        groups.sort_unstable();
        groups
    }

    /// The series of a group that counts at a step.
    pub(super) fn newest(&self, group: usize, time_ms: i64) -> Option<usize> {
        self.newest[group][self.steps.index(time_ms)]
    }

    pub(super) fn labels(&self, index: usize) -> &Labels {
        &self.series[index].labels
    }
}

fn target(labels: &Labels) -> [String; 2] {
    IDENTIFYING.map(|name| labels.get(name).to_owned())
}

/// Steps at which there is a sample.
fn relevant_steps(steps: Steps, base: &[Series]) -> HashSet<usize> {
    let floats = base.iter().flat_map(|one| one.floats.iter().map(|(time_ms, _)| *time_ms));
    let histograms = base.iter().flat_map(|one| one.histograms.iter().map(|(time_ms, _)| *time_ms));
    floats.chain(histograms).map(|time_ms| steps.index(time_ms)).collect()
}

fn value_at(series: &Series, time_ms: i64) -> Option<f64> {
    let at = series.floats.binary_search_by_key(&time_ms, |(time_ms, _)| *time_ms).ok()?;
    Some(series.floats[at].1)
}

fn duplicate(existing: &Labels, new: &Labels, measured_seconds: f64) -> Error {
    let measured_ms = (measured_seconds * 1000.0).round() as i64;
    Error::Execution(format!(
        "found duplicate series for info metric: existing {existing} @ {measured_ms}, new {new} @ {measured_ms}"
    ))
}
