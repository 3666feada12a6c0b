//! The lock on a data directory: one stack at a time, and who it is.
//!
//! `DATA/LOCK` is locked with `flock` for as long as the process lives, so that the system gives it back even after
//! `kill -9`. Inside stands, as JSON, what the next process and `mirante status` want to know of the holder.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What the lock's file says of its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its command line.
    pub command: String,
    /// Its version.
    pub version: String,
    /// The address that it binds.
    pub bind: IpAddr,
    /// How far its ports are shifted.
    pub port_offset: u16,
    /// Whether it runs the demo services.
    pub demo: bool,
    /// When it started, milliseconds since the Unix epoch.
    pub started_ms: i64,
}

/// A held lock; given back on drop.
#[derive(Debug)]
pub struct DataLock {
    file: File,
}

/// How often and how long apart a lock without a holder's name is tried again: `holder_of` takes it for a moment.
const RETRIES: u32 = 20;
const RETRY_AFTER: Duration = Duration::from_millis(5);

impl DataLock {
    /// Locks a directory, which is created where it is missing.
    ///
    /// # Errors
    /// [`Error::DataDirInUse`] if another process holds it; [`Error::Io`] if the directory or file cannot be used.
    pub fn acquire(data_dir: &Path, holder: &Holder) -> Result<Self> {
        std::fs::create_dir_all(data_dir).map_err(Error::io("create", data_dir))?;
        let path = lock_path(data_dir);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        for attempt in 0.. {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) => {
                    let other = read_holder(&mut file);
                    if other.is_some() || attempt >= RETRIES {
                        return Err(Error::DataDirInUse {
                            path: data_dir.to_owned(),
                            holder: other.map(Box::new),
                        });
                    }
                    std::thread::sleep(RETRY_AFTER);
                }
                Err(errno) => return Err(Error::io("lock", &path)(errno.into())),
            }
        }
        let mut lock = Self { file };
        lock.write(holder).map_err(Error::io("write to", &path))?;
        Ok(lock)
    }

    fn write(&mut self, holder: &Holder) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(holder)?;
        text.push(b'\n');
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&text)
    }
}

impl Drop for DataLock {
    fn drop(&mut self) {
        // Emptied before it is unlocked, so that nobody is told of a process that is gone. The unlock itself comes with
        // closing the file.
        if let Err(error) = self.file.set_len(0) {
            tracing::debug!(%error, "could not empty the lock file");
        }
    }
}

/// Who holds a directory at this moment; `None` if nobody does, or the directory is not there.
pub fn holder_of(data_dir: &Path) -> Option<Holder> {
    let mut file = File::open(lock_path(data_dir)).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => read_holder(&mut file),
        // Ours for a moment, so nobody runs; given back with the file.
        _ => None,
    }
}

fn lock_path(data_dir: &Path) -> PathBuf {
    data_dir.join("LOCK")
}

fn read_holder(file: &mut File) -> Option<Holder> {
    const LONGEST: u64 = 64 << 10;
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder() -> Holder {
        Holder {
            pid: std::process::id(),
            command: "mirante up --no-demo".to_owned(),
            version: "0.1.0".to_owned(),
            bind: [127, 0, 0, 1].into(),
            port_offset: 7,
            demo: false,
            started_ms: 1,
        }
    }

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("not/yet/there");
        let held = DataLock::acquire(&data, &holder()).unwrap();
        assert_eq!(holder_of(&data), Some(holder()));
        let error = DataLock::acquire(&data, &holder()).unwrap_err();
        assert!(matches!(&error, Error::DataDirInUse { holder: Some(other), .. } if **other == holder()));
        assert!(error.to_string().contains("mirante up --no-demo"), "{error}");
        drop(held);
        assert_eq!(holder_of(&data), None);
        drop(DataLock::acquire(&data, &holder()).unwrap());
    }

    #[test]
    fn a_lock_file_left_behind_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("LOCK"), "{\"pid\":1}").unwrap();
        assert_eq!(holder_of(dir.path()), None);
        drop(DataLock::acquire(dir.path(), &holder()).unwrap());
    }
}
