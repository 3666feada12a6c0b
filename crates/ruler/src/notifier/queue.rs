//! Alerts that wait for one Alertmanager.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::notify::Outgoing;

/// A queue that forgets its oldest alerts where there is no room.
pub(super) struct Queue {
    alerts: Mutex<VecDeque<Arc<Outgoing>>>,
    arrived: tokio::sync::Notify,
    capacity: usize,
    batch: usize,
}

impl Queue {
    pub(super) fn new(capacity: usize, batch: usize) -> Self {
        Self { alerts: Mutex::default(), arrived: tokio::sync::Notify::new(), capacity, batch }
    }

    /// Takes alerts; how many had to go for them.
    pub(super) fn add(&self, alerts: Vec<Arc<Outgoing>>) -> usize {
        if alerts.is_empty() {
            return 0;
        }
        let mut queue = self.alerts.lock();
        queue.extend(alerts);
        let dropped = queue.len().saturating_sub(self.capacity);
        queue.drain(..dropped);
        drop(queue);
        self.arrived.notify_one();
        dropped
    }

    /// The next alerts, no more than a request may have.
    pub(super) fn take(&self) -> Vec<Arc<Outgoing>> {
        let mut queue = self.alerts.lock();
        let count = queue.len().min(self.batch);
        queue.drain(..count).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.alerts.lock().len()
    }

    /// Waits until something has arrived since it was waited for last.
    pub(super) async fn arrival(&self) {
        self.arrived.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alerts(from: usize, to: usize) -> Vec<Arc<Outgoing>> {
        let alert = |index: usize| Outgoing {
            labels: model::Labels::default(),
            annotations: std::collections::BTreeMap::new(),
            starts_at_ns: Some(index as i64),
            ends_at_ns: None,
            generator_url: String::new(),
        };
        (from..to).map(|index| Arc::new(alert(index))).collect()
    }

    #[test]
    fn the_oldest_make_room_and_batches_are_bounded() {
        let queue = Queue::new(5, 2);
        assert_eq!((queue.add(alerts(0, 4)), queue.add(alerts(4, 6)), queue.add(alerts(10, 20))), (0, 1, 10));
        assert_eq!(queue.len(), 5);
        let batch: Vec<_> = queue.take().iter().map(|alert| alert.starts_at_ns).collect();
        assert_eq!(batch, [Some(15), Some(16)]);
        assert_eq!((queue.take().len(), queue.take().len(), queue.take().len()), (2, 1, 0));
    }
}
