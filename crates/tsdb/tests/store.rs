//! The store as its users see it: what is taken, what is refused, what a query finds, what a restart finds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::sample::STALE_NAN_BITS;
use model::{
    Batch, DataPoint, Exemplar, Family, Histogram, Labels, ManualClock, MatchOp, Matcher, Metadata,
    MetricType, SampleValue, SeriesSample, Temporality,
};
use promql::storage::{MsRange, Needed, PointValue, Series, Storage};
use proptest::prelude::*;
use tempfile::TempDir;
use tsdb::{Appended, Config, Error, FloatSample, FloatSeries, Tsdb};

/// The clock of the tests, in milliseconds.
const NOW: i64 = 1_800_000_000_000;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at_ns(NOW as u64 * 1_000_000))
}

/// The log in the folder itself, the blocks in one within.
fn config(dir: &TempDir) -> Config {
    Config::new(dir.path(), dir.path().join("blocks"))
}

fn open(dir: &TempDir) -> Tsdb {
    Tsdb::open(config(dir), clock()).unwrap()
}

fn labels(name: &str, job: &str) -> Labels {
    [("__name__", name), ("job", job)].into_iter().collect()
}

fn point(labels: Labels, time_ms: i64, value: SampleValue) -> DataPoint {
    DataPoint {
        family: 0,
        temporality: Temporality::Cumulative,
        start_ms: 0,
        time_ms,
        samples: vec![SeriesSample { labels, value, exemplars: Vec::new() }],
        derived: false,
    }
}

fn float(name: &str, job: &str, time_ms: i64, value: f64) -> DataPoint {
    point(labels(name, job), time_ms, SampleValue::Float(value))
}

fn delta(name: &str, start_ms: i64, time_ms: i64, value: f64) -> DataPoint {
    DataPoint { temporality: Temporality::Delta, start_ms, ..float(name, "a", time_ms, value) }
}

fn batch(points: Vec<DataPoint>) -> Batch {
    let metadata =
        Metadata { kind: MetricType::Counter, help: "helps".to_owned(), unit: "seconds".to_owned() };
    Batch { families: vec![Family { name: "family".to_owned(), metadata }], points, warnings: Vec::new() }
}

fn append(store: &Tsdb, points: Vec<DataPoint>) -> Appended {
    store.append(&batch(points)).unwrap()
}

fn reasons(appended: &Appended) -> Vec<(&'static str, u64)> {
    appended.rejected.by_reason.clone()
}

/// Every float of the store: by labels, time and bits.
fn all(store: &Tsdb) -> BTreeMap<String, Vec<(i64, u64)>> {
    select(store, "__name__", MatchOp::Regex, ".+")
}

fn select(store: &Tsdb, name: &str, op: MatchOp, value: &str) -> BTreeMap<String, Vec<(i64, u64)>> {
    let matcher = Matcher::new(name, op, value).unwrap();
    let found = store.select(&[matcher], MsRange::ALL).unwrap();
    found
        .iter()
        .map(|series| {
            let points = series.points().map(|point| match point.value {
                PointValue::Float(value) => (point.time_ms, value.to_bits()),
                PointValue::Histogram(histogram) => (point.time_ms, histogram.count.to_bits()),
            });
            (series.labels().to_string(), points.collect())
        })
        .collect()
}

fn values(store: &Tsdb, name: &str) -> Vec<f64> {
    let found = select(store, "__name__", MatchOp::Equal, name);
    found.into_values().flatten().map(|(_, bits)| f64::from_bits(bits)).collect()
}

/// The newest sample of each series in a range, as a query at one time gets it.
fn newest(store: &Tsdb, end_ms: i64) -> Vec<(String, i64, u64)> {
    let any = Matcher::new("__name__", MatchOp::Regex, ".+").unwrap();
    let range = MsRange { start_ms: NOW - 10_000, end_ms };
    let found = store.select_needed(&[any], range, Needed::Newest).unwrap();
    let last = |series: &tsdb::SelectedSeries| match series.points().last().unwrap() {
        point if point.time_ms < range.start_ms || point.time_ms > end_ms => panic!("{point:?}"),
        point => match point.value {
            PointValue::Float(value) => {
                (series.labels().get("job").to_owned(), point.time_ms, value.to_bits())
            }
            PointValue::Histogram(histogram) => {
                (series.labels().get("job").to_owned(), point.time_ms, histogram.count.to_bits())
            }
        },
    };
    found.iter().map(last).collect()
}

