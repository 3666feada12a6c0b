//! PromQL over a storage trait: no I/O, no clock, no store.
//!
//! - [`storage`]: what a query needs of a store.

pub mod storage;
