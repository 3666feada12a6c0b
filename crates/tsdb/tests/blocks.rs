//! Samples that went to blocks: found as before, whatever is compacted, deleted, interrupted or damaged meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{
    Batch, DataPoint, Family, Labels, ManualClock, MatchOp, Matcher, Metadata, SampleValue, SeriesSample,
    Temporality,
};
use promql::storage::{MsRange, PointValue, Series, Storage};
use proptest::prelude::*;
use tempfile::TempDir;
use tsdb::{Config, FloatSample, FloatSeries, Tsdb};

const HOUR_MS: i64 = 3_600_000;
/// A multiple of a day, so that blocks of every length begin here.
const START_MS: i64 = 20_000 * 24 * HOUR_MS;

type Samples = BTreeMap<u8, BTreeMap<i64, u64>>;

/// A store whose clock goes with its samples.
struct Store {
    dir: TempDir,
    clock: Arc<ManualClock>,
    open: Option<Tsdb>,
    change: fn(Config) -> Config,
}

impl Store {
    fn open(change: fn(Config) -> Config) -> Self {
        let clock = Arc::new(ManualClock::at_ns(START_MS as u64 * 1_000_000));
        let mut store = Self { dir: TempDir::new().unwrap(), clock, open: None, change };
        store.reopen();
        store
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn reopen(&mut self) {
        drop(self.open.take());
        let config = (self.change)(Config::new(self.path("wal"), self.path("blocks")));
        self.open = Some(Tsdb::open(config, Arc::clone(&self.clock) as _).unwrap());
    }

    fn get(&self) -> &Tsdb {
        self.open.as_ref().unwrap()
    }

    fn append(&self, samples: impl IntoIterator<Item = (u8, i64, f64)>) -> u64 {
        let point = |(series, time_ms, value)| DataPoint {
            family: 0,
            temporality: Temporality::Cumulative,
            start_ms: 0,
            time_ms,
            samples: vec![SeriesSample {
                labels: labels(series),
                value: SampleValue::Float(value),
                exemplars: Vec::new(),
            }],
            derived: false,
        };
        let points: Vec<DataPoint> = samples.into_iter().map(point).collect();
        let newest_ms = points.iter().map(|point| point.time_ms).max().unwrap_or(START_MS);
        let now_ns = newest_ms as u64 * 1_000_000;
        self.clock.set_ns(now_ns.max(model::Clock::now_ns(&*self.clock)));
        let families = vec![Family { name: "up".to_owned(), metadata: Metadata::default() }];
        self.get().append(&Batch { families, points, warnings: Vec::new() }).unwrap().points
    }

    fn all(&self) -> Samples {
        self.find(&[Matcher::new("__name__", MatchOp::Equal, "up").unwrap()])
    }

    fn find(&self, matchers: &[Matcher]) -> Samples {
        let found = self.get().select(matchers, MsRange::ALL).unwrap();
        found
            .iter()
            .map(|series| {
                let points = series.points().map(|point| match point.value {
                    PointValue::Float(value) => (point.time_ms, value.to_bits()),
                    PointValue::Histogram(_) => unreachable!(),
                });
                (series.labels().get("number").parse().unwrap(), points.collect())
            })
            .collect()
    }

    fn block_names(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("blocks")).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "wal" && name != "snapshots");
        names.sort();
        names
    }
}

fn labels(series: u8) -> Labels {
    [("__name__", "up"), ("number", &series.to_string())].into_iter().collect()
}

fn of_series(series: u8) -> Vec<Vec<Matcher>> {
    vec![vec![Matcher::new("number", MatchOp::Equal, series.to_string()).unwrap()]]
}

/// A sample a minute of each series for hours.
fn fill(store: &Store, hours: i64) -> Samples {
    let mut expected = Samples::new();
    for minute in 0..hours * 60 {
        let time_ms = START_MS + minute * 60_000;
        assert_eq!(store.append((0..5).map(|series| (series, time_ms, minute as f64))), 5);
        for series in 0..5 {
            expected.entry(series).or_default().insert(time_ms, (minute as f64).to_bits());
        }
        if minute % 60 == 0 {
            store.get().maintain().unwrap();
        }
    }
    store.get().maintain().unwrap();
    expected
}

