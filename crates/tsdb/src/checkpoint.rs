//! The head as a file, so that the log before it can go.
//!
//! Written beside the log under another name, synced, then renamed: there is a whole checkpoint or the one before it.
//! It names the last segment whose records it has; replay leaves those out. So whatever a crash interrupts (the
//! writing, the renaming, the removal of segments), a start finds every sample once.
//!
//! # Format
//!
//! The eight bytes `MIRTSD2\n`, then frames: length and CRC-32 of the payload, 32 bits little-endian each, then the
//! payload. The first frame has the last segment and the next series number, then a frame each series, one with
//! metadata, one with exemplars, and an empty one at the end.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Labels, Metadata, SampleValue};
use wal::SegmentId;

use crate::chunk::{self, Chunk, Encoding};
use crate::codec::{Reader, Writer};
use crate::head::Head;
use crate::histogram::read_histogram;
use crate::record::{
    read_exemplar, read_labels, read_metadata, write_exemplar, write_labels, write_metadata,
};
use crate::series::{Data, Series};
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"MIRTSD2\n";
/// The version before, which had other chunks.
const OLD_MAGIC: &[u8; 8] = b"MIRTSD1\n";
const NAME: &str = "head.checkpoint";

const SERIES: u8 = 1;
const METADATA: u8 = 2;
const EXEMPLARS: u8 = 3;

/// A chunk in one of Prometheus' encodings: this and its number.
const CHUNK: u8 = 16;
/// Chunks of the first version.
const OLD_FLOATS: u8 = 1;
const OLD_HISTOGRAMS: u8 = 2;

/// Items of one frame, where a frame has many.
const FRAME_ITEMS: usize = 1000;

/// The head at one moment: shares closed chunks with it, so taking it is cheap.
pub(crate) struct Snapshot {
    covered: SegmentId,
    next_id: u32,
    series: Vec<SeriesSnapshot>,
    metadata: Vec<(String, Metadata)>,
    exemplars: Vec<(u32, model::Exemplar)>,
}

struct SeriesSnapshot {
    series: Arc<Series>,
    chunks: Vec<Chunk>,
    starts: Vec<(i64, i64)>,
}

impl Snapshot {
    /// The head as it is; nobody may change it meanwhile. `covered` is the last segment with a record of it.
    pub(crate) fn take(head: &Head, covered: SegmentId, next_id: u32) -> Self {
        let all: Vec<Arc<Series>> = head.with_index(|index| index.all().cloned().collect());
        let mut series: Vec<SeriesSnapshot> = all
            .into_iter()
            .map(|series| {
                let data = series.data.lock();
                let (chunks, starts) = (data.chunks(i64::MIN, i64::MAX), data.starts());
                drop(data);
                SeriesSnapshot { series, chunks, starts }
            })
            .collect();
        series.sort_unstable_by_key(|it| it.series.id);
        let metadata = head
            .metadata()
            .into_iter()
            .flat_map(|(name, variants)| variants.into_iter().map(move |it| (name.clone(), it)))
            .collect();
        Self { covered, next_id, series, metadata, exemplars: head.all_exemplars() }
    }

    /// Writes it in place of the one before. Returns its bytes.
    pub(crate) fn write(&self, dir: &Path) -> Result<u64> {
        let path = dir.join(NAME);
        let temporary = dir.join(format!("{NAME}.tmp"));
        let failed = Error::io;
        let file = File::create(&temporary).map_err(failed("create", &temporary))?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        self.write_frames(&mut out).and_then(|()| out.flush()).map_err(failed("write to", &temporary))?;
        let file = out.into_inner().map_err(|error| failed("write to", &temporary)(error.into_error()))?;
        file.sync_all().map_err(failed("sync", &temporary))?;
        let bytes = file.metadata().map_err(failed("stat", &temporary))?.len();
        fs::rename(&temporary, &path).map_err(failed("rename", &temporary))?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", dir))?;
        Ok(bytes)
    }