#[test]
fn the_newest_samples_are_those_until_a_time() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let histogram = Histogram { schema: 2, count: 3.0, sum: 1.5, ..Histogram::default() };
    append(
        &store,
        vec![
            float("up", "late", NOW - 20_000, 1.0),
            float("up", "b", NOW - 5000, 2.0),
            float("up", "a", NOW - 4000, 3.0),
            float("up", "b", NOW, 4.0),
            point(labels("latency", "h"), NOW - 1000, SampleValue::Histogram(Arc::new(histogram))),
        ],
    );
    let bits = f64::to_bits;
    let expected = |newest_of_b: (i64, f64)| {
        let (time_ms, value) = newest_of_b;
        let b = ("b".to_owned(), time_ms, bits(value));
        let a = ("a".to_owned(), NOW - 4000, bits(3.0));
        [b, a, ("h".to_owned(), NOW - 1000, bits(3.0))]
    };
    // In the order in which the series came.
    assert_eq!(newest(&store, NOW), expected((NOW, 4.0)));
    assert_eq!(newest(&store, NOW - 1), expected((NOW - 5000, 2.0)));
    let b = Matcher::new("job", MatchOp::Equal, "b").unwrap();
    store.delete_series(&[vec![b]], MsRange { start_ms: NOW, end_ms: NOW }).unwrap();
    assert_eq!(newest(&store, NOW), expected((NOW - 5000, 2.0)), "what was deleted is no newest one");
}

#[test]
fn what_was_appended_is_found_at_once_and_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let stale = f64::from_bits(STALE_NAN_BITS);
    let histogram = Histogram { schema: 2, count: 3.0, sum: 1.5, ..Histogram::default() };
    let appended = append(
        &store,
        vec![
            float("up", "b", NOW, 1.0),
            float("up", "a", NOW - 1, -0.0),
            float("up", "a", NOW, stale),
            point(labels("latency", "a"), NOW, SampleValue::Histogram(Arc::new(histogram))),
        ],
    );
    assert_eq!((appended.samples, appended.points, appended.rejected.count), (4, 4, 0));
    let before = all(&store);
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        [r#"{__name__="latency", job="a"}"#, r#"{__name__="up", job="a"}"#, r#"{__name__="up", job="b"}"#]
    );
    assert_eq!(
        before[r#"{__name__="up", job="a"}"#],
        [(NOW - 1, (-0.0_f64).to_bits()), (NOW, STALE_NAN_BITS)]
    );
    let stats = store.stats();
    assert_eq!((stats.head_items, stats.series, stats.min_time_ms, stats.max_time_ms), (4, 3, NOW - 1, NOW));
    // Not shut down: as after kill -9, the log is all there is.
    drop(store);
    let again = open(&dir);
    assert_eq!(all(&again), before);
    assert_eq!(again.metadata(None).keys().collect::<Vec<_>>(), ["family"]);
    assert_eq!(again.metadata(Some("family"))["family"][0].help, "helps");
}

#[test]
fn the_rules_of_prometheus_for_times() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    append(&store, vec![float("up", "a", NOW, 1.0)]);
    let refused = |points| reasons(&append(&store, points));
    assert_eq!(refused(vec![float("up", "a", NOW, 1.0)]), [], "the same again is no error");
    assert_eq!(refused(vec![float("up", "a", NOW, 2.0)]), [("duplicate", 1)]);
    assert_eq!(refused(vec![float("up", "a", NOW - 600_000, 2.0)]), [], "within the window");
    assert_eq!(refused(vec![float("up", "a", NOW - 600_000, 2.0)]), [], "the same within the window");
    assert_eq!(refused(vec![float("up", "a", NOW - 600_000, 3.0)]), [("duplicate", 1)]);
    assert_eq!(refused(vec![float("up", "a", NOW - 600_001, 3.0)]), [("too_old", 1)]);
    assert_eq!(refused(vec![float("up", "new", NOW - 3_600_000, 3.0)]), [], "the newest of its series");
    assert_eq!(refused(vec![float("up", "old", NOW - 3_600_001, 3.0)]), [("too_old", 1)]);
    assert_eq!(refused(vec![float("up", "a", NOW + 600_001, 3.0)]), [("out_of_bounds", 1)]);
    let appended = append(&store, vec![float("up", "a", NOW, 2.0)]);
    assert_eq!(
        appended.rejected.message,
        format!("metric \"family\" at {NOW} ms: duplicate sample for timestamp")
    );
    assert_eq!(
        select(&store, "job", MatchOp::Equal, "a").into_values().next().unwrap(),
        [(NOW - 600_000, 2.0_f64.to_bits()), (NOW, 1.0_f64.to_bits())]
    );
    assert_eq!(store.stats().series, 2, "what is refused leaves no series");
}

