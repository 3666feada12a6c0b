//! Where queries run: on threads of their own, so many at once and so many waiting, so that a heavy query delays
//! neither ingest nor a health check.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

/// Why a query did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// As many queries wait as may wait.
    #[error("too many queries: {running} run and {waiting} wait")]
    Busy {
        /// Queries that may run at once.
        running: usize,
        /// Queries that may wait.
        waiting: usize,
    },
    /// The query panicked, or the process is stopping.
    #[error("the query was aborted")]
    Aborted,
}

/// A bounded pool for blocking work.
#[derive(Debug, Clone)]
pub struct QueryPool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    running: Arc<Semaphore>,
    run_limit: usize,
    wait_limit: usize,
    waiting: AtomicUsize,
}

impl QueryPool {
    /// A pool that runs `run_limit` queries at once and lets `wait_limit` wait.
    pub fn new(run_limit: usize, wait_limit: usize) -> Self {
        Self(Arc::new(Inner {
            running: Arc::new(Semaphore::new(run_limit)),
            run_limit,
            wait_limit,
            waiting: AtomicUsize::new(0),
        }))
    }

    /// How many queries wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Runs a query on a thread of the pool.
    pub async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let running = Arc::clone(&self.0.running);
        let permit = if let Ok(permit) = Arc::clone(&running).try_acquire_owned() {
            permit
        } else {
            let _queued = Queued::enter(&self.0)?;
            running.acquire_owned().await.map_err(|_| PoolError::Aborted)?
        };
        // The permit goes with the work: a client that goes away does not make room for another query before its own
        // has ended.
        let work = move || {
            let _permit = permit;
            query()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| PoolError::Aborted)
    }
}

/// A place in the queue, given up on drop: a client that goes away frees it.
struct Queued<'a>(&'a Inner);

impl<'a> Queued<'a> {
    fn enter(inner: &'a Inner) -> Result<Self, PoolError> {
        let before = inner.waiting.fetch_add(1, Ordering::Relaxed);
        let queued = Self(inner);
        if before >= inner.wait_limit {
            return Err(PoolError::Busy { running: inner.run_limit, waiting: inner.wait_limit });
        }
        Ok(queued)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
