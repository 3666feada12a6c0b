//! Whatever is appended in whatever order, sealed and merged at whatever moment: a query finds what a plain list finds.

mod common;

use common::{NOW_NS, open, select};
use logstore::Direction;
use model::{LogEntry, LogStream, TimeRange};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(u8, i64, String, Option<String>)>),
    Seal,
    Compact,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let entry = (0..4_u8, 0..40_i64, "[ab]{0,3}", proptest::option::of("[xy]{1,2}"));
    prop_oneof![
        6 => prop::collection::vec(entry, 1..12).prop_map(Step::Append),
        2 => Just(Step::Seal),
        1 => Just(Step::Compact),
        1 => Just(Step::Restart),
    ]
}

/// An entry of the plain list: time, stream, line, trace.
type Plain = (i64, String, String, Option<String>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_list(steps in prop::collection::vec(step(), 1..20), needle in "[ab]{1,2}", from in 0..40_i64, length in 0..40_i64, limit in 1..30_usize) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let mut plain: Vec<Plain> = Vec::new();
        for step in steps {
            match step {
                Step::Append(entries) => {
                    let streams: Vec<LogStream> = entries
                        .iter()
                        .map(|(app, time, line, trace)| LogStream {
                            labels: [("app", app.to_string().as_str())].into_iter().collect(),
                            entries: vec![LogEntry {
                                time_ns: NOW_NS as i64 + time,
                                line: line.clone(),
                                metadata: trace.iter().map(|trace| ("trace_id".to_owned(), trace.clone())).collect(),
                            }],
                        })
                        .collect();
                    store.append(&streams).unwrap();
                    for (app, time, line, trace) in entries {
                        let entry = (time, app.to_string(), line, trace);
                        if !plain.contains(&entry) {
                            plain.push(entry);
                        }
                    }
                }
                Step::Seal => _ = store.seal().unwrap(),
                Step::Compact => _ = store.compact().unwrap(),
                Step::Restart => {
                    drop(store);
                    store = open(dir.path());
                }
            }
        }
        let range = TimeRange { start_ns: NOW_NS + from as u64, end_ns: NOW_NS + (from + length) as u64 };
        let queries = [
            (r#"{app=~".+"}"#.to_owned(), None, None, None),
            (r#"{app="1"}"#.to_owned(), Some("1"), None, None),
            (format!(r#"{{app=~".+"}} |= "{needle}""#), None, Some(needle.as_str()), None),
            (r#"{app=~".+"} | trace_id="x""#.to_owned(), None, None, Some("x")),
        ];
        for (query, app, needle, trace) in queries {
            let mut expected: Vec<Plain> = plain
                .iter()
                .filter(|(time, of, line, id)| {
                    (from..from + length).contains(time)
                        && app.is_none_or(|app| of == app)
                        && needle.is_none_or(|needle| line.contains(needle))
                        && trace.is_none_or(|trace| id.as_deref() == Some(trace))
                })
                .cloned()
                .collect();
            for direction in [Direction::Forward, Direction::Backward] {
                let found: Vec<Plain> = select(&store, &query, range, direction, 1000)
                    .into_iter()
                    .map(|entry| {
                        let trace = entry.metadata.iter().find(|(name, _)| name == "trace_id");
                        (
                            entry.time_ns - NOW_NS as i64,
                            entry.labels.get("app").to_owned(),
                            entry.line,
                            trace.map(|(_, value)| value.clone()),
                        )
                    })
                    .collect();
                let times: Vec<i64> = found.iter().map(|(time, ..)| *time).collect();
                let ordered = match direction {
                    Direction::Forward => times.is_sorted(),
                    Direction::Backward => times.iter().rev().is_sorted(),
                };
                prop_assert!(ordered, "{query}: {times:?}");
                let limited = select(&store, &query, range, direction, limit);
                let limited_times: Vec<i64> =
                    limited.iter().map(|entry| entry.time_ns - NOW_NS as i64).collect();
                prop_assert_eq!(&limited_times[..], &times[..limit.min(times.len())]);
                let mut sorted = found;
                sorted.sort();
                expected.sort();
                prop_assert_eq!(&sorted, &expected, "{}", query);
            }
        }
    }
}