#[test]
fn a_point_is_taken_or_refused_as_a_whole() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    append(&store, vec![float("b", "a", NOW, 1.0)]);
    let sample = |name: &str, value| SeriesSample {
        labels: labels(name, "a"),
        value: SampleValue::Float(value),
        exemplars: Vec::new(),
    };
    let mut histogram = float("a", "a", NOW, 5.0);
    histogram.samples.push(sample("b", 2.0));
    let derived = DataPoint { derived: true, ..float("b", "a", NOW, 9.0) };
    let appended = append(&store, vec![histogram.clone(), derived, float("c", "a", NOW, 1.0)]);
    assert_eq!((appended.points, appended.samples, reasons(&appended)), (1, 1, vec![("duplicate", 1)]));
    assert_eq!(values(&store, "a"), [0.0; 0]);
    assert_eq!(values(&store, "c"), [1.0]);
    histogram.samples[1] = sample("a", 6.0);
    assert_eq!(reasons(&append(&store, vec![histogram])), [("duplicate", 1)], "one series twice in a point");
    assert_eq!(store.stats().series, 2);
}

#[test]
fn times_that_come_twice_in_one_batch_are_seen() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let appended = append(
        &store,
        vec![
            float("up", "a", NOW, 1.0),
            float("up", "a", NOW - 5, 2.0),
            float("up", "a", NOW - 5, 3.0),
            float("up", "a", NOW, 1.0),
            float("up", "a", NOW, 4.0),
        ],
    );
    assert_eq!((appended.points, appended.samples, reasons(&appended)), (3, 2, vec![("duplicate", 2)]));
    assert_eq!(values(&store, "up"), [2.0, 1.0]);
}

#[test]
fn deltas_become_cumulative_across_a_restart() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    append(&store, vec![delta("d", NOW - 30, NOW - 20, 3.0), delta("d", NOW - 20, NOW - 10, 4.0)]);
    assert_eq!(values(&store, "d"), [3.0, 7.0]);
    drop(store);
    let store = open(&dir);
    let refused = append(
        &store,
        vec![
            delta("d", NOW - 20, NOW - 10, 4.0),
            delta("d", NOW - 15, NOW, 9.0),
            delta("d", NOW - 30, NOW - 25, 9.0),
            delta("d", NOW - 10, NOW, 5.0),
        ],
    );
    assert_eq!(reasons(&refused), [("delta_out_of_order", 2), ("delta_overlap", 1)]);
    assert_eq!(values(&store, "d"), [3.0, 7.0, 12.0]);
    let matcher = Matcher::new("__name__", MatchOp::Equal, "d").unwrap();
    let selected = store.select(&[matcher], MsRange::ALL).unwrap();
    assert!(selected[0].points().all(|point| point.start_ms == NOW - 30), "the stream began once");
}

#[test]
fn a_delta_stream_that_ended_begins_at_zero() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let stale = f64::from_bits(STALE_NAN_BITS);
    append(
        &store,
        vec![
            delta("d", 1, NOW - 20, 3.0),
            delta("d", NOW - 20, NOW - 10, stale),
            delta("d", NOW - 15, NOW, 2.0),
        ],
    );
    let bits: Vec<u64> = values(&store, "d").iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, [3.0_f64.to_bits(), STALE_NAN_BITS, 2.0_f64.to_bits()]);
}

