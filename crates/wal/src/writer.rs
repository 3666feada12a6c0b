//! The running log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::record::{self, RECORD_HEADER_BYTES, SEGMENT_HEADER};
use crate::recovery::{self, Recovery};
use crate::{Config, Error, Result, SegmentId, SyncPolicy, io_error};

/// Where the log ended after an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The segment that holds the record.
    pub segment: SegmentId,
    /// First byte behind the record.
    pub offset: u64,
}

/// The log's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Segments on disk, the active one included.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The running log. Dropping it syncs what is left and stops its thread.
#[derive(Debug)]
pub struct Wal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    active: Mutex<Active>,
    /// Everything before this is on the disk. Held while syncing, so that concurrent commits share one sync.
    synced: Mutex<Position>,
    poisoned: Mutex<Option<String>>,
    wake_sync_thread: Condvar,
    stopping: Mutex<bool>,
}

#[derive(Debug)]
struct Active {
    segment: SegmentId,
    path: PathBuf,
    file: Arc<File>,
    length: u64,
    /// Closed segments still on disk, oldest first, with their lengths.
    closed: Vec<(SegmentId, u64)>,
    /// Closed files that the next sync has to force out.
    unsynced: Vec<(PathBuf, Arc<File>)>,
}

impl Wal {
    /// Opens the log of a directory: replays what is there, then begins a new segment.
    ///
    /// `visit` gets every whole record, oldest first, with its segment. Damage does not fail the call; it is in the
    /// [`Recovery`].
    pub fn open(config: Config, visit: impl FnMut(SegmentId, &[u8])) -> Result<(Self, Recovery)> {
        Self::open_after(config, None, visit)
    }

    /// As [`open`](Self::open), for a store whose blocks cover the segments up to and with `covered`: these are removed
    /// and not replayed, and every segment from now on has a higher number, even in an emptied directory.
    pub fn open_after(
        config: Config,
        covered: Option<SegmentId>,
        visit: impl FnMut(SegmentId, &[u8]),
    ) -> Result<(Self, Recovery)> {
        fs::create_dir_all(&config.dir).map_err(io_error("create", &config.dir))?;
        let mut found = recovery::segments(&config.dir)?;
        // The new segment comes before anything is removed: a crash must never leave a directory that would let the
        // numbers begin anew, because blocks remember them.
        let newest = found.last().map(|(segment, _)| *segment).max(covered);
        let next = SegmentId(newest.map_or(0, |segment| segment.0) + 1);
        let (path, file) = create_segment(&config.dir, next)?;
        let uncovered = found.partition_point(|(segment, _)| Some(*segment) <= covered);
        for (_, path) in found.drain(..uncovered) {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
        let recovery = recovery::replay(found, config.max_record_bytes, visit)?;
        let mut closed = Vec::new();
        for (segment, path) in recovery::segments(&config.dir)? {
            if segment != next {
                closed.push((segment, fs::metadata(&path).map_err(io_error("stat", &path))?.len()));
            }
        }
        let length = SEGMENT_HEADER.len() as u64;
        let shared = Arc::new(Shared {
            active: Mutex::new(Active {
                segment: next,
                path,
                file: Arc::new(file),
                length,
                closed,
                unsynced: Vec::new(),
            }),
            synced: Mutex::new(Position { segment: next, offset: length }),
            poisoned: Mutex::new(None),
            wake_sync_thread: Condvar::new(),
            stopping: Mutex::new(false),
            config,
        });
        if let SyncPolicy::Interval(interval) = shared.config.sync {
            let weak = Arc::downgrade(&shared);
            std::thread::Builder::new()
                .name("wal-sync".to_owned())
                .spawn(move || sync_regularly(&weak, interval))
                .map_err(io_error("start the sync thread of", &shared.config.dir))?;
        }
        Ok((Self { shared }, recovery))
    }

    /// Appends one record whose payload is the parts, one behind the other. When this returns, the bytes are with the
    /// operating system: a killed process does not lose them. Call [`commit`](Self::commit) before answering success.
    pub fn append(&self, parts: &[&[u8]]) -> Result<Position> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let limit = self.shared.config.max_record_bytes;
        if bytes > limit {
            return Err(Error::RecordTooLarge { bytes, limit });
        }
        let header = record::header(parts);
        let mut active = self.shared.active.lock();
        self.shared.check_poison()?;
        if let Err(source) = write_all(&active.file, &header, parts) {
            // Half a record may lie at the end: take it back, or let nothing follow it.
            if let Err(error) = active.file.set_len(active.length) {
                self.shared.poison(format!("{source}; and cutting it back failed: {error}"));
            }
            return Err(Error::Io { action: "write to", path: active.path.clone(), source });
        }
        active.length += (RECORD_HEADER_BYTES + bytes) as u64;
        Ok(Position { segment: active.segment, offset: active.length })
    }

    /// Under [`SyncPolicy::Always`] waits until everything up to a position is on the disk; otherwise returns at once.
    pub fn commit(&self, position: Position) -> Result<()> {
        match self.shared.config.sync {
            SyncPolicy::Always => self.shared.sync_to(Some(position)),
            SyncPolicy::Interval(_) => Ok(()),
        }
    }

