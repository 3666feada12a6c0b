//! A push in JSON, version 1 and the one before it.
//!
//! Version 1 is `{"streams":[{"stream":{"name":"value"},"values":[["<ns>","line",{"name":"value"}]]}]}`. As with Loki,
//! a time is a string of nanoseconds and not a number, the third element may be left out, further ones are ignored,
//! and what follows the object is not read.

use std::fmt;

use model::{LogEntry, LogStream};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{labels, parse_labels};
use crate::{Error, Result};

/// Reads version 1.
pub(super) fn parse(body: &[u8]) -> Result<Vec<LogStream>> {
    let request: Request = first_value(body)?;
    request
        .streams
        .unwrap_or_default()
        .into_iter()
        .map(|stream| {
            let labels = labels::from_pairs(stream.labels.0)
                .map_err(|error| Error::Malformed(format!("couldn't parse labels: {error}")))?;
            let entries = stream.values.unwrap_or_default().into_iter().flatten();
            let entries = entries.map(|entry| entry.0).collect();
            Ok(LogStream { labels, entries })
        })
        .collect()
}

/// Reads what `/api/prom/push` takes: labels as text, times by RFC 3339.
pub(super) fn parse_legacy(body: &[u8]) -> Result<Vec<LogStream>> {
    let request: LegacyRequest = first_value(body)?;
    request
        .streams
        .unwrap_or_default()
        .into_iter()
        .map(|stream| {
            let labels = parse_labels(&stream.labels)?;
            let entries = stream.entries.unwrap_or_default().into_iter();
            Ok(LogStream { labels, entries: entries.map(LegacyEntry::into_entry).collect::<Result<_>>()? })
        })
        .collect()
}

fn first_value<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    T::deserialize(&mut reader).map_err(|error| Error::Malformed(format!("invalid push JSON: {error}")))
}

#[derive(Deserialize)]
struct Request {
    streams: Option<Vec<Stream>>,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(rename = "stream", default)]
    labels: Pairs,
    values: Option<Vec<Option<Entry>>>,
}

/// An object whose values are strings; another value stands for its own JSON text, as with Loki.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let raw = map.next_value::<&RawValue>()?.get();
                    let value = if raw.starts_with('"') {
                        serde_json::from_str(raw).map_err(A::Error::custom)?
                    } else {
                        raw.to_owned()
                    };
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}

/// `["<ns>", "line", {"name":"value"}]`.
struct Entry(LogEntry);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntryVisitor;

        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of a time, a line and structured metadata")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Entry, A::Error> {
                let mut entry = LogEntry { time_ns: NO_TIME_NS, ..LogEntry::default() };
                if let Some(Nanoseconds(time_ns)) = elements.next_element()? {
                    entry.time_ns = time_ns;
                }
                if let Some(line) = elements.next_element::<String>()? {
                    entry.line = line;
                }
                if let Some(Metadata(metadata)) = elements.next_element()? {
                    entry.metadata = metadata;
                }
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Entry(entry))
            }
        }

        deserializer.deserialize_seq(EntryVisitor)
    }
}

/// An entry without a time is from the year 1 for Loki, which is then too old.
const NO_TIME_NS: i64 = i64::MIN;

struct Nanoseconds(i64);

impl<'de> Deserialize<'de> for Nanoseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;

        impl Visitor<'_> for TimeVisitor {
            type Value = Nanoseconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string of nanoseconds since the Unix epoch")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Nanoseconds, E> {
                let time_ns =
                    text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
                Ok(Nanoseconds(time_ns))
            }
        }

        deserializer.deserialize_str(TimeVisitor)
    }
}

/// An object of strings and of nothing else.
struct Metadata(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MetadataVisitor;

        impl<'de> Visitor<'de> for MetadataVisitor {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of structured metadata")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Metadata(pairs))
            }
        }

        deserializer.deserialize_map(MetadataVisitor)
    }
}

#[derive(Deserialize)]
struct LegacyRequest {
    streams: Option<Vec<LegacyStream>>,
}

#[derive(Deserialize)]
struct LegacyStream {
    #[serde(default)]
    labels: String,
    entries: Option<Vec<LegacyEntry>>,
}

#[derive(Deserialize)]
struct LegacyEntry {
    ts: Option<String>,
    #[serde(default)]
    line: String,
    #[serde(rename = "structuredMetadata")]
    metadata: Option<Vec<LegacyPair>>,
}

