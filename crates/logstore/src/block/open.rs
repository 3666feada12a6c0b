//! Finding blocks at start.

use std::path::Path;
use std::sync::Arc;

use blocks::{Directory, Error, Ulid, read_json};

use super::{Block, META_FILE, Meta, VERSION};
use crate::Result;

/// What lies in a directory of blocks.
#[derive(Debug)]
pub(crate) struct Opened {
    /// By identifier, which is by age.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// The last segment of the log that a block covers.
    pub(crate) last_wal: Option<u64>,
}

/// Opens the blocks of a directory; see [`Directory::scan`] for what becomes of half, replaced and damaged ones.
pub(crate) fn open_all(directory: &Directory) -> Result<Opened> {
    let found = directory.scan(
        |path, id| match read_meta(path, id).and_then(|meta| Block::open(path.to_owned(), meta)) {
            Ok(block) => Ok(block),
            Err(crate::Error::Blocks(error)) => Err(error),
            Err(error) => Err(Error::damaged(path, error.to_string())),
        },
        |block| block.meta.sources.clone(),
    )?;
    // A block that was replaced covers nothing that its replacement does not.
    let last_wal = found.iter().map(|block| block.meta.meta.last_wal).max();
    Ok(Opened { blocks: found.into_iter().map(|block| Arc::new(block.meta)).collect(), last_wal })
}

fn read_meta(path: &Path, id: Ulid) -> Result<Meta> {
    let path = path.join(META_FILE);
    let meta: Meta = read_json(&path)?;
    if meta.version > VERSION {
        let reason = format!("version {} is newer than this program, which reads {VERSION}", meta.version);
        return Err(Error::damaged(path, reason).into());
    }
    if meta.id != id {
        return Err(Error::damaged(path, format!("it is of block {}", meta.id)).into());
    }
    Ok(meta)
}
