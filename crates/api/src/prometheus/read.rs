//! `POST /api/v1/read`: what another Prometheus reads from here, as samples or as chunks
//! (<https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/>).
//!
//! Both forms are those of Prometheus 3.14, with its texts. Samples are held in memory as a whole, so there is a limit of
//! them, a tenth of Prometheus' own; chunks are sent frame by frame, as the one who reads takes them.

mod message;

use std::iter::{Enumerate, Peekable};
use std::vec::IntoIter;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use model::{Labels, MatchOp, Matcher};
use promql::storage::{MsRange, Series as _, Storage};
use prost::Message;
use tsdb::{EncodedChunk, SelectedSeries};

use self::message::{
    Chunk, ChunkedReadResponse, ChunkedSeries, Label, LabelMatcher, Query, QueryResult, ReadRequest,
    ReadResponse, Sample, TimeSeries, WireHistogram,
};
use super::limits::MAX_SAMPLES;
use crate::{Context, go};

/// Most bytes of a request, compressed and not.
const MAX_REQUEST_BYTES: usize = 32 << 20;

/// Bytes of a frame past which another one begins.
const MAX_FRAME_BYTES: usize = 1 << 20;

/// Forms of the answer by their numbers.
const SAMPLES: i32 = 0;
const STREAMED_CHUNKS: i32 = 1;

/// Why there is no answer, and what it says.
type Refusal = (StatusCode, String);

pub(super) async fn read(State(context): State<Context>, request: Request) -> Response {
    answer(context, request).await.unwrap_or_else(|(status, message)| go::http_error(status, &message))
}

async fn answer(context: Context, request: Request) -> Result<Response, Refusal> {
    let bad = |message: String| (StatusCode::BAD_REQUEST, message);
    let body = Limited::new(request.into_body(), MAX_REQUEST_BYTES).collect().await;
    let body = body.map_err(|error| bad(error.to_string()))?.to_bytes();
    let request = decode(&body).map_err(bad)?;
    let form = negotiate(&request.accepted).map_err(bad)?;
    let external = context.external_labels();
    let failed = |error: &dyn std::fmt::Display| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let pool = context.pool.clone();
    let work = move || -> Result<Response, Refusal> {
        let selected = request.queries.iter().map(|query| {
            let matchers = matchers(query, &external).map_err(|error| failed(&error))?;
            let range = MsRange { start_ms: query.start_ms, end_ms: query.end_ms };
            context.metrics.select(&matchers, range).map_err(|error| failed(&error))
        });
        let selected: Vec<Vec<SelectedSeries>> = selected.collect::<Result<_, Refusal>>()?;
        if form == STREAMED_CHUNKS {
            return Ok(streamed(Frames::new(selected, external)));
        }
        let body = samples(&selected, &external)?;
        let mut response = Body::from(body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("snappy"));
        Ok(response)
    };
    pool.run(work).await.map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?
}