#[test]
fn blocks_are_put_together_and_outlive_restarts() {
    let mut store = Store::open(|config| config);
    let expected = fill(&store, 40);
    let stats = store.get().stats();
    // Of two days: whole ranges of 18 and 6 hours, single blocks behind, and what is left in the head.
    assert!((4..=8).contains(&stats.blocks), "{stats:?}");
    assert_eq!(stats.block_items + stats.head_items, 5 * 40 * 60);
    assert!(stats.head_items < 5 * 4 * 60, "{stats:?}");
    assert_eq!(store.all(), expected);
    store.reopen();
    assert_eq!(store.all(), expected);
    assert_eq!(store.get().stats().blocks, stats.blocks);
    let range = MsRange { start_ms: START_MS, end_ms: START_MS + HOUR_MS };
    assert_eq!(store.get().label_values("number", &[], range).unwrap(), ["0", "1", "2", "3", "4"]);
    assert_eq!(store.get().label_names(&of_series(1), range).unwrap(), ["__name__", "number"]);
    assert_eq!(store.get().series(&of_series(3), range).unwrap(), [labels(3)]);
}

#[test]
fn retention_drops_whole_blocks_by_age_and_by_bytes() {
    let aged = Store::open(|config| Config { retention_age: Duration::from_hours(10), ..config });
    fill(&aged, 24);
    let oldest = *aged.all()[&0].first_key_value().unwrap().0;
    assert!((START_MS + 12 * HOUR_MS..=START_MS + 14 * HOUR_MS).contains(&oldest), "{}", oldest - START_MS);
    assert_eq!(aged.block_names().len() as u64, aged.get().stats().blocks);

    let small = Store::open(|config| Config { retention_bytes: 6_000, ..config });
    fill(&small, 24);
    let stats = small.get().stats();
    assert!(stats.block_bytes <= 6_000 && stats.blocks > 0, "{stats:?}");
    assert!(small.all()[&0].len() > 120);
}

#[test]
fn what_is_deleted_stays_deleted() {
    let mut store = Store::open(|config| config);
    let mut expected = fill(&store, 9);
    let range = MsRange { start_ms: START_MS + HOUR_MS, end_ms: START_MS + 8 * HOUR_MS };
    store.get().delete_series(&of_series(1), range).unwrap();
    store.get().delete_series(&of_series(2), MsRange::ALL).unwrap();
    expected.get_mut(&1).unwrap().retain(|time_ms, _| !range.contains(*time_ms));
    expected.remove(&2);
    assert_eq!(store.all(), expected);
    assert!(store.find(&of_series(2)[0]).is_empty());
    assert!(store.get().series(&of_series(2), MsRange::ALL).unwrap().is_empty());
    store.reopen();
    assert_eq!(store.all(), expected);
    let before = store.get().stats();
    store.get().clean_tombstones().unwrap();
    assert_eq!(store.all(), expected);
    let after = store.get().stats();
    assert!(after.block_items < before.block_items, "{before:?} {after:?}");
    store.reopen();
    assert_eq!(store.all(), expected);
    // It may be written anew.
    let time_ms = START_MS + 9 * HOUR_MS;
    assert_eq!(store.append([(2, time_ms, 1.0)]), 1);
    assert_eq!(store.all()[&2], BTreeMap::from([(time_ms, 1.0_f64.to_bits())]));
}