#[test]
fn a_delta_histogram_whose_buckets_change_begins_anew_as_a_whole() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let classic = |time_ms, bounds: &[&str]| DataPoint {
        samples: bounds
            .iter()
            .map(|bound| SeriesSample {
                labels: [("__name__", "h_bucket"), ("le", bound)].into_iter().collect(),
                value: SampleValue::Float(1.0),
                exemplars: Vec::new(),
            })
            .collect(),
        ..delta("h", 0, time_ms, 0.0)
    };
    append(&store, vec![classic(NOW - 20, &["1", "+Inf"]), classic(NOW - 10, &["1", "+Inf"])]);
    append(&store, vec![classic(NOW, &["1", "2", "+Inf"])]);
    let found = select(&store, "le", MatchOp::Equal, "+Inf");
    let last: Vec<f64> = found.into_values().flatten().map(|(_, bits)| f64::from_bits(bits)).collect();
    assert_eq!(last, [1.0, 2.0, 1.0]);
    let native = |time_ms, schema| {
        let (positive_spans, positive_buckets) = model::histogram::to_spans([(1, 1.0), (2, 1.0)]);
        let histogram = Histogram {
            schema,
            count: 2.0,
            sum: 3.0,
            positive_spans,
            positive_buckets,
            ..Histogram::default()
        };
        let value = SampleValue::Histogram(Arc::new(histogram));
        DataPoint { temporality: Temporality::Delta, ..point(labels("n", "a"), time_ms, value) }
    };
    append(&store, vec![native(NOW - 10, 1), native(NOW, 0)]);
    assert_eq!(values(&store, "n"), [2.0, 4.0], "counts");
}

#[test]
fn limits_refuse_clearly() {
    let dir = TempDir::new().unwrap();
    let config = Config { max_series: 2, ..config(&dir) };
    let store = Tsdb::open(config, clock()).unwrap();
    let appended = append(&store, (0..5).map(|job| float("up", &format!("{job}"), NOW, 1.0)).collect());
    assert_eq!((appended.points, reasons(&appended)), (2, vec![("series_limit", 3)]));
    assert!(appended.rejected.message.ends_with("the limit of 2 series is reached"));
    assert_eq!(append(&store, vec![float("up", "0", NOW + 1, 1.0)]).points, 1, "known series go on");
}

#[test]
fn a_store_that_is_nearly_full_seals_early_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let clock = clock();
    let config = Config { memory_bytes: 200_000, ..config(&dir) };
    let store = Tsdb::open(config, Arc::clone(&clock) as _).unwrap();
    // Values without a pattern, so that they take room.
    let noise = |step: i64| f64::from((step as u32).wrapping_mul(0x9e37_79b9)) + 0.1;
    let mut time_ms = NOW;
    let mut expected = BTreeMap::<String, Vec<(i64, u64)>>::new();
    for step in 0..2_000 {
        time_ms += 60_000;
        clock.set_ns(time_ms as u64 * 1_000_000);
        let points: Vec<DataPoint> =
            (0..20).map(|job| float("up", &format!("{job}"), time_ms, noise(step * 20 + job))).collect();
        for point in &points {
            let SampleValue::Float(value) = point.samples[0].value else { unreachable!() };
            let samples = expected.entry(point.samples[0].labels.to_string()).or_default();
            samples.push((time_ms, value.to_bits()));
        }
        match store.append(&batch(points.clone())) {
            Ok(appended) => assert_eq!(appended.points, 20),
            Err(Error::Full { limit: 200_000, .. }) => {
                store.maintain().unwrap();
                assert_eq!(append(&store, points).points, 20);
            }
            Err(error) => panic!("{error}"),
        }
    }
    let stats = store.stats();
    assert!(stats.head_bytes <= 200_000 && stats.min_time_ms > NOW && stats.blocks > 0, "{stats:?}");
    assert_eq!(all(&store), expected);
    // All of one moment: there is nothing old to seal.
    let fill = (0..10_000).map(|job| float("many", &format!("{job}"), time_ms, 1.0)).collect();
    append(&store, fill);
    store.maintain().unwrap();
    assert!(matches!(
        store.append(&batch(vec![float("up", "0", time_ms + 1, 1.0)])),
        Err(Error::Full { limit: 200_000, .. })
    ));
}

