//! Rules at work, as Prometheus 3.14 does it (`rules` and `notifier`): groups evaluated on their interval, what recording
//! rules make written, alerts from pending to firing to resolved, kept over restarts and handed to Alertmanager.
//!
//! - [`Ruler`]: all groups; [`Ruler::load`] takes rule files, [`Ruler::groups`] says how they are.
//! - [`Backend`]: what rules read and write; [`StoreBackend`] makes one of `tsdb`.
//! - [`Offline`]: the same groups at times that one gives, for tests of rules.
//! - [`Notify`]: where alerts go; [`notifier`] sends them to Alertmanagers.
//!
//! Rule files are read by `promrules`; expressions are evaluated by `promql`.

mod alert;
mod alerting;
mod backend;
mod environment;
mod files;
mod group;
mod metrics;
pub mod notifier;
mod notify;
mod offline;
mod restore;
mod rule;
mod ruler;
mod schedule;
mod store;
mod summary;
#[cfg(test)]
mod tests;
mod view;

pub use alert::{Alert, AlertState};
pub use backend::{Backend, Newest, QueryError, Sample};
pub use environment::Config;
pub use files::{LoadError, words_of};
pub use notify::{Nobody, Notify, Outgoing};
pub use offline::Offline;
pub use rule::{Health, Status};
pub use ruler::{Load, Ruler, check};
pub use store::{Append, StoreBackend};
pub use view::{AlertingView, GroupView, RuleView};
