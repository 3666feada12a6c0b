//! The life of blocks.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use ulid::Ulid;

use crate::draft::sync_dir;
use crate::manifest::{self, Manifest, Meta};
use crate::{Draft, Error, Result, io_error};

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

/// What was found in a directory.
#[derive(Debug)]
pub struct Scan<B> {
    /// The blocks as they were opened, by identifier, which is by age.
    pub blocks: Vec<B>,
    /// The last segment of the log that a block covers. Those that were replaced count as well: the segments that they
    /// cover are in their replacement, whatever that says.
    pub last_wal: Option<u64>,
}

impl Directory {
    /// Takes a directory, created where it is missing.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(io_error("create", &path))?;
        Ok(Self { path })
    }

    /// Opens the blocks, and tidies up after a crash: half-written and half-removed blocks go, so do those that another
    /// block names as its sources, and what is damaged is set aside.
    ///
    /// A block is whole if its metadata can be read, are of its identifier and of a version that is known, and give the
    /// length of its data file; then `open` makes of it what the store wants, and may still find it damaged. What the
    /// operating system refuses to read is an error, and the block stays.
    pub fn scan<M: Meta, B>(&self, open: impl Fn(PathBuf, M) -> Result<B>) -> Result<Scan<B>> {
        let mut found: Vec<(Manifest, PathBuf, B)> = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(io_error("list", &self.path))? {
            let path = entry.map_err(io_error("list", &self.path))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with(TEMPORARY) || name.starts_with(REMOVED) {
                fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
                continue;
            }
            let Ok(id) = Ulid::from_string(name) else { continue };
            let opened = manifest::read::<M>(&path, id).and_then(|meta| {
                let manifest = meta.manifest().clone();
                Ok((manifest, path.clone(), open(path.clone(), meta)?))
            });
            match opened {
                Ok(block) => found.push(block),
                Err(error) if error.is_refusal() => return Err(error),
                Err(error) => {
                    tracing::error!(block = %path.display(), %error, "a block is damaged; it is set aside");
                    self.set_aside(&path)?;
                }
            }
        }
        found.sort_by_key(|(manifest, ..)| manifest.id);
        let replaced: HashSet<Ulid> =
            found.iter().flat_map(|(manifest, ..)| manifest.sources.iter().copied()).collect();
        let last_wal = found.iter().map(|(manifest, ..)| manifest.last_wal).max();
        let mut blocks = Vec::with_capacity(found.len());
        for (manifest, path, block) in found {
            if replaced.contains(&manifest.id) {
                self.remove(&path)?;
            } else {
                blocks.push(block);
            }
        }
        Ok(Scan { blocks, last_wal })
    }

    /// Begins to write a block.
    pub fn begin(&self, id: Ulid) -> Result<Draft> {
        Draft::new(self.path.join(format!("{TEMPORARY}{id}")), self.path.join(id.to_string()))
    }

    /// Removes a block. It is renamed first, so that a crash in between leaves no half block. Who has its files open can
    /// read on.
    pub fn remove(&self, block: &Path) -> Result<()> {
        let renamed = self.rename(block, REMOVED)?;
        fs::remove_dir_all(&renamed).map_err(io_error("remove", renamed))
    }

    /// Gives a damaged block another name, so that it is kept for a look and not opened again.
    pub fn set_aside(&self, block: &Path) -> Result<()> {
        let name = block.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // One of that name may lie there from before, where somebody gave a block back its name.
        let mut prefix = DAMAGED.to_owned();
        while self.path.join(format!("{prefix}{name}")).exists() {
            prefix.push_str("again-");
        }
        self.rename(block, &prefix).map(drop)
    }

    fn rename(&self, block: &Path, prefix: &str) -> Result<PathBuf> {
        let name = block.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let renamed = self.path.join(format!("{prefix}{name}"));
        fs::rename(block, &renamed).map_err(io_error("rename", block))?;
        sync_dir(&self.path)?;
        Ok(renamed)
    }
}

