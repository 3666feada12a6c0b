//! The bytes of a chunk: in memory, or in a block's file.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::block::Mapping;

/// Immutable bytes that many hold.
#[derive(Clone)]
pub(crate) enum ChunkBytes {
    /// Of the head.
    Memory(Arc<[u8]>),
    /// A part of a block's file, which stays mapped while anybody reads it.
    File { file: Arc<Mapping>, begin: usize, end: usize },
}

impl Deref for ChunkBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::File { file, begin, end } => file.get(*begin..*end).unwrap_or_default(),
        }
    }
}

impl From<&[u8]> for ChunkBytes {
    fn from(bytes: &[u8]) -> Self {
        Self::Memory(bytes.into())
    }
}

impl fmt::Debug for ChunkBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}
