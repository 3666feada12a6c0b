//! One alert: a series of an alerting rule, and what has become of it.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Labels;

use crate::backend::nanos;

/// How far an alert has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertState {
    /// Its rule has not been evaluated yet.
    Unknown,
    /// Its condition does not hold, or no longer.
    Inactive,
    /// Its condition holds, but not for long enough.
    Pending,
    /// Its condition has held long enough.
    Firing,
}

impl AlertState {
    /// As `alertstate` and the API name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// An alert. Times are nanoseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// How far it has come.
    pub state: AlertState,
    /// Its labels, `alertname` among them; what makes it the same alert.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: BTreeMap<String, String>,
    /// Value of its expression at the last evaluation; 0 for a native histogram.
    pub value: f64,
    /// Since when its condition has held.
    pub active_at_ns: i64,
    /// Since when it has fired.
    pub fired_at_ns: Option<i64>,
    /// When its condition ended.
    pub resolved_at_ns: Option<i64>,
    /// When it was handed over last.
    pub last_sent_ns: Option<i64>,
    /// Until when who got it may take it for true.
    pub valid_until_ns: Option<i64>,
    /// Since when it fires for `keep_firing_for` alone.
    pub keep_firing_since_ns: Option<i64>,
}

impl Alert {
    /// Whether it has to be handed over (again) at a time: not while it is pending, at once when it has resolved, else
    /// when the last time was longer ago than the delay.
    pub(crate) fn needs_sending(&self, time_ns: i64, resend_delay: Duration) -> bool {
        if self.state == AlertState::Pending {
            return false;
        }
        // `None` is smaller than any time: what was never sent is older than everything.
        if self.resolved_at_ns > self.last_sent_ns {
            return true;
        }
        self.last_sent_ns.is_none_or(|sent_ns| sent_ns.saturating_add(nanos(resend_delay)) < time_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn alert(state: AlertState, resolved_at_ns: Option<i64>, last_sent_ns: Option<i64>) -> Alert {
        Alert {
            state,
            labels: Labels::default(),
            annotations: BTreeMap::new(),
            value: 0.0,
            active_at_ns: 0,
            fired_at_ns: None,
            resolved_at_ns,
            last_sent_ns,
            valid_until_ns: None,
            keep_firing_since_ns: None,
        }
    }

    #[test]
    fn sent_when_it_is_due() {
        let delay = Duration::from_secs(60);
        for (state, resolved, sent, at, expected) in [
            (AlertState::Pending, None, None, 0, false),
            (AlertState::Firing, None, None, 0, true),
            (AlertState::Firing, None, Some(0), 60 * SECOND, false),
            (AlertState::Firing, None, Some(0), 60 * SECOND + 1, true),
            (AlertState::Inactive, Some(30 * SECOND), Some(0), 30 * SECOND, true),
            (AlertState::Inactive, Some(30 * SECOND), Some(30 * SECOND), 45 * SECOND, false),
            (AlertState::Inactive, Some(30 * SECOND), Some(30 * SECOND), 91 * SECOND, true),
        ] {
            let alert = alert(state, resolved, sent);
            assert_eq!(alert.needs_sending(at, delay), expected, "{alert:?} at {at}");
        }
    }
}