/// Reads a JSON file of a block.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).map_err(io_error("read", path))?;
    serde_json::from_slice(&text).map_err(|error| Error::damaged(path, error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::META_FILE;

    #[derive(Serialize, Deserialize)]
    struct Own {
        #[serde(flatten)]
        manifest: Manifest,
    }

    impl Meta for Own {
        const VERSION: u32 = 1;
        const DATA_FILE: &'static str = "data";

        fn manifest(&self) -> &Manifest {
            &self.manifest
        }
    }

    fn publish(directory: &Directory, id: Ulid, last_wal: u64, sources: &[Ulid]) -> PathBuf {
        let mut draft = directory.begin(id).unwrap();
        draft.create("data").unwrap().write_all(b"12345").unwrap();
        let manifest = Manifest { version: 1, id, file_bytes: 5, last_wal, sources: sources.to_vec() };
        draft.publish(&Own { manifest }).unwrap()
    }

    fn scan(directory: &Directory) -> Vec<Ulid> {
        directory.scan(|_, meta: Own| Ok(meta.manifest.id)).unwrap().blocks
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
        let mut draft = directory.begin(id).unwrap();
        draft.write_json("other.json", &[1]).unwrap();
        assert!(scan(&directory).is_empty());
        assert_eq!(names(&root.path().join("blocks")), [""; 0], "the scan removes what a crash left");
        drop(draft);
        let path = publish(&directory, id, 1, &[]);
        assert_eq!(names(&path), ["data", META_FILE]);
        assert_eq!(scan(&directory), [id]);
        drop(directory.begin(Ulid::from_parts(2, 2)).unwrap());
        assert_eq!(names(&root.path().join("blocks")), [id.to_string()]);
    }

    #[test]
    fn a_draft_begins_empty() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path()).unwrap();
        let id = Ulid::from_parts(1, 1);
        let left = root.path().join(format!("tmp-{id}"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("old"), "").unwrap();
        assert_eq!(names(&publish(&directory, id, 1, &[])), ["data", META_FILE]);
    }

    #[test]
    fn sources_go_and_damage_is_set_aside() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path()).unwrap();
        let [first, second, third, broken] = [1, 2, 3, 4].map(|number| Ulid::from_parts(number, 0));
        publish(&directory, first, 1, &[]);
        publish(&directory, second, 2, &[]);
        publish(&directory, third, 1, &[first]);
        let path = publish(&directory, broken, 4, &[]);
        fs::write(path.join(META_FILE), "{").unwrap();
        fs::create_dir(root.path().join("removed-x")).unwrap();
        assert_eq!(scan(&directory), [second, third]);
        assert_eq!(names(root.path()), [second.to_string(), third.to_string(), format!("damaged-{broken}")]);
        directory.remove(&root.path().join(second.to_string())).unwrap();
        assert_eq!(scan(&directory), [third]);
    }

    #[test]
    fn what_the_system_refuses_to_read_is_an_error_and_stays() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path()).unwrap();
        let id = Ulid::from_parts(1, 0);
        let path = publish(&directory, id, 1, &[]);
        let refuse = |path: PathBuf, _: Own| -> Result<()> {
            // Too many open files.
            Err(io_error("open", path)(std::io::Error::from_raw_os_error(24)))
        };
        assert!(directory.scan(refuse).is_err_and(|error| error.is_refusal()));
        assert_eq!(scan(&directory), [id]);
        assert!(path.is_dir());
    }

    #[test]
    fn a_block_can_be_set_aside_again() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path()).unwrap();
        let id = Ulid::from_parts(1, 0);
        for _ in 0..2 {
            let path = publish(&directory, id, 1, &[]);
            directory.set_aside(&path).unwrap();
        }
        assert_eq!(names(root.path()), [format!("damaged-{id}"), format!("damaged-again-{id}")]);
    }

    #[test]
    fn a_damaged_block_replaces_nothing() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path()).unwrap();
        let [first, second, third] = [1, 2, 3].map(|number| Ulid::from_parts(number, 0));
        publish(&directory, first, 1, &[]);
        let merged = publish(&directory, second, 1, &[first]);
        fs::write(merged.join("data"), "1234").unwrap();
        publish(&directory, third, 1, &[first]);
        // What the store itself finds damaged counts as much as what is seen here.
        let refuse = |path: PathBuf, meta: Own| {
            let refused = meta.manifest.id == third;
            if refused { Err(Error::damaged(path, "no")) } else { Ok(meta.manifest.id) }
        };
        assert_eq!(directory.scan(refuse).unwrap().blocks, [first]);
        let expected = [first.to_string(), format!("damaged-{second}"), format!("damaged-{third}")];
        assert_eq!(names(root.path()), expected);
    }

    #[test]
    fn replaced_blocks_count_for_the_log() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path()).unwrap();
        assert_eq!(directory.scan(|_, _: Own| Ok(())).unwrap().last_wal, None);
        let [old, new] = [1, 2].map(|number| Ulid::from_parts(number, 0));
        publish(&directory, old, 7, &[]);
        publish(&directory, new, 5, &[old]);
        let scan = directory.scan(|_, meta: Own| Ok(meta.manifest.id)).unwrap();
        assert_eq!((scan.blocks, scan.last_wal), (vec![new], Some(7)));
    }
}
