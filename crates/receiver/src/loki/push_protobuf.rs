//! A push in protobuf: `logproto.PushRequest`.

use model::{LogEntry, LogStream};
use prost::Message;

use super::parse_labels;
use crate::{Error, Result};

/// Reads a push that is already out of its snappy block.
pub(super) fn parse(body: &[u8]) -> Result<Vec<LogStream>> {
    let request =
        wire::PushRequest::decode(body).map_err(|error| Error::Malformed(format!("proto: {error}")))?;
    request.streams.into_iter().map(stream).collect()
}

fn stream(stream: wire::Stream) -> Result<LogStream> {
    let labels = parse_labels(&stream.labels)?;
    let entries = stream.entries.into_iter().map(entry).collect::<Result<_>>()?;
    Ok(LogStream { labels, entries })
}

fn entry(entry: wire::Entry) -> Result<LogEntry> {
    let time_ns = time_ns(entry.timestamp.unwrap_or_default())?;
    let metadata = entry.metadata.into_iter().map(|pair| (pair.name, pair.value)).collect();
    Ok(LogEntry { time_ns, line: entry.line, metadata })
}

/// Years 1 to 9999 are timestamps of protobuf; what does not fit into 64 bits of nanoseconds becomes the nearest that
/// does, and is far too old or too new anyway.
fn time_ns(time: wire::Timestamp) -> Result<i64> {
    const SECONDS: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;
    let wire::Timestamp { seconds, nanos } = time;
    if !SECONDS.contains(&seconds) {
        return Err(Error::Malformed(format!("timestamp: {seconds} s is not within the years 1 to 9999")));
    }
    if !(0..1_000_000_000).contains(&nanos) {
        return Err(Error::Malformed(format!("timestamp: {nanos} ns is not within a second")));
    }
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(nanos)))
}

/// The messages of `pkg/push/push.proto`, in our words.
pub(crate) mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct PushRequest {
        #[prost(message, repeated, tag = "1")]
        pub(crate) streams: Vec<Stream>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Stream {
        #[prost(string, tag = "1")]
        pub(crate) labels: String,
        #[prost(message, repeated, tag = "2")]
        pub(crate) entries: Vec<Entry>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Entry {
        #[prost(message, optional, tag = "1")]
        pub(crate) timestamp: Option<Timestamp>,
        #[prost(string, tag = "2")]
        pub(crate) line: String,
        #[prost(message, repeated, tag = "3")]
        pub(crate) metadata: Vec<LabelPair>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(crate) struct Timestamp {
        #[prost(int64, tag = "1")]
        pub(crate) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(crate) nanos: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct LabelPair {
        #[prost(string, tag = "1")]
        pub(crate) name: String,
        #[prost(string, tag = "2")]
        pub(crate) value: String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> wire::PushRequest {
        wire::PushRequest {
            streams: vec![wire::Stream {
                labels: r#"{app="a", env=""}"#.to_owned(),
                entries: vec![wire::Entry {
                    timestamp: Some(wire::Timestamp { seconds: 1_600_000_000, nanos: 5 }),
                    line: "line".to_owned(),
                    metadata: vec![wire::LabelPair { name: "k".to_owned(), value: "v".to_owned() }],
                }],
            }],
        }
    }

    #[test]
    fn reads_streams() {
        let streams = parse(&request().encode_to_vec()).unwrap();
        assert_eq!(streams[0].labels.to_string(), r#"{app="a"}"#);
        assert_eq!(
            streams[0].entries,
            [LogEntry {
                time_ns: 1_600_000_000_000_000_005,
                line: "line".to_owned(),
                metadata: vec![("k".to_owned(), "v".to_owned())],
            }]
        );
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn truncated_anywhere_is_refused() {
        let whole = request().encode_to_vec();
        for length in 1..whole.len() {
            assert_eq!(parse(&whole[..length]).unwrap_err().reason(), "malformed", "cut at {length}");
        }
    }

    #[test]
    fn odd_times_and_labels_refuse_the_request() {
        for (seconds, nanos) in [(i64::MAX, 0), (-62_135_596_801, 0), (0, -1), (0, 1_000_000_000)] {
            let mut odd = request();
            odd.streams[0].entries[0].timestamp = Some(wire::Timestamp { seconds, nanos });
            let refused = parse(&odd.encode_to_vec()).unwrap_err();
            assert!(refused.to_string().starts_with("timestamp: "), "{refused}");
        }
        let mut odd = request();
        odd.streams[0].entries[0].timestamp = Some(wire::Timestamp { seconds: 253_402_300_799, nanos: 0 });
        assert_eq!(parse(&odd.encode_to_vec()).unwrap()[0].entries[0].time_ns, i64::MAX);
        odd.streams[0].labels = "{a".to_owned();
        let refused = parse(&odd.encode_to_vec()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "couldn't parse labels: 1:3: parse error: unexpected end of input inside braces"
        );
    }
}
