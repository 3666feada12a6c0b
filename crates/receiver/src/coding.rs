//! Content codings: streaming decompression that never yields more than the limit.
//!
//! gzip (several members, as Go reads them), zstd, zlib (HTTP's `deflate`) and snappy, framed or as one block: what the
//! collector's HTTP server reads by default.

use std::io::{self, Read};

use bytes::Bytes;

use crate::admission::Permit;
use crate::{Error, Result};

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Zstd,
    /// The zlib format, which is what HTTP's `deflate` names.
    Zlib,
    /// Deflate with no wrapping, which is what Loki takes `deflate` for.
    RawDeflate,
    /// Framed or one block, told apart by the first bytes.
    Snappy,
    /// One block.
    SnappyBlock,
}

/// Largest window that a zstd frame may ask for, as a power of two: 8 MiB, the size that RFC 8878 (3.1.1.1.2)
/// recommends that every decoder supports. Without it some bytes of header reserve gigabytes.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Decompressed bytes are charged in steps of this size, so that a bomb is stopped by the budget as well.
const STEP: usize = 1 << 20;

const SNAPPY_STREAM_IDENTIFIER: &[u8] = b"\xff\x06\x00\x00sNaPpY";

impl Coding {
    /// By the name in `Content-Encoding` on the collector's HTTP port.
    pub(crate) fn from_collector_http(name: &str) -> Result<Self> {
        Ok(match name {
            "" | "identity" => Self::Identity,
            "gzip" => Self::Gzip,
            "zstd" => Self::Zstd,
            "zlib" | "deflate" => Self::Zlib,
            "snappy" => Self::Snappy,
            other => {
                return Err(Error::UnsupportedCoding(format!("unsupported Content-Encoding: {other}")));
            }
        })
    }

    /// By the name in `grpc-encoding`; those that [`GRPC_CODINGS`] lists.
    pub(crate) fn from_grpc(name: &str) -> Result<Self> {
        Ok(match name {
            "identity" => Self::Identity,
            "gzip" => Self::Gzip,
            "zstd" => Self::Zstd,
            "snappy" => Self::Snappy,
            other => {
                return Err(Error::UnsupportedCoding(format!(
                    "grpc: Decompressor is not installed for grpc-encoding {other:?}"
                )));
            }
        })
    }

