//! Sealed spans: a directory with a Parquet file that any tool reads, and two small files beside it.
//!
//! - `spans.parquet`: the spans, those of a trace in consecutive rows, traces by start (see `schema`).
//! - `meta.json`: how many, from when to when, which part of the log it covers, which blocks it replaces.
//! - `index.json`: what the lists of services, operations, keys and values are made of.
//!
//! How a block is published in one step, found, replaced and set aside is the crate `blocks`.

mod cache;
mod columns;
mod lists;
mod meta;
mod open;
mod order;
mod part;
mod read;
mod row_group;
mod scan;
mod schema;
mod write;

pub(crate) use cache::Cache;
pub(crate) use meta::{Meta, RowGroup};
pub(crate) use open::open_all;
pub(crate) use read::Block;
pub(crate) use write::{Plan, write};

/// The spans.
pub(crate) const SPANS_FILE: &str = "spans.parquet";
/// What the lists are made of.
pub(crate) const INDEX_FILE: &str = "index.json";
