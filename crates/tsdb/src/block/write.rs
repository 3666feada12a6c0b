//! Writes a block beside the others, and gives it its name in one step when it is whole.

use std::fs;
use std::path::PathBuf;

use super::index_writer::{ChunkMeta, IndexWriter};
use super::segments::SegmentsWriter;
use super::starts::StartTimes;
use super::tombstones::Tombstones;
use super::{CHUNKS_DIR, INDEX_FILE, Meta, meta::BlockStats, sync_dir, write_meta};
use crate::chunk::Chunk;
use crate::{Error, Result};

/// A block that is being written. Dropped without being published, it is removed.
#[derive(Debug)]
pub(crate) struct BlockWriter {
    /// Where it is written, and where it will be.
    draft: PathBuf,
    target: PathBuf,
    segments: Option<SegmentsWriter>,
    index: Option<IndexWriter>,
    starts: StartTimes,
    meta: Meta,
    published: bool,
}

impl BlockWriter {
    /// Begins the block that metadata speak of. Symbols are the texts of all labels, sorted, each once; there may be
    /// some that no series has.
    pub(super) fn begin<'a>(
        draft: PathBuf,
        target: PathBuf,
        meta: Meta,
        symbols: impl Iterator<Item = &'a str>,
    ) -> Result<Self> {
        if draft.exists() {
            fs::remove_dir_all(&draft).map_err(Error::io("remove", &draft))?;
        }
        fs::create_dir(&draft).map_err(Error::io("create", &draft))?;
        let mut writer = Self {
            draft,
            target,
            segments: None,
            index: None,
            starts: StartTimes::default(),
            meta,
            published: false,
        };
        writer.segments = Some(SegmentsWriter::create(writer.draft.join(CHUNKS_DIR))?);
        writer.index = Some(IndexWriter::create(&writer.draft.join(INDEX_FILE), symbols)?);
        writer.meta.stats = BlockStats::default();
        Ok(writer)
    }

    /// Adds a series, which comes behind those before it by its labels, with its chunks by time, which do not overlap,
    /// and its start times.
    pub(crate) fn add(
        &mut self,
        labels: &[(&str, &str)],
        chunks: &[Chunk],
        starts: &[(i64, i64)],
    ) -> Result<()> {
        let (Some(segments), Some(index)) = (&mut self.segments, &mut self.index) else { return Ok(()) };
        let stats = &mut self.meta.stats;
        let mut metas = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let at = segments.write(chunk)?;
            metas.push(ChunkMeta { first_ms: chunk.first_ms, last_ms: chunk.last_ms, at });
            let samples = u64::from(chunk.samples());
            stats.num_samples += samples;
            if chunk.encoding.is_float() {
                stats.num_float_samples += samples;
            } else {
                stats.num_histogram_samples += samples;
            }
        }
        let number = index.add(labels, &metas)?;
        self.starts.add(number, starts);
        stats.num_series += 1;
        stats.num_chunks += chunks.len() as u64;
        Ok(())
    }

    /// How many series were added.
    pub(crate) fn series(&self) -> u64 {
        self.meta.stats.num_series
    }

    /// Forces everything to the disk and gives the block its name. Returns its directory.
    pub(crate) fn publish(mut self) -> Result<PathBuf> {
        if let Some(segments) = self.segments.take() {
            segments.finish()?;
        }
        if let Some(index) = self.index.take() {
            index.finish()?;
        }
        self.starts.write(&self.draft)?;
        Tombstones::default().write(&self.draft)?;
        write_meta(&self.draft, &self.meta)?;
        fs::rename(&self.draft, &self.target).map_err(Error::io("rename", &self.draft))?;
        self.published = true;
        if let Some(parent) = self.target.parent() {
            sync_dir(parent)?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = fs::remove_dir_all(&self.draft)
        {
            // It will be removed at the next start.
            tracing::warn!(path = %self.draft.display(), %error, "an unfinished block was left");
        }
    }
}
