use bytes::Bytes;
use http::StatusCode;
use model::{MatchOp, Matcher};
use promql::storage::{MsRange, PointValue, Series as _, Storage};
use prost::Message;
use receiver::names::{self, Signal};
use receiver::{Config, prometheus_router};

use crate::support::{Answer, Door, NOW_NS, post, send, small};

const PATH: &str = "/api/v1/write";
const V1: (&str, &str) = ("content-type", "application/x-protobuf");
const V2: (&str, &str) = ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request");
const SNAPPY: (&str, &str) = ("content-encoding", "snappy");
const NOW_MS: i64 = (NOW_NS / 1_000_000) as i64;

/// The messages of both versions, in our words.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub(super) series: Vec<TimeSeries>,
        #[prost(message, repeated, tag = "3")]
        pub(super) metadata: Vec<Metadata>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Metadata {
        #[prost(int32, tag = "1")]
        pub(super) kind: i32,
        #[prost(string, tag = "2")]
        pub(super) family: String,
        #[prost(string, tag = "4")]
        pub(super) help: String,
        #[prost(string, tag = "5")]
        pub(super) unit: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub(super) labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub(super) samples: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub(super) exemplars: Vec<Exemplar>,
        #[prost(message, repeated, tag = "4")]
        pub(super) histograms: Vec<Histogram>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Label {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) value: String,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Sample {
        #[prost(double, tag = "1")]
        pub(super) value: f64,
        #[prost(int64, tag = "2")]
        pub(super) time_ms: i64,
        #[prost(int64, tag = "3")]
        pub(super) start_ms: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Exemplar {
        #[prost(message, repeated, tag = "1")]
        pub(super) labels: Vec<Label>,
        #[prost(double, tag = "2")]
        pub(super) value: f64,
        #[prost(int64, tag = "3")]
        pub(super) time_ms: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Histogram {
        #[prost(uint64, tag = "1")]
        pub(super) count: u64,
        #[prost(double, tag = "3")]
        pub(super) sum: f64,
        #[prost(sint32, tag = "4")]
        pub(super) schema: i32,
        #[prost(message, repeated, tag = "11")]
        pub(super) spans: Vec<Span>,
        #[prost(sint64, repeated, tag = "12")]
        pub(super) deltas: Vec<i64>,
        #[prost(int64, tag = "15")]
        pub(super) time_ms: i64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Span {
        #[prost(sint32, tag = "1")]
        pub(super) offset: i32,
        #[prost(uint32, tag = "2")]
        pub(super) length: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Request2 {
        #[prost(string, repeated, tag = "4")]
        pub(super) symbols: Vec<String>,
        #[prost(message, repeated, tag = "5")]
        pub(super) series: Vec<TimeSeries2>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct TimeSeries2 {
        #[prost(uint32, repeated, tag = "1")]
        pub(super) labels: Vec<u32>,
        #[prost(message, repeated, tag = "2")]
        pub(super) samples: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub(super) histograms: Vec<Histogram>,
        #[prost(message, repeated, tag = "4")]
        pub(super) exemplars: Vec<Exemplar2>,
        #[prost(message, optional, tag = "5")]
        pub(super) metadata: Option<Metadata2>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Metadata2 {
        #[prost(int32, tag = "1")]
        pub(super) kind: i32,
        #[prost(uint32, tag = "3")]
        pub(super) help: u32,
        #[prost(uint32, tag = "4")]
        pub(super) unit: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Exemplar2 {
        #[prost(uint32, repeated, tag = "1")]
        pub(super) labels: Vec<u32>,
        #[prost(double, tag = "2")]
        pub(super) value: f64,
        #[prost(int64, tag = "3")]
        pub(super) time_ms: i64,
    }
}

use wire::{
    Exemplar, Exemplar2, Histogram, Label, Request2, Sample, Span, TimeSeries, TimeSeries2, WriteRequest,
};

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    pairs.iter().map(|(name, value)| Label { name: (*name).to_owned(), value: (*value).to_owned() }).collect()
}

fn sample(time_ms: i64, value: f64) -> Sample {
    Sample { value, time_ms, start_ms: 0 }
}

fn series(pairs: &[(&str, &str)], samples: &[Sample]) -> TimeSeries {
    TimeSeries { labels: labels(pairs), samples: samples.to_vec(), ..TimeSeries::default() }
}

fn histogram(time_ms: i64, count: u64) -> Histogram {
    Histogram {
        count,
        sum: 2.5,
        schema: 1,
        spans: vec![Span { offset: -1, length: 2 }],
        deltas: vec![1, 1],
        time_ms,
    }
}

fn block(message: &impl Message) -> Bytes {
    snap::raw::Encoder::new().compress_vec(&message.encode_to_vec()).unwrap().into()
}

async fn write(door: &Door, kind: (&'static str, &'static str), message: &impl Message) -> Answer {
    send(&prometheus_router(door.ingest.clone()), post(PATH, &[kind, SNAPPY], block(message))).await
}

/// Every sample by series: of a histogram its count.
fn all(door: &Door) -> Vec<(String, Vec<(i64, f64)>)> {
    let any = Matcher::new("__name__", MatchOp::Regex, ".+").unwrap();
    let found = door.stores.metrics.select(&[any], MsRange::ALL).unwrap();
    let points = |series: &tsdb::SelectedSeries| {
        let points = series.points().map(|point| match point.value {
            PointValue::Float(value) => (point.time_ms - NOW_MS, value),
            PointValue::Histogram(histogram) => (point.time_ms - NOW_MS, histogram.count),
        });
        points.collect()
    };
    found.iter().map(|series| (series.labels().to_string(), points(series))).collect()
}

fn assert_text(answer: &Answer, status: StatusCode, text: &str) {
    assert_eq!((answer.status, answer.text()), (status, format!("{text}\n").as_str()));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn the_first_version_is_taken() {
    let door = Door::open();
    // Labels come in any order; an empty value is no label.
    let mut first = series(
        &[("job", "a"), ("__name__", "up"), ("zone", "")],
        &[sample(NOW_MS - 10, 1.0), sample(NOW_MS, 0.0)],
    );
    let second = TimeSeries {
        labels: labels(&[("__name__", "h")]),
        histograms: vec![histogram(NOW_MS, 3)],
        ..TimeSeries::default()
    };
    let answer =
        write(&door, V1, &WriteRequest { series: vec![first.clone(), second], ..WriteRequest::default() })
            .await;
    assert_eq!((answer.status, answer.text()), (StatusCode::NO_CONTENT, ""));
    assert!(!answer.headers.contains_key("x-prometheus-remote-write-samples-written"));
    first.samples = vec![sample(NOW_MS + 5, 2.0)];
    first.exemplars = vec![Exemplar { labels: labels(&[("trace_id", "t")]), value: 2.0, time_ms: NOW_MS }];
    assert_eq!(
        write(&door, V1, &WriteRequest { series: vec![first.clone()], ..WriteRequest::default() })
            .await
            .status,
        204
    );
    // The same once more is no error, by the short way or the long one.
    first.exemplars.clear();
    assert_eq!(
        write(&door, V1, &WriteRequest { series: vec![first], ..WriteRequest::default() }).await.status,
        204
    );
    assert_eq!(
        all(&door),
        [
            (r#"{__name__="h"}"#.to_owned(), vec![(0, 3.0)]),
            (r#"{__name__="up", job="a"}"#.to_owned(), vec![(-10, 1.0), (0, 0.0), (5, 2.0)])
        ]
    );
    assert_eq!(door.stores.metrics.stats().exemplars, 1);
}

#[tokio::test]
async fn what_the_first_version_refuses_is_400_and_undoes_the_request() {
    let door = Door::open();
    let up = |samples: &[Sample]| series(&[("__name__", "up")], samples);
    let both = WriteRequest {
        series: vec![up(&[sample(NOW_MS, 1.0)]), series(&[("__name__", "x")], &[sample(NOW_MS, 1.0)])],
        ..WriteRequest::default()
    };
    assert_eq!(write(&door, V1, &both).await.status, 204);
    let next = |bad: TimeSeries| WriteRequest {
        series: vec![bad, series(&[("__name__", "x")], &[sample(NOW_MS + 1, 1.0)])],
        ..WriteRequest::default()
    };
    let answer = write(&door, V1, &next(up(&[sample(NOW_MS, 2.0)]))).await;
    assert_text(&answer, StatusCode::BAD_REQUEST, "duplicate sample for timestamp");
    let answer = write(&door, V1, &next(up(&[sample(NOW_MS + 86_400_000, 2.0)]))).await;
    assert_text(&answer, StatusCode::BAD_REQUEST, "out of bounds: timestamp is too far in the future");
    let answer = write(&door, V1, &next(up(&[sample(NOW_MS - 7_200_000, 2.0)]))).await;
    assert_text(&answer, StatusCode::BAD_REQUEST, "too old sample");
    let invalid = TimeSeries {
        labels: labels(&[("__name__", "h")]),
        histograms: vec![histogram(NOW_MS, 9)],
        ..TimeSeries::default()
    };
    let answer = write(&door, V1, &next(invalid)).await;
    assert!(
        answer.status == 400
            && answer.text().starts_with("3 observations found in buckets, but the Count field is 9")
    );
    // The same series by both ways, and a new one beside it.
    let twice = WriteRequest {
        series: vec![
            up(&[sample(NOW_MS + 1, 1.0)]),
            series(&[("__name__", "new")], &[sample(NOW_MS, 1.0)]),
            TimeSeries {
                exemplars: vec![Exemplar { labels: Vec::new(), value: 1.0, time_ms: NOW_MS }],
                ..up(&[sample(NOW_MS + 1, 2.0)])
            },
        ],
        ..WriteRequest::default()
    };
    let answer = write(&door, V1, &twice).await;
    assert_text(&answer, StatusCode::BAD_REQUEST, "duplicate sample for timestamp");
    assert_eq!(
        all(&door),
        [(r#"{__name__="up"}"#.to_owned(), vec![(0, 1.0)]), (r#"{__name__="x"}"#.to_owned(), vec![(0, 1.0)])]
    );
    assert_eq!(door.stores.metrics.stats().series, 2);
    // Without a valid name, or with one twice: left out in silence.
    for pairs in [&[("job", "a")][..], &[("__name__", "up"), ("a", "1"), ("a", "2")]] {
        assert_eq!(write(&door, V1, &next(series(pairs, &[sample(NOW_MS, 1.0)]))).await.status, 204);
    }
    assert_eq!(
        all(&door),
        [
            (r#"{__name__="up"}"#.to_owned(), vec![(0, 1.0)]),
            (r#"{__name__="x"}"#.to_owned(), vec![(0, 1.0), (1, 1.0)])
        ]
    );
    assert_eq!(door.counted(names::DROPPED_ITEMS, &["remote_write", "invalid_labels"]), 2);
}

#[tokio::test]
async fn what_is_said_of_families_is_kept() {
    let door = Door::open();
    let family = |kind, family: &str, help: &str| wire::Metadata {
        kind,
        family: family.to_owned(),
        help: help.to_owned(),
        unit: String::new(),
    };
    let metadata =
        vec![family(1, "a_total", "Counts."), family(2, "b", "Of b."), family(1, "a_total", "Counts.")];
    let request = WriteRequest { metadata, ..WriteRequest::default() };
    assert_eq!(write(&door, V1, &request).await.status, 204);
    let symbols = ["", "__name__", "h_bucket", "h_count", "How long.", "seconds"].map(str::to_owned).to_vec();
    let of = |name| TimeSeries2 {
        labels: vec![1, name],
        samples: vec![sample(NOW_MS, 1.0)],
        metadata: Some(wire::Metadata2 { kind: 3, help: 4, unit: 5 }),
        ..TimeSeries2::default()
    };
    let request = Request2 { symbols, series: vec![of(2), of(3)] };
    assert_eq!(write(&door, V2, &request).await.status, 204);
    let kept: Vec<_> = door.stores.metrics.metadata(None).into_iter().collect();
    let kept: Vec<_> = kept
        .iter()
        .map(|(family, variants)| {
            assert_eq!(variants.len(), 1, "{family}");
            let metadata = &variants[0];
            (family.as_str(), metadata.kind.as_str(), metadata.help.as_str(), metadata.unit.as_str())
        })
        .collect();
    assert_eq!(
        kept,
        [
            ("a_total", "counter", "Counts.", ""),
            ("b", "gauge", "Of b.", ""),
            ("h", "histogram", "How long.", "seconds")
        ]
    );
}

#[tokio::test]
async fn the_second_version_says_what_was_written() {
    let door = Door::open();
    let symbols = ["", "__name__", "up", "job", "a", "h", "trace_id", "t"].map(str::to_owned).to_vec();
    let up = TimeSeries2 {
        labels: vec![1, 2, 3, 4],
        samples: vec![sample(NOW_MS - 1, 1.0), Sample { value: 2.0, time_ms: NOW_MS, start_ms: NOW_MS - 9 }],
        exemplars: vec![Exemplar2 { labels: vec![6, 7], value: 1.0, time_ms: NOW_MS }],
        ..TimeSeries2::default()
    };
    let h =
        TimeSeries2 { labels: vec![1, 5], histograms: vec![histogram(NOW_MS, 3)], ..TimeSeries2::default() };
    let stats = |answer: &Answer| {
        ["samples", "histograms", "exemplars"]
            .map(|kind| answer.header(&format!("x-prometheus-remote-write-{kind}-written")).to_owned())
    };
    let answer = write(&door, V2, &Request2 { symbols: symbols.clone(), series: vec![up, h] }).await;
    assert_eq!((answer.status, stats(&answer)), (StatusCode::NO_CONTENT, ["2", "1", "1"].map(str::to_owned)));
    assert_eq!(all(&door).len(), 2);

    let bad = |labels: Vec<u32>| TimeSeries2 {
        labels,
        samples: vec![sample(NOW_MS + 1, 1.0)],
        ..TimeSeries2::default()
    };
    let request = Request2 {
        symbols,
        series: vec![
            bad(vec![1, 2, 3, 4]),
            bad(vec![1, 99]),
            bad(vec![1]),
            bad(vec![3, 4]),
            bad(vec![1, 2, 3, 4, 3, 2]),
            TimeSeries2 { labels: vec![1, 2], ..TimeSeries2::default() },
            TimeSeries2 { samples: vec![sample(NOW_MS, 7.0)], ..bad(vec![1, 2, 3, 4]) },
        ],
    };
    let answer = write(&door, V2, &request).await;
    assert_text(&answer, StatusCode::BAD_REQUEST, &[
        "parsing labels for series [1 99]: labelRefs 1 (name) = 99 (value) outside of symbols table (size 8)",
        "parsing labels for series [1]: invalid labelRefs length 1",
        r#"invalid metric name or labels, got {job="a"}"#,
        r#"invalid labels for series, labels {__name__="up", job="up"}, duplicated label job"#,
        r#"TimeSeries must contain at least one sample or histogram for series {__name__="up"}"#,
        r#"duplicate sample for timestamp for series {__name__="up", job="a"}"#,
    ].join("\n"));
    assert_eq!(stats(&answer), ["1", "0", "0"].map(str::to_owned));
}

#[tokio::test]
async fn what_is_no_remote_write_is_refused_in_prometheus_words() {
    let door = Door::open();
    let router = prometheus_router(door.ingest.clone());
    let body = block(&WriteRequest {
        series: vec![series(&[("__name__", "up")], &[sample(NOW_MS, 1.0)])],
        ..WriteRequest::default()
    });
    let answer = send(&router, post(PATH, &[("content-type", "text/csv")], body.clone())).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let answer = send(&router, post(PATH, &[V1, ("content-encoding", "gzip")], body.clone())).await;
    assert_text(
        &answer,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "gzip encoding (compression) is not accepted by this server; only snappy is acceptable",
    );
    let answer = send(&router, post(PATH, &[V1, SNAPPY], "no snappy at all")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let plain = WriteRequest {
        series: vec![series(&[("__name__", "up")], &[sample(NOW_MS, 1.0)])],
        ..WriteRequest::default()
    }
    .encode_to_vec();
    for length in 1..plain.len() {
        let cut = snap::raw::Encoder::new().compress_vec(&plain[..length]).unwrap();
        let answer = send(&router, post(PATH, &[V1], cut)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{length}: {answer:?}");
    }
    assert_eq!(send(&router, post(PATH, &[V1], body)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(door.stored(Signal::Metrics), 1);
}

#[tokio::test]
async fn a_full_store_asks_for_patience() {
    let door = Door::with(Config { max_body_bytes: 2000, ..small() });
    let many = (0..200)
        .map(|number| series(&[("__name__", "up"), ("n", &number.to_string())], &[sample(NOW_MS, 1.0)]));
    let answer = write(&door, V1, &WriteRequest { series: many.collect(), ..WriteRequest::default() }).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{answer:?}");
    assert_eq!(door.stored(Signal::Metrics), 0);
}

#[tokio::test]
async fn a_bomb_is_413_and_counted() {
    let door = Door::open();
    let router = prometheus_router(door.ingest.clone());
    let zeros = snap::raw::Encoder::new().compress_vec(&vec![0; (64 << 20) + 1]).unwrap();
    assert!(zeros.len() < 4 << 20);
    // Four bytes that claim to be three gigabytes.
    let claim = vec![0x80, 0x80, 0x80, 0x80, 0x0c];
    for body in [zeros, claim] {
        for kind in [V1, V2] {
            let answer = send(&router, post(PATH, &[kind, SNAPPY], body.clone())).await;
            let expected = "the decompressed request body is larger than the limit of 67108864 bytes";
            assert_text(&answer, StatusCode::PAYLOAD_TOO_LARGE, expected);
        }
    }
    // A claim within the limit, by a body that cannot hold so much.
    let answer = send(&router, post(PATH, &[V1, SNAPPY], vec![0x80, 0x80, 0x80, 0x10, 0])).await;
    assert_text(&answer, StatusCode::BAD_REQUEST, "s2: corrupt input");
    let refused = |reason| door.counted(names::REFUSED_REQUESTS, &["metrics", "remote_write", reason]);
    assert_eq!((refused("too_large"), refused("malformed")), (4, 1));
    assert_eq!(door.counted(names::IN_FLIGHT_BYTES, &[]), 0);
    assert_eq!(door.stored(Signal::Metrics), 0);
}

#[tokio::test]
async fn countless_empty_series_are_413_before_they_are_decoded() {
    let door = Door::with(small());
    let router = prometheus_router(door.ingest.clone());
    for (kind, field) in [(V1, 0x0a), (V2, 0x2a)] {
        let body = snap::raw::Encoder::new().compress_vec(&[field, 0].repeat(2000)).unwrap();
        let answer = send(&router, post(PATH, &[kind, SNAPPY], body)).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{answer:?}");
    }
    assert_eq!(door.counted(names::REFUSED_REQUESTS, &["metrics", "remote_write", "too_large"]), 2);
}
