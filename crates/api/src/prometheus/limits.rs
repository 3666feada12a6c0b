//! Limits of queries, and how often each was the reason for a refusal.

use std::time::Duration;

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use promql::ParseError;
use promql::engine;

/// Longest time that a query takes, as Prometheus' `--query.timeout`.
pub(super) const TIMEOUT: Duration = Duration::from_mins(2);

/// Most samples that a query holds at once, as Prometheus' `--query.max-samples`.
pub(super) const MAX_SAMPLES: usize = 50_000_000;

/// Most steps of a range query.
pub(super) const MAX_STEPS: i128 = 11_000;

/// Why a query was refused or ended before it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Its text has too much of something.
    Text(promql::Limit),
    /// [`MAX_SAMPLES`].
    Samples,
    /// [`MAX_STEPS`].
    Steps,
    /// [`TIMEOUT`], or the one that it was given.
    Time,
    /// Its client went away: no limit, and counted where limits are.
    Canceled,
}

impl Broken {
    /// The limit behind an error of reading a query.
    pub(super) fn of_text(error: &ParseError) -> Option<Self> {
        error.limit().map(Self::Text)
    }

    /// The limit behind an error of evaluating one.
    pub(super) fn of_evaluation(error: &engine::Error) -> Option<Self> {
        match error {
            engine::Error::TooManySamples => Some(Self::Samples),
            engine::Error::TimedOut(_) => Some(Self::Time),
            engine::Error::Canceled(_) => Some(Self::Canceled),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Text(limit) => limit.as_str(),
            Self::Samples => "samples",
            Self::Steps => "steps",
            Self::Time => "time",
            Self::Canceled => "canceled",
        }
    }
}

/// Figures about queries.
#[derive(Debug, Clone)]
pub(super) struct QueryFigures(Option<Counters>);

#[derive(Debug, Clone)]
struct Counters {
    refused: IntCounterVec,
    samples: IntCounter,
    samples_read: IntCounter,
}

impl QueryFigures {
    /// Registers them; with a registry that has them already, these are not shown.
    pub(super) fn new(registry: &Registry) -> Self {
        let registered = Counters::new().and_then(|counters| {
            registry.register(Box::new(counters.refused.clone()))?;
            registry.register(Box::new(counters.samples.clone()))?;
            registry.register(Box::new(counters.samples_read.clone()))?;
            Ok(counters)
        });
        if let Err(error) = &registered {
            tracing::warn!(%error, "queries are not counted");
        }
        Self(registered.ok())
    }

    /// Counts a query that broke a limit.
    pub(super) fn refuse(&self, broken: Broken) {
        if let Some(counters) = &self.0 {
            counters.refused.with_label_values(&[broken.as_str()]).inc();
        }
    }

    /// Counts what a query cost.
    pub(super) fn done(&self, stats: &engine::Stats) {
        if let Some(counters) = &self.0 {
            counters.samples.inc_by(stats.total_samples);
            counters.samples_read.inc_by(stats.samples_read);
        }
    }
}

impl Counters {
    fn new() -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| IntCounter::with_opts(Opts::new(name, help));
        let refused = Opts::new(
            "mirante_promql_refused_total",
            "PromQL queries that were refused or ended before they were done, by the limit that they broke.",
        );
        Ok(Self {
            refused: IntCounterVec::new(refused, &["limit"])?,
            samples: counter(
                "prometheus_engine_query_samples_total",
                "Samples that PromQL queries looked at; what several steps look at counts for each of them.",
            )?,
            samples_read: counter(
                "prometheus_engine_query_samples_read_total",
                "Samples that PromQL queries read from the store.",
            )?,
        })
    }
}