#[test]
fn leftovers_of_a_crash_are_tidied_up_and_damage_is_set_aside() {
    let mut store = Store::open(|config| config);
    let expected = fill(&store, 9);
    let names = store.block_names();
    let unfinished = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for end in [".tmp-for-creation", ".tmp-for-deletion"] {
        fs::create_dir(store.path("blocks").join(format!("{unfinished}{end}"))).unwrap();
    }
    fs::create_dir(store.path("blocks").join(unfinished)).unwrap();
    fs::write(store.path("blocks").join(unfinished).join("meta.json"), "{").unwrap();
    fs::write(store.path("blocks/something else"), "").unwrap();
    store.reopen();
    assert_eq!(store.all(), expected);
    let mut left = names.clone();
    left.extend([format!("damaged-{unfinished}"), "something else".to_owned()]);
    assert_eq!(store.block_names(), left);
}

#[test]
fn a_crash_between_block_and_checkpoint_doubles_nothing() {
    let mut store = Store::open(|config| Config { checkpoint_bytes: u64::MAX, ..config });
    let mut expected = Samples::new();
    for minute in 0..400 {
        let time_ms = START_MS + minute * 60_000;
        store.append([(1, time_ms, minute as f64)]);
        expected.entry(1).or_default().insert(time_ms, (minute as f64).to_bits());
    }
    let before = TempDir::new().unwrap();
    copy(&store.path("wal"), &before.path().join("wal"));
    store.get().maintain().unwrap();
    assert!(store.get().stats().blocks > 0);
    // The log is as it was before the blocks were written.
    drop(store.open.take());
    fs::remove_dir_all(store.path("wal")).unwrap();
    copy(&before.path().join("wal"), &store.path("wal"));
    store.reopen();
    assert_eq!(store.all(), expected);
    store.get().maintain().unwrap();
    assert_eq!(store.all(), expected);
    let stats = store.get().stats();
    assert_eq!(stats.block_items + stats.head_items, 400, "{stats:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_copy_is_a_store_of_its_own() {
    let store = Store::open(|config| config);
    let expected = fill(&store, 9);
    let open = |name: &str| {
        let copy = store.path("blocks/snapshots").join(name);
        let clock = Arc::clone(&store.clock);
        let open = Tsdb::open(Config::new(store.path(name), copy), clock as _).unwrap();
        let clock = Arc::clone(&store.clock);
        Store { dir: TempDir::new().unwrap(), clock, open: Some(open), change: |config| config }
    };
    store.get().snapshot("whole", true).unwrap();
    store.get().snapshot("blocks", false).unwrap();
    // What is deleted later is still in the copies.
    store.get().delete_series(&of_series(1), MsRange::ALL).unwrap();
    store.get().clean_tombstones().unwrap();
    assert_eq!(open("whole").all(), expected);
    let head_ms = store.get().stats().min_time_ms;
    let mut older = expected;
    for samples in older.values_mut() {
        samples.retain(|time_ms, _| *time_ms < head_ms);
    }
    assert_eq!(open("blocks").all(), older);
    assert!(store.get().snapshot("whole", true).is_err(), "a name is used once");
}

#[test]
fn start_times_go_with_their_samples() {
    let mut store = Store::open(|config| config);
    let labels = [("__name__", "up"), ("number", "1")];
    store.append([(1, START_MS, 0.0)]);
    let hours = 1..40;
    for hour in hours.clone() {
        let time_ms = START_MS + hour * HOUR_MS;
        store.clock.set_ns(time_ms as u64 * 1_000_000);
        // A counter that begins anew every third hour.
        let sample =
            FloatSample { time_ms, start_ms: START_MS + hour / 3 * 3 * HOUR_MS - 1, value: hour as f64 };
        let series = FloatSeries { labels: &labels, samples: &[sample] };
        assert_eq!(store.get().append_floats(&[series]).unwrap().samples, 1);
        store.get().maintain().unwrap();
    }
    for _ in 0..2 {
        assert!(store.get().stats().blocks > 2);
        let found = store.get().select(&of_series(1)[0], MsRange::ALL).unwrap();
        let starts: Vec<i64> = found[0].points().skip(1).map(|point| point.start_ms - START_MS).collect();
        let expected: Vec<i64> = hours.clone().map(|hour| hour / 3 * 3 * HOUR_MS - 1).collect();
        assert_eq!(starts, expected);
        assert_eq!(found[0].points().next().map(|point| point.start_ms), Some(0));
        store.reopen();
    }
    let metas = store.get().block_metas();
    assert!(metas.len() > 2 && metas[0].starts_with(r#"{"ulid":"01"#), "{metas:?}");
}

/// What happens to a store.
#[derive(Debug, Clone)]
enum Step {
    /// So far forward, and samples so far behind.
    Append(i64, Vec<(u8, i64, u8)>),
    Delete(u8, i64, i64),
    Maintain,
    Clean,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let samples = prop::collection::vec((0..4_u8, 0..600_000_i64, 0..3_u8), 1..60);
    prop_oneof![
        8 => (0..4 * HOUR_MS, samples).prop_map(|(forward, samples)| Step::Append(forward, samples)),
        1 => (0..4_u8, 0..20 * HOUR_MS, 0..10 * HOUR_MS).prop_map(|(series, from, length)| {
            Step::Delete(series, START_MS + from, START_MS + from + length)
        }),
        3 => Just(Step::Maintain),
        1 => Just(Step::Clean),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_store_equals_a_naive_model(steps in prop::collection::vec(step(), 1..25)) {
        let mut store = Store::open(|config| Config { out_of_order_window: Duration::from_mins(10), ..config });
        let mut naive = Samples::new();
        let mut newest_ms = START_MS;
        for step in steps {
            match step {
                Step::Append(forward_ms, samples) => {
                    newest_ms += forward_ms;
                    for (series, behind_ms, value) in samples {
                        let time_ms = newest_ms - behind_ms;
                        let value = f64::from(value);
                        let taken = store.append([(series, time_ms, value)]) == 1;
                        let known = naive.entry(series).or_default();
                        if let Some(bits) = known.get(&time_ms) {
                            prop_assert_eq!(taken, *bits == value.to_bits());
                        } else {
                            prop_assert!(taken);
                            known.insert(time_ms, value.to_bits());
                        }
                    }
                }
                Step::Delete(series, first_ms, last_ms) => {
                    let range = MsRange { start_ms: first_ms, end_ms: last_ms };
                    store.get().delete_series(&of_series(series), range).unwrap();
                    naive.entry(series).or_default().retain(|time_ms, _| !range.contains(*time_ms));
                }
                Step::Maintain => store.get().maintain().unwrap(),
                Step::Clean => store.get().clean_tombstones().unwrap(),
                Step::Reopen => store.reopen(),
            }
            naive.retain(|_, samples| !samples.is_empty());
            prop_assert_eq!(store.all(), naive.clone());
        }
    }

    #[test]
    fn damage_is_refused_and_never_a_panic(
        file in prop::sample::select(vec!["index", "chunks/000001", "tombstones", "meta.json"]),
        place in any::<prop::sample::Index>(),
        byte in prop::option::of(any::<u8>()),
    ) {
        let mut store = Store::open(|config| config);
        fill(&store, 4);
        let range = MsRange { start_ms: START_MS, end_ms: START_MS + 60_000 };
        store.get().delete_series(&of_series(1), range).unwrap();
        let name = store.block_names().remove(0);
        drop(store.open.take());
        let path = store.path("blocks").join(name).join(file);
        let mut bytes = fs::read(&path).unwrap();
        let place = place.index(bytes.len());
        match byte {
            Some(byte) => bytes[place] = byte,
            None => bytes.truncate(place),
        }
        fs::write(&path, bytes).unwrap();
        store.reopen();
        let any = [Matcher::new("number", MatchOp::Regex, ".*").unwrap()];
        match store.get().select(&any, MsRange::ALL) {
            Ok(found) => found.iter().for_each(|series| _ = series.points().count()),
            Err(error) => prop_assert!(error.to_string().contains(" is damaged: "), "{}", error),
        }
        _ = store.get().label_values("number", &[], MsRange::ALL);
        _ = store.get().maintain();
    }
}
