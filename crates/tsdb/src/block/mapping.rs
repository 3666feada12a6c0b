//! A file of a block as bytes in memory.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::{Error, Result};

/// A file that is mapped: read by the system when it is looked at, and given back when memory runs short.
#[derive(Debug)]
pub(crate) struct Mapping {
    bytes: Mmap,
    path: PathBuf,
}

impl Mapping {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        #[expect(
            unsafe_code,
            reason = "files of a block are never changed once it has its name: they are removed, which leaves what is \
                      mapped as it was"
        )]
        let bytes = unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))?;
        Ok(Self { bytes, path: path.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The error that the file is damaged.
    pub(crate) fn damaged(&self, reason: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.clone(), reason: reason.into() }
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
