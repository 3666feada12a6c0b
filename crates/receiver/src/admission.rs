//! Bytes in flight: what all requests together may hold in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::{Error, Result};

/// The budget that all requests share.
#[derive(Debug)]
pub(crate) struct Admission {
    limit: usize,
    retry_after: Duration,
    held: AtomicUsize,
}

impl Admission {
    pub(crate) fn new(limit: usize, retry_after: Duration) -> Arc<Self> {
        Arc::new(Self { limit, retry_after, held: AtomicUsize::new(0) })
    }

    /// Most bytes that may be held.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that are held now.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// A request's part of the budget, empty at first.
    pub(crate) fn permit(self: &Arc<Self>) -> Permit {
        Permit { admission: Arc::clone(self), bytes: 0, base: 0 }
    }
}

/// A request's part of the budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    bytes: usize,
    /// The part that is not for the body.
    base: usize,
}

impl Permit {
    /// Takes more of the budget, or refuses and takes nothing.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<()> {
        let admission = &*self.admission;
        admission
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(bytes).filter(|total| *total <= admission.limit)
            })
            .map_err(|held| Error::Busy {
                message: format!(
                    "the receiver holds {held} bytes of requests, its limit is {}; try again later",
                    admission.limit
                ),
                retry_after: admission.retry_after,
            })?;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes what a request costs beside its body.
    pub(crate) fn add_base(&mut self, bytes: usize) -> Result<()> {
        self.add(bytes)?;
        self.base += bytes;
        Ok(())
    }

    /// Takes as much more as is needed to hold a body of `bytes` in all.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<()> {
        self.add(bytes.saturating_sub(self.bytes - self.base))
    }

    /// What it holds.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_past_the_limit_and_gives_back_on_drop() {
        let admission = Admission::new(100, Duration::from_secs(1));
        let mut first = admission.permit();
        first.add(60).unwrap();
        let mut second = admission.permit();
        let refused = second.add(41).unwrap_err();
        assert_eq!(refused.reason(), "busy");
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
        assert_eq!(admission.held(), 60, "a refusal takes nothing");
        second.cover(40).unwrap();
        second.cover(30).unwrap();
        assert_eq!(admission.held(), 100);
        drop(first);
        drop(second);
        assert_eq!(admission.held(), 0);
    }

    #[test]
    fn a_body_is_covered_beside_the_base() {
        let admission = Admission::new(100, Duration::from_secs(1));
        let mut permit = admission.permit();
        permit.add_base(10).unwrap();
        permit.cover(50).unwrap();
        permit.cover(60).unwrap();
        assert_eq!(admission.held(), 70);
    }

    #[test]
    fn an_absurd_size_does_not_wrap_around() {
        let admission = Admission::new(100, Duration::from_secs(1));
        let mut permit = admission.permit();
        permit.add(1).unwrap();
        permit.add(usize::MAX).unwrap_err();
        assert_eq!(admission.held(), 1);
    }
}
