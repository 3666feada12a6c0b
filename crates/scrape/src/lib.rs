//! Reads targets at their intervals and keeps what they say, as Prometheus does: samples with the labels of the target,
//! staleness markers for what is gone, and `up` and the `scrape_*` series about the scrape itself.
//!
//! Begin with [`Job`], which says how the targets of one `scrape_configs` entry are read, and [`Target`], one address with
//! its labels and its health. A [`Pool`] runs a loop for each target of a job. A scrape takes its body through `client`;
//! `read` makes samples of it, with the help of a `cache` of the series that the target had before and of `mutate`, which
//! gives them the target's labels; `write` hands them to the store.
//!
//! [`Recorded`] takes bodies that are at hand in place of a target.
//!
//! A [`Manager`] applies a configuration: [`discovery`] finds the addresses of each job, `targets` makes targets of them,
//! and a pool is given these again and again.
//!
//! Bounds: a body has at most `body_size_limit` bytes after decompression, or [`MAX_BODY_BYTES`]; a scrape takes no longer
//! than its timeout; samples, labels, buckets and targets have the limits of the job.

mod cache;
mod client;
pub mod discovery;
mod headers;
mod job;
mod manager;
mod meters;
mod mutate;
mod pool;
mod read;
mod recorded;
mod scrape;
mod target;
mod targets;
mod times;
mod write;

pub use client::{Dial, MAX_BODY_BYTES};
pub use headers::of_client as client_headers;
pub use job::{Job, LabelLimits, Relabel};
pub use manager::{ApplyError, Hosts, Manager, PoolView};
pub use meters::Meters;
pub use pool::{Dropped, Environment, Pool};
pub use recorded::Recorded;
pub use target::{Address, Health, Status, Target};
