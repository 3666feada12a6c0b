//! The life of blocks.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use ulid::Ulid;

use crate::{Error, Result, io_error};

/// Begin of the name of a block that is being written.
const TEMPORARY: &str = "tmp-";
/// Begin of the name of a damaged block that was set aside.
const DAMAGED: &str = "damaged-";
/// Begin of the name of a block that is being removed.
const REMOVED: &str = "removed-";

/// A directory of blocks. One process has it; the lock is the caller's.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

/// A block that was found.
#[derive(Debug)]
pub struct Found<M> {
    /// Its name.
    pub id: Ulid,
    /// Its directory.
    pub path: PathBuf,
    /// What its check gave.
    pub meta: M,
}

impl Directory {
    /// Takes a directory, created where it is missing.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(io_error("create", &path))?;
        Ok(Self { path })
    }

    /// The blocks, by identifier, which is by age; and tidies up after a crash: half-written and half-removed blocks go,
    /// so do those that another block names as its sources, and what does not pass the check is set aside.
    ///
    /// `check` reads a block's metadata and says whether the block is whole; `sources` gives the blocks that it replaces.
    pub fn scan<M>(
        &self,
        check: impl Fn(&Path, Ulid) -> Result<M>,
        sources: impl Fn(&M) -> Vec<Ulid>,
    ) -> Result<Vec<Found<M>>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(io_error("list", &self.path))? {
            let path = entry.map_err(io_error("list", &self.path))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with(TEMPORARY) || name.starts_with(REMOVED) {
                fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
                continue;
            }
            let Ok(id) = Ulid::from_string(name) else { continue };
            match check(&path, id) {
                Ok(meta) => found.push(Found { id, path, meta }),
                Err(error) => {
                    tracing::error!(block = %path.display(), %error, "a block is damaged; it is set aside");
                    self.set_aside(&path)?;
                }
            }
        }
        found.sort_by_key(|block| block.id);
        let replaced: Vec<Ulid> = found.iter().flat_map(|block| sources(&block.meta)).collect();
        let (gone, kept): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|block| replaced.contains(&block.id));
        for block in gone {
            self.remove(&block.path)?;
        }
        Ok(kept)
    }

    /// Begins to write a block.
    pub fn begin(&self, id: Ulid) -> Result<Draft> {
        let path = self.path.join(format!("{TEMPORARY}{id}"));
        fs::create_dir(&path).map_err(io_error("create", &path))?;
        Ok(Draft { target: self.path.join(id.to_string()), path: Some(path) })
    }

    /// Removes a block. It is renamed first, so that a crash in between leaves no half block. Who has its files open can
    /// read on.
    pub fn remove(&self, block: &Path) -> Result<()> {
        let renamed = self.rename(block, REMOVED)?;
        fs::remove_dir_all(&renamed).map_err(io_error("remove", renamed))
    }

    /// Gives a damaged block another name, so that it is kept for a look and not opened again.
    pub fn set_aside(&self, block: &Path) -> Result<()> {
        self.rename(block, DAMAGED).map(drop)
    }

    fn rename(&self, block: &Path, prefix: &str) -> Result<PathBuf> {
        let name = block.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let renamed = self.path.join(format!("{prefix}{name}"));
        fs::rename(block, &renamed).map_err(io_error("rename", block))?;
        sync(&self.path)?;
        Ok(renamed)
    }
}

/// A block that is being written. Dropped without being published, it is removed.
#[derive(Debug)]
pub struct Draft {
    target: PathBuf,
    /// `None` once it is published.
    path: Option<PathBuf>,
}

impl Draft {
    /// Where a file of the block is to be written.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.as_ref().unwrap_or(&self.target).join(name)
    }

    /// Writes a value as a JSON file.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.file(name);
        let text = serde_json::to_vec(value).map_err(|error| Error::damaged(&path, error.to_string()))?;
        fs::write(&path, text).map_err(io_error("write", path))
    }

    /// Forces every file to the disk and gives the block its name, in one step. Returns its directory.
    pub fn publish(mut self) -> Result<PathBuf> {
        let Some(path) = &self.path else { return Ok(self.target.clone()) };
        for entry in fs::read_dir(path).map_err(io_error("list", path))? {
            sync(&entry.map_err(io_error("list", path))?.path())?;
        }
        sync(path)?;
        fs::rename(path, &self.target).map_err(io_error("rename", path))?;
        self.path = None;
        if let Some(parent) = self.target.parent() {
            sync(parent)?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = fs::remove_dir_all(path)
        {
            // It will be removed at the next start.
            tracing::warn!(path = %path.display(), %error, "an unfinished block was left");
        }
    }
}

/// Reads a JSON file of a block.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).map_err(io_error("read", path))?;
    serde_json::from_slice(&text).map_err(|error| Error::damaged(path, error.to_string()))
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io_error("sync", path))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Meta {
        sources: Vec<String>,
    }

    fn publish(directory: &Directory, id: Ulid, sources: &[Ulid]) -> PathBuf {
        let draft = directory.begin(id).unwrap();
        let sources = sources.iter().map(Ulid::to_string).collect();
        draft.write_json("meta.json", &Meta { sources }).unwrap();
        draft.publish().unwrap()
    }

    fn scan(directory: &Directory) -> Vec<Ulid> {
        let sources = |meta: &Meta| meta.sources.iter().map(|id| Ulid::from_string(id).unwrap()).collect();
        let found = directory.scan(|path, _| read_json::<Meta>(&path.join("meta.json")), sources).unwrap();
        found.into_iter().map(|block| block.id).collect()
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_block_is_there_once_it_is_published() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path().join("blocks")).unwrap();
        let id = Ulid::from_parts(1, 1);
        let draft = directory.begin(id).unwrap();
        draft.write_json("meta.json", &Meta { sources: Vec::new() }).unwrap();
        assert!(scan(&directory).is_empty(), "and the scan removes what a crash left");
        drop(draft);
        publish(&directory, id, &[]);
        assert_eq!(scan(&directory), [id]);
        drop(directory.begin(Ulid::from_parts(2, 2)).unwrap());
        assert_eq!(names(&root.path().join("blocks")), [id.to_string()]);
    }

    #[test]
    fn sources_go_and_damage_is_set_aside() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path()).unwrap();
        let [first, second, third, broken] = [1, 2, 3, 4].map(|number| Ulid::from_parts(number, 0));
        publish(&directory, first, &[]);
        publish(&directory, second, &[]);
        publish(&directory, third, &[first]);
        let path = publish(&directory, broken, &[]);
        fs::write(path.join("meta.json"), "{").unwrap();
        fs::create_dir(root.path().join("removed-x")).unwrap();
        assert_eq!(scan(&directory), [second, third]);
        assert_eq!(names(root.path()), [second.to_string(), third.to_string(), format!("damaged-{broken}")]);
        directory.remove(&root.path().join(second.to_string())).unwrap();
        assert_eq!(scan(&directory), [third]);
    }
}
