//! A record of the log: the streams of one append, texts that repeat written once.
//!
//! ```text
//! record  = version:u8 (=1)  count:varint  stream*
//! stream  = count:varint (text text)*  count:varint entry*
//! entry   = time_ns:i64le  line:bytes  count:varint (text text)*
//! bytes   = length:varint  utf-8
//! text    = 0:varint bytes          the first time
//!         | number:varint           later: 1 is the text that was written first
//! ```
//!
//! Numbers are LEB128.

use std::borrow::Cow;

use foldhash::HashMapExt as _;
use model::Labels;

use crate::intake::{Entry, Stream};

const VERSION: u8 = 1;

/// Bytes that are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a record of log entries at byte {offset}: {reason}")]
pub(crate) struct DecodeError {
    offset: usize,
    reason: &'static str,
}

/// The bytes of a record.
pub(crate) fn encode(streams: &[Stream<'_>]) -> Vec<u8> {
    let lines: usize =
        streams.iter().flat_map(|stream| &stream.entries).map(|entry| entry.line.len() + 64).sum();
    let mut writer = Writer { bytes: Vec::with_capacity(lines + 256), known: foldhash::HashMap::new() };
    writer.bytes.push(VERSION);
    writer.number(streams.len());
    for stream in streams {
        writer.number(stream.labels.len());
        for (name, value) in stream.labels.iter() {
            writer.text(name);
            writer.text(value);
        }
        writer.number(stream.entries.len());
        for entry in &stream.entries {
            writer.bytes.extend_from_slice(&entry.time_ns.to_le_bytes());
            writer.raw(entry.line);
            writer.number(entry.metadata.len());
            for (name, value) in &entry.metadata {
                writer.text(name);
                writer.text(value);
            }
        }
    }
    writer.bytes
}

struct Writer<'a> {
    bytes: Vec<u8>,
    known: foldhash::HashMap<&'a str, usize>,
}

impl<'a> Writer<'a> {
    fn number(&mut self, number: usize) {
        let mut rest = number as u64;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    fn raw(&mut self, text: &str) {
        self.number(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, text: &'a str) {
        let next = self.known.len() + 1;
        let number = *self.known.entry(text).or_insert(next);
        if number == next {
            self.number(0);
            self.raw(text);
        } else {
            self.number(number);
        }
    }
}

/// Reads a record.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Stream<'_>>, DecodeError> {
    let mut reader = Reader { bytes, at: 0, known: Vec::new() };
    if reader.take(1)? != [VERSION] {
        return Err(reader.error("unknown version"));
    }
    let mut streams = Vec::new();
    for _ in 0..reader.number()? {
        let mut labels = Vec::new();
        for _ in 0..reader.number()? {
            labels.push((reader.text()?.to_owned(), reader.text()?.to_owned()));
        }
        let mut entries = Vec::new();
        for _ in 0..reader.number()? {
            let time = reader.take(8)?.first_chunk().copied().unwrap_or_default();
            let line = reader.raw()?;
            let mut metadata = Vec::new();
            for _ in 0..reader.number()? {
                metadata.push((Cow::Borrowed(reader.text()?), Cow::Borrowed(reader.text()?)));
            }
            entries.push(Entry { time_ns: i64::from_le_bytes(time), line, metadata });
        }
        streams.push(Stream { labels: Cow::Owned(Labels::new(labels)), entries });
    }
    if reader.at == bytes.len() { Ok(streams) } else { Err(reader.error("bytes behind the end")) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    known: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn error(&self, reason: &'static str) -> DecodeError {
        DecodeError { offset: self.at, reason }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let taken = self.bytes[self.at..].get(..count).ok_or_else(|| self.error("too short"))?;
        self.at += count;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(number).map_err(|_| self.error("number too large"));
            }
        }
        Err(self.error("number too large"))
    }

    fn raw(&mut self) -> Result<&'a str, DecodeError> {
        let length = self.number()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.error("text is not UTF-8"))
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        match self.number()? {
            0 => {
                let text = self.raw()?;
                self.known.push(text);
                Ok(text)
            }
            number => self.known.get(number - 1).copied().ok_or_else(|| self.error("no such text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Plain = (i64, String, Vec<(String, String)>);

    fn entries() -> impl Strategy<Value = Vec<Plain>> {
        prop::collection::vec(
            (any::<i64>(), ".{0,40}", prop::collection::vec(("[a-c]{1,2}", ".{0,5}"), 0..4)),
            0..6,
        )
    }

    proptest! {
        #[test]
        fn records_round_trip(streams in prop::collection::vec((prop::collection::btree_map("[a-z]{1,3}", "[a-z]{1,3}", 0..3), entries()), 0..4)) {
            let streams: Vec<_> = streams;
            let built: Vec<Stream<'_>> = streams
                .iter()
                .map(|(labels, entries)| Stream {
                    labels: Cow::Owned(labels.clone().into_iter().collect()),
                    entries: entries
                        .iter()
                        .map(|(time_ns, line, metadata)| Entry {
                            time_ns: *time_ns,
                            line,
                            metadata: metadata
                                .iter()
                                .map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_str())))
                                .collect(),
                        })
                        .collect(),
                })
                .collect();
            let bytes = encode(&built);
            prop_assert_eq!(decode(&bytes).unwrap(), built);
            for cut in 0..bytes.len() {
                prop_assert!(decode(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut versioned = vec![VERSION];
            versioned.extend(&bytes);
            let _ = decode(&versioned);
            let _ = decode(&bytes);
        }
    }
}
