//! Targets in files. A file that changes is read within seconds; all are read again now and then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use promconfig::discovery::FileDiscovery;
use promconfig::{TargetGroup, expand_patterns};
use tokio::time::Instant;

use super::{Group, Sink};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Most bytes of a file.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// What tells that a file has changed: its size, its time, and that it is another.
type Stamp = (u64, Option<SystemTime>, u64);

/// What is known of a file.
#[derive(Debug, Clone)]
struct Known {
    stamp: Stamp,
    groups: Vec<Group>,
}

pub(super) async fn run(config: FileDiscovery, sink: Sink) {
    let mut known = BTreeMap::new();
    let mut read_all_at = Instant::now();
    loop {
        let again = Instant::now() >= read_all_at;
        if again {
            read_all_at = Instant::now() + config.refresh_interval.max(Duration::from_secs(1));
        }
        let patterns = config.files.clone();
        let before = std::mem::take(&mut known);
        let looked = tokio::task::spawn_blocking(move || look(&patterns, &before, again)).await;
        let Ok((now, failures)) = looked else { return };
        for failure in failures {
            sink.figures.file_read_errors.inc();
            sink.failed("file", &failure);
        }
        known = now;
        sink.found(known.values().flat_map(|file| file.groups.clone()).collect());
        tokio::time::sleep(LOOK_EVERY.min(config.refresh_interval.max(Duration::from_millis(100)))).await;
    }
}

/// Reads what is new or changed. A file that cannot be read keeps the groups that it had; one that is gone has none.
fn look(
    patterns: &[String],
    before: &BTreeMap<PathBuf, Known>,
    again: bool,
) -> (BTreeMap<PathBuf, Known>, Vec<String>) {
    let mut now = BTreeMap::new();
    let mut failures = Vec::new();
    for path in expand_patterns(patterns) {
        let stamp = stamp(&path);
        let old = before.get(&path);
        if let Some(old) = old
            && old.stamp == stamp
            && !again
        {
            now.insert(path, old.clone());
            continue;
        }
        let groups = match read(&path, stamp.0) {
            Ok(groups) => groups,
            Err(reason) => {
                failures.push(format!("error reading file {}: {reason}", path.display()));
                old.map(|old| old.groups.clone()).unwrap_or_default()
            }
        };
        now.insert(path, Known { stamp, groups });
    }
    (now, failures)
}

fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).map_or((0, None, 0), |data| (data.len(), data.modified().ok(), data.ino()))
}

fn read(path: &Path, bytes: u64) -> Result<Vec<Group>, String> {
    if bytes > MAX_FILE_BYTES {
        return Err(format!("larger than {MAX_FILE_BYTES} bytes"));
    }
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let name = path.to_string_lossy();
    let json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let groups = if json {
        TargetGroup::list_from_json(&text)
    } else {
        let text = String::from_utf8(text).map_err(|_| "not UTF-8".to_owned())?;
        TargetGroup::list_from_yaml(&text)
    }
    .map_err(|error| error.to_string())?;
    let labels = [("__meta_filepath", &*name)];
    let group = |(index, group)| Group::written(group, format!("{name}:{index}"), &labels);
    Ok(groups.iter().enumerate().map(group).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(known: &BTreeMap<PathBuf, Known>) -> Vec<String> {
        let groups = known.values().flat_map(|file| &file.groups);
        groups.flat_map(|group| group.targets.iter().map(|target| target[0].1.clone())).collect()
    }

    #[test]
    fn files_are_read_when_they_change_and_keep_their_groups_when_they_break() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let patterns = [path("*.json").display().to_string(), path("one.yml").display().to_string()];
        std::fs::write(path("a.json"), r#"[{"targets": ["a:1"], "labels": {"x": "y"}}]"#).unwrap();
        let (known, failures) = look(&patterns, &BTreeMap::new(), true);
        assert_eq!((addresses(&known), failures.len()), (vec!["a:1".to_owned()], 0));
        let labels = &known.values().next().unwrap().groups[0].labels;
        let meta = ("__meta_filepath".to_owned(), path("a.json").display().to_string());
        assert!(labels.contains(&meta) && labels.contains(&("x".to_owned(), "y".to_owned())));

        std::fs::write(path("one.yml"), "- targets: ['b:2', 'c:3']\n").unwrap();
        std::fs::write(path("a.json"), "[{\"targets\": [").unwrap();
        let (known, failures) = look(&patterns, &known, false);
        assert_eq!(addresses(&known), ["a:1", "b:2", "c:3"]);
        assert!(
            failures[0].contains("a.json") && failures[0].contains("unexpected end of JSON input"),
            "{failures:?}"
        );
        let (known, failures) = look(&patterns, &known, false);
        assert!(failures.is_empty(), "what is broken is said when it changes");

        std::fs::remove_file(path("a.json")).unwrap();
        let (known, _) = look(&patterns, &known, false);
        assert_eq!(addresses(&known), ["b:2", "c:3"]);
    }
}
