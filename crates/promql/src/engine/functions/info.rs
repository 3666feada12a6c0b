//! `info`: labels of info metrics, such as `target_info`, for series of the same instance and job.

mod series;

use std::collections::HashSet;

use model::labels::METRIC_NAME;
use model::{Labels, MatchOp, Matcher};

use self::series::InfoSeries;
use crate::engine::Error;
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::{Call, Kind, Moved, Node, Selector};
use crate::engine::select::Taken;
use crate::engine::value::{Operand, Series, merge_results};

/// The info metric where none is named.
const TARGET_INFO: &str = "target_info";

/// Labels by which a series and an info series belong together.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

pub(super) fn info(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    let Some(vector) = call.args.first() else { return Ok(Operand::Vector(Vec::new())) };
    let wanted = Wanted::of(call.args.get(1))?;
    let base = evaluator.vector(vector)?;
    // An info series is not told about itself.
    let is_told: Vec<bool> = base
        .iter()
        .map(|one| !wanted.names.iter().all(|matcher| matcher.matches(one.labels.get(METRIC_NAME))))
        .collect();
    let told = base.iter().zip(&is_told).filter(|(_, is_told)| **is_told).map(|(one, _)| &one.labels);
    let found = find(evaluator, &wanted, told, reference_time(vector).unwrap_or_default())?;
    let (infos, mut failure) = InfoSeries::new(found, evaluator.steps(), &base);

    let mut out = Vec::with_capacity(base.len());
    for (one, is_told) in base.into_iter().zip(is_told) {
        evaluator.check_stop()?;
        if is_told {
            told_by(&infos, &wanted, &one, &mut out, &mut failure);
        } else {
            out.push(one);
        }
    }
    match failure {
        Some((_, error)) => Err(error),
        None => merge_results(out).map(Operand::Vector),
    }
}

/// What the second argument wants.
struct Wanted {
    /// Conditions on the info metric's name; there is one at least.
    names: Vec<Matcher>,
    /// Conditions on its other labels. If there are any, these labels alone are taken over.
    labels: Vec<Matcher>,
}

impl Wanted {
    fn of(selector: Option<&Node>) -> Result<Self, Error> {
        let matchers: &[Matcher] = match selector.map(|node| &node.inner().kind) {
            Some(Kind::Vector(selector)) => &selector.matchers,
            _ => &[],
        };
        let (mut names, labels): (Vec<_>, Vec<_>) =
            matchers.iter().cloned().partition(|matcher| matcher.name() == METRIC_NAME);
        let is_positive = |matcher: &Matcher| matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex);
        if !names.iter().any(is_positive) {
            // Without a name it is the usual metric; with names that it is not, any other that is named as info metrics
            // are.
            let (op, value) =
                if names.is_empty() { (MatchOp::Equal, TARGET_INFO) } else { (MatchOp::Regex, ".+_info") };
            let matcher = Matcher::new(METRIC_NAME, op, value);
            names.push(matcher.map_err(|error| Error::Execution(error.to_string()))?);
        }
        Ok(Self { names, labels })
    }

    /// Whether a label of an info series is taken over.
    fn takes(&self, name: &str) -> bool {
        name != METRIC_NAME
            && (self.labels.is_empty() || self.labels.iter().any(|matcher| matcher.name() == name))
    }

    /// Whether a series stays for which there is no info.
    fn keeps_untold(&self) -> bool {
        self.labels.iter().all(Matcher::matches_empty)
    }
}

/// The time of the first selector within an expression: info series are looked up at the same. Offsets of subqueries
/// around it are added until a time is fixed.
fn reference_time(node: &Node) -> Option<Moved> {
    match &node.kind {
        Kind::Vector(selector) | Kind::Matrix(selector, _) => Some(selector.moved),
        Kind::Subquery(subquery) => {
            let inner = reference_time(&subquery.expr)?;
            Some(match inner.at_ms {
                Some(_) => inner,
                None => Moved {
                    at_ms: subquery.moved.at_ms,
                    offset_ms: inner.offset_ms.saturating_add(subquery.moved.offset_ms),
                },
            })
        }
        Kind::Negative(inner) | Kind::Invariant(inner) => reference_time(inner),
        Kind::Binary(binary) => reference_time(&binary.left).or_else(|| reference_time(&binary.right)),
        Kind::Aggregate(aggregate) => {
            reference_time(&aggregate.expr).or_else(|| aggregate.param.as_ref().and_then(reference_time))
        }
        Kind::Call(call) => call.args.iter().find_map(reference_time),
        Kind::Number(_) | Kind::Text(_) => None,
    }
}

