//! Sealed spans: a directory with a Parquet file that any tool reads, and two small files beside it.
//!
//! - `spans.parquet`: the spans, those of a trace in consecutive rows, traces by start (see `schema`).
//! - `meta.json`: how many, from when to when, which part of the log it covers, which blocks it replaces.
//! - `index.json`: what the lists of services, operations, keys and values are made of.
//!
//! A block is written in a directory of another name, forced to the disk and then renamed, so it is whole or not there.

mod cache;
mod columns;
mod file;
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
pub(crate) use open::{open_all, remove, set_aside};
pub(crate) use read::Block;
pub(crate) use write::{Plan, write};

/// The spans.
pub(crate) const SPANS_FILE: &str = "spans.parquet";
/// What is written about them.
pub(crate) const META_FILE: &str = "meta.json";
/// What the lists are made of.
pub(crate) const INDEX_FILE: &str = "index.json";
