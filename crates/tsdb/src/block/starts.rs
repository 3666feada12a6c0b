//! Since when the values of a block's counters count: a file of our own, `start-times`, which Prometheus does not look
//! at. Its chunks of floats have no start times in the encoding that every version reads.
//!
//! The eight bytes `MIRSTT1\n`, then for each series that has any its number as the difference to the one before, how
//! many changes there are, and each as the first sample's time and the start, in milliseconds, as differences to those
//! before; CRC-32C of all that at the end.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::crc::crc32c;
use crate::codec::{Reader, Writer as _};
use crate::{Error, Result};

/// The file's name.
const NAME: &str = "start-times";
const MAGIC: &[u8; 8] = b"MIRSTT1\n";

/// Start times by series.
#[derive(Debug, Default, PartialEq)]
pub(super) struct StartTimes {
    /// Numbers of the series that have any, ascending, and where the changes of each end.
    series: Vec<(u32, u32)>,
    /// First sample that has it, start.
    changes: Vec<(i64, i64)>,
}

impl StartTimes {
    /// Those of a block; none if it has no such file.
    pub(super) fn read(block: &Path) -> Result<Self> {
        let path = block.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => Self::decode(&bytes)
                .ok_or_else(|| Error::Damaged { path, reason: "it makes no sense".to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32c(content) != u32::from_be_bytes(*checksum) {
            return None;
        }
        let mut reader = Reader::new(content.strip_prefix(MAGIC)?);
        let mut starts = Self::default();
        let (mut number, mut since_ms, mut start_ms) = (0_u32, 0_i64, 0_i64);
        while !reader.is_empty() {
            number = number.checked_add(u32::try_from(reader.varint()?).ok()?)?;
            for _ in 0..reader.length()? {
                since_ms = since_ms.wrapping_add(reader.signed()?);
                start_ms = start_ms.wrapping_add(reader.signed()?);
                starts.changes.push((since_ms, start_ms));
            }
            starts.series.push((number, starts.changes.len() as u32));
        }
        Some(starts)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let (mut number, mut since_ms, mut start_ms) = (0, 0_i64, 0_i64);
        for (series, _) in &self.series {
            let changes = self.of(*series);
            out.varint(u64::from(series - number));
            number = *series;
            out.varint(changes.len() as u64);
            for (since, start) in changes {
                out.signed(since.wrapping_sub(since_ms));
                out.signed(start.wrapping_sub(start_ms));
                (since_ms, start_ms) = (*since, *start);
            }
        }
        let checksum = crc32c(&out);
        out.extend_from_slice(&checksum.to_be_bytes());
        out
    }

    /// Writes the file, if there is anything to write.
    pub(super) fn write(&self, block: &Path) -> Result<()> {
        if self.series.is_empty() {
            return Ok(());
        }
        let path = block.join(NAME);
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(&self.encode())?;
            file.sync_all()
        };
        write().map_err(Error::io("write", &path))
    }

    /// Adds those of a series, whose number is above those before.
    pub(super) fn add(&mut self, series: u32, changes: &[(i64, i64)]) {
        if !changes.is_empty() {
            self.changes.extend_from_slice(changes);
            self.series.push((series, self.changes.len() as u32));
        }
    }

    /// Those of a series.
    pub(super) fn of(&self, series: u32) -> &[(i64, i64)] {
        let Ok(position) = self.series.binary_search_by_key(&series, |(number, _)| *number) else {
            return &[];
        };
        let begin = position.checked_sub(1).map_or(0, |before| self.series[before].1 as usize);
        self.changes.get(begin..self.series[position].1 as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut starts = StartTimes::default();
        assert_eq!(StartTimes::read(dir.path()).unwrap(), starts);
        starts.add(3, &[(100, 5), (200, 150)]);
        starts.add(4, &[]);
        starts.add(1 << 30, &[(-5, i64::MIN)]);
        starts.write(dir.path()).unwrap();
        assert_eq!(StartTimes::read(dir.path()).unwrap(), starts);
        assert_eq!((starts.of(3), starts.of(4)), (&[(100, 5), (200, 150)][..], &[][..]));
        assert_eq!(starts.of(1 << 30), [(-5, i64::MIN)]);
        let bytes = fs::read(dir.path().join(NAME)).unwrap();
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 4;
            assert_eq!(StartTimes::decode(&damaged), None);
            assert_eq!(StartTimes::decode(&bytes[..position]), None);
        }
    }
}
