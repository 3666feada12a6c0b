//! What a request will take of memory once it is decoded, estimated before it is.
//!
//! Two bytes of protobuf are an empty message, which decoded takes a hundred or more: 64 MiB of them would be gigabytes.
//! So a request is stepped through first, message by message and without keeping anything, and what its messages take
//! is added up. What is malformed ends the count; the decoder then says why.
//!
//! The figures are what the decoded forms were measured to take, rounded up.

use crate::names::Signal;

/// Estimates the decoded size of a request, in bytes. Stops counting past `limit`.
pub(crate) fn decoded_bytes(signal: Signal, request: &[u8], limit: usize) -> usize {
    let node = match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    };
    estimate(node, request, limit)
}

/// The most that [`decoded_bytes`] says of any trace request of a size: nothing costs more for its two bytes than a span.
pub(crate) fn most_trace_bytes(request_bytes: usize) -> usize {
    request_bytes.saturating_mul(SPAN.cost / 2)
}

/// The same for Loki's push in protobuf.
pub(crate) fn push_protobuf_bytes(request: &[u8], limit: usize) -> usize {
    estimate(&PUSH, request, limit)
}

/// The same for a remote write of either version: what is not of the one is not in the other.
pub(crate) fn remote_write_bytes(request: &[u8], limit: usize) -> usize {
    estimate(&REMOTE_WRITE, request, limit)
}

/// The same for Loki's push in JSON, where what costs begins with a bracket or stands behind a comma.
pub(crate) fn push_json_bytes(request: &[u8]) -> usize {
    let mut bytes = 0;
    let mut rest = request.iter();
    let mut in_text = false;
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' if in_text => _ = rest.next(),
            b'[' | b'{' if !in_text => bytes += 256,
            b',' if !in_text => bytes += 128,
            _ => {}
        }
    }
    bytes
}

fn estimate(node: &Node, request: &[u8], limit: usize) -> usize {
    let mut estimate = Estimate { bytes: 0, limit };
    estimate.message(node, request, 0);
    estimate.bytes
}

/// A message whose count matters.
struct Node {
    /// What one takes, in bytes.
    cost: usize,
    /// Fields that are such messages in turn.
    children: Children,
    /// Whether every record further down gets a copy of the attributes that stand here, as Loki's mapping has it.
    copies: Copies,
}

/// Numbers of fields with their messages; by a function, since messages hold themselves.
type Children = &'static [(u64, fn() -> &'static Node)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    None,
    /// The field whose bytes are copied, and that which holds what gets them.
    Into {
        source: u64,
        target: u64,
    },
}

const fn node(cost: usize, children: Children) -> Node {
    Node { cost, children, copies: Copies::None }
}

// The trace decoder keeps rows; what is in an attribute stays bytes.
static TRACES: Node = node(0, &[(1, || &RESOURCE_SPANS)]);
static RESOURCE_SPANS: Node = node(128, &[(1, || &SPAN_RESOURCE), (2, || &SCOPE_SPANS)]);
static SCOPE_SPANS: Node = node(128, &[(1, || &SPAN_SCOPE), (2, || &SPAN)]);
static SPAN_RESOURCE: Node = node(0, &[(1, || &ATTRIBUTE)]);
static SPAN_SCOPE: Node = node(0, &[(3, || &ATTRIBUTE)]);
static SPAN: Node = node(256, &[(9, || &ATTRIBUTE), (11, || &EVENT), (13, || &LINK)]);
static EVENT: Node = node(64, &[(3, || &ATTRIBUTE)]);
static LINK: Node = node(64, &[(4, || &ATTRIBUTE)]);
static ATTRIBUTE: Node = node(32, &[]);

static REMOTE_WRITE: Node = node(0, &[(1, || &WRITE_SERIES), (4, || &SYMBOL), (5, || &WRITE_SERIES_2)]);
static WRITE_SERIES: Node =
    node(160, &[(1, || &SYMBOL), (2, || &SAMPLE), (3, || &WRITE_EXEMPLAR), (4, || &WRITE_HISTOGRAM)]);
static WRITE_SERIES_2: Node =
    node(160, &[(1, || &SYMBOL), (2, || &SAMPLE), (3, || &WRITE_HISTOGRAM), (4, || &WRITE_EXEMPLAR)]);
static SYMBOL: Node = node(48, &[]);
static SAMPLE: Node = node(24, &[]);
static WRITE_EXEMPLAR: Node = node(128, &[]);
static WRITE_HISTOGRAM: Node = node(512, &[(8, || &SAMPLE), (11, || &SAMPLE)]);