/// Info series with an instance and a job of the series that are to be told, and at each step when the sample was
/// measured that counts there, in seconds.
fn find<'a>(
    evaluator: &mut Evaluator<'_>,
    wanted: &Wanted,
    told: impl Iterator<Item = &'a Labels>,
    moved: Moved,
) -> Result<Vec<Series>, Error> {
    let mut values: [HashSet<&str>; 2] = Default::default();
    for labels in told {
        for (name, values) in IDENTIFYING.iter().zip(&mut values) {
            values.insert(labels.get(name));
        }
    }
    for values in &mut values {
        values.remove("");
    }
    if values.iter().all(HashSet::is_empty) {
        return Ok(Vec::new());
    }
    let mut matchers: Vec<Matcher> = wanted.names.iter().chain(&wanted.labels).cloned().collect();
    for (name, values) in IDENTIFYING.iter().zip(&values) {
        // One value is something that a store can look up. Many are compared afterwards.
        if let [value] = *values.iter().collect::<Vec<_>>() {
            let matcher = Matcher::new(*name, MatchOp::Equal, *value);
            matchers.push(matcher.map_err(|error| Error::Execution(error.to_string()))?);
        }
    }
    let selector = Selector { matchers, moved, extension: None, only_totals: true };
    evaluator.newest(&selector, Taken::InfoTime, |info| {
        let mut all = IDENTIFYING.iter().zip(&values);
        all.all(|(name, values)| values.is_empty() || values.contains(info.get(name)))
    })
}

/// What went wrong first, and when.
type Failure = Option<(i64, Error)>;

/// Keeps an error if nothing went wrong before it.
fn fail(failure: &mut Failure, time_ms: i64, error: impl FnOnce() -> Error) {
    if failure.as_ref().is_none_or(|(first_ms, _)| time_ms < *first_ms) {
        *failure = Some((time_ms, error()));
    }
}

/// A series with the labels of its info series, which may be others at other steps.
fn told_by(infos: &InfoSeries, wanted: &Wanted, one: &Series, out: &mut Vec<Series>, failure: &mut Failure) {
    let groups = infos.groups_of(&one.labels);
    let mut told = Told { infos, wanted, source: one, groups, last: None, failure };
    for (time_ms, value) in &one.floats {
        if let Some(series) = told.series_at(*time_ms, out) {
            series.floats.push((*time_ms, *value));
        }
    }
    for (time_ms, histogram) in &one.histograms {
        if let Some(series) = told.series_at(*time_ms, out) {
            series.histograms.push((*time_ms, histogram.clone()));
        }
    }
}

/// Finds the series that a sample belongs to once it has been told.
struct Told<'a> {
    infos: &'a InfoSeries,
    wanted: &'a Wanted,
    source: &'a Series,
    /// The groups of info series that belong to the series, one of each metric.
    groups: Vec<usize>,
    /// The info series of the sample before, and its place in the result.
    last: Option<(Vec<usize>, Option<usize>)>,
    failure: &'a mut Failure,
}

impl Told<'_> {
    /// `None` if there is no info though some is needed.
    fn series_at<'b>(&mut self, time_ms: i64, out: &'b mut Vec<Series>) -> Option<&'b mut Series> {
        let infos = self.infos;
        let chosen: Vec<usize> =
            self.groups.iter().filter_map(|group| infos.newest(*group, time_ms)).collect();
        let place = match &self.last {
            Some((last, place)) if *last == chosen => *place,
            _ => {
                let place = self.labels(&chosen, time_ms).map(|labels| {
                    let drops_name = self.source.drops_name;
                    out.push(Series { labels, drops_name, ..Series::default() });
                    out.len() - 1
                });
                self.last = Some((chosen, place));
                place
            }
        };
        place.map(|place| &mut out[place])
    }

    fn labels(&mut self, chosen: &[usize], time_ms: i64) -> Option<Labels> {
        if chosen.is_empty() && !self.wanted.keeps_untold() {
            return None;
        }
        let mut added: Vec<(&str, &str)> = Vec::new();
        for info in chosen {
            for (name, value) in self.infos.labels(*info).iter().filter(|(name, _)| self.wanted.takes(name)) {
                if added.iter().any(|(known, other)| *known == name && *other != value) {
                    let error = || Error::Execution(format!("conflicting label: {name}"));
                    fail(self.failure, time_ms, error);
                    return None;
                }
                // What the series says itself stays.
                if self.source.labels.get(name).is_empty() {
                    added.push((name, value));
                }
            }
        }
        Some(self.source.labels.iter().chain(added).collect())
    }
}
