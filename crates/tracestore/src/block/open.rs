//! Finding blocks at start.

use std::sync::Arc;

use blocks::{Directory, Scan};

use super::cache::Cache;
use super::read::Block;
use crate::Result;

/// Opens the blocks of a directory; see [`Directory::scan`] for what becomes of half, replaced and damaged ones. Of the
/// spans nothing is read yet.
pub(crate) fn open_all(directory: &Directory, cache: &Arc<Cache>) -> Result<Scan<Arc<Block>>> {
    let open = |path, meta| Ok(Arc::new(Block::new(directory.clone(), path, meta, Arc::clone(cache))));
    Ok(directory.scan(open)?)
}
