//! Operators between two vectors: series that belong together, step by step.

use std::cell::OnceCell;
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
            occupied: OnceCell::new(),
            failure: None,
            repeats: false,
        };
        for group in 0..groups.count {
            self.check_stop()?;
            work.group(&many_members[group], &one_members[group]);
        }
        if let Some((_, error)) = work.failure {
            return Err(error);
        }
        self.may_repeat |= work.repeats;
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

/// When something went wrong, as Prometheus goes step by step: first over the side with one, then over pairs, then over
/// the results.
type When = (usize, Phase, Rank);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    One,
    Pairs,
    Results,
}

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
    /// At which steps the side with many has a sample at all.
    occupied: OnceCell<Vec<bool>>,
    /// What went wrong first.
    failure: Option<(When, Error)>,
    /// Whether there are results with the same labels at the only step.
    repeats: bool,
}

/// A sample of the side with one at a step.
type Slot = Option<(usize, PointValue)>;

impl Work<'_> {
    /// All steps of the series of one group.
    fn group(&mut self, many: &[usize], one: &[usize]) {
        let matching = &self.binary.matching;
        // For `group_right` Prometheus swaps the sides and not what fills them: its left is always the side with many.
        let (fill_one, fill_many) = (matching.fill_right, matching.fill_left);
        let slots = self.slots(one);
        if (many.is_empty() && fill_many.is_none()) || (one.is_empty() && fill_one.is_none()) {
            // Nothing can match, but the side with one still has to be one.
            return;
        }
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
                self.pair(rank, step, &name, &value, &other, &mut matched);
            }
        }
        let Some(fill) = fill_many else { return };
        let fill = PointValue::Float(fill);
        for (step, slot) in slots.iter().enumerate() {
            let Some((from, other)) = slot.as_ref().filter(|_| !matched[step]) else { continue };
            let of_one = &self.one[*from].labels;
            let of_many = matched_labels(of_one, matching);
            let name = result_labels(&of_many, of_one, self.binary.op, matching);
            self.pair((true, *from), step, &name, &fill, other, &mut matched);
        }
    }

    /// Keeps an error if nothing went wrong before it.
    fn fail(&mut self, when: When, error: impl FnOnce(&Self) -> Error) {
        if self.failure.as_ref().is_none_or(|(first, _)| when < *first) {
            self.failure = Some((when, error(self)));
        }
    }

    /// The samples of the side with one by step. Two at one step are an error, unless the other side has none at all then
    /// and nothing fills it.
    fn slots(&mut self, one: &[usize]) -> Vec<Slot> {
        let mut slots: Vec<Slot> = vec![None; self.steps.count()];
        for &series in one {
            for (time_ms, value) in samples(&self.one[series]) {
                let step = self.steps.index(time_ms);
                match &mut slots[step] {
                    Some((other, _)) if self.is_looked_at(step) => {
                        let other = *other;
                        self.fail((step, Phase::One, (false, series)), |work| work.duplicate(series, other));
                    }
                    Some(_) => {}
                    slot => *slot = Some((series, value)),
                }
            }
        }
        slots
    }

    /// Whether a step is looked at: there is something on the side with many, or something that stands for it.
    fn is_looked_at(&self, step: usize) -> bool {
        let matching = &self.binary.matching;
        if matching.fill_left.is_some() || matching.fill_right.is_some() {
            return true;
        }
        let occupied = self.occupied.get_or_init(|| {
            let mut occupied = vec![false; self.steps.count()];
            for (time_ms, _) in self.many.iter().flat_map(samples) {
                occupied[self.steps.index(time_ms)] = true;
            }
            occupied
        });
        occupied[step]
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
    ) {
        let (left, right) = if self.is_swapped { (one, many) } else { (many, one) };
        let Element { value, keeps, remark } = element::evaluate(self.binary.op, left, right);
        if let Some(remark) = remark {
            let last = self.remarks.entry(step).or_insert((rank, remark));
            if last.0 <= rank {
                *last = (rank, remark);
            }
            if remark.is_fatal() {
                return;
            }
        }
        let is_one_to_one = self.binary.matching.cardinality == Cardinality::OneToOne;
        let ambiguous = if is_one_to_one {
            matched[step].then_some("many-to-one matching must be explicit (group_left/group_right)")
        } else {
            let is_new = self.collected.insert((name.clone(), step));
            (!is_new).then_some("grouping labels must ensure unique matches")
        };
        if let Some(reason) = ambiguous {
            let error = |_: &Self| Error::Execution(format!("multiple matches for labels: {reason}"));
            return self.fail((step, Phase::Pairs, rank), error);
        }
        matched[step] = true;
        let value = match value {
            _ if self.binary.returns_bool => PointValue::Float(f64::from(u8::from(keeps))),
            _ if !keeps => return,
            value => value,
        };
        self.push(rank, name, step, value);
    }

    fn push(&mut self, rank: Rank, name: &Labels, step: usize, value: PointValue) {
        let time_ms = self.steps.time(step);
        // At a single time Prometheus leaves two results with the same labels to whoever takes them.
        let known = if self.steps.is_single() { None } else { self.out_by_labels.get(name) };
        if let Some(at) = known {
            if let Err(error) = self.out[*at].1.insert(time_ms, value) {
                self.fail((step, Phase::Results, rank), |_| error);
            }
            return;
        }
        let mut series = Series::new(name.clone(), self.binary.returns_bool);
        series.push(time_ms, value);
        self.repeats |= self.out_by_labels.insert(name.clone(), self.out.len()).is_some();
        self.out.push((rank, series));
    }
}

/// The samples of a series; floats first, then histograms.
fn samples(series: &Series) -> impl Iterator<Item = (i64, PointValue)> + '_ {
    let floats = series.floats.iter().map(|(time_ms, value)| (*time_ms, PointValue::Float(*value)));
    let histograms =
        series.histograms.iter().map(|(time_ms, value)| (*time_ms, PointValue::Histogram(value.clone())));
    floats.chain(histograms)
}
