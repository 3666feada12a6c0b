//! After a start: since when alerts were pending, read from what was written before.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::labels::METRIC_NAME;
use model::{Labels, MatchOp, Matcher};
use promql::storage::MsRange;

use crate::alerting::{ALERT_NAME, ALERTS_FOR_STATE};
use crate::backend::{millis, nanos};
use crate::environment::{Config, Environment};
use crate::group::Group;
use crate::rule::Rule;

impl Group {
    /// Restores since when alerts have been pending. From here on samples about alerts are written.
    pub(crate) fn restore(&self, environment: &Environment, now_ns: i64) {
        let began = Instant::now();
        for rule in &self.rules {
            let Some(alerting) = rule.definition.alerting() else { continue };
            // One that holds less than the grace would wait no less if it was restored.
            if alerting.hold >= environment.config.for_grace_period {
                restore(rule, alerting.hold, environment, now_ns);
            }
            rule.set_restored();
        }
        environment.metrics.restored(&self.key, began.elapsed());
    }
}

fn restore(rule: &Rule, hold: Duration, environment: &Environment, now_ns: i64) {
    let config = &environment.config;
    let range = MsRange {
        start_ms: millis(now_ns.saturating_sub(nanos(config.outage_tolerance))),
        end_ms: millis(now_ns),
    };
    let found = matchers(rule).and_then(|matchers| environment.backend.newest(&matchers, range));
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            // There is no second try: the alert begins anew.
            tracing::error!(alert = rule.definition.name, error, "restoring the state of an alert failed");
            return;
        }
    };
    let by_labels: BTreeMap<Labels, (i64, f64)> = found
        .into_iter()
        .filter_map(|(labels, newest)| {
            let pairs = labels.into_pairs().into_iter().filter(|(name, _)| name != METRIC_NAME);
            Some((pairs.collect(), newest?))
        })
        .collect();
    for alert in rule.alerts.lock().iter_mut() {
        if let Some(&(time_ms, value)) = by_labels.get(&alert.labels)
            && value.to_bits() != model::sample::STALE_NAN_BITS
        {
            alert.active_at_ns = active_at(time_ms, value, hold, config, now_ns);
            tracing::debug!(alert = rule.definition.name, labels = %alert.labels, "state restored");
        }
    }
}

/// The series about a rule's alerts. Labels with templates have another value for each alert.
fn matchers(rule: &Rule) -> Result<Vec<Matcher>, String> {
    let own = rule.definition.labels.iter().filter(|(_, value)| !value.contains("{{") && !value.is_empty());
    let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
    let own = own.filter(|(name, _)| *name != ALERT_NAME);
    let named = [(METRIC_NAME, ALERTS_FOR_STATE), (ALERT_NAME, rule.definition.name.as_str())];
    own.chain(named)
        .map(|(name, value)| Matcher::new(name, MatchOp::Equal, value).map_err(|error| error.to_string()))
        .collect()
}

/// Since when an alert counts as pending, when it was last seen at a time, pending since `value` (seconds).
fn active_at(time_ms: i64, value: f64, hold: Duration, config: &Config, now_ns: i64) -> i64 {
    const SECOND_NS: i64 = 1_000_000_000;
    let down_at_ns = (time_ms / 1000).saturating_mul(SECOND_NS);
    let active_at_ns = (value as i64).saturating_mul(SECOND_NS);
    let hold_ns = nanos(hold);
    let left_ns = hold_ns.saturating_sub(down_at_ns.saturating_sub(active_at_ns));
    let grace_ns = nanos(config.for_grace_period);
    if left_ns <= 0 {
        // It fired before; if its condition holds still, it fires again at the next evaluation.
        active_at_ns
    } else if left_ns < grace_ns {
        now_ns.saturating_add(grace_ns).saturating_sub(hold_ns)
    } else {
        // The time without evaluations does not count.
        active_at_ns.saturating_add(now_ns.saturating_sub(down_at_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    #[test]
    fn the_time_without_evaluations_does_not_count() {
        let config = Config::default();
        let hold = Duration::from_mins(30);
        let at = |down: i64, since: i64, now: i64| {
            active_at(down * 60_000, (since * 60) as f64, hold, &config, now * MINUTE) / MINUTE
        };
        assert_eq!(at(40, 5, 50), 5, "it was firing");
        assert_eq!(at(10, 5, 20), 15, "five minutes of thirty had passed");
        assert_eq!(at(30, 5, 40), 20, "five minutes are left, but ten are granted");
    }
}
