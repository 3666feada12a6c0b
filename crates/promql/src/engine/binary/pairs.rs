//! Operators between two vectors: series that belong together, step by step.

use std::collections::{HashMap, HashSet};

use model::Labels;

use super::element::{self, Element, Remark};
use super::matching::{Groups, matched_labels, result_labels};
use crate::ast::Cardinality;
use crate::engine::Error;
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::Binary;
use crate::engine::steps::Steps;
use crate::engine::value::Series;
use crate::error::Span;
use crate::storage::PointValue;

impl Evaluator<'_> {
    /// The results of an operator between the series of two vectors that belong together.
    pub(super) fn matched(
        &mut self,
        binary: &Binary,
        span: Span,
        left: &[Series],
        right: &[Series],
    ) -> Result<Vec<Series>, Error> {
        let matching = &binary.matching;
        let is_swapped = matching.cardinality == Cardinality::OneToMany;
        let groups = Groups::new(left, right, matching);
        let (left_members, right_members) = (groups.members(&groups.left), groups.members(&groups.right));
        let (many, one, many_members, one_members) = if is_swapped {
            (right, left, right_members, left_members)
        } else {
            (left, right, left_members, right_members)
        };
        let mut work = Work {
            binary,
            steps: self.steps,
            is_swapped,
            many,
            one,
            out: Vec::new(),
            out_by_labels: HashMap::new(),
            collected: HashSet::new(),
            remarks: HashMap::new(),
        };
        for group in 0..groups.count {
            self.check_stop()?;
            work.group(&many_members[group], &one_members[group])?;
        }
        // Of each step, what was noticed last is told.
        for (_, remark) in std::mem::take(&mut work.remarks).into_values() {
            self.remark(remark, binary, span);
        }
        work.out.sort_by_key(|(rank, _)| *rank);
        Ok(work.out.into_iter().map(|(_, series)| series).filter(|series| !series.is_empty()).collect())
    }
}

/// Where a result stands among those of its step: by the series of the side with many, then by those of the side with
/// one that found none.
type Rank = (bool, usize);

struct Work<'a> {
    binary: &'a Binary,
    steps: Steps,
    /// Whether the right side is the one with many.
    is_swapped: bool,
    many: &'a [Series],
    one: &'a [Series],
    out: Vec<(Rank, Series)>,
    /// Results by labels; with steps of their own they are not put together.
    out_by_labels: HashMap<Labels, usize>,
    /// Results and steps for which there was a pair in this group.
    collected: HashSet<(Labels, usize)>,
    /// The last remark by step.
    remarks: HashMap<usize, (Rank, Remark)>,
}

/// A sample of the side with one at a step.
type Slot = Option<(usize, PointValue)>;

