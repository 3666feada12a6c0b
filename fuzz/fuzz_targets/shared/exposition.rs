//! A body of any bytes in one of the formats: it ends, and a series that is expected is read as any other.

use exposition::protocol::MediaType;
use exposition::{Event, Options, Parser, RawExemplar};

/// What reading gives of one sample.
#[derive(Debug, PartialEq)]
struct Read {
    key: Vec<u8>,
    labels: Result<Vec<(String, String)>, String>,
    value: u64,
    time_ms: Option<i64>,
    start_ms: i64,
    histogram: Option<String>,
    exemplars: Vec<String>,
}

/// Reads it twice by the options in its first byte: without knowing what comes, and expecting what came the first time.
pub fn read(bytes: &[u8], format: MediaType) {
    let Some((bits, body)) = bytes.split_first() else { return };
    let options = Options {
        ignore_native_histograms: bits & 1 != 0,
        convert_classic_to_nhcb: bits & 2 != 0,
        keep_classic: bits & 4 != 0,
        skip_created: bits & 8 != 0,
        start_timestamps: bits & 16 != 0,
        ..Options::default()
    };
    let (first, error) = drain(body, format, options, &[]);
    let (second, same_error) = drain(body, format, options, &first);
    assert_eq!(first, second);
    assert_eq!(error, same_error);
}

fn drain(
    body: &[u8],
    format: MediaType,
    options: Options,
    expected: &[Read],
) -> (Vec<Read>, Option<exposition::Error>) {
    let mut parser = Parser::of(body, format, &options);
    let mut reads = Vec::<Read>::new();
    let mut events = 0;
    loop {
        events += 1;
        assert!(events <= 64 * (body.len() + 1), "more events than the body can have");
        let key = expected.get(reads.len()).map_or(&[][..], |read| &read.key);
        let is_histogram = match parser.next_expecting(key) {
            Ok(Some(Event::Float)) => false,
            Ok(Some(Event::Histogram)) => true,
            Ok(Some(Event::Help { text, .. })) => {
                _ = text.plain();
                continue;
            }
            Ok(Some(_)) => continue,
            Ok(None) => return (reads, None),
            Err(error) => {
                assert!(error.line <= body.len() + 1);
                return (reads, Some(error));
            }
        };
        let mut labels = Vec::new();
        let outcome = parser.labels(&mut labels).map_err(|error| error.message);
        let start_ms = parser.start_ms();
        let histogram = parser.histogram().map(|histogram| format!("{histogram:?}"));
        assert_eq!(is_histogram, histogram.is_some());
        let exemplars =
            std::iter::from_fn(|| parser.exemplar()).map(|exemplar: RawExemplar| format!("{exemplar:?}")).collect();
        let sample = parser.sample();
        reads.push(Read {
            key: sample.key.to_vec(),
            labels: outcome.map(|()| labels),
            value: sample.value.to_bits(),
            time_ms: sample.time_ms,
            start_ms,
            histogram,
            exemplars,
        });
    }
}
