//! Columns in memory, between the Parquet file and the rest of the store.

use bytes::Bytes;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};

/// Texts, one behind the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextColumn {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl TextColumn {
    pub(crate) fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The texts as Parquet takes them, without copying each.
    pub(super) fn into_arrays(self) -> Vec<ByteArray> {
        let bytes = Bytes::from(self.bytes);
        let mut start = 0;
        self.ends
            .into_iter()
            .map(|end| {
                let text = bytes.slice(start..end);
                start = end;
                ByteArray::from(text)
            })
            .collect()
    }
}

/// Structured metadata of rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetadataColumn {
    keys: Vec<ByteArray>,
    values: Vec<ByteArray>,
    /// For each row, where its pairs end.
    ends: Vec<usize>,
}

impl MetadataColumn {
    pub(super) fn new(keys: Lists, values: Lists) -> Result<Self> {
        if keys.ends != values.ends {
            return Err(damaged("names and values of structured metadata"));
        }
        Ok(Self { keys: keys.texts, values: values.texts, ends: keys.ends })
    }

    /// A row's pairs.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (&str, &str)> {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        (start..self.ends[row]).map(|at| (text(&self.keys[at]), text(&self.values[at])))
    }
}

/// A column whose rows are lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) texts: Vec<ByteArray>,
    /// For each row, where its list ends.
    pub(super) ends: Vec<usize>,
}

/// The text of a column that has only texts; empty where damage has made it none.
pub(crate) fn text(bytes: &ByteArray) -> &str {
    std::str::from_utf8(bytes.data()).unwrap_or_default()
}

pub(super) fn damaged(what: &str) -> ParquetError {
    ParquetError::General(format!("{what} are not what this program writes"))
}
