//! A group at work: its rules one after the other, what they make written, what they make no longer marked as ended.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use model::sample::STALE_NAN_BITS;
use model::{Labels, MatchOp, Matcher};
use parking_lot::Mutex;
use promql::storage::{MsRange, PointValue};
use promrules::Group as Definition;

use crate::backend::{QueryError, Sample, millis, nanos};
use crate::environment::Environment;
use crate::rule::{EvalError, Evaluation, Rule};

/// What identifies a group: names are unique within a file alone.
pub(crate) fn key(file: &str, name: &str) -> String {
    format!("{file};{name}")
}

/// A group that is evaluated again and again.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) interval: Duration,
    pub(crate) query_offset: Option<Duration>,
    pub(crate) limit: i64,
    pub(crate) rules: Vec<Rule>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By rule: the series of its last result.
    written: Vec<HashSet<Labels>>,
    /// Series of rules that are no more; they are ended at the next occasion.
    orphans: Vec<Labels>,
    took: Duration,
    evaluated_at_ns: Option<i64>,
}

impl Group {
    /// A group of a file; `interval` is the configuration's, for groups that say none. Rules count as restored if there
    /// is nothing to restore.
    pub(crate) fn new(file: &str, definition: Definition, interval: Duration, restored: bool) -> Self {
        let rules: Vec<Rule> = definition.rules.into_iter().map(|rule| Rule::new(rule, restored)).collect();
        let written = vec![HashSet::new(); rules.len()];
        Self {
            key: key(file, &definition.name),
            file: file.to_owned(),
            name: definition.name,
            interval: if definition.interval.is_zero() { interval } else { definition.interval },
            query_offset: definition.query_offset,
            limit: definition.limit,
            rules,
            state: Mutex::new(State { written, ..State::default() }),
        }
    }

