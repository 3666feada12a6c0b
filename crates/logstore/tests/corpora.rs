//! Real logs: every line that was appended is found, by label, by what it contains, forwards and backwards, in the head,
//! in a block, after a restart and after a merge.

mod common;

use std::path::Path;
use std::process::ExitCode;

use common::{NOW_NS, entry, lines, open, select, stream};
use logstore::{Direction, LogStore};
use model::TimeRange;
use testkit::Corpus;

fn main() -> ExitCode {
    let folders = ["logs/loghub", "logs/loki-drain", "logs/elastic-examples"].map(|folder| {
        let mut corpus = Corpus::new(folder);
        let mut names: Vec<String> = corpus
            .dir()
            .and_then(|dir| std::fs::read_dir(dir).ok())
            .into_iter()
            .flatten()
            .filter_map(|file| file.ok()?.file_name().into_string().ok())
            .filter(|name| [".log", ".txt", "_logs"].iter().any(|end| name.ends_with(end)))
            .collect();
        names.sort();
        for name in names {
            corpus.case(&name.clone(), move |dir| check(&dir.join(&name)));
        }
        corpus
    });
    testkit::run(folders)
}

fn check(path: &Path) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let all: Vec<&str> = text.lines().collect();
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut store = open(dir.path());
    // In several requests, so that sealing comes between them; each fifth line to a stream of its own.
    for (part, chunk) in all.chunks(all.len().div_ceil(8)).enumerate() {
        let base = part * all.len().div_ceil(8);
        for (of, other) in [("most", false), ("some", true)] {
            let entries = chunk
                .iter()
                .enumerate()
                .filter(|(index, _)| (base + index).is_multiple_of(5) == other)
                .map(|(index, line)| entry(NOW_NS as i64 + (base + index) as i64, line))
                .collect();
            store
                .append(&[stream(&[("job", "corpus"), ("of", of)], entries)])
                .map_err(|error| error.to_string())?;
        }
        if part % 2 == 1 && part < 7 {
            compare(&store, &all[..base + chunk.len()], "while filling")?;
            store.seal().map_err(|error| error.to_string())?;
        }
    }
    compare(&store, &all, "head and blocks")?;
    store.seal().map_err(|error| error.to_string())?;
    compare(&store, &all, "blocks")?;
    drop(store);
    store = open(dir.path());
    compare(&store, &all, "after a restart")?;
    store.compact().map_err(|error| error.to_string())?;
    if store.stats().blocks != 1 {
        return Err(format!("{} blocks are left", store.stats().blocks));
    }
    compare(&store, &all, "after a merge")
}

fn compare(store: &LogStore, all: &[&str], when: &str) -> Result<(), String> {
    let same = |what: &str, got: &[String], expected: &[&str]| {
        if got == expected {
            return Ok(());
        }
        let at = got.iter().zip(expected).position(|(got, expected)| got != expected);
        Err(format!(
            "{when}, {what}: {} lines instead of {}, first difference {at:?}",
            got.len(),
            expected.len()
        ))
    };
    same("all", &lines(store, r#"{job="corpus"}"#), all)?;
    let backward = select(store, r#"{job="corpus"}"#, TimeRange::ALL, Direction::Backward, usize::MAX);
    let backward: Vec<String> = backward.into_iter().rev().map(|entry| entry.line).collect();
    same("backwards", &backward, all)?;
    let some: Vec<&str> = all.iter().copied().step_by(5).collect();
    same("by label", &lines(store, r#"{of="some"}"#), &some)?;
    let latest = select(store, r#"{of="some"}"#, TimeRange::ALL, Direction::Backward, 7);
    let latest: Vec<String> = latest.into_iter().rev().map(|entry| entry.line).collect();
    same("the latest seven", &latest, &some[some.len().saturating_sub(7)..])?;

    // Words of the text itself, some of them frequent and some not.
    let words = all
        .iter()
        .step_by(all.len() / 12 + 1)
        .filter_map(|line| line.split(' ').max_by_key(|word| word.len()));
    for word in words.filter(|word| !word.is_empty()) {
        let with: Vec<&str> = all.iter().copied().filter(|line| line.contains(word)).collect();
        let without: Vec<&str> = all.iter().copied().filter(|line| !line.contains(word)).collect();
        let quoted = model::labels::Quoted(word).to_string();
        same(word, &lines(store, &format!(r#"{{job="corpus"}} |= {quoted}"#)), &with)?;
        same(word, &lines(store, &format!(r#"{{job="corpus"}} != {quoted}"#)), &without)?;
        let escaped = regex::escape(word);
        let quoted = model::labels::Quoted(&escaped).to_string();
        same(word, &lines(store, &format!(r#"{{job="corpus"}} |~ {quoted}"#)), &with)?;
    }
    Ok(())
}
