//! What was deleted from a block (`tsdb/docs/format/tombstones.md` in Prometheus' repository).

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use super::crc::crc32c;
use crate::codec::{Reader, Writer as _};
use crate::intervals::Intervals;
use crate::{Error, Result};

/// The file's name.
pub(super) const NAME: &str = "tombstones";

const MAGIC: u32 = 0x0130_ba30;
const VERSION: u8 = 1;

/// Deleted times by series.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tombstones(BTreeMap<u32, Intervals>);

impl Tombstones {
    /// Those of a block; none if it has no such file.
    pub(super) fn read(block: &Path) -> Result<Self> {
        let path = block.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => {
                Self::decode(&bytes).map_err(|reason| Error::Damaged { path, reason: reason.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let (content, checksum) = bytes.split_last_chunk::<4>().ok_or("it is too short")?;
        let mut reader = Reader::new(content);
        if reader.be32() != Some(MAGIC) {
            return Err("it does not begin as a file of tombstones");
        }
        if reader.byte() != Some(VERSION) {
            return Err("its version is not known");
        }
        // The checksum is of what follows the version.
        if crc32c(&content[5..]) != u32::from_be_bytes(*checksum) {
            return Err("its checksum is wrong");
        }
        let mut stones = Self::default();
        while !reader.is_empty() {
            let stone = (|| {
                let series = u32::try_from(reader.varint()?).ok()?;
                Some((series, reader.signed()?, reader.signed()?))
            })();
            let (series, first_ms, last_ms) = stone.ok_or("a tombstone ends early")?;
            stones.add(series, first_ms, last_ms);
        }
        Ok(stones)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_be_bytes().to_vec();
        out.push(VERSION);
        for (series, intervals) in &self.0 {
            for (first_ms, last_ms) in intervals.iter() {
                out.varint(u64::from(*series));
                out.signed(first_ms);
                out.signed(last_ms);
            }
        }
        let checksum = crc32c(&out[5..]);
        out.extend_from_slice(&checksum.to_be_bytes());
        out
    }

    /// Writes the file in place of the one before.
    pub(super) fn write(&self, block: &Path) -> Result<()> {
        super::replace_file(block, NAME, &self.encode())
    }

    /// Deletes the times of a series from the first to the last, both included.
    pub(super) fn add(&mut self, series: u32, first_ms: i64, last_ms: i64) {
        self.0.entry(series).or_default().add(first_ms, last_ms);
    }

    pub(crate) fn of(&self, series: u32) -> Option<&Intervals> {
        self.0.get(&series)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.0.values().map(|intervals| intervals.iter().count() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stones() -> Tombstones {
        let mut stones = Tombstones::default();
        stones.add(7, -5, 100);
        stones.add(7, 200, i64::MAX);
        stones.add(1 << 20, 3, 3);
        stones
    }

    #[test]
    fn they_come_back_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Tombstones::read(dir.path()).unwrap().is_empty());
        stones().write(dir.path()).unwrap();
        assert_eq!(Tombstones::read(dir.path()).unwrap(), stones());
        assert_eq!(stones().len(), 3);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        let good = stones().encode();
        let changed = |position: usize| {
            let mut bytes = good.clone();
            bytes[position] ^= 1;
            Tombstones::decode(&bytes)
        };
        assert_eq!(Tombstones::decode(&[1]), Err("it is too short"));
        assert_eq!(changed(0), Err("it does not begin as a file of tombstones"));
        assert_eq!(changed(4), Err("its version is not known"));
        assert_eq!(changed(6), Err("its checksum is wrong"));
        let mut short = good[..6].to_vec();
        short.extend_from_slice(&crc32c(&good[5..6]).to_be_bytes());
        assert_eq!(Tombstones::decode(&short), Err("a tombstone ends early"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            _ = Tombstones::decode(&bytes);
        }
    }
}
