//! Groups at times that one gives, without a clock: how rules are tested.

use std::sync::Arc;

use model::{Clock, ManualClock};

use crate::backend::Backend;
use crate::environment::{Config, Environment};
use crate::files::LoadError;
use crate::group::Group;
use crate::metrics::Metrics;
use crate::notify::Nobody;
use crate::ruler::{Load, read_groups};
use crate::view::GroupView;

/// Groups that are evaluated when it is said so. Nothing is restored, and alerts go nowhere.
#[derive(Debug)]
pub struct Offline {
    groups: Vec<Group>,
    environment: Environment,
}

impl Offline {
    /// Reads rule files. Groups stand in the order of the files.
    ///
    /// # Errors
    /// Everything that is wrong with the first wrong file.
    pub fn load(load: Load, backend: Arc<dyn Backend>) -> Result<Self, LoadError> {
        let groups = read_groups(&load, true)?;
        let metrics = Metrics::register(&prometheus::Registry::new())
            .map_err(|error| LoadError(vec![error.to_string()]))?;
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_ns(0));
        let environment = Environment {
            backend,
            notify: Arc::new(Nobody),
            clock,
            metrics,
            config: Config::default(),
            query_offset: load.query_offset,
            external_labels: load.external_labels,
            external_url: load.external_url,
        };
        Ok(Self { groups, environment })
    }

    /// Puts groups in the order of a key; those with the same keep theirs.
    pub fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&str) -> K) {
        self.groups.sort_by_key(|group| key(&group.name));
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Evaluates a group at a time, in nanoseconds since the Unix epoch, whatever its interval is.
    pub fn evaluate(&self, group: usize, time_ns: i64) {
        if let Some(group) = self.groups.get(group) {
            group.evaluate(&self.environment, time_ns, &|| false);
        }
    }

    /// How a group is.
    pub fn group(&self, group: usize) -> Option<GroupView> {
        self.groups.get(group).map(GroupView::of)
    }
}