#[test]
fn old_samples_go_with_their_series_and_exemplars() {
    let dir = TempDir::new().unwrap();
    let clock = clock();
    let brief = || Config { retention_age: Duration::from_hours(1), ..config(&dir) };
    let store = Tsdb::open(brief(), Arc::clone(&clock) as _).unwrap();
    let mut with_exemplar = float("family", "a", NOW, 1.0);
    with_exemplar.samples[0].exemplars =
        vec![Exemplar { labels: [("trace_id", "t")].into_iter().collect(), value: 1.0, time_ms: NOW }];
    assert_eq!(append(&store, vec![with_exemplar]).exemplars, 1);
    clock.set_ns((NOW + 3_700_000) as u64 * 1_000_000);
    append(&store, vec![float("down", "b", NOW + 3_700_000, 1.0)]);
    assert_eq!(reasons(&append(&store, vec![float("up", "b", NOW, 1.0)])), [("too_old", 1)]);
    store.maintain().unwrap();
    let stats = store.stats();
    assert_eq!((stats.series, stats.head_items, stats.exemplars), (1, 1, 0));
    assert_eq!(store.label_values("job", &[], MsRange::ALL).unwrap(), ["b"]);
    assert!(store.metadata(None).is_empty(), "no series of the family is left");
    drop(store);
    let again = Tsdb::open(brief(), clock as _).unwrap();
    again.maintain().unwrap();
    assert_eq!(again.stats().series, 1);
}

#[test]
fn a_checkpoint_cuts_the_log_and_nothing_is_lost_or_doubled() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    for step in 0..300 {
        let mut one = float("up", "a", NOW - 300 + step, step as f64);
        one.start_ms = NOW - 1000 + step / 100;
        one.samples[0].exemplars =
            vec![Exemplar { labels: Labels::default(), value: step as f64, time_ms: NOW - 300 + step }];
        append(&store, vec![one, float("up", "b", NOW - 300 + step, 0.5)]);
    }
    store.checkpoint().unwrap();
    assert!(store.stats().wal.bytes < 200 && store.stats().checkpoint_bytes > 0, "{:?}", store.stats());
    append(&store, vec![float("up", "a", NOW + 1, 1.0), float("up", "c", NOW, 2.0)]);
    let before = (all(&store), store.stats().exemplars, store.stats().head_items, store.stats().chunks);
    for _ in 0..3 {
        drop(open(&dir));
    }
    let again = open(&dir);
    assert_eq!(
        (all(&again), again.stats().exemplars, again.stats().head_items, again.stats().chunks),
        before
    );
    let matcher = Matcher::new("job", MatchOp::Equal, "a").unwrap();
    let starts: Vec<i64> = again.select(std::slice::from_ref(&matcher), MsRange::ALL).unwrap()[0]
        .points()
        .map(|point| point.start_ms)
        .collect();
    assert_eq!((starts[0], starts[299], starts[300]), (NOW - 1000, NOW - 998, 0));
    assert_eq!(again.exemplars(&[vec![matcher]], MsRange::ALL)[0].1.len(), 300);
    // A new series gets a number of its own, and a second checkpoint replaces the first.
    append(&again, vec![float("up", "d", NOW, 3.0)]);
    again.checkpoint().unwrap();
    let before = all(&again);
    drop(again);
    assert_eq!(all(&open(&dir)), before);
}

#[test]
fn a_crash_at_any_point_of_a_checkpoint_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    append(&store, vec![float("up", "a", NOW - 2, 1.0), float("up", "b", NOW - 2, 1.0)]);
    drop(store);
    let before_checkpoint = copy(&dir);
    let store = open(&dir);
    store.checkpoint().unwrap();
    append(&store, vec![float("up", "a", NOW - 1, 2.0)]);
    let expected = all(&store);
    drop(store);
    // After the rename, before the removal of the segments.
    for entry in std::fs::read_dir(before_checkpoint.path()).unwrap() {
        let entry = entry.unwrap();
        let target = dir.path().join(entry.file_name());
        if !target.exists() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
    let store = open(&dir);
    assert_eq!(all(&store), expected);
    drop(store);
    // While the file is written: the unfinished one is ignored.
    std::fs::write(dir.path().join("head.checkpoint.tmp"), b"half").unwrap();
    assert_eq!(all(&open(&dir)), expected);
    // The covered segments and all others removed by hand: what the checkpoint has is there, and what comes is kept.
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wal") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let store = open(&dir);
    append(&store, vec![float("up", "b", NOW, 7.0)]);
    let expected = all(&store);
    drop(store);
    assert_eq!(all(&open(&dir)), expected);
    assert_eq!(expected.values().map(Vec::len).sum::<usize>(), 3);
}

