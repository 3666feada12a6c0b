//! Replay at start: whole records in order, damage reported and stepped over, a torn tail cut.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::record::{self, Parsed, SEGMENT_HEADER};
use crate::{Error, Result, SegmentId, io_error};

/// A stretch of a segment that held no whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where.
    pub segment: SegmentId,
    /// First damaged byte of the file.
    pub offset: u64,
    /// How many bytes were stepped over or cut.
    pub bytes: u64,
    /// Whether they were the end of the newest segment: a write that a crash interrupted, never acknowledged. It was
    /// cut. Other damage stays in the file.
    pub torn_tail: bool,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Records handed out.
    pub records: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// The newest segment that was replayed.
    pub last_segment: Option<SegmentId>,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

/// The segments of a directory, oldest first.
pub(crate) fn segments(dir: &Path) -> Result<Vec<(SegmentId, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let path = entry.map_err(io_error("list", dir))?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == "wal");
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (true, Some(number)) = (is_segment, number) {
            found.push((SegmentId(number), path));
        }
    }
    found.sort();
    Ok(found)
}

/// Replays segments, which have to be oldest first. Those without a record are removed.
pub(crate) fn replay(
    segments: Vec<(SegmentId, PathBuf)>,
    max_record_bytes: usize,
    mut visit: impl FnMut(SegmentId, &[u8]),
) -> Result<Recovery> {
    let mut recovery = Recovery::default();
    let newest = segments.last().map(|(segment, _)| *segment);
    let mut bytes = Vec::new();
    for (segment, path) in segments {
        bytes.clear();
        File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(io_error("read", &path))?;
        // A crash between creating the file and writing its header leaves a short or empty file.
        let headless = bytes.len() < SEGMENT_HEADER.len();
        if !headless && !bytes.starts_with(SEGMENT_HEADER) {
            return Err(Error::UnknownFormat { path });
        }
        let mut at = SEGMENT_HEADER.len();
        let mut records = 0;
        while at < bytes.len() {
            match record::parse(&bytes[at..], max_record_bytes) {
                Parsed::Record { payload, size } => {
                    visit(segment, payload);
                    records += 1;
                    recovery.bytes += payload.len() as u64;
                    at += size;
                }
                Parsed::Damaged => {
                    let next = record::resync(&bytes[at..], max_record_bytes);
                    let skipped = next.unwrap_or(bytes.len() - at);
                    let torn_tail = next.is_none() && Some(segment) == newest;
                    if torn_tail {
                        cut_tail(&path, at as u64)?;
                    }
                    recovery.damage.push(Damage {
                        segment,
                        offset: at as u64,
                        bytes: skipped as u64,
                        torn_tail,
                    });
                    at += skipped;
                }
            }
        }
        if records == 0 && recovery.damage.iter().all(|damage| damage.segment != segment || damage.torn_tail)
        {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        } else {
            recovery.records += records;
            recovery.last_segment = Some(segment);
        }
    }
    Ok(recovery)
}

fn cut_tail(path: &Path, length: u64) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path).map_err(io_error("open", path))?;
    file.set_len(length).and_then(|()| file.sync_all()).map_err(io_error("cut the torn tail of", path))
}
