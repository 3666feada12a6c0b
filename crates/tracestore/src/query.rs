//! Answers over a snapshot: head segments and blocks alike.
//!
//! - `trace`: all spans of a trace. - `find`: the search. - `graph`: who calls whom.

mod find;
mod graph;
mod trace;

pub(crate) use find::search;
pub(crate) use graph::{Call, Services, dependencies};
pub(crate) use trace::trace;

use model::TimeRange;

use crate::Result;
use crate::head::Snapshot;
use crate::index::{Index, Want};

/// What the spans that start within a range contain.
pub(crate) fn collect(snapshot: &Snapshot, range: TimeRange, want: &Want<'_>, limit: usize) -> Result<Index> {
    let mut index = Index::new(limit);
    for segment in &snapshot.segments {
        segment.read().collect(range, want, &mut index);
    }
    for block in snapshot.blocks.iter() {
        block.collect(range, want, &mut index)?;
    }
    Ok(index)
}