#[test]
fn a_damaged_checkpoint_is_reported_and_the_rest_is_read() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    append(&store, (0..50).map(|job| float("up", &format!("{job}"), NOW, 1.0)).collect());
    store.checkpoint().unwrap();
    drop(store);
    let path = dir.path().join("head.checkpoint");
    let whole = std::fs::read(&path).unwrap();
    for position in (40..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x55;
        std::fs::write(&path, &bytes).unwrap();
        assert!(open(&dir).stats().series <= 50);
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let series = open(&dir).stats().series;
    assert!((10..50).contains(&series), "{series}");
    std::fs::write(&path, b"something else").unwrap();
    let refused = Tsdb::open(config(&dir), clock()).unwrap_err();
    assert!(refused.to_string().ends_with("is not a checkpoint of a known version"), "{refused}");
}

#[test]
fn the_log_stays_short_by_itself() {
    let dir = TempDir::new().unwrap();
    let store = Tsdb::open(Config { checkpoint_bytes: 20_000, ..config(&dir) }, clock()).unwrap();
    let mut time_ms = NOW - 500_000;
    for _ in 0..200 {
        time_ms += 1_000;
        append(&store, (0..20).map(|job| float("up", &format!("{job}"), time_ms, 1.0)).collect());
    }
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while store.stats().wal.bytes > 60_000 || store.stats().checkpoint_bytes == 0 {
        assert!(std::time::Instant::now() < deadline, "{:?}", store.stats());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_stopped_store_answers_queries_only() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    append(&store, vec![float("up", "a", NOW, 1.0)]);
    store.shutdown().unwrap();
    assert!(matches!(store.append(&batch(vec![float("up", "a", NOW + 1, 1.0)])), Err(Error::Stopped)));
    assert_eq!(values(&store, "up"), [1.0]);
    store.shutdown().unwrap();
}

fn metric(name: &str) -> Matcher {
    Matcher::new("__name__", MatchOp::Equal, name).unwrap()
}

#[test]
fn labels_and_series_within_a_range() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    append(&store, vec![float("old", "a", NOW - 500_000, 1.0), float("new", "b", NOW, 1.0)]);
    let recent = MsRange { start_ms: NOW - 1000, end_ms: NOW };
    let any_job = vec![Matcher::new("job", MatchOp::NotEqual, "").unwrap()];
    // Labels are told of the head as a whole, as Prometheus does; series are looked at one by one.
    let before = MsRange { start_ms: NOW - 700_000, end_ms: NOW - 600_000 };
    assert_eq!(store.label_values("__name__", &[], recent).unwrap(), ["new", "old"]);
    assert_eq!(store.label_values("job", &[vec![metric("old")]], recent).unwrap(), ["a"]);
    assert_eq!(store.label_values("__name__", &[], before).unwrap(), [""; 0]);
    assert_eq!(store.label_names(&[], recent).unwrap(), ["__name__", "job"]);
    assert_eq!(store.label_names(&[vec![metric("new")]], recent).unwrap(), ["__name__", "job"]);
    assert_eq!(store.label_names(&[], before).unwrap(), [""; 0]);
    assert_eq!(store.series(&[any_job.clone(), any_job], recent).unwrap(), [labels("new", "b")]);
    let stats = store.index_stats(1);
    assert_eq!(stats.label_pairs, 4);
    assert_eq!(stats.values_by_label, [("__name__".to_owned(), 2)]);
}

