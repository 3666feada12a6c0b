//! A summary: quantiles of what was observed lately. The metrics library has none.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary as Proto};

/// How far back quantiles look.
const WINDOW: Duration = Duration::from_mins(10);
/// Most observations that are kept for a set of labels; beyond that the oldest go, even within the window.
const KEPT: usize = 1024;

/// Observations as quantiles, their count and their sum; for each value of a label, if it has one.
#[derive(Debug, Clone)]
pub(crate) struct Summary(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    desc: Desc,
    label: Option<String>,
    quantiles: Vec<f64>,
    series: Mutex<BTreeMap<String, Observed>>,
}

#[derive(Debug, Default)]
struct Observed {
    count: u64,
    sum: f64,
    recent: VecDeque<(Instant, f64)>,
}

impl Observed {
    fn forget(&mut self, now: Instant) {
        while self.recent.len() > KEPT
            || self.recent.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            self.recent.pop_front();
        }
    }
}

impl Summary {
    /// A summary without labels.
    pub(crate) fn new(name: &str, help: &str, quantiles: &[f64]) -> prometheus::Result<Self> {
        let summary = Self::build(name, help, None, quantiles)?;
        summary.0.series.lock().entry(String::new()).or_default();
        Ok(summary)
    }

    /// A summary with a label.
    pub(crate) fn by(name: &str, help: &str, label: &str, quantiles: &[f64]) -> prometheus::Result<Self> {
        Self::build(name, help, Some(label.to_owned()), quantiles)
    }

    fn build(name: &str, help: &str, label: Option<String>, quantiles: &[f64]) -> prometheus::Result<Self> {
        let labels = label.iter().cloned().collect();
        let desc = Desc::new(name.to_owned(), help.to_owned(), labels, std::collections::HashMap::new())?;
        Ok(Self(Arc::new(Inner { desc, label, quantiles: quantiles.to_vec(), series: Mutex::default() })))
    }

    pub(crate) fn observe(&self, value: f64) {
        self.observe_of("", value);
    }

    /// Observes for a value of the label.
    pub(crate) fn observe_of(&self, label: &str, value: f64) {
        let now = Instant::now();
        let mut series = self.0.series.lock();
        let observed = series.entry(label.to_owned()).or_default();
        observed.count += 1;
        observed.sum += value;
        observed.recent.push_back((now, value));
        observed.forget(now);
    }

    /// Forgets a value of the label.
    pub(crate) fn remove(&self, label: &str) {
        self.0.series.lock().remove(label);
    }
}

impl Collector for Summary {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = Instant::now();
        let mut family = MetricFamily::default();
        family.set_name(self.0.desc.fq_name.clone());
        family.set_help(self.0.desc.help.clone());
        family.set_field_type(MetricType::SUMMARY);
        let mut series = self.0.series.lock();
        let metrics = series.iter_mut().map(|(label, observed)| {
            observed.forget(now);
            let mut sorted: Vec<f64> = observed.recent.iter().map(|(_, value)| *value).collect();
            sorted.sort_by(f64::total_cmp);
            let quantiles = self.0.quantiles.iter().map(|quantile| {
                let mut out = Quantile::default();
                out.set_quantile(*quantile);
                out.set_value(at(&sorted, *quantile));
                out
            });
            let mut summary = Proto::default();
            summary.set_quantile(quantiles.collect());
            summary.set_sample_count(observed.count);
            summary.set_sample_sum(observed.sum);
            let mut metric = Metric::default();
            metric.set_summary(summary);
            if let Some(name) = &self.0.label {
                let mut pair = LabelPair::default();
                pair.set_name(name.clone());
                pair.set_value(label.clone());
                metric.set_label(vec![pair]);
            }
            metric
        });
        family.set_metric(metrics.collect());
        if family.get_metric().is_empty() { Vec::new() } else { vec![family] }
    }
}

/// The value that a share of the sorted values does not exceed; NaN of none.
fn at(sorted: &[f64], quantile: f64) -> f64 {
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_what_was_observed() {
        let summary = Summary::new("a_seconds", "Help.", &[0.5, 0.99]).unwrap();
        for value in 1..=100 {
            summary.observe(f64::from(value));
        }
        let text = prometheus::TextEncoder::new().encode_to_string(&summary.collect()).unwrap();
        for line in [
            "a_seconds{quantile=\"0.5\"} 50",
            "a_seconds{quantile=\"0.99\"} 99",
            "a_seconds_sum 5050",
            "a_seconds_count 100",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let summary = Summary::by("a_seconds", "Help.", "to", &[0.5]).unwrap();
        assert!(summary.collect().is_empty());
        for _ in 0..3 * KEPT {
            summary.observe_of("b", 1.0);
        }
        assert!(summary.0.series.lock()["b"].recent.len() <= KEPT);
        summary.remove("b");
        assert!(summary.collect().is_empty());
    }
}
