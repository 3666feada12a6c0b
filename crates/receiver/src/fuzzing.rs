//! The decoders of this crate, for the fuzz targets in `fuzz/`: any input is read or refused, none panics and none
//! takes more memory than it may.

use bytes::Bytes;

use crate::admission::Admission;
use crate::coding::Coding;
use crate::ingest::Format;
use crate::names::Signal;
use crate::{loki, remote_write, shape};

/// Loki's push in JSON, of both versions.
pub fn push_json(data: &[u8]) {
    let _ = loki::parse_push(Format::LokiJson, data);
    let _ = loki::parse_push(Format::LokiLegacyJson, data);
}

/// Loki's push in protobuf, in its snappy block.
pub fn push_snappy(data: &[u8]) {
    if let Ok(body) = decompressed(Coding::SnappyBlock, data) {
        let _ = loki::parse_push(Format::LokiProtobuf, &body);
    }
}

/// Prometheus' remote write of both versions, out of its snappy block.
pub fn remote_write(data: &[u8]) {
    remote_write::read_any(data);
}

/// The estimate of what a request takes once decoded: protobuf of every signal, and pushes.
pub fn request_shape(data: &[u8]) {
    const LIMIT: usize = 1 << 20;
    for signal in Signal::ALL {
        shape::decoded_bytes(signal, data, LIMIT);
    }
    shape::push_protobuf_bytes(data, LIMIT);
    shape::remote_write_bytes(data, LIMIT);
    shape::push_json_bytes(data);
}

/// Every content coding, named by the first byte.
pub fn codings(data: &[u8]) {
    const CODINGS: [Coding; 6] =
        [Coding::Gzip, Coding::Zstd, Coding::Zlib, Coding::RawDeflate, Coding::Snappy, Coding::SnappyBlock];
    let Some((first, rest)) = data.split_first() else { return };
    let _ = decompressed(CODINGS[usize::from(*first) % CODINGS.len()], rest);
}

fn decompressed(coding: Coding, data: &[u8]) -> crate::Result<Bytes> {
    const LIMIT: usize = 1 << 20;
    let budget = Admission::new(4 * LIMIT, std::time::Duration::from_secs(1));
    let body = coding.decode(Bytes::copy_from_slice(data), LIMIT, &mut budget.permit())?;
    assert!(body.len() <= LIMIT, "{coding:?} went past its limit");
    Ok(body)
}
