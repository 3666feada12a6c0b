//! Writing a block from segments.

use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;

use blocks::{Directory, Manifest, Meta as _, Ulid, io_error};
use model::TimeRange;
use parquet::file::writer::SerializedFileWriter;

use super::order::Order;
use super::row_group::RowGroupWriter;
use super::{INDEX_FILE, Meta, RowGroup, SPANS_FILE, schema};
use crate::index::{Index, STORED_VALUES, Want};
use crate::segment::{Bounds, Segment};
use crate::{Result, parquet_error};

/// What a block is made of.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) id: Ulid,
    pub(crate) sealed_ms: u64,
    pub(crate) last_wal: u64,
    pub(crate) sources: Vec<Ulid>,
}

/// Writes the spans of some segments as a block. When this returns, the block is on the disk, in the directory that is
/// returned.
pub(crate) fn write(directory: &Directory, segments: &[&Segment], plan: Plan) -> Result<(PathBuf, Meta)> {
    let mut draft = directory.begin(plan.id)?;
    let order = Order::of(segments);
    let file = draft.create(SPANS_FILE)?;
    let spans_path = draft.path(SPANS_FILE);
    let failed = |error| parquet_error(&spans_path, error);
    let properties = schema::properties(order.most_traces).map_err(failed)?;
    let mut writer = SerializedFileWriter::new(
        BufWriter::with_capacity(256 << 10, file),
        schema::schema().map_err(failed)?,
        Arc::new(properties),
    )
    .map_err(failed)?;
    let mut row_groups = Vec::new();
    for rows in &order.row_groups {
        let rows = &order.rows[rows.clone()];
        let group = writer.next_row_group().map_err(failed)?;
        RowGroupWriter { segments, rows, group }.write().map_err(failed)?;
        let bounds = rows.iter().map(|at| at.bounds(segments)).reduce(Bounds::join);
        let bounds = bounds.unwrap_or(Bounds::of(0, 0));
        row_groups.push(RowGroup {
            rows: rows.len() as u64,
            min_start_ns: bounds.min_start_ns,
            max_start_ns: bounds.max_start_ns,
            max_end_ns: bounds.max_end_ns,
        });
    }
    let file = writer.into_inner().map_err(failed)?;
    let file = file.into_inner().map_err(|error| io_error("write", &spans_path)(error.into_error()))?;
    let file_bytes = file.metadata().map_err(io_error("stat", &spans_path))?.len();

    let mut index = Index::new(STORED_VALUES);
    for segment in segments {
        segment.collect(TimeRange::ALL, &Want::Everything, &mut index);
    }
    draft.write_json(INDEX_FILE, &index)?;
    let manifest = Manifest {
        version: Meta::VERSION,
        id: plan.id,
        file_bytes,
        last_wal: plan.last_wal,
        sources: plan.sources,
    };
    let meta = Meta {
        manifest,
        spans: order.rows.len() as u64,
        traces: order.traces,
        sealed_ms: plan.sealed_ms,
        row_groups,
    };
    Ok((draft.publish(&meta)?, meta))
}
