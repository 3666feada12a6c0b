//! The bytes of a record.

/// First bytes of every segment.
pub(crate) const SEGMENT_HEADER: &[u8; 8] = b"MIRWAL1\n";
/// Mark, length, checksum.
pub(crate) const RECORD_HEADER_BYTES: usize = 12;
const MARK: [u8; 4] = 0x5752_4d01_u32.to_le_bytes();

/// The header of a record whose payload is these parts, one behind the other.
pub(crate) fn header(parts: &[&[u8]]) -> [u8; RECORD_HEADER_BYTES] {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = (length as u32).to_le_bytes();
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&length);
    for part in parts {
        checksum.update(part);
    }
    let mut header = [0; RECORD_HEADER_BYTES];
    header[..4].copy_from_slice(&MARK);
    header[4..8].copy_from_slice(&length);
    header[8..].copy_from_slice(&checksum.finalize().to_le_bytes());
    header
}

/// What lies at a place in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// A whole record, and how many bytes it takes.
    Record { payload: &'a [u8], size: usize },
    /// No whole record.
    Damaged,
}

/// Reads the record at the beginning of `bytes`.
pub(crate) fn parse(bytes: &[u8], max_record_bytes: usize) -> Parsed<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<RECORD_HEADER_BYTES>() else {
        return Parsed::Damaged;
    };
    let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let length = u32::from_le_bytes(word(4)) as usize;
    if word(0) != MARK || length > max_record_bytes || length > rest.len() {
        return Parsed::Damaged;
    }
    let payload = &rest[..length];
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&word(4));
    checksum.update(payload);
    if checksum.finalize() != u32::from_le_bytes(word(8)) {
        return Parsed::Damaged;
    }
    Parsed::Record { payload, size: RECORD_HEADER_BYTES + length }
}

/// How many bytes to step over until the next whole record; `None` if there is none.
pub(crate) fn resync(bytes: &[u8], max_record_bytes: usize) -> Option<usize> {
    (1..bytes.len().saturating_sub(RECORD_HEADER_BYTES - 1)).find(|&skip| {
        bytes[skip..].starts_with(&MARK) && parse(&bytes[skip..], max_record_bytes) != Parsed::Damaged
    })
}
