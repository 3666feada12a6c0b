//! Bodies as they arrive: read to the end, never past the limit, never for longer than allowed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

use crate::admission::Permit;
use crate::{Error, Result};

/// What bounds the reading of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Most bytes.
    pub(crate) limit: usize,
    /// Longest time.
    pub(crate) timeout: Duration,
}

/// Reads a body, charging the permit for what it holds. A declared length is charged before anything is read.
pub(crate) async fn read<B>(mut body: B, bounds: Bounds, permit: &mut Permit) -> Result<Bytes>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    let result = tokio::time::timeout(bounds.timeout, collect(&mut body, bounds.limit, permit)).await;
    let result = result.unwrap_or(Err(Error::Timeout(bounds.timeout)));
    if matches!(result, Err(Error::TooLarge { .. } | Error::Busy { .. })) {
        tokio::spawn(discard(body));
    }
    result
}

/// Longest time that the rest of a refused body is read for.
const DISCARD_WITHIN: Duration = Duration::from_secs(2);

/// Reads on and keeps nothing: over HTTP/1.1 many a sender looks for the answer only once it has sent all, and a
/// connection that is closed on it before then takes the answer with it.
async fn discard<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(DISCARD_WITHIN, rest).await;
}

async fn collect<B>(body: &mut B, limit: usize, permit: &mut Permit) -> Result<Bytes>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let too_large = || Error::TooLarge { what: "the request body", limit };
    let declared = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if let Some(length) = declared {
        if length > limit {
            return Err(too_large());
        }
        permit.cover(length)?;
    }

    // Most small bodies come as one piece, which is then passed on without a copy.
    let mut first: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Aborted(error.to_string()))?;
        let Ok(piece) = frame.into_data() else { continue };
        let length = first.as_ref().map_or(joined.len(), Bytes::len) + piece.len();
        if length > limit {
            return Err(too_large());
        }
        permit.cover(length)?;
        if let Some(first) = first.take() {
            joined.reserve(declared.unwrap_or(length).max(length));
            joined.extend_from_slice(&first);
            joined.extend_from_slice(&piece);
        } else if joined.is_empty() {
            first = Some(piece);
        } else {
            joined.extend_from_slice(&piece);
        }
    }
    Ok(first.unwrap_or_else(|| joined.freeze()))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;
    use crate::admission::Admission;

    const BOUNDS: Bounds = Bounds { limit: 10, timeout: Duration::from_millis(200) };

    fn pieces(pieces: &[&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + use<> {
        let frames: Vec<_> =
            pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))).collect();
        StreamBody::new(stream::iter(frames))
    }

    #[tokio::test]
    async fn joins_pieces_up_to_the_limit() {
        let admission = Admission::new(100, Duration::from_secs(1));
        let mut permit = admission.permit();
        assert_eq!(read(pieces(&["01234", "56789"]), BOUNDS, &mut permit).await.unwrap(), "0123456789");
        assert_eq!(admission.held(), 10);
        assert_eq!(read(pieces(&[]), BOUNDS, &mut permit).await.unwrap(), "");
        assert_eq!(read(pieces(&["a", "b", "c"]), BOUNDS, &mut permit).await.unwrap(), "abc");
    }

    #[tokio::test]
    async fn refuses_one_byte_more_whether_declared_or_not() {
        let admission = Admission::new(100, Duration::from_secs(1));
        let mut permit = admission.permit();
        let streamed = read(pieces(&["01234", "567890"]), BOUNDS, &mut permit).await.unwrap_err();
        assert_eq!(streamed.to_string(), "the request body is larger than the limit of 10 bytes");
        let declared = read(Full::new(Bytes::from_static(b"01234567890")), BOUNDS, &mut permit).await;
        assert_eq!(declared.unwrap_err().reason(), "too_large");
    }

    #[tokio::test]
    async fn refuses_when_others_hold_the_budget_before_it_reads() {
        let admission = Admission::new(12, Duration::from_secs(1));
        let mut other = admission.permit();
        other.add(5).unwrap();
        let mut permit = admission.permit();
        let refused = read(Full::new(Bytes::from_static(b"01234567")), BOUNDS, &mut permit).await;
        assert_eq!(refused.unwrap_err().reason(), "busy");
        assert_eq!(permit.bytes(), 0);
    }

    #[tokio::test]
    async fn gives_up_on_a_body_that_does_not_come() {
        let admission = Admission::new(100, Duration::from_secs(1));
        let mut permit = admission.permit();
        let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        assert_eq!(read(silent, BOUNDS, &mut permit).await.unwrap_err().reason(), "timeout");
    }
}