    /// Whether another says the same, so that there is no reason to put it in the place of this one.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let definitions =
            |group: &Self| group.rules.iter().map(|rule| rule.definition.clone()).collect::<Vec<_>>();
        (&self.file, &self.name, self.interval, self.query_offset, self.limit)
            == (&other.file, &other.name, other.interval, other.query_offset, other.limit)
            && printed(&definitions(self)) == printed(&definitions(other))
    }

    /// How long the last evaluation took.
    pub(crate) fn took(&self) -> Duration {
        self.state.lock().took
    }

    /// When the last evaluation began, nanoseconds since the Unix epoch.
    pub(crate) fn evaluated_at_ns(&self) -> Option<i64> {
        self.state.lock().evaluated_at_ns
    }

    /// One evaluation of all rules with its figures.
    pub(crate) fn iterate(
        &self,
        environment: &Environment,
        time_ns: i64,
        is_stopped: &(dyn Fn() -> bool + Sync),
    ) {
        environment.metrics.scheduled(&self.key, 1);
        let (began, began_ns) = (Instant::now(), environment.now_ns());
        self.evaluate(environment, time_ns, is_stopped);
        let took = began.elapsed();
        let rules = self.rules.iter().map(|rule| rule.status().took).sum();
        environment.metrics.iterated(&self.key, took, rules, began_ns);
        let mut state = self.state.lock();
        state.took = took;
        state.evaluated_at_ns = Some(began_ns);
    }

    /// Evaluates every rule in order: one may read what an earlier one has just written.
    pub(crate) fn evaluate(
        &self,
        environment: &Environment,
        time_ns: i64,
        is_stopped: &(dyn Fn() -> bool + Sync),
    ) {
        let evaluation = Evaluation {
            environment,
            time_ns,
            query_offset: self.query_offset.unwrap_or(environment.query_offset),
            limit: self.limit,
            is_canceled: is_stopped,
        };
        let mut samples = 0;
        for index in 0..self.rules.len() {
            if is_stopped() {
                return;
            }
            let (began, began_ns) = (Instant::now(), environment.now_ns());
            samples += self.evaluate_rule(index, evaluation);
            let took = began.elapsed();
            environment.metrics.evaluated(took);
            self.rules[index].set_time(began_ns, took);
        }
        environment.metrics.samples(&self.key, samples);
        self.end_orphans(environment, time_ns);
    }

    /// Evaluates one rule and writes its samples; how many there were.
    fn evaluate_rule(&self, index: usize, evaluation: Evaluation<'_>) -> usize {
        let (rule, environment) = (&self.rules[index], evaluation.environment);
        let (file, group, name) = (&self.file, &self.name, &rule.definition.name);
        environment.metrics.evaluation(&self.key);
        let samples = match rule.evaluate(evaluation) {
            Ok(samples) => samples,
            Err(error) => {
                // A query ends like that when the engine stops: no reason to write home about.
                if error != EvalError::Query(QueryError::Canceled) {
                    tracing::warn!(file, group, name, index, %error, "evaluating a rule failed");
                }
                rule.set_outcome(Some(error.to_string()));
                environment.metrics.failed(&self.key);
                return 0;
            }
        };
        rule.set_outcome(None);
        if rule.definition.alerting().is_some() {
            let due = rule.alerts.lock().take_due(
                evaluation.time_ns,
                environment.config.resend_delay,
                self.interval,
            );
            environment.send(&rule.definition.expr.to_string(), due);
        }
        let count = samples.len();
        self.write(index, samples, evaluation);
        count
    }

    /// Writes a rule's samples, and the end of each series that it made last time and does not make now.
    fn write(&self, index: usize, mut samples: Vec<Sample>, evaluation: Evaluation<'_>) {
        let (rule, environment) = (&self.rules[index], evaluation.environment);
        let (file, group, name) = (&self.file, &self.name, &rule.definition.name);
        let made = samples.len();
        let mut written: HashSet<Labels> = samples.iter().map(|sample| sample.labels.clone()).collect();
        let time_ms = evaluation.data_time_ms();
        let before = std::mem::take(&mut self.state.lock().written[index]);
        samples.extend(before.difference(&written).map(|labels| end_of(labels.clone(), time_ms)));
        if samples.is_empty() {
            return;
        }
        let made_labels: Vec<Labels> = samples[..made].iter().map(|sample| sample.labels.clone()).collect();
        match environment.backend.append(samples) {
            Ok(refused) => {
                // That the end of a series is refused is usual: another rule makes the series now.
                let refused: Vec<_> = refused.into_iter().filter(|(position, _)| *position < made).collect();
                for (position, _) in &refused {
                    written.remove(&made_labels[*position]);
                }
                if let Some((_, words)) = refused.last() {
                    tracing::warn!(
                        file,
                        group,
                        name,
                        dropped = refused.len(),
                        error = words,
                        "results of a rule were refused"
                    );
                    rule.set_outcome(Some(words.clone()));
                }
                self.state.lock().written[index] = written;
            }
            Err(error) => {
                tracing::warn!(file, group, name, error, "writing results of a rule failed");
                rule.set_outcome(Some(error));
                environment.metrics.failed(&self.key);
                self.state.lock().written[index] = before;
            }
        }
    }

    /// Ends series of rules that are no more, unless someone else has written to them since.
    pub(crate) fn end_orphans(&self, environment: &Environment, time_ns: i64) {
        let orphans = std::mem::take(&mut self.state.lock().orphans);
        if orphans.is_empty() {
            return;
        }
        let offset = self.query_offset.unwrap_or(environment.query_offset);
        let time_ms = millis(time_ns.saturating_sub(nanos(offset)));
        let goes_on = |labels: &Labels| {
            let exact = labels.iter().map(|(name, value)| Matcher::new(name, MatchOp::Equal, value));
            let Ok(matchers) = exact.collect::<Result<Vec<_>, _>>() else { return false };
            let range = MsRange { start_ms: time_ms, end_ms: i64::MAX };
            environment
                .backend
                .newest(&matchers, range)
                .is_ok_and(|found| found.iter().any(|(it, _)| it == labels))
        };
        let ends: Vec<Sample> = orphans
            .iter()
            .filter(|labels| !goes_on(labels))
            .map(|labels| end_of(labels.clone(), time_ms))
            .collect();
        if let Err(error) = environment.backend.append(ends) {
            tracing::warn!(
                file = self.file,
                group = self.name,
                error,
                "ending series of former rules failed"
            );
            self.state.lock().orphans = orphans;
        }
    }

    /// Makes orphans of all its series: the group is no more.
    pub(crate) fn orphan_all(&self) {
        let mut state = self.state.lock();
        let series: Vec<Labels> = state.written.iter_mut().flat_map(std::mem::take).collect();
        state.orphans.extend(series);
    }

    /// Takes over from the group that had its name: alerts and series of rules with the same name and labels, the first
    /// from the first and so on.
    pub(crate) fn take_over(&self, from: &Self) {
        let mut theirs = from.state.lock();
        let mut ours = self.state.lock();
        ours.took = theirs.took;
        ours.evaluated_at_ns = theirs.evaluated_at_ns;
        ours.orphans = std::mem::take(&mut theirs.orphans);
        let mut left: Vec<usize> = (0..from.rules.len()).collect();
        for (index, rule) in self.rules.iter().enumerate() {
            let is_same = |other: &usize| {
                let other = &from.rules[*other].definition;
                (&other.name, &other.labels) == (&rule.definition.name, &rule.definition.labels)
            };
            let Some(position) = left.iter().position(is_same) else { continue };
            let found = left.remove(position);
            ours.written[index] = std::mem::take(&mut theirs.written[found]);
            let other = &from.rules[found];
            if rule.definition.alerting().is_some() && other.definition.alerting().is_some() {
                rule.alerts.lock().extend(&other.alerts.lock());
            }
        }
        for found in left {
            let series = std::mem::take(&mut theirs.written[found]);
            ours.orphans.extend(series);
        }
    }
}

/// Rules by what they say: places in expressions do not count.
fn printed(rules: &[promrules::Rule]) -> Vec<String> {
    rules
        .iter()
        .map(|rule| format!("{:?} {} {:?} {:?}", rule.name, rule.expr, rule.labels, rule.kind))
        .collect()
}

/// The sample that says that a series has ended.
fn end_of(labels: Labels, time_ms: i64) -> Sample {
    Sample { labels, time_ms, value: PointValue::Float(f64::from_bits(STALE_NAN_BITS)) }
}