/// A store's folder as it is now.
fn copy(dir: &TempDir) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue;
        }
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// What happens to a store.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(u8, i64, u8)>),
    Checkpoint,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let sample = (0..6_u8, 0..900_000_i64, 0..3_u8);
    prop_oneof![
        6 => prop::collection::vec(sample, 1..40).prop_map(Step::Append),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_equals_a_naive_model(steps in prop::collection::vec(step(), 1..25)) {
        let dir = TempDir::new().unwrap();
        let mut store = Some(open(&dir));
        let mut naive: BTreeMap<u8, BTreeMap<i64, u64>> = BTreeMap::new();
        let mut newest_of_all = i64::MIN;
        for step in steps {
            let current = store.as_ref().unwrap();
            match step {
                Step::Append(samples) => {
                    let mut expected = Vec::new();
                    for (job, offset, value) in &samples {
                        let (time_ms, bits) = (NOW - offset, f64::from(*value).to_bits());
                        let series = naive.entry(*job).or_default();
                        let newest = series.last_key_value().is_none_or(|(last, _)| *last < time_ms);
                        let taken = match series.get(&time_ms) {
                            Some(known) => *known == bits,
                            None => newest || newest_of_all - time_ms <= 600_000,
                        };
                        if taken {
                            series.insert(time_ms, bits);
                            newest_of_all = newest_of_all.max(time_ms);
                        }
                        expected.push(taken);
                    }
                    let points = samples
                        .iter()
                        .map(|(job, offset, value)| float("up", &format!("{job}"), NOW - offset, f64::from(*value)))
                        .collect();
                    let appended = append(current, points);
                    prop_assert_eq!(appended.points, expected.iter().filter(|taken| **taken).count() as u64);
                    prop_assert_eq!(appended.points + appended.rejected.count, expected.len() as u64);
                }
                Step::Checkpoint => current.checkpoint().unwrap(),
                Step::Reopen => {
                    drop(store.take());
                    store = Some(open(&dir));
                }
            }
            let expected: BTreeMap<String, Vec<(i64, u64)>> = naive
                .iter()
                .filter(|(_, samples)| !samples.is_empty())
                .map(|(job, samples)| {
                    (labels("up", &format!("{job}")).to_string(), samples.iter().map(|it| (*it.0, *it.1)).collect())
                })
                .collect();
            prop_assert_eq!(all(store.as_ref().unwrap()), expected);
        }
    }

    #[test]
    fn a_log_that_is_cut_anywhere_gives_a_prefix(cut in 0..2_000_usize) {
        let dir = TempDir::new().unwrap();
        let store = open(&dir);
        let mut states = vec![all(&store)];
        for step in 0..20 {
            append(&store, vec![
                float("up", &format!("{}", step % 3), NOW + step, 1.0),
                float("down", "x", NOW + step, 2.0),
            ]);
            states.push(all(&store));
        }
        drop(store);
        let segment = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "wal"))
            .unwrap();
        let bytes = std::fs::read(&segment).unwrap();
        std::fs::write(&segment, &bytes[..bytes.len().saturating_sub(cut % bytes.len())]).unwrap();
        let again = open(&dir);
        let found = all(&again);
        prop_assert!(states.contains(&found));
        // And it goes on.
        append(&again, vec![float("more", "x", NOW + 100, 3.0)]);
        let before = all(&again);
        drop(again);
        prop_assert_eq!(all(&open(&dir)), before);
    }
}

#[test]
fn floats_of_known_series_go_the_short_way() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    append(&store, vec![float("up", "a", NOW - 1000, 1.0), float("up", "b", NOW - 1000, 1.0)]);
    let sample = |time_ms, value| FloatSample { time_ms, start_ms: 5, value };
    let (a, b, c) = (
        [("__name__", "up"), ("job", "a")],
        [("__name__", "up"), ("job", "b")],
        [("__name__", "up"), ("job", "c")],
    );
    let two = [sample(NOW - 10, 2.0), sample(NOW, f64::from_bits(STALE_NAN_BITS))];
    let (old, same, ahead) =
        ([sample(NOW - 2000, 2.0)], [sample(NOW, 1.0); 2], [sample(NOW + 3_600_000, 2.0)]);
    let series = [
        FloatSeries { labels: &a, samples: &two },
        FloatSeries { labels: &a, samples: &two },
        FloatSeries { labels: &c, samples: &two },
        FloatSeries { labels: &b, samples: &old },
        FloatSeries { labels: &b, samples: &same },
        FloatSeries { labels: &b, samples: &ahead },
        FloatSeries { labels: &b, samples: &[] },
        FloatSeries { labels: &b, samples: &two[..1] },
    ];
    let appended = store.append_floats(&series).unwrap();
    assert_eq!((appended.samples, appended.left), (3, vec![1, 2, 3, 4, 5]));
    let expected = [
        vec![(NOW - 1000, 1.0_f64.to_bits()), (NOW - 10, 2.0_f64.to_bits()), (NOW, STALE_NAN_BITS)],
        vec![(NOW - 1000, 1.0_f64.to_bits()), (NOW - 10, 2.0_f64.to_bits())],
    ];
    assert_eq!(all(&store).into_values().collect::<Vec<_>>(), expected);
    drop(store);
    let again = open(&dir);
    assert_eq!(all(&again).into_values().collect::<Vec<_>>(), expected);
    assert_eq!(again.stats().max_time_ms, NOW);
    again.shutdown().unwrap();
    assert!(matches!(again.append_floats(&series), Err(Error::Stopped)));
}
