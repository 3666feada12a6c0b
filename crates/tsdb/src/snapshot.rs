//! A copy of everything as it is at one moment, to be taken away: a data directory for Prometheus.

use std::fs;
use std::path::Path;

use crate::block::Directory;
use crate::{Error, Result, Tsdb};

/// Where copies lie, below the directory of the blocks.
const DIR: &str = "snapshots";

impl Tsdb {
    /// Copies every block, and the head as a block of its own unless it is to be left out, into a new directory of this
    /// name below `snapshots` in the directory of the blocks. Files of blocks are linked: a copy takes no room while the
    /// blocks are there.
    pub fn snapshot(&self, name: &str, with_head: bool) -> Result<()> {
        let inner = self.inner();
        let snapshots = inner.config.blocks_dir.join(DIR);
        fs::create_dir_all(&snapshots).map_err(Error::io("create", &snapshots))?;
        let target = snapshots.join(name);
        fs::create_dir(&target).map_err(Error::io("create", &target))?;
        let _maintaining = inner.maintaining.lock();
        let (directory, _) = Directory::open(&target)?;
        for block in inner.blocks().iter() {
            let name = block.path().file_name().unwrap_or_default();
            link(block.path(), &target.join(name))?;
        }
        if with_head {
            inner.copy_head(&directory)?;
        }
        Ok(())
    }
}

/// Links the files of a directory into a new one.
fn link(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).map_err(Error::io("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("list", from))? {
        let entry = entry.map_err(Error::io("list", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(Error::io("stat", &path))?.is_dir() {
            link(&path, &target)?;
        } else {
            fs::hard_link(&path, &target).map_err(Error::io("link", &path))?;
        }
    }
    Ok(())
}