static LOGS: Node = node(0, &[(1, || &RESOURCE_LOGS)]);
static RESOURCE_LOGS: Node = Node {
    cost: 256,
    children: &[(1, || &RESOURCE), (2, || &SCOPE_LOGS)],
    copies: Copies::Into { source: 1, target: 2 },
};
static SCOPE_LOGS: Node = Node {
    cost: 256,
    children: &[(1, || &SCOPE), (2, || &LOG_RECORD)],
    copies: Copies::Into { source: 1, target: 2 },
};
static LOG_RECORD: Node = node(640, &[(5, || &ANY_VALUE), (6, || &KEY_VALUE)]);

static METRICS: Node = node(0, &[(1, || &RESOURCE_METRICS)]);
static RESOURCE_METRICS: Node = node(256, &[(1, || &RESOURCE), (2, || &SCOPE_METRICS)]);
static SCOPE_METRICS: Node = node(256, &[(1, || &SCOPE), (2, || &METRIC)]);
static METRIC: Node = node(
    320,
    &[
        (5, || &NUMBERS),
        (7, || &NUMBERS),
        (9, || &HISTOGRAMS),
        (10, || &EXPONENTIALS),
        (11, || &SUMMARIES),
        (12, || &KEY_VALUE),
    ],
);
static NUMBERS: Node = node(64, &[(1, || &NUMBER)]);
static HISTOGRAMS: Node = node(64, &[(1, || &HISTOGRAM)]);
static EXPONENTIALS: Node = node(64, &[(1, || &EXPONENTIAL)]);
static SUMMARIES: Node = node(64, &[(1, || &SUMMARY)]);
static NUMBER: Node = node(320, &[(7, || &KEY_VALUE), (5, || &EXEMPLAR)]);
static HISTOGRAM: Node = node(512, &[(9, || &KEY_VALUE), (8, || &EXEMPLAR)]);
static EXPONENTIAL: Node = node(640, &[(1, || &KEY_VALUE), (11, || &EXEMPLAR)]);
static SUMMARY: Node = node(384, &[(7, || &KEY_VALUE), (6, || &QUANTILE)]);
static QUANTILE: Node = node(64, &[]);
static EXEMPLAR: Node = node(256, &[(7, || &KEY_VALUE)]);

static RESOURCE: Node = node(128, &[(1, || &KEY_VALUE)]);
static SCOPE: Node = node(128, &[(3, || &KEY_VALUE)]);
static KEY_VALUE: Node = node(160, &[(2, || &ANY_VALUE)]);
static ANY_VALUE: Node = node(64, &[(5, || &ARRAY), (6, || &MAP)]);
static ARRAY: Node = node(32, &[(1, || &ANY_VALUE)]);
static MAP: Node = node(32, &[(1, || &KEY_VALUE)]);

static PUSH: Node = node(0, &[(1, || &STREAM)]);
static STREAM: Node = node(512, &[(2, || &ENTRY)]);
static ENTRY: Node = node(512, &[(3, || &PAIR)]);
static PAIR: Node = node(128, &[]);

/// As deep as the decoders go.
const MAX_DEPTH: usize = 100;

const LENGTH: u64 = 2;

struct Estimate {
    bytes: usize,
    limit: usize,
}

impl Estimate {
    fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn message(&mut self, node: &Node, message: &[u8], depth: usize) {
        self.add(node.cost);
        if node.children.is_empty() || depth > MAX_DEPTH {
            return;
        }
        let mut copied = 0;
        let mut fields = Fields(message);
        while let Some((number, bytes)) = fields.next_nested() {
            if self.bytes > self.limit {
                return;
            }
            let Some((_, child)) = node.children.iter().find(|(known, _)| *known == number) else { continue };
            let before = self.bytes;
            self.message(child(), bytes, depth + 1);
            if let Copies::Into { source, target } = node.copies {
                if number == source {
                    // As text, with what its pairs take.
                    copied += bytes.len() + (self.bytes - before);
                } else if number == target {
                    self.add(copied.saturating_mul(records(child(), bytes)));
                }
            }
        }
    }
}

/// How many log records a part of a request holds: itself, or the records of a scope.
fn records(node: &Node, bytes: &[u8]) -> usize {
    let Copies::Into { target, .. } = node.copies else { return 1 };
    let mut fields = Fields(bytes);
    let mut count = 0;
    while let Some((number, _)) = fields.next_nested() {
        count += usize::from(number == target);
    }
    count
}

