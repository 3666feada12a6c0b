//! The files of a block that hold its chunks (`tsdb/docs/format/chunks.md` in Prometheus' repository).

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::crc::{crc32c, extend};
use super::mapping::Mapping;
use crate::chunk::{Chunk, ChunkBytes, Encoding};
use crate::codec::{Reader, Writer as _};
use crate::{Error, Result};

const MAGIC: u32 = 0x85bd_40dd;
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 8;

/// Bytes past which the next file is begun.
const SEGMENT_BYTES: u64 = 512 << 20;

/// Where a chunk lies: the number of its file in the upper half, its offset in the lower one.
pub(super) type ChunkRef = u64;

/// Writes the files.
#[derive(Debug)]
pub(super) struct SegmentsWriter {
    dir: PathBuf,
    out: Option<BufWriter<File>>,
    segment: u64,
    offset: u64,
    buffer: Vec<u8>,
}

impl SegmentsWriter {
    pub(super) fn create(dir: PathBuf) -> Result<Self> {
        fs::create_dir(&dir).map_err(Error::io("create", &dir))?;
        Ok(Self { dir, out: None, segment: 0, offset: 0, buffer: Vec::new() })
    }

    pub(super) fn write(&mut self, chunk: &Chunk) -> Result<ChunkRef> {
        self.buffer.clear();
        self.buffer.varint(chunk.bytes.len() as u64);
        let begin = self.buffer.len();
        self.buffer.push(chunk.encoding as u8);
        self.buffer.extend_from_slice(&chunk.bytes);
        let checksum = crc32c(&self.buffer[begin..]);
        self.buffer.extend_from_slice(&checksum.to_be_bytes());
        let bytes = self.buffer.len() as u64;
        if self.out.is_none() || self.offset + bytes > SEGMENT_BYTES {
            self.next_segment()?;
        }
        if let Some(out) = &mut self.out {
            out.write_all(&self.buffer).map_err(Error::io("write to", &self.dir))?;
        }
        let at = (self.segment - 1) << 32 | self.offset;
        self.offset += bytes;
        Ok(at)
    }

    fn next_segment(&mut self) -> Result<()> {
        self.close_segment()?;
        self.segment += 1;
        let path = self.dir.join(format!("{:06}", self.segment));
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC.to_be_bytes());
        header[4] = VERSION;
        out.write_all(&header).map_err(Error::io("write to", &path))?;
        self.offset = HEADER_BYTES as u64;
        self.out = Some(out);
        Ok(())
    }

    fn close_segment(&mut self) -> Result<()> {
        let Some(out) = self.out.take() else { return Ok(()) };
        let file = out.into_inner().map_err(|error| Error::io("write to", &self.dir)(error.into_error()))?;
        file.sync_all().map_err(Error::io("sync", &self.dir))
    }

    /// Forces everything to the disk.
    pub(super) fn finish(mut self) -> Result<()> {
        self.close_segment()?;
        super::sync_dir(&self.dir)
    }
}

/// Reads the files.
#[derive(Debug)]
pub(super) struct Segments {
    files: Vec<Arc<Mapping>>,
    dir: PathBuf,
}

impl Segments {
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
            let path = entry.map_err(Error::io("list", dir))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.bytes().all(|byte| byte.is_ascii_digit()) {
                paths.push(path);
            }
        }
        paths.sort();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let file = Mapping::open(&path)?;
            let header = file.get(..HEADER_BYTES).ok_or_else(|| file.damaged("it is too short"))?;
            let mut header = Reader::new(header);
            if header.be32() != Some(MAGIC) {
                return Err(file.damaged("it does not begin as a file of chunks"));
            }
            if let Some(version) = header.byte().filter(|version| *version != VERSION) {
                return Err(file.damaged(format!("version {version} of chunk files is not known")));
            }
            files.push(Arc::new(file));
        }
        Ok(Self { files, dir: dir.to_owned() })
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.len() as u64).sum()
    }

    /// The chunk at a place, its checksum checked.
    pub(super) fn chunk(&self, at: ChunkRef, first_ms: i64, last_ms: i64) -> Result<Chunk> {
        let (segment, offset) = ((at >> 32) as usize, (at & 0xffff_ffff) as usize);
        let Some(file) = self.files.get(segment) else {
            let reason = format!("chunk {at} lies in file {}, which is not there", segment + 1);
            return Err(Error::Damaged { path: self.dir.clone(), reason });
        };
        let read = || {
            let mut reader = Reader::new(file.get(offset..)?);
            let length = usize::try_from(reader.varint()?).ok()?;
            let begin = file.len() - reader.left() + 1;
            let encoding = reader.byte()?;
            let bytes = reader.take(length)?;
            let checksum = reader.be32()?;
            Some((begin, encoding, bytes, checksum))
        };
        let (begin, encoding, bytes, checksum) =
            read().ok_or_else(|| file.damaged(format!("the chunk at {offset} ends behind the file")))?;
        if extend(crc32c(&[encoding]), bytes) != checksum {
            return Err(file.damaged(format!("the checksum of the chunk at {offset} is wrong")));
        }
        let encoding = Encoding::of(encoding).ok_or_else(|| {
            file.damaged(format!("the chunk at {offset} has encoding {encoding}, which is not known"))
        })?;
        let bytes = ChunkBytes::File { file: Arc::clone(file), begin, end: begin + bytes.len() };
        Ok(Chunk { first_ms, last_ms, encoding, bytes })
    }
}