    /// Forces everything appended so far to the disk.
    pub fn sync(&self) -> Result<()> {
        self.shared.sync_to(None)
    }

    /// Closes the active segment and begins the next one. Returns the closed one: it and those before it hold every
    /// record appended so far.
    pub fn cut(&self) -> Result<SegmentId> {
        let mut active = self.shared.active.lock();
        self.shared.check_poison()?;
        let closed = active.segment;
        let next = SegmentId(closed.0 + 1);
        let (path, file) = create_segment(&self.shared.config.dir, next)?;
        let length = active.length;
        active.closed.push((closed, length));
        let old_path = std::mem::replace(&mut active.path, path);
        let old_file = std::mem::replace(&mut active.file, Arc::new(file));
        active.unsynced.push((old_path, old_file));
        active.segment = next;
        active.length = SEGMENT_HEADER.len() as u64;
        Ok(closed)
    }

    /// Removes every closed segment up to and with this one; the active one always stays.
    pub fn remove_through(&self, last: SegmentId) -> Result<()> {
        let removed: Vec<SegmentId> = {
            let mut active = self.shared.active.lock();
            let covered = active.closed.partition_point(|(segment, _)| *segment <= last);
            // Names are numbers of one width, so paths sort as segments do.
            let last_path = segment_path(&self.shared.config.dir, last);
            active.unsynced.retain(|(path, _)| *path > last_path);
            active.closed.drain(..covered).map(|(segment, _)| segment).collect()
        };
        for segment in removed {
            let path = segment_path(&self.shared.config.dir, segment);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("remove", path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// How much of the active segment is filled, in bytes.
    pub fn active_bytes(&self) -> u64 {
        self.shared.active.lock().length
    }

    /// Size of the whole log.
    pub fn stats(&self) -> Stats {
        let active = self.shared.active.lock();
        let closed_bytes: u64 = active.closed.iter().map(|(_, length)| length).sum();
        Stats { segments: active.closed.len() as u64 + 1, bytes: closed_bytes + active.length }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        *self.shared.stopping.lock() = true;
        self.shared.wake_sync_thread.notify_all();
        if let Err(error) = self.shared.sync_to(None) {
            tracing::error!(%error, dir = %self.shared.config.dir.display(), "the last sync of the log failed");
        }
    }
}

impl Shared {
    fn check_poison(&self) -> Result<()> {
        match &*self.poisoned.lock() {
            Some(reason) => Err(Error::Poisoned(reason.clone())),
            None => Ok(()),
        }
    }

    fn poison(&self, reason: String) {
        tracing::error!(reason, dir = %self.config.dir.display(), "the log refuses writes from here on");
        self.poisoned.lock().get_or_insert(reason);
    }

    /// Syncs, unless another thread has synced past the position meanwhile.
    fn sync_to(&self, position: Option<Position>) -> Result<()> {
        let mut synced = self.synced.lock();
        if position.is_some_and(|position| *synced >= position) {
            return Ok(());
        }
        self.check_poison()?;
        let (files, end) = {
            let mut active = self.active.lock();
            let mut files = std::mem::take(&mut active.unsynced);
            files.push((active.path.clone(), Arc::clone(&active.file)));
            (files, Position { segment: active.segment, offset: active.length })
        };
        if *synced >= end && files.len() == 1 {
            return Ok(());
        }
        for (path, file) in files {
            if let Err(source) = file.sync_data() {
                // After a failed sync the kernel may have dropped the pages: what is on the disk is unknown.
                self.poison(format!("sync of {}: {source}", path.display()));
                return Err(Error::Io { action: "sync", path, source });
            }
        }
        *synced = end;
        Ok(())
    }
}

fn sync_regularly(log: &Weak<Shared>, interval: Duration) {
    while let Some(shared) = log.upgrade() {
        let stopping = {
            let mut stopping = shared.stopping.lock();
            if !*stopping {
                shared.wake_sync_thread.wait_for(&mut stopping, interval);
            }
            *stopping
        };
        if stopping || shared.sync_to(None).is_err() {
            // A failed sync poisoned the log and said so; whoever writes next gets the reason.
            return;
        }
    }
}

fn write_all(mut file: &File, header: &[u8], parts: &[&[u8]]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> =
        std::iter::once(&header).chain(parts).map(|part| IoSlice::new(part)).collect();
    let mut slices = slices.as_mut_slice();
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn segment_path(dir: &Path, segment: SegmentId) -> PathBuf {
    dir.join(format!("{:020}.wal", segment.0))
}

fn create_segment(dir: &Path, segment: SegmentId) -> Result<(PathBuf, File)> {
    let path = segment_path(dir, segment);
    let mut file =
        OpenOptions::new().append(true).create_new(true).open(&path).map_err(io_error("create", &path))?;
    file.write_all(SEGMENT_HEADER).map_err(io_error("write to", &path))?;
    // The directory entry has to survive as well as the bytes.
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))?;
    Ok((path, file))
}