/// Steps through the fields of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field that is bytes, a text or a message: its number and its content. `None` at the end, and where the
    /// message is malformed.
    #[inline]
    fn next_nested(&mut self) -> Option<(u64, &'a [u8])> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let key = self.varint()?;
            let skipped = match key & 7 {
                0 => {
                    self.varint()?;
                    continue;
                }
                1 => 8,
                LENGTH => {
                    let length = usize::try_from(self.varint()?).ok()?;
                    let (bytes, rest) = self.0.split_at_checked(length)?;
                    self.0 = rest;
                    return Some((key >> 3, bytes));
                }
                5 => 4,
                // Groups are not used by OTLP; what they hold is not kept.
                _ => return None,
            };
            self.0 = self.0.get(skipped..)?;
        }
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        if *first < 0x80 {
            self.0 = rest;
            return Some(u64::from(*first));
        }
        let mut value = 0;
        for (index, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut message = vec![number << 3 | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut message);
        message.extend_from_slice(bytes);
        message
    }

    fn estimate(signal: Signal, request: &[u8]) -> usize {
        decoded_bytes(signal, request, usize::MAX)
    }

    #[test]
    fn pushes_are_counted() {
        let entries = nested(1, &[0x12, 0].repeat(10));
        assert_eq!(push_protobuf_bytes(&entries, usize::MAX), 512 + 10 * 512);
        let text = br#"{"streams":[{"stream":{"a":"[{,\\\"[\\"},"values":[[],[]]}]}"#;
        assert_eq!(push_json_bytes(text), 7 * 256 + 2 * 128);
    }

    #[test]
    fn empty_messages_are_counted_at_every_level() {
        let many = 1000;
        let resources = [0x0a, 0].repeat(many);
        let most =
            |request: &[u8]| assert!(estimate(Signal::Traces, request) <= most_trace_bytes(request.len()));
        most(&resources);
        assert_eq!(estimate(Signal::Traces, &resources), many * 128);
        assert_eq!(estimate(Signal::Logs, &resources), many * 256);
        let spans = nested(1, &nested(2, &[0x12, 0].repeat(many)));
        assert_eq!(estimate(Signal::Traces, &spans), 256 + many * 256);
        most(&spans);
        let events = nested(1, &nested(2, &nested(2, &[0x5a, 0].repeat(many))));
        assert_eq!(estimate(Signal::Traces, &events), 512 + many * 64);
        let attributes = nested(1, &nested(2, &nested(2, &[0x4a, 0].repeat(many))));
        assert_eq!(estimate(Signal::Traces, &attributes), 512 + many * 32);
        let attributes = nested(1, &nested(2, &nested(2, &[0x32, 0].repeat(many))));
        assert_eq!(estimate(Signal::Logs, &attributes), 256 + 256 + 640 + many * 160);
        let points = nested(1, &nested(2, &nested(2, &nested(5, &[0x0a, 0].repeat(many)))));
        assert_eq!(estimate(Signal::Metrics, &points), 256 + 256 + 320 + 64 + many * 320);
    }

    #[test]
    fn what_every_record_gets_a_copy_of_is_counted_for_each() {
        let attributes = nested(1, &nested(1, &nested(1, &[b'x'; 1000])));
        let records = [0x12, 0].repeat(50);
        let request = nested(1, &[attributes, nested(2, &records)].concat());
        assert!(estimate(Signal::Logs, &request) > 50 * (1000 + 640));
    }

    #[test]
    fn counting_ends_at_the_limit_and_at_what_is_malformed() {
        let many = [0x0a, 0].repeat(1 << 20);
        assert!((1000..2000).contains(&decoded_bytes(Signal::Logs, &many, 1000)));
        for malformed in
            [&b"\x0a"[..], b"\x0a\x05x", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x0b"]
        {
            assert_eq!(estimate(Signal::Traces, malformed), 0);
        }
        let deep = (0..5000).fold(Vec::new(), |inner, _| nested(5, &nested(1, &inner)));
        let body = nested(1, &nested(2, &nested(2, &nested(5, &deep))));
        assert!(estimate(Signal::Logs, &body) < 100_000);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_counted(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            for signal in Signal::ALL {
                estimate(signal, &bytes);
            }
            assert!(estimate(Signal::Traces, &bytes) <= most_trace_bytes(bytes.len()));
        }
    }
}
