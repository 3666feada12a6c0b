//! Whatever bytes a target sends: read or refused, never a panic, never without end.

use exposition::protocol::MediaType;
use exposition::{Event, Options, Parser, check};
use proptest::prelude::*;

/// Reads a body to its end or its first error; gives how many events there were.
fn drain(body: &[u8], format: MediaType, options: Options) -> usize {
    let mut parser = Parser::of(body, format, &options);
    let mut key = Vec::new();
    let mut labels = Vec::new();
    let mut events = 0;
    while let Ok(Some(event)) = parser.next_expecting(&key) {
        events += 1;
        if matches!(event, Event::Float | Event::Histogram) {
            labels.clear();
            let _ = parser.labels(&mut labels);
            let _ = parser.histogram();
            parser.start_ms();
            while parser.exemplar().is_some() {}
            key = parser.sample().key.to_vec();
        }
    }
    events
}

/// Every combination of what a body may be read for.
fn all_options() -> impl Iterator<Item = Options> {
    (0..16_u8).map(|bits| Options {
        ignore_native_histograms: bits & 1 != 0,
        convert_classic_to_nhcb: bits & 2 != 0,
        keep_classic: bits & 4 != 0,
        skip_created: bits & 8 != 0,
        ..Options::default()
    })
}

fn read_all_ways(body: &[u8]) {
    for format in [MediaType::Text, MediaType::OpenMetrics, MediaType::Protobuf] {
        for options in all_options() {
            // A sample takes a byte of a body at least; one of a message may be given in several ways.
            assert!(drain(body, format, options) <= 64 * (body.len() + 1));
        }
    }
    let _ = check::openmetrics(body);
    let _ = check::text(body);
}

/// Pieces of which expositions are made, in no sensible order.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"# TYPE ",
        b"# HELP ",
        b"# UNIT ",
        b"# EOF\n",
        b"a_bucket",
        b"a_count",
        b"a_sum",
        b"a_created",
        b"a_total",
        b"a",
        b"{",
        b"}",
        b"le=\"",
        b"+Inf",
        b"\"",
        b"\\",
        b",",
        b"=",
        b" ",
        b"\n",
        b"1",
        b" 1\n",
        b"-1e400",
        b"NaN",
        b" # ",
        b" histogram\n",
        b" summary\n",
        b" counter\n",
        b"\0",
        b"\xff",
        b"\x0a\x01a\x18\x04",
        b"\x22\x04\x3a\x02\x08\x01",
    ];
    prop_oneof![
        8 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn pieces(parts in proptest::collection::vec(piece(), 0..40)) {
        read_all_ways(&parts.concat());
    }

    #[test]
    fn bytes(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_all_ways(&body);
    }
}
