//! Finding blocks at start.

use std::path::PathBuf;
use std::sync::Arc;

use blocks::{Directory, Error, Scan};

use super::{Block, Meta};
use crate::Result;

/// Opens the blocks of a directory; see [`Directory::scan`] for what becomes of half, replaced and damaged ones.
pub(crate) fn open_all(directory: &Directory) -> Result<Scan<Arc<Block>>> {
    let open = |path: PathBuf, meta: Meta| match Block::open(path.clone(), meta) {
        Ok(block) => Ok(Arc::new(block)),
        Err(crate::Error::Blocks(error)) => Err(error),
        Err(error) => Err(Error::damaged(path, error.to_string())),
    };
    Ok(directory.scan(open)?)
}
