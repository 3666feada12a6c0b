//! Writing a block from segments.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use model::TimeRange;
use parquet::file::writer::SerializedFileWriter;
use ulid::Ulid;

use super::order::Order;
use super::row_group::RowGroupWriter;
use super::{INDEX_FILE, META_FILE, Meta, RowGroup, SPANS_FILE, meta, schema};
use crate::index::{Index, STORED_VALUES, Want};
use crate::segment::{Bounds, Segment};
use crate::{Result, io_error, parquet_error};

/// What a block is made of.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) id: Ulid,
    pub(crate) sealed_ms: u64,
    pub(crate) last_wal: u64,
    pub(crate) sources: Vec<Ulid>,
}

/// Writes the spans of some segments as a block below a directory. When this returns, the block is on the disk.
pub(crate) fn write(blocks_dir: &Path, segments: &[&Segment], plan: Plan) -> Result<Meta> {
    let temporary = blocks_dir.join(format!("{}{}", super::open::TEMPORARY, plan.id));
    let place = blocks_dir.join(plan.id.to_string());
    match fs::remove_dir_all(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io_error("remove", &temporary)(error));
        }
        _ => {}
    }
    fs::create_dir_all(&temporary).map_err(io_error("create", &temporary))?;
    let outcome = write_files(&temporary, segments, plan);
    let meta = match outcome {
        Ok(meta) => meta,
        Err(error) => {
            // What could be written is of no use; the spans are still in head and log.
            let _ = fs::remove_dir_all(&temporary);
            return Err(error);
        }
    };
    fs::rename(&temporary, &place).map_err(io_error("rename", &temporary))?;
    sync_dir(blocks_dir)?;
    Ok(meta)
}

/// Forces a directory's entries to the disk.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))
}

fn write_files(dir: &Path, segments: &[&Segment], plan: Plan) -> Result<Meta> {
    let order = Order::of(segments);
    let spans_path = dir.join(SPANS_FILE);
    let file = File::create(&spans_path).map_err(io_error("create", &spans_path))?;
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
    let file = file.into_inner().map_err(|error| io_error("write to", &spans_path)(error.into_error()))?;
    file.sync_all().map_err(io_error("sync", &spans_path))?;
    let file_bytes = file.metadata().map_err(io_error("stat", &spans_path))?.len();

    let mut index = Index::new(STORED_VALUES);
    for segment in segments {
        segment.collect(TimeRange::ALL, &Want::Everything, &mut index);
    }
    write_json(&dir.join(INDEX_FILE), &index)?;
    let meta = Meta {
        version: meta::VERSION,
        id: plan.id,
        spans: order.rows.len() as u64,
        traces: order.traces,
        file_bytes,
        sealed_ms: plan.sealed_ms,
        last_wal: plan.last_wal,
        sources: plan.sources,
        row_groups,
    };
    write_json(&dir.join(META_FILE), &meta)?;
    sync_dir(dir)?;
    Ok(meta)
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_vec(value).map_err(|error| io_error("write to", path)(error.into()))?;
    File::create(path)
        .and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        })
        .map_err(io_error("write to", path))
}