impl Work<'_> {
    /// All steps of the series of one group.
    fn group(&mut self, many: &[usize], one: &[usize]) -> Result<(), Error> {
        let matching = &self.binary.matching;
        // For `group_right` Prometheus swaps the sides and not what fills them: its left is always the side with many.
        let (fill_one, fill_many) = (matching.fill_right, matching.fill_left);
        if (many.is_empty() && fill_many.is_none()) || (one.is_empty() && fill_one.is_none()) {
            // Nothing can match, but the side with one still has to be one.
            return self.slots(one).map(|_| ());
        }
        let slots = self.slots(one)?;
        let mut matched = vec![false; slots.len()];
        self.collected.clear();
        for &series in many {
            let rank = (false, series);
            let labels = &self.many[series].labels;
            let mut names: HashMap<Option<usize>, Labels> = HashMap::new();
            for (time_ms, value) in samples(&self.many[series]) {
                let step = self.steps.index(time_ms);
                let (other, from) = match (&slots[step], fill_one) {
                    (Some((from, other)), _) => (other.clone(), Some(*from)),
                    (None, Some(fill)) => (PointValue::Float(fill), None),
                    (None, None) => continue,
                };
                let name = names.entry(from).or_insert_with(|| {
                    let filled;
                    let of_one = if let Some(from) = from {
                        &self.one[from].labels
                    } else {
                        filled = matched_labels(labels, matching);
                        &filled
                    };
                    result_labels(labels, of_one, self.binary.op, matching)
                });
                let name = name.clone();
                self.pair(rank, step, &name, &value, &other, &mut matched)?;
            }
        }
        let Some(fill) = fill_many else { return Ok(()) };
        let fill = PointValue::Float(fill);
        for (step, slot) in slots.iter().enumerate() {
            let Some((from, other)) = slot.as_ref().filter(|_| !matched[step]) else { continue };
            let of_one = &self.one[*from].labels;
            let of_many = matched_labels(of_one, matching);
            let name = result_labels(&of_many, of_one, self.binary.op, matching);
            self.pair((true, *from), step, &name, &fill, other, &mut matched)?;
        }
        Ok(())
    }

    /// The samples of the side with one by step; an error if there are two at one step.
    fn slots(&self, one: &[usize]) -> Result<Vec<Slot>, Error> {
        let mut slots: Vec<Slot> = vec![None; self.steps.count()];
        for &series in one {
            for (time_ms, value) in samples(&self.one[series]) {
                let slot = &mut slots[self.steps.index(time_ms)];
                if let Some((other, _)) = slot {
                    return Err(self.duplicate(series, *other));
                }
                *slot = Some((series, value));
            }
        }
        Ok(slots)
    }

    fn duplicate(&self, first: usize, second: usize) -> Error {
        let matched = matched_labels(&self.one[first].labels, &self.binary.matching);
        let side = if self.is_swapped { "left" } else { "right" };
        let mut both = [first, second].map(|series| self.one[series].labels.to_string());
        both.sort();
        let [first, second] = both;
        Error::Execution(format!(
            "found duplicate series for the match group {matched} on the {side} hand-side of the operation: [{first}, \
             {second}];many-to-many matching not allowed: matching labels must be unique on one side"
        ))
    }

    /// One pair of samples.
    fn pair(
        &mut self,
        rank: Rank,
        step: usize,
        name: &Labels,
        many: &PointValue,
        one: &PointValue,
        matched: &mut [bool],
    ) -> Result<(), Error> {
        let (left, right) = if self.is_swapped { (one, many) } else { (many, one) };
        let Element { value, keeps, remark } = element::evaluate(self.binary.op, left, right);
        if let Some(remark) = remark {
            let last = self.remarks.entry(step).or_insert((rank, remark));
            if last.0 <= rank {
                *last = (rank, remark);
            }
            if remark.is_fatal() {
                return Ok(());
            }
        }
        let is_one_to_one = self.binary.matching.cardinality == Cardinality::OneToOne;
        if is_one_to_one && matched[step] {
            return Err(Error::Execution(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                    .to_owned(),
            ));
        }
        if !is_one_to_one && matched[step] && self.collected.contains(&(name.clone(), step)) {
            return Err(Error::Execution(
                "multiple matches for labels: grouping labels must ensure unique matches".to_owned(),
            ));
        }
        matched[step] = true;
        if !is_one_to_one {
            self.collected.insert((name.clone(), step));
        }
        let value = match value {
            _ if self.binary.returns_bool => PointValue::Float(f64::from(u8::from(keeps))),
            _ if !keeps => return Ok(()),
            value => value,
        };
        self.push(rank, name, self.steps.time(step), value)
    }

    fn push(&mut self, rank: Rank, name: &Labels, time_ms: i64, value: PointValue) -> Result<(), Error> {
        // At a single time Prometheus leaves two results with the same labels to whoever takes them.
        let known = if self.steps.is_single() { None } else { self.out_by_labels.get(name) };
        if let Some(at) = known {
            return self.out[*at].1.insert(time_ms, value);
        }
        let mut series = Series::new(name.clone(), self.binary.returns_bool);
        series.push(time_ms, value);
        self.out_by_labels.insert(name.clone(), self.out.len());
        self.out.push((rank, series));
        Ok(())
    }
}

/// The samples of a series; floats first, then histograms.
fn samples(series: &Series) -> impl Iterator<Item = (i64, PointValue)> + '_ {
    let floats = series.floats.iter().map(|(time_ms, value)| (*time_ms, PointValue::Float(*value)));
    let histograms =
        series.histograms.iter().map(|(time_ms, value)| (*time_ms, PointValue::Histogram(value.clone())));
    floats.chain(histograms)
}