    fn write_frames(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(MAGIC)?;
        let mut payload = Vec::new();
        payload.varint(self.covered.0);
        payload.varint(u64::from(self.next_id));
        frame(out, &payload)?;
        for series in &self.series {
            payload.clear();
            payload.push(SERIES);
            write_series(&mut payload, series);
            frame(out, &payload)?;
        }
        for metadata in self.metadata.chunks(FRAME_ITEMS) {
            payload.clear();
            payload.push(METADATA);
            payload.varint(metadata.len() as u64);
            for (name, metadata) in metadata {
                payload.text(name);
                write_metadata(&mut payload, metadata);
            }
            frame(out, &payload)?;
        }
        for exemplars in self.exemplars.chunks(FRAME_ITEMS) {
            payload.clear();
            payload.push(EXEMPLARS);
            payload.varint(exemplars.len() as u64);
            for (series, exemplar) in exemplars {
                payload.varint(u64::from(*series));
                write_exemplar(&mut payload, exemplar);
            }
            frame(out, &payload)?;
        }
        frame(out, &[])
    }
}

fn frame(out: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    out.write_all(&(payload.len() as u32).to_le_bytes())?;
    out.write_all(&crc32fast::hash(payload).to_le_bytes())?;
    out.write_all(payload)
}

fn write_series(out: &mut Vec<u8>, series: &SeriesSnapshot) {
    out.varint(u64::from(series.series.id));
    write_labels(out, &series.series.labels);
    out.varint(series.starts.len() as u64);
    for (since_ms, start_ms) in &series.starts {
        out.signed(*since_ms);
        out.signed(*start_ms);
    }
    out.varint(series.chunks.len() as u64);
    for chunk in &series.chunks {
        out.push(CHUNK + chunk.encoding as u8);
        out.signed(chunk.first_ms);
        out.signed(chunk.last_ms);
        out.varint(chunk.bytes.len() as u64);
        out.extend_from_slice(&chunk.bytes);
    }
}

/// What a checkpoint says besides the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// The last segment whose records it has.
    pub(crate) covered: SegmentId,
    pub(crate) next_id: u32,
    pub(crate) bytes: u64,
    /// Frames that could not be read.
    pub(crate) damaged: u64,
}

