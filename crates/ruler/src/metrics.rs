//! `prometheus_rule_*`: what Prometheus tells of its rules.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{CounterVec, GaugeVec, Histogram, HistogramOpts, Opts, Registry, core::Collector};

use crate::summary::Summary;

const GROUP: &str = "rule_group";
const BUCKETS: [f64; 4] = [0.01, 0.1, 1.0, 10.0];

/// Figures of rules and groups.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(Arc<Figures>);

#[derive(Debug)]
struct Figures {
    evaluation: Summary,
    evaluation_histogram: Histogram,
    iteration: Summary,
    iteration_histogram: Histogram,
    missed: CounterVec,
    scheduled: CounterVec,
    evaluations: CounterVec,
    failures: CounterVec,
    interval: GaugeVec,
    last_time: GaugeVec,
    last_duration: GaugeVec,
    last_rules_duration: GaugeVec,
    last_restore: GaugeVec,
    rules: GaugeVec,
    samples: GaugeVec,
}

impl Metrics {
    /// Makes them and registers them.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let name = |name: &str| format!("prometheus_rule_{name}");
        let counter = |short: &str, help: &str| CounterVec::new(Opts::new(name(short), help), &[GROUP]);
        let gauge = |short: &str, help: &str| GaugeVec::new(Opts::new(name(short), help), &[GROUP]);
        let histogram = |short: &str, help: &str| {
            Histogram::with_opts(HistogramOpts::new(name(short), help).buckets(BUCKETS.to_vec()))
        };
        let (rule, group) =
            ("The duration for a rule to execute.", "The duration of rule group evaluations.");
        let figures = Figures {
            evaluation: Summary::new(&name("evaluation_duration_seconds"), rule, &[0.5, 0.9, 0.99])?,
            evaluation_histogram: histogram("evaluation_duration_histogram_seconds", rule)?,
            iteration: Summary::new(&name("group_duration_seconds"), group, &[0.01, 0.05, 0.5, 0.9, 0.99])?,
            iteration_histogram: histogram("group_duration_histogram_seconds", group)?,
            missed: counter(
                "group_iterations_missed_total",
                "The total number of rule group evaluations missed due to slow rule group evaluation.",
            )?,
            scheduled: counter(
                "group_iterations_total",
                "The total number of scheduled rule group evaluations, whether executed or missed.",
            )?,
            evaluations: counter("evaluations_total", "The total number of rule evaluations.")?,
            failures: counter("evaluation_failures_total", "The total number of rule evaluation failures.")?,
            interval: gauge("group_interval_seconds", "The interval of a rule group.")?,
            last_time: gauge(
                "group_last_evaluation_timestamp_seconds",
                "The timestamp of the last rule group evaluation in seconds.",
            )?,
            last_duration: gauge(
                "group_last_duration_seconds",
                "The duration of the last rule group evaluation.",
            )?,
            last_rules_duration: gauge(
                "group_last_rule_duration_sum_seconds",
                "The time that the rules of a group took together in the last evaluation.",
            )?,
            last_restore: gauge(
                "group_last_restore_duration_seconds",
                "How long it took to restore the state of alerts from the ALERTS_FOR_STATE series.",
            )?,
            rules: gauge("group_rules", "The number of rules.")?,
            samples: gauge(
                "group_last_evaluation_samples",
                "The number of samples returned during the last rule group evaluation.",
            )?,
        };
        let collectors: [Box<dyn Collector>; 15] = [
            Box::new(figures.evaluation.clone()),
            Box::new(figures.evaluation_histogram.clone()),
            Box::new(figures.iteration.clone()),
            Box::new(figures.iteration_histogram.clone()),
            Box::new(figures.missed.clone()),
            Box::new(figures.scheduled.clone()),
            Box::new(figures.evaluations.clone()),
            Box::new(figures.failures.clone()),
            Box::new(figures.interval.clone()),
            Box::new(figures.last_time.clone()),
            Box::new(figures.last_duration.clone()),
            Box::new(figures.last_rules_duration.clone()),
            Box::new(figures.last_restore.clone()),
            Box::new(figures.rules.clone()),
            Box::new(figures.samples.clone()),
        ];
        collectors.into_iter().try_for_each(|collector| registry.register(collector))?;
        Ok(Self(Arc::new(figures)))
    }

    /// A group begins: its series are there from now on.
    pub(crate) fn begin(&self, group: &str, rules: usize, interval: Duration) {
        let figures = &self.0;
        for counter in [&figures.missed, &figures.scheduled, &figures.evaluations, &figures.failures] {
            counter.with_label_values(&[group]).inc_by(0.0);
        }
        for gauge in
            [&figures.last_time, &figures.last_duration, &figures.last_rules_duration, &figures.samples]
        {
            gauge.with_label_values(&[group]);
        }
        figures.rules.with_label_values(&[group]).set(rules as f64);
        figures.interval.with_label_values(&[group]).set(interval.as_secs_f64());
    }

    /// A group has gone, and its series with it.
    pub(crate) fn forget(&self, group: &str) {
        let figures = &self.0;
        for counter in [&figures.missed, &figures.scheduled, &figures.evaluations, &figures.failures] {
            let _ = counter.remove_label_values(&[group]);
        }
        for gauge in [
            &figures.interval,
            &figures.last_time,
            &figures.last_duration,
            &figures.last_rules_duration,
            &figures.last_restore,
            &figures.rules,
            &figures.samples,
        ] {
            let _ = gauge.remove_label_values(&[group]);
        }
    }

    pub(crate) fn scheduled(&self, group: &str, times: u64) {
        self.0.scheduled.with_label_values(&[group]).inc_by(times as f64);
    }

    /// Evaluations that were due and did not take place; they count as scheduled too.
    pub(crate) fn missed(&self, group: &str, times: u64) {
        self.0.missed.with_label_values(&[group]).inc_by(times as f64);
        self.scheduled(group, times);
    }

    pub(crate) fn iterated(&self, group: &str, took: Duration, rules_took: Duration, began_ns: i64) {
        let figures = &self.0;
        figures.iteration.observe(took.as_secs_f64());
        figures.iteration_histogram.observe(took.as_secs_f64());
        figures.last_duration.with_label_values(&[group]).set(took.as_secs_f64());
        figures.last_rules_duration.with_label_values(&[group]).set(rules_took.as_secs_f64());
        figures.last_time.with_label_values(&[group]).set(began_ns as f64 / 1e9);
    }

    pub(crate) fn evaluation(&self, group: &str) {
        self.0.evaluations.with_label_values(&[group]).inc();
    }

    pub(crate) fn failed(&self, group: &str) {
        self.0.failures.with_label_values(&[group]).inc();
    }

    pub(crate) fn evaluated(&self, took: Duration) {
        self.0.evaluation.observe(took.as_secs_f64());
        self.0.evaluation_histogram.observe(took.as_secs_f64());
    }

    pub(crate) fn samples(&self, group: &str, count: usize) {
        self.0.samples.with_label_values(&[group]).set(count as f64);
    }

    pub(crate) fn restored(&self, group: &str, took: Duration) {
        self.0.last_restore.with_label_values(&[group]).set(took.as_secs_f64());
    }
}