#[derive(Deserialize)]
struct LegacyPair {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

impl LegacyEntry {
    fn into_entry(self) -> Result<LogEntry> {
        let time_ns = match &self.ts {
            None => NO_TIME_NS,
            Some(text) => {
                let time: jiff::Timestamp = text
                    .parse()
                    .map_err(|error| Error::Malformed(format!("parsing time {text:?}: {error}")))?;
                // Years that 64 bits of nanoseconds do not reach are refused later, by their age.
                let limit = if time < jiff::Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX };
                i64::try_from(time.as_nanosecond()).unwrap_or(limit)
            }
        };
        let metadata =
            self.metadata.unwrap_or_default().into_iter().map(|pair| (pair.name, pair.value)).collect();
        Ok(LogEntry { time_ns, line: self.line, metadata })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUSH: &str = r#"{"streams":[{"stream":{"foo":"bar2","n":1.0,"e":""},"values":[
        ["1570818238000000000","fizz\nbuzz"],null,
        ["1570818238000000001","x",{"trace_id":"abc","k":"multi\nline"},"ignored",{}]]},
        {"stream":{"a":"b"},"values":null}]}"#;

    #[test]
    fn reads_version_1() {
        let streams = parse(PUSH.as_bytes()).unwrap();
        assert_eq!(streams[0].labels.to_string(), r#"{foo="bar2", n="1.0"}"#);
        let entry = |time_ns, line: &str, metadata: &[(&str, &str)]| LogEntry {
            time_ns,
            line: line.to_owned(),
            metadata: metadata
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        assert_eq!(
            streams[0].entries,
            [
                entry(1_570_818_238_000_000_000, "fizz\nbuzz", &[]),
                entry(1_570_818_238_000_000_001, "x", &[("trace_id", "abc"), ("k", "multi\nline")]),
            ]
        );
        assert_eq!(streams[1].entries, []);
        assert_eq!(parse(b"{}").unwrap(), []);
        assert_eq!(parse(br#"{"streams":null} and more"#).unwrap(), []);
    }

    #[test]
    fn truncated_anywhere_is_refused() {
        for length in 0..PUSH.len() {
            assert_eq!(
                parse(&PUSH.as_bytes()[..length]).unwrap_err().reason(),
                "malformed",
                "cut at {length}"
            );
        }
    }

    #[test]
    fn wrong_types_are_refused() {
        for values in [
            r#"[[1570818238000000000,"line"]]"#,
            r#"[["15708182.5","line"]]"#,
            r#"[["99999999999999999999","line"]]"#,
            r#"[["1570818238000000000",{"fizz":"buzz"}]]"#,
            r#"[["1570818238000000000","line",{"k":1}]]"#,
            r#"[["1570818238000000000","line","k"]]"#,
            r#"{"a":1}"#,
            r#"["a"]"#,
        ] {
            let body = format!(r#"{{"streams":[{{"stream":{{"a":"b"}},"values":{values}}}]}}"#);
            assert_eq!(parse(body.as_bytes()).unwrap_err().reason(), "malformed", "{values}");
        }
        let refused = parse(br#"{"streams":[{"stream":{"a b":"c"},"values":[]}]}"#).unwrap_err();
        assert_eq!(
            refused.to_string(),
            r#"couldn't parse labels: 1:4: parse error: unexpected identifier "b" in label set, expected "=""#
        );
    }

    #[test]
    fn reads_the_version_before() {
        let body = r#"{"streams":[{"labels":"{foo=\"bar\"}","entries":[
            {"ts":"2019-10-11T18:23:58.000000001Z","line":"a"},
            {"ts":"2019-10-11T20:23:58+02:00","line":"b","structuredMetadata":[{"name":"k","value":"v"}]}]}]}"#;
        let streams = parse_legacy(body.as_bytes()).unwrap();
        assert_eq!(streams[0].labels.to_string(), r#"{foo="bar"}"#);
        assert_eq!(streams[0].entries[0].time_ns, 1_570_818_238_000_000_001);
        assert_eq!(streams[0].entries[1].time_ns, 1_570_818_238_000_000_000);
        assert_eq!(streams[0].entries[1].metadata, [("k".to_owned(), "v".to_owned())]);
        let odd = r#"{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"yesterday","line":"a"}]}]}"#;
        assert!(
            parse_legacy(odd.as_bytes()).unwrap_err().to_string().starts_with("parsing time \"yesterday\": ")
        );
    }

    #[test]
    fn times_that_do_not_fit_are_the_nearest_that_do() {
        let body = r#"{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"9000-01-01T00:00:00Z","line":"a"},{"line":"b"}]}]}"#;
        let streams = parse_legacy(body.as_bytes()).unwrap();
        assert_eq!(streams[0].entries[0].time_ns, i64::MAX);
        assert_eq!(streams[0].entries[1].time_ns, i64::MIN);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = parse(text.as_bytes());
            let _ = parse_legacy(text.as_bytes());
        }
    }
}
