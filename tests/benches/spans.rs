//! What it costs to make metrics of a span, beside decoding it. Prints; asserts nothing.
//!
//! `cargo bench -p tests --bench spans`

#![expect(clippy::print_stdout, reason = "it is here to print")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use generator::{Config, Generator};
use model::ManualClock;
use receiver::SpanObserver;
use tests::load::{BATCH_SPANS, SpanLoad};

const ROUNDS: usize = 15;
const BATCHES: u64 = 400;

fn main() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::at_ns(1_800_000_000_000_000_000));
    let store = tsdb::Config::new(dir.path().join("wal"), dir.path().join("blocks"));
    let store = Arc::new(tsdb::Tsdb::open(store, clock.clone()).expect("a store"));
    let registry = prometheus::Registry::new();
    let translation = otlp::metrics::Config::default();
    let generator =
        Generator::new(Config::default(), translation, store, clock.clone(), &registry).expect("a generator");
    let load = SpanLoad::new(1, BATCH_SPANS);
    let requests: Vec<_> =
        (0..BATCHES).map(|number| load.batch(number, 1_800_000_000_000_000_000).bytes).collect();
    let limits = otlp::traces::Limits::default();
    let (mut decoded, mut observed) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (mut decoding, mut observing) = (Duration::ZERO, Duration::ZERO);
        for request in &requests {
            let began = Instant::now();
            let (batch, _) = otlp::traces::decode(request, &limits).expect("a request");
            let then = Instant::now();
            generator.observe(&batch);
            decoding += then - began;
            observing += then.elapsed();
        }
        // As time goes on.
        clock.set_ns((1_800_000_000 + 15 * round as u64) * 1_000_000_000);
        generator.expire();
        generator.flush();
        decoded.push(decoding);
        observed.push(observing);
    }
    let spans = BATCHES as f64 * BATCH_SPANS as f64;
    for (what, mut times) in [("decode", decoded), ("observe", observed)] {
        times.sort();
        println!("{what}: {:.0} ns a span (median of {ROUNDS})", times[ROUNDS / 2].as_nanos() as f64 / spans);
    }
}
