//! Finding blocks at start, and letting them go.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ulid::Ulid;

use super::cache::Cache;
use super::read::Block;
use super::{Meta, SPANS_FILE};
use crate::{Error, Result, io_error};

/// Begin of the name of a block that is being written.
pub(super) const TEMPORARY: &str = "tmp-";
/// Begin of the name of a damaged block that was set aside.
const DAMAGED: &str = "damaged-";
/// Begin of the name of a block that is being removed.
const REMOVED: &str = "removed-";

/// What lies in a directory of blocks.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// By identifier, which is by age.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// The last segment of the log that a block covers.
    pub(crate) last_wal: Option<u64>,
}

/// Opens the blocks of a directory, and tidies up after a crash: half-written blocks go, so do those whose spans a newer
/// block has, and damaged ones are set aside under another name.
pub(crate) fn open_all(dir: &Path, cache: &Arc<Cache>) -> Result<Opened> {
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    let mut found: Vec<(Ulid, Meta)> = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let path = entry.map_err(io_error("list", dir))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with(TEMPORARY) || name.starts_with(REMOVED) {
            fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
            continue;
        }
        let Ok(id) = Ulid::from_string(name) else { continue };
        match check(&path, id) {
            Ok(meta) => found.push((id, meta)),
            Err(error) => {
                tracing::error!(block = %path.display(), %error, "a block is damaged; it is set aside");
                set_aside(&path)?;
            }
        }
    }
    found.sort_by_key(|(id, _)| *id);
    let replaced: Vec<Ulid> = found.iter().flat_map(|(_, meta)| meta.sources.iter().copied()).collect();
    let mut opened = Opened::default();
    for (id, meta) in found {
        opened.last_wal = opened.last_wal.max(Some(meta.last_wal));
        let path = dir.join(id.to_string());
        if replaced.contains(&id) {
            remove(&path)?;
        } else {
            opened.blocks.push(Arc::new(Block::new(path, meta, Arc::clone(cache))));
        }
    }
    Ok(opened)
}

fn check(path: &Path, id: Ulid) -> Result<Meta> {
    let meta = Meta::read(path)?;
    let spans = path.join(SPANS_FILE);
    let bytes = fs::metadata(&spans).map_err(io_error("stat", &spans))?.len();
    let reason = if meta.id != id {
        format!("meta.json is of block {}", meta.id)
    } else if bytes != meta.file_bytes {
        format!("{bytes} bytes instead of {}", meta.file_bytes)
    } else {
        return Ok(meta);
    };
    Err(Error::Corrupt { path: spans, reason })
}

/// Gives a damaged block another name, so that it is kept for a look and not opened again.
pub(crate) fn set_aside(path: &Path) -> Result<()> {
    rename_with(path, DAMAGED).map(drop)
}

/// Removes a block's directory. It is renamed first, so that a crash in between leaves no half block.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let renamed = rename_with(path, REMOVED)?;
    fs::remove_dir_all(&renamed).map_err(io_error("remove", renamed))
}

fn rename_with(path: &Path, prefix: &str) -> Result<std::path::PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let renamed = path.with_file_name(format!("{prefix}{name}"));
    fs::rename(path, &renamed).map_err(io_error("rename", path))?;
    Ok(renamed)
}
