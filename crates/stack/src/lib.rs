//! The embedded engine as a library: configuration, build, start, ordered stop.
//!
//! It composes and decides nothing that a part could decide for itself: the stores keep, `receiver` lets in, `api`
//! answers; here they get their configuration, their ports, their place in the order of start and stop, and the
//! figures that the whole says of itself.
//!
//! Begin with [`Config`] and [`Stack::start`]; what runs is [`Running`].

mod config;
mod demo;
mod error;
mod gate;
mod listen;
mod lock;
mod metrics;
mod part;
mod prometheus;
mod routes;
mod running;
mod serve;
mod start;
mod stores;

pub use config::{Config, Demo, Identity, Keep, Retention};
pub use demo::NotReady;
pub use error::{Error, Result};
pub use listen::{BusyPort, Owner, port_owner};
pub use lock::{DataLock, Holder, holder_of};
pub use metrics::{ProcessFigures, StoreFigures};
pub use part::{Part, reachable};
pub use prometheus::Refusal;
pub use receiver::names as receiver_names;
pub use running::{Flushed, Ready, Running, Stopped};
pub use start::Stack;
pub use wal::SyncPolicy;
