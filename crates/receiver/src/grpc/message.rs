//! One length-prefixed message from a request's body.

use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

use crate::admission::Permit;
use crate::body::Bounds;
use crate::{Error, Result};

/// A compression flag and four bytes of length stand before a message.
const PREFIX_BYTES: usize = 5;

/// A message as it came.
#[derive(Debug)]
pub(super) struct RawMessage {
    pub(super) compressed: bool,
    pub(super) bytes: Bytes,
}

/// Reads the only message of a unary call. Its length is checked and charged before its bytes are waited for.
pub(super) async fn read<B>(body: B, bounds: Bounds, permit: &mut Permit) -> Result<RawMessage>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let whole = collect(body, bounds.limit, |length| permit.cover(length));
    tokio::time::timeout(bounds.timeout, whole).await.unwrap_or(Err(Error::Timeout(bounds.timeout)))
}

/// Reads a message of some bytes, which no budget has to know of.
pub(super) async fn read_small<B>(body: B, timeout: Duration) -> Result<Bytes>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let whole = collect(body, 1 << 10, |_| Ok(()));
    let message = tokio::time::timeout(timeout, whole).await.unwrap_or(Err(Error::Timeout(timeout)))?;
    if message.compressed {
        return Err(Error::UnsupportedCoding("compressed messages are not read by this method".to_owned()));
    }
    Ok(message.bytes)
}

async fn collect<B>(body: B, limit: usize, mut charge: impl FnMut(usize) -> Result<()>) -> Result<RawMessage>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = pin!(body);
    let mut prefix = BytesMut::with_capacity(PREFIX_BYTES);
    let mut head: Option<(bool, usize)> = None;
    // A message that came in one frame is passed on without a copy.
    let mut whole: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Aborted(error.to_string()))?;
        let Ok(mut piece) = frame.into_data() else { continue };
        if head.is_none() {
            let missing = PREFIX_BYTES - prefix.len();
            prefix.extend_from_slice(&piece.split_to(missing.min(piece.len())));
            if prefix.len() == PREFIX_BYTES {
                let (compressed, length) = parse_prefix(&prefix, limit)?;
                charge(length)?;
                head = Some((compressed, length));
            }
        }
        let Some((_, length)) = head else { continue };
        let got = whole.as_ref().map_or(joined.len(), Bytes::len);
        if got + piece.len() > length {
            return Err(Error::Malformed("more than one message in a unary call".to_owned()));
        }
        if got == 0 && piece.len() == length {
            whole = Some(piece);
        } else if !piece.is_empty() {
            joined.reserve(length - got);
            joined.extend_from_slice(&piece);
        }
    }
    let Some((compressed, length)) = head else {
        return Err(Error::Malformed("the call ended before its message".to_owned()));
    };
    let bytes = whole.unwrap_or_else(|| joined.freeze());
    if bytes.len() < length {
        return Err(Error::Malformed(format!(
            "the call ended after {} of the {length} bytes of its message",
            bytes.len()
        )));
    }
    Ok(RawMessage { compressed, bytes })
}

fn parse_prefix(mut prefix: &[u8], limit: usize) -> Result<(bool, usize)> {
    let compressed = match prefix.get_u8() {
        0 => false,
        1 => true,
        other => {
            return Err(Error::Malformed(format!("invalid compression flag {other} before the message")));
        }
    };
    let length = prefix.get_u32() as usize;
    if length > limit {
        return Err(Error::TooLarge { what: "the message", limit });
    }
    Ok((compressed, length))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    fn frames(frames: Vec<Vec<u8>>) -> impl Body<Data = Bytes, Error = Infallible> {
        StreamBody::new(stream::iter(frames.into_iter().map(|frame| Ok(Frame::data(frame.into())))))
    }

    async fn read_frames(pieces: Vec<Vec<u8>>) -> Result<RawMessage> {
        collect(frames(pieces), 100, |_| Ok(())).await
    }

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let mut framed = vec![flag];
        framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
        framed.extend_from_slice(message);
        framed
    }

    #[tokio::test]
    async fn a_message_may_be_cut_anywhere_by_frames() {
        let whole = framed(1, b"some bytes");
        for first in 0..=whole.len() {
            for second in first..=whole.len() {
                let pieces =
                    vec![whole[..first].to_vec(), whole[first..second].to_vec(), whole[second..].to_vec()];
                let message = read_frames(pieces).await.unwrap();
                assert_eq!((message.compressed, message.bytes.as_ref()), (true, b"some bytes".as_slice()));
            }
        }
        assert_eq!(read_frames(vec![framed(0, b"")]).await.unwrap().bytes, "");
    }

    #[tokio::test]
    async fn truncated_anywhere_is_malformed() {
        let whole = framed(0, b"some bytes");
        for length in 0..whole.len() {
            let refused = read_frames(vec![whole[..length].to_vec()]).await.unwrap_err();
            assert_eq!(refused.reason(), "malformed", "cut at {length}");
        }
    }

    #[tokio::test]
    async fn one_message_and_no_more_and_no_larger() {
        let mut two = framed(0, b"one");
        two.extend(framed(0, b"two"));
        let refused = read_frames(vec![two]).await.unwrap_err();
        assert_eq!(refused.to_string(), "more than one message in a unary call");
        let refused = read_frames(vec![framed(0, &[0; 101])]).await.unwrap_err();
        assert_eq!(refused.to_string(), "the message is larger than the limit of 100 bytes");
        let refused = read_frames(vec![framed(2, b"x")]).await.unwrap_err();
        assert_eq!(refused.to_string(), "invalid compression flag 2 before the message");
    }
}
