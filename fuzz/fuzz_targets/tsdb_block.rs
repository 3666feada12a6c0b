//! Any bytes as a file of a block, or as changes to one: the store opens, sets the block aside or refuses to read from
//! it, and says why.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use model::{
    Batch, DataPoint, ManualClock, MatchOp, Matcher, SampleValue, SeriesSample, Temporality,
};
use promql::storage::{MsRange, Series, Storage};
use tempfile::TempDir;
use tsdb::{Config, Tsdb};

const HOUR_MS: i64 = 3_600_000;
const START_MS: i64 = 500_000 * HOUR_MS;
const FILES: [&str; 5] = ["index", "chunks/000001", "tombstones", "meta.json", "start-times"];

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let (original, name) = block();
    let dir = tempfile::tempdir().expect("a folder for temporary files");
    let copy = dir.path().join("blocks").join(name);
    fs::create_dir_all(copy.join("chunks")).expect("a new folder");
    for file in FILES {
        fs::copy(original.join(file), copy.join(file)).expect("a small file");
    }
    let path = copy.join(FILES[usize::from(kind / 2) % FILES.len()]);
    let mut content = fs::read(&path).expect("a small file");
    if kind % 2 == 0 {
        content = bytes.to_vec();
    } else {
        for change in bytes.chunks_exact(3) {
            let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % content.len();
            content[place] = change[2];
        }
    }
    fs::write(&path, content).expect("a small file");
    let Ok(store) = open(dir.path(), START_MS + 12 * HOUR_MS) else { return };
    for op in [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex] {
        let matcher = Matcher::new("number", op, "1").expect("a text is always a matcher");
        if let Ok(found) = store.select(&[matcher], MsRange::ALL) {
            found.iter().for_each(|series| _ = series.points().count());
        }
    }
    _ = store.label_values("number", &[], MsRange::ALL);
    _ = store.maintain();
});

fn open(dir: &Path, now_ms: i64) -> tsdb::Result<Tsdb> {
    let clock = Arc::new(ManualClock::at_ns(now_ms as u64 * 1_000_000));
    Tsdb::open(Config::new(dir.join("wal"), dir.join("blocks")), clock)
}

/// A block that is whole, and its name.
fn block() -> &'static (PathBuf, String) {
    static BLOCK: OnceLock<(TempDir, (PathBuf, String))> = OnceLock::new();
    let (_, block) = BLOCK.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder for temporary files");
        let store = open(dir.path(), START_MS + 12 * HOUR_MS).expect("an empty folder");
        for minute in 0..600 {
            let points = (0..4).map(|number| point(number, START_MS + minute * 60_000, minute as f64));
            store.append(&Batch { points: points.collect(), ..Batch::default() }).expect("few samples");
        }
        store.maintain().expect("a folder that can be written to");
        let matcher = Matcher::new("number", MatchOp::Equal, "2").expect("a text is always a matcher");
        store.delete_series(&[vec![matcher]], MsRange::ALL).expect("a folder that can be written to");
        let entries = fs::read_dir(dir.path().join("blocks")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a text"));
        let name = names.filter(|name| name != "wal").min().expect("a block");
        let path = dir.path().join("blocks").join(&name);
        (dir, (path, name))
    });
    block
}

fn point(number: i64, time_ms: i64, value: f64) -> DataPoint {
    DataPoint {
        family: usize::MAX,
        temporality: Temporality::Cumulative,
        start_ms: START_MS,
        time_ms,
        samples: vec![SeriesSample {
            labels: [("__name__", "up"), ("number", number.to_string().as_str())].into_iter().collect(),
            value: SampleValue::Float(value),
            exemplars: Vec::new(),
        }],
        derived: false,
    }
}
