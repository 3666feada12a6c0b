//! The directory of the blocks: found at start, written beside each other, removed.

use std::collections::HashSet;
use std::fs;
use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldhash::quality::RandomState;
use parking_lot::Mutex;
use ulid::Ulid;

use super::{Block, BlockWriter, Meta, sync_dir};
use crate::{Error, Result};

/// What follows the name of a block that is being written, and of one that is being removed: as Prometheus has them, so
/// that it tidies up after us as we do after it.
const CREATION: &str = ".tmp-for-creation";
const DELETION: &str = ".tmp-for-deletion";

/// Where Prometheus has its log.
const WAL_DIR: &str = "wal";

/// Begin of the name of a damaged block that was set aside.
const DAMAGED: &str = "damaged-";

/// A directory of blocks. One process has it; the lock is the caller's.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Takes a directory, created where it is missing, and opens its blocks, by their begin. What a crash left is
    /// tidied up: half-written and half-removed blocks go, so do those that another one replaces; what is damaged is
    /// set aside.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Arc<Block>>)> {
        // Nothing is ever in it: promtool opens no data directory without a log.
        let wal = path.join(WAL_DIR);
        fs::create_dir_all(&wal).map_err(Error::io("create", wal))?;
        let directory = Self { path: path.to_owned() };
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(Error::io("list", path))? {
            let path = entry.map_err(Error::io("list", path))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let unfinished = [CREATION, DELETION].into_iter().find_map(|end| name.strip_suffix(end));
            if unfinished.is_some_and(|id| Ulid::from_string(id).is_ok()) {
                fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
            } else if Ulid::from_string(name).is_ok() {
                match Block::open(&path) {
                    Ok(block) => found.push(Arc::new(block)),
                    Err(error) if error.is_refusal() => return Err(error),
                    Err(error) => {
                        tracing::error!(block = %path.display(), %error, "a block is damaged; it is set aside");
                        directory.set_aside(&path, name)?;
                    }
                }
            }
        }
        let replaced: HashSet<Ulid> = found
            .iter()
            .flat_map(|block| block.meta().compaction.parents.iter().map(|it| it.ulid).collect::<Vec<_>>())
            .collect();
        let mut blocks = Vec::with_capacity(found.len());
        for block in found {
            let meta = block.meta();
            if replaced.contains(&meta.ulid) || meta.compaction.deletable {
                directory.remove(&block)?;
            } else {
                blocks.push(block);
            }
        }
        sort(&mut blocks);
        Ok((directory, blocks))
    }

    /// Begins to write a block; [`BlockWriter`] says what the symbols are.
    pub(crate) fn begin<'a>(
        &self,
        meta: Meta,
        symbols: impl Iterator<Item = &'a str>,
    ) -> Result<BlockWriter> {
        let target = self.path.join(meta.ulid.to_string());
        BlockWriter::begin(self.path.join(format!("{}{CREATION}", meta.ulid)), target, meta, symbols)
    }

    /// Removes a block. It is renamed first, so that a crash in between leaves no half block. Who has it open can read
    /// on.
    pub(crate) fn remove(&self, block: &Block) -> Result<()> {
        let renamed = self.path.join(format!("{}{DELETION}", block.meta().ulid));
        fs::rename(block.path(), &renamed).map_err(Error::io("rename", block.path()))?;
        sync_dir(&self.path)?;
        fs::remove_dir_all(&renamed).map_err(Error::io("remove", &renamed))
    }

    fn set_aside(&self, block: &Path, name: &str) -> Result<()> {
        let mut renamed = self.path.join(format!("{DAMAGED}{name}"));
        while renamed.exists() {
            renamed.as_mut_os_string().push("-again");
        }
        fs::rename(block, &renamed).map_err(Error::io("rename", block))?;
        sync_dir(&self.path)
    }
}

/// Sorts blocks by their begin.
pub(crate) fn sort(blocks: &mut [Arc<Block>]) {
    blocks.sort_by_key(|block| {
        let meta = block.meta();
        (meta.min_time, meta.ulid)
    });
}

/// Makes identifiers, each larger than the one before.
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<u64>);

impl Ids {
    /// The next one, of a time.
    pub(crate) fn next(&self, now_ms: i64) -> Ulid {
        let mut last_ms = self.0.lock();
        *last_ms = u64::try_from(now_ms).unwrap_or(0).max(*last_ms + 1);
        // Two stores may write at the same millisecond, and their blocks may be put together.
        let random = u128::from(RandomState::default().hash_one(*last_ms)) << 16;
        Ulid::from_parts(*last_ms, random | u128::from(std::process::id()))
    }
}
