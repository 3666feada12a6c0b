//! Where queries run: on threads of their own, so many at once and so many waiting, so that a heavy query delays
//! neither ingest nor a health check.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

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
    refused: AtomicU64,
}

impl QueryPool {
    /// A pool that runs `run_limit` queries at once and lets `wait_limit` wait.
    pub fn new(run_limit: usize, wait_limit: usize) -> Self {
        Self(Arc::new(Inner {
            running: Arc::new(Semaphore::new(run_limit)),
            run_limit,
            wait_limit,
            waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }))
    }

    /// How many queries run.
    pub fn running(&self) -> usize {
        self.0.run_limit.saturating_sub(self.0.running.available_permits())
    }

    /// How many were refused since the start.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
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
            inner.refused.fetch_add(1, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn so_many_run_so_many_wait_the_rest_is_refused() {
        let pool = QueryPool::new(1, 1);
        let (go, gate) = sync_channel::<()>(0);
        let first = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(move || gate.recv()).await }
        });
        while pool.running() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let second = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(|| 2).await }
        });
        while pool.waiting() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(matches!(pool.run(|| 3).await, Err(PoolError::Busy { running: 1, waiting: 1 })));
        assert_eq!(pool.refused(), 1);

        // A client that goes away frees its place in the queue.
        second.abort();
        assert!(second.await.is_err());
        assert_eq!(pool.waiting(), 0);

        go.send(()).unwrap();
        assert!(first.await.unwrap().unwrap().is_ok());
        assert_eq!(pool.run(|| 4).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_query_that_panics_gives_its_place_back() {
        let pool = QueryPool::new(1, 0);
        let result = pool.run(|| panic!("on purpose")).await;
        assert!(matches!(result, Err::<(), _>(PoolError::Aborted)));
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }
}
