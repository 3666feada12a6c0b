//! A record of the log: when the request came and with which limits it was decoded, then its bytes. With both, the same
//! spans come out again at start, whatever the limits are by then.

use otlp::traces::{Batch, Limits};

/// Version, time, three limits.
const HEADER_BYTES: usize = 1 + 8 + 3 * 8;
const VERSION: u8 = 1;

/// The header of a request's record.
pub(crate) fn header(received_ns: u64, limits: &Limits) -> [u8; HEADER_BYTES] {
    let mut header = [VERSION; HEADER_BYTES];
    let words = [
        received_ns,
        limits.max_attributes as u64,
        limits.max_value_bytes as u64,
        limits.max_value_depth as u64,
    ];
    for (bytes, word) in header[1..].chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    header
}

/// The spans of a record; the reason where it cannot be read.
pub(crate) fn decode(record: &[u8]) -> Result<Batch<'_>, String> {
    let Some((header, request)) = record.split_first_chunk::<HEADER_BYTES>() else {
        return Err("shorter than its header".to_owned());
    };
    if header[0] != VERSION {
        return Err(format!("unknown version {}", header[0]));
    }
    let mut words = header[1..].chunks_exact(8).map(|bytes| {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        u64::from_le_bytes(word) as usize
    });
    let mut next = || words.next().unwrap_or_default();
    let _received = next();
    let limits = Limits { max_attributes: next(), max_value_bytes: next(), max_value_depth: next() };
    otlp::traces::decode(request, &limits).map(|(batch, _)| batch).map_err(|error| error.to_string())
}
