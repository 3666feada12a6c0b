//! A block that is being written.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::manifest::{META_FILE, Meta};
use crate::{Result, io_error};

/// A block that is being written. Dropped without being published, it is removed.
#[derive(Debug)]
pub struct Draft {
    target: PathBuf,
    /// Where it is written.
    path: PathBuf,
    /// What was written so far. The files are forced to the disk through the handles that wrote them: only these are
    /// sure to hear of a write that failed after it was taken.
    files: Vec<(PathBuf, File)>,
    published: bool,
}

impl Draft {
    /// Begins at `path` what will be published as `target`.
    pub(crate) fn new(path: PathBuf, target: PathBuf) -> Result<Self> {
        if path.exists() {
            // One of the same name that could not be removed when it was given up.
            fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
        }
        fs::create_dir(&path).map_err(io_error("create", &path))?;
        Ok(Self { target, path, files: Vec::new(), published: false })
    }

    /// Where a file of the block lies while it is written.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Creates a file of the block.
    pub fn create(&mut self, name: &str) -> Result<File> {
        let path = self.path(name);
        let create = || {
            let file = File::create(&path)?;
            Ok((file.try_clone()?, file))
        };
        let (kept, file) = create().map_err(io_error("create", &path))?;
        self.files.push((path, kept));
        Ok(file)
    }

    /// Writes a value as a JSON file.
    pub fn write_json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut file = self.create(name)?;
        let text = serde_json::to_vec(value).map_err(std::io::Error::from);
        text.and_then(|text| file.write_all(&text)).map_err(io_error("write", self.path(name)))
    }

    /// Writes `meta.json`, forces every file to the disk and gives the block its name, in one step. Returns its directory.
    pub fn publish(mut self, meta: &impl Meta) -> Result<PathBuf> {
        self.write_json(META_FILE, meta)?;
        for (path, file) in self.files.drain(..) {
            file.sync_all().map_err(io_error("sync", path))?;
        }
        sync_dir(&self.path)?;
        fs::rename(&self.path, &self.target).map_err(io_error("rename", &self.path))?;
        self.published = true;
        if let Some(parent) = self.target.parent() {
            sync_dir(parent)?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            // It will be removed at the next start.
            tracing::warn!(path = %self.path.display(), %error, "an unfinished block was left");
        }
    }
}

/// Forces a directory's entries to the disk.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(io_error("sync", path))
}