    /// Undoes the coding. Yields at most `limit` bytes, charged to the permit as they come. Blocks for as long as that
    /// takes.
    pub(crate) fn decode(self, body: Bytes, limit: usize, permit: &mut Permit) -> Result<Bytes> {
        let whole: &[u8] = &body;
        match self {
            Self::Identity => Ok(body),
            Self::Gzip => inflate("gzip", flate2::read::MultiGzDecoder::new(whole), limit, permit),
            Self::Zlib => inflate("deflate", flate2::read::ZlibDecoder::new(whole), limit, permit),
            Self::RawDeflate => inflate("deflate", flate2::read::DeflateDecoder::new(whole), limit, permit),
            Self::Zstd => {
                let broken = |error: io::Error| Error::Malformed(format!("zstd: {error}"));
                let mut decoder = zstd::stream::read::Decoder::with_buffer(whole).map_err(broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
                inflate("zstd", decoder, limit, permit)
            }
            Self::Snappy if whole.starts_with(SNAPPY_STREAM_IDENTIFIER) => {
                inflate("snappy", snap::read::FrameDecoder::new(whole), limit, permit)
            }
            // An empty stream may lack even its identifier.
            Self::Snappy if whole.is_empty() => Ok(body),
            Self::Snappy | Self::SnappyBlock => snappy_block(whole, limit, permit),
        }
    }
}

/// What `grpc-accept-encoding` says.
pub(crate) const GRPC_CODINGS: &str = "gzip,zstd,snappy";

fn too_large(limit: usize) -> Error {
    Error::TooLarge { what: "the decompressed request body", limit }
}

fn inflate(name: &str, mut reader: impl Read, limit: usize, permit: &mut Permit) -> Result<Bytes> {
    let mut inflated = Vec::new();
    loop {
        // One byte past the limit tells "exactly the limit" from "more".
        let step = STEP.min(limit + 1 - inflated.len());
        permit.add(step.min(limit - inflated.len()))?;
        let read = reader
            .by_ref()
            .take(step as u64)
            .read_to_end(&mut inflated)
            .map_err(|error| Error::Malformed(format!("{name}: {error}")))?;
        if inflated.len() > limit {
            return Err(too_large(limit));
        }
        if read < step {
            return Ok(inflated.into());
        }
    }
}

fn snappy_block(block: &[u8], limit: usize, permit: &mut Permit) -> Result<Bytes> {
    let broken = |error: snap::Error| Error::Malformed(error.to_string());
    let length = snap::raw::decompress_len(block).map_err(broken)?;
    if length > limit {
        return Err(too_large(limit));
    }
    // Three bytes of snappy copy 64 bytes at most, about 21 to 1, so a few bytes that claim to be many
    // megabytes are refused before those are reserved.
    if length > block.len().saturating_mul(32) {
        return Err(Error::Malformed("snappy: corrupt input".to_owned()));
    }
    permit.add(length)?;
    Ok(snap::raw::Decoder::new().decompress_vec(block).map_err(broken)?.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::admission::Admission;

    fn permit() -> Permit {
        Admission::new(usize::MAX / 2, Duration::from_secs(1)).permit()
    }

    fn encode(coding: Coding, data: &[u8]) -> Bytes {
        match coding {
            Coding::Identity => data.to_vec(),
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Zlib => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Coding::RawDeflate => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Zstd => zstd::stream::encode_all(data, 1).unwrap(),
            Coding::Snappy => {
                let mut encoder = snap::write::FrameEncoder::new(Vec::new());
                encoder.write_all(data).unwrap();
                encoder.into_inner().unwrap()
            }
            Coding::SnappyBlock => snap::raw::Encoder::new().compress_vec(data).unwrap(),
        }
        .into()
    }

    const ALL: [Coding; 7] = [
        Coding::Identity,
        Coding::Gzip,
        Coding::Zstd,
        Coding::Zlib,
        Coding::RawDeflate,
        Coding::Snappy,
        Coding::SnappyBlock,
    ];

    #[test]
    fn every_coding_round_trips_up_to_its_limit_and_not_past_it() {
        for size in [0, 1, 1000, STEP - 1, STEP, STEP + 1, 3 * STEP] {
            let data: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            for coding in ALL {
                let encoded = encode(coding, &data);
                let decoded = coding.decode(encoded.clone(), size, &mut permit()).unwrap();
                assert!(decoded == data, "{coding:?} {size}");
                if size > 0 && coding != Coding::Identity {
                    let refused = coding.decode(encoded, size - 1, &mut permit()).unwrap_err();
                    assert_eq!(refused.reason(), "too_large", "{coding:?} {size}");
                }
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_by_the_limit_and_by_the_budget() {
        let zeros = vec![0; 64 << 20];
        for coding in [Coding::Gzip, Coding::Zstd, Coding::Zlib, Coding::Snappy, Coding::SnappyBlock] {
            let bomb = encode(coding, &zeros);
            let refused = coding.decode(bomb.clone(), 1 << 20, &mut permit()).unwrap_err();
            assert_eq!(refused.reason(), "too_large", "{coding:?}");
            let small_budget = Admission::new(4 << 20, Duration::from_secs(1));
            let refused = coding.decode(bomb, 64 << 20, &mut small_budget.permit()).unwrap_err();
            assert_eq!(refused.reason(), "busy", "{coding:?}");
        }
    }

    #[test]
    fn truncated_anywhere_is_malformed() {
        let data = b"some spans, some spans, some spans and some more".repeat(20);
        for coding in [Coding::Gzip, Coding::Zstd, Coding::Zlib, Coding::RawDeflate, Coding::SnappyBlock] {
            let encoded = encode(coding, &data);
            for length in 1..encoded.len() {
                let result = coding.decode(encoded.slice(..length), 1 << 20, &mut permit());
                assert!(
                    result.is_err_and(|error| error.reason() == "malformed"),
                    "{coding:?} cut at {length}"
                );
            }
        }
    }

    #[test]
    fn a_snappy_length_that_no_block_of_this_size_can_yield_reserves_nothing() {
        // 60 MiB claimed by ten bytes.
        let claim = [0x80, 0x80, 0x80, 0x1e, 0, 0, 0, 0, 0, 0];
        let admission = Admission::new(usize::MAX / 2, Duration::from_secs(1));
        let mut permit = admission.permit();
        let refused = Coding::Snappy.decode(Bytes::copy_from_slice(&claim), 64 << 20, &mut permit);
        assert_eq!(refused.unwrap_err().to_string(), "snappy: corrupt input");
        assert_eq!(admission.held(), 0);
    }

    #[test]
    fn a_zstd_window_over_the_recommended_size_is_refused() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&vec![7; 32 << 20]).unwrap();
        let frame = encoder.finish().unwrap();
        let refused = Coding::Zstd.decode(frame.into(), 64 << 20, &mut permit()).unwrap_err();
        assert_eq!(refused.reason(), "malformed");
    }
}