fn decode(body: &[u8]) -> Result<ReadRequest, String> {
    let corrupt = |_| "snappy: corrupt input".to_owned();
    let length = snap::raw::decompress_len(body).map_err(corrupt)?;
    if length > MAX_REQUEST_BYTES {
        return Err(format!("snappy: decoded length {length} exceeds limit {MAX_REQUEST_BYTES}"));
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(body).map_err(corrupt)?;
    // Nearly always what is no message ends early; the other reasons have no words in common with Go's.
    ReadRequest::decode(bytes.as_slice()).map_err(|_| "unexpected EOF".to_owned())
}

/// The first form that there is.
fn negotiate(accepted: &[i32]) -> Result<i32, String> {
    if accepted.is_empty() {
        return Ok(SAMPLES);
    }
    accepted.iter().copied().find(|form| [SAMPLES, STREAMED_CHUNKS].contains(form)).ok_or_else(|| {
        let accepted: Vec<String> = accepted.iter().map(ToString::to_string).collect();
        format!(
            "server does not support any of the requested response types: [{}]; supported: map[SAMPLES:{{}} \
             STREAMED_XOR_CHUNKS:{{}}]",
            accepted.join(" ")
        )
    })
}

/// The matchers of a query. Labels that are added to what goes out are not in the store.
fn matchers(query: &Query, external: &Labels) -> Result<Vec<Matcher>, String> {
    let matcher = |LabelMatcher { kind, name, value }: &LabelMatcher| {
        let op = match kind {
            0 => MatchOp::Equal,
            1 => MatchOp::NotEqual,
            2 => MatchOp::Regex,
            3 => MatchOp::NotRegex,
            _ => return Err("invalid matcher type".to_owned()),
        };
        let is_external = op == MatchOp::Equal && external.get(name) == value;
        let value = if is_external { "" } else { value.as_str() };
        Matcher::new(name, op, value).map_err(|error| error.to_string())
    };
    query.matchers.iter().map(matcher).collect()
}

/// Labels as they go out: the series' own, and those of the server that it does not have.
fn labels(series: &Labels, external: &Labels) -> Vec<Label> {
    let others = external.iter().filter(|(name, _)| series.get(name).is_empty());
    let mut labels: Vec<(&str, &str)> = series.iter().chain(others).collect();
    labels.sort_unstable();
    let owned = |(name, value): (&str, &str)| Label { name: name.to_owned(), value: value.to_owned() };
    labels.into_iter().map(owned).collect()
}

fn samples(selected: &[Vec<SelectedSeries>], external: &Labels) -> Result<Vec<u8>, Refusal> {
    let mut results = Vec::with_capacity(selected.len());
    for selected in selected {
        let (mut count, mut floats, mut histograms) = (0, Vec::new(), Vec::new());
        let mut result = QueryResult::default();
        for series in selected {
            floats.clear();
            histograms.clear();
            series.read(&mut floats, &mut histograms);
            count += floats.len() + histograms.len();
            if count > MAX_SAMPLES {
                return Err((StatusCode::BAD_REQUEST, format!("exceeded sample limit ({MAX_SAMPLES})")));
            }
            let sample = |time_ms, value| Sample { value, time_ms };
            result.series.push(TimeSeries {
                labels: labels(series.labels(), external),
                samples: floats.iter().map(|point| sample(point.time_ms, point.value)).collect(),
                histograms: histograms
                    .iter()
                    .map(|point| WireHistogram::of(point.time_ms, &point.histogram))
                    .collect(),
            });
        }
        results.push(result);
    }
    let bytes = ReadResponse { results }.encode_to_vec();
    let failed = |error: snap::Error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    snap::raw::Encoder::new().compress_vec(&bytes).map_err(failed)
}

fn streamed(frames: Frames) -> Response {
    let frames = frames.map(Ok::<Bytes, std::convert::Infallible>);
    let mut response = Body::from_stream(stream::iter(frames)).into_response();
    let content_type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The frames of a streamed answer: each a length, a checksum and a message with chunks of one series.
struct Frames {
    external: Labels,
    queries: Enumerate<IntoIter<Vec<SelectedSeries>>>,
    query: (usize, IntoIter<SelectedSeries>),
    series: Option<(Vec<Label>, Peekable<IntoIter<EncodedChunk>>)>,
}

impl Frames {
    fn new(selected: Vec<Vec<SelectedSeries>>, external: Labels) -> Self {
        let queries = selected.into_iter().enumerate();
        Self { external, queries, query: (0, Vec::new().into_iter()), series: None }
    }

    /// As many chunks of the current series as go into one frame.
    fn chunks(&mut self) -> Option<ChunkedSeries> {
        let (labels, chunks) = self.series.as_mut()?;
        let mut left = MAX_FRAME_BYTES.saturating_sub(labels.iter().map(Message::encoded_len).sum());
        let mut frame = Vec::new();
        while let Some(chunk) = chunks.next_if(|_| frame.is_empty() || left > 0) {
            let chunk = Chunk {
                first_ms: chunk.first_ms,
                last_ms: chunk.last_ms,
                encoding: i32::from(chunk.encoding),
                data: chunk.bytes().to_vec(),
            };
            left = left.saturating_sub(chunk.encoded_len());
            frame.push(chunk);
        }
        (!frame.is_empty()).then(|| ChunkedSeries { labels: labels.clone(), chunks: frame })
    }
}

impl Iterator for Frames {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(series) = self.chunks() {
                let query_index = self.query.0 as i64;
                return Some(framed(&ChunkedReadResponse { series: vec![series], query_index }));
            }
            if let Some(series) = self.query.1.next() {
                let chunks = series.chunks().into_iter().peekable();
                self.series = Some((labels(series.labels(), &self.external), chunks));
            } else {
                self.series = None;
                let (index, selected) = self.queries.next()?;
                self.query = (index, selected.into_iter());
            }
        }
    }
}

fn framed(message: &ChunkedReadResponse) -> Bytes {
    let message = message.encode_to_vec();
    let mut frame = Vec::with_capacity(message.len() + 9);
    prost::encoding::encode_varint(message.len() as u64, &mut frame);
    frame.extend_from_slice(&tsdb::crc32c(&message).to_be_bytes());
    frame.extend_from_slice(&message);
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_form_is_taken() {
        assert_eq!(negotiate(&[]), Ok(SAMPLES));
        assert_eq!(negotiate(&[7, 1, 0]), Ok(STREAMED_CHUNKS));
        assert_eq!(
            negotiate(&[7, 9]).unwrap_err(),
            "server does not support any of the requested response types: [7 9]; supported: map[SAMPLES:{} \
             STREAMED_XOR_CHUNKS:{}]"
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert_eq!(decode(b"\xff\xff\xff\xff\x7fxx").unwrap_err(), "snappy: corrupt input");
        let bomb = [0x80, 0x80, 0x80, 0x20, 0x00];
        assert_eq!(decode(&bomb).unwrap_err(), "snappy: decoded length 67108864 exceeds limit 33554432");
        let cut = snap::raw::Encoder::new().compress_vec(b"\x0a\x7f\x08").unwrap();
        assert_eq!(decode(&cut).unwrap_err(), "unexpected EOF");
    }

    #[test]
    fn labels_of_the_server_go_out_and_do_not_select() {
        let external: Labels = [("zone", "eu"), ("job", "other")].into_iter().collect();
        let own: Labels = [("__name__", "up"), ("job", "a")].into_iter().collect();
        let names: Vec<(String, String)> =
            labels(&own, &external).into_iter().map(|label| (label.name, label.value)).collect();
        let expected = [("__name__", "up"), ("job", "a"), ("zone", "eu")];
        assert_eq!(names, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let zone = |kind| LabelMatcher { kind, name: "zone".to_owned(), value: "eu".to_owned() };
        let query = Query { matchers: vec![zone(0), zone(2)], ..Query::default() };
        let values: Vec<String> =
            matchers(&query, &external).unwrap().iter().map(|matcher| matcher.value().to_owned()).collect();
        assert_eq!(values, ["", "eu"]);
    }
}