/// Reads the checkpoint of a directory into an empty head; `None` if there is none.
pub(crate) fn load(dir: &Path, head: &Head) -> Result<Option<Loaded>> {
    let path = dir.join(NAME);
    let failed = |source| Error::io("read", &path)(source);
    let mut file = match File::open(&path) {
        Ok(file) => io::BufReader::with_capacity(1 << 18, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let unknown = || Error::UnknownCheckpoint { path: path.clone() };
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic).map_err(|_| unknown())?;
    if &magic != MAGIC && &magic != OLD_MAGIC {
        return Err(unknown());
    }
    let length = file.get_ref().metadata().map_err(failed)?.len();
    let mut frames = Frames { file, left: length.saturating_sub(MAGIC.len() as u64) };
    // Without the first frame nobody knows which segments are covered.
    let Frame::Whole(first) = frames.next().map_err(failed)? else { return Err(unknown()) };
    let mut first = Reader::new(&first);
    let (covered, next_id) = first.varint().zip(first.varint()).ok_or_else(unknown)?;
    // A number that no log comes to would leave no number for the segments after it.
    if covered > u64::from(u32::MAX) {
        return Err(unknown());
    }
    let next_id = u32::try_from(next_id).map_err(|_| unknown())?;
    let mut loaded = Loaded { covered: SegmentId(covered), next_id, bytes: length, damaged: 0 };
    loop {
        match frames.next().map_err(failed)? {
            Frame::Whole(payload) if payload.is_empty() => return Ok(Some(loaded)),
            Frame::Whole(payload) => loaded.damaged += u64::from(read_frame(&payload, head).is_none()),
            Frame::Damaged => loaded.damaged += 1,
            // The empty frame that ends a whole checkpoint is missing.
            Frame::None => return Ok(Some(Loaded { damaged: loaded.damaged + 1, ..loaded })),
        }
    }
}

enum Frame {
    Whole(Vec<u8>),
    /// Its checksum is wrong.
    Damaged,
    /// The file ends.
    None,
}

struct Frames {
    file: io::BufReader<File>,
    left: u64,
}

impl Frames {
    fn next(&mut self) -> io::Result<Frame> {
        let mut header = [[0; 4]; 2];
        let header_bytes = header.as_flattened_mut();
        let Some(left) = self.left.checked_sub(header_bytes.len() as u64) else { return Ok(Frame::None) };
        self.file.read_exact(header_bytes)?;
        let [length, checksum] = header.map(u32::from_le_bytes);
        let Some(left) = left.checked_sub(u64::from(length)) else { return Ok(Frame::None) };
        self.left = left;
        let mut payload = vec![0; length as usize];
        self.file.read_exact(&mut payload)?;
        Ok(if crc32fast::hash(&payload) == checksum { Frame::Whole(payload) } else { Frame::Damaged })
    }
}

fn read_frame(payload: &[u8], head: &Head) -> Option<()> {
    let mut bytes = Reader::new(payload);
    match bytes.byte()? {
        SERIES => {
            let (id, labels, data) = read_series(&mut bytes)?;
            head.restore(id, &labels, data);
        }
        METADATA => {
            let metadata = bytes.list(|bytes| Some((bytes.text()?.to_owned(), read_metadata(bytes)?)))?;
            head.apply(crate::record::Record { metadata, ..Default::default() });
        }
        EXEMPLARS => {
            let exemplars =
                bytes.list(|bytes| Some((u32::try_from(bytes.varint()?).ok()?, read_exemplar(bytes)?)))?;
            head.apply(crate::record::Record { exemplars, ..Default::default() });
        }
        _ => return None,
    }
    Some(())
}

fn read_series(bytes: &mut Reader<'_>) -> Option<(u32, Labels, Data)> {
    let id = u32::try_from(bytes.varint()?).ok()?;
    let labels = read_labels(bytes)?;
    let starts = bytes.list(|bytes| Some((bytes.signed()?, bytes.signed()?)))?;
    let chunks = bytes.list(|bytes| match bytes.byte()? {
        OLD_FLOATS => read_old_floats(bytes).map(|chunk| vec![chunk]),
        OLD_HISTOGRAMS => read_old_histograms(bytes),
        tag => read_chunk(bytes, tag).map(|chunk| vec![chunk]),
    })?;
    let chunks = chunks.into_iter().flatten().collect();
    Some((id, labels, Data::restore(chunks, starts)))
}

fn read_chunk(bytes: &mut Reader<'_>, tag: u8) -> Option<Chunk> {
    let encoding = Encoding::of(tag.checked_sub(CHUNK)?)?;
    let (first_ms, last_ms) = (bytes.signed()?, bytes.signed()?);
    Some(Chunk { first_ms, last_ms, encoding, bytes: bytes.bytes()?.into() })
}

/// Floats as the first version had them: without their number in front.
fn read_old_floats(bytes: &mut Reader<'_>) -> Option<Chunk> {
    let samples = u16::try_from(bytes.varint()?).ok()?;
    let (first_ms, last_ms) = (bytes.signed()?, bytes.signed()?);
    let chunk = [&samples.to_be_bytes(), bytes.bytes()?].concat();
    Some(Chunk { first_ms, last_ms, encoding: Encoding::Xor, bytes: chunk.as_slice().into() })
}

/// Histograms as the first version had them: each by itself, behind the difference of its time to the one before.
fn read_old_histograms(bytes: &mut Reader<'_>) -> Option<Vec<Chunk>> {
    let samples = u16::try_from(bytes.varint()?).ok()?;
    let _span = (bytes.signed()?, bytes.signed()?);
    let mut chunk = Reader::new(bytes.bytes()?);
    let mut time_ms = 0_i64;
    let mut read = Vec::with_capacity(usize::from(samples).min(chunk.left()));
    for _ in 0..samples {
        time_ms = time_ms.wrapping_add(chunk.signed()?);
        read.push((time_ms, SampleValue::Histogram(Arc::new(read_histogram(&mut chunk)?))));
    }
    Some(chunk::encode(read))
}

/// The path of a directory's checkpoint.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}
