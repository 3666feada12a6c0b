//! Reads targets at their intervals and keeps what they say, as Prometheus does: samples with the labels of the target,
//! staleness markers for what is gone, and `up` and the `scrape_*` series about the scrape itself.
//!
//! Begin with [`Job`], which says how the targets of one `scrape_configs` entry are read, and [`Target`], one address with
//! its labels and its health.

mod job;
mod target;

pub use job::{Job, LabelLimits, Relabel};
pub use target::{Address, Health, Status, Target};
