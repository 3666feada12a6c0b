//! Bodies that were recorded, written as a scrape of then would have written them.

use std::sync::Arc;

use crate::cache::Cache;
use crate::client::{self, Client};
use crate::job::Job;
use crate::pool::Environment;
use crate::scrape::Scraper;
use crate::target::{Status, Target};
use crate::times::Times;

/// A target whose bodies are at hand, so that it is not asked.
#[derive(Debug)]
pub struct Recorded {
    scraper: Scraper,
    target: Arc<Target>,
    times: Times,
}

impl Recorded {
    /// A target of a job. Fails where a pool would.
    pub fn new(job: Job, target: Target, environment: &Environment) -> reqwest::Result<Self> {
        let http = client::connections(job.follow_redirects)?;
        let client = Client::new(http, &job, &target, None, &environment.user_agent);
        let (job, target) = (Arc::new(job), Arc::new(target));
        let times = Times::new(target.interval());
        let scraper = Scraper::new(
            Arc::clone(&environment.store),
            Arc::clone(&environment.clock),
            environment.meters.clone(),
            job,
            Arc::clone(&target),
            client,
            Cache::default(),
        );
        Ok(Self { scraper, target, times })
    }

    /// Takes a body, decompressed, as the answer to a scrape that began at a time; gives what became of it. Times must
    /// not go back.
    pub fn add(&mut self, now_ns: u64, content_type: &str, body: &[u8]) -> Status {
        let time_ns = self.times.next(now_ns);
        self.scraper.keep_recorded(content_type, body, time_ns);
        self.target.status()
    }
}
