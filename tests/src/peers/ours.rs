//! Our configuration files as a test runs them: the same text, with other addresses, folders and intervals.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;

pub use crate::files::root;

/// A file of ours on its way to a real component. Every change says what it expects to find, and [`Ours::write`] fails if
/// that was not there: a file that has moved on is not tested by accident with half of its addresses.
#[derive(Debug)]
pub struct Ours {
    path: String,
    text: String,
    not_found: Vec<String>,
}

impl Ours {
    /// Reads a file by its path in the repository.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &str) -> Result<Self, Failed> {
        Self::at(&root().join(path))
    }

    /// The same with a file that was made of one of ours.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn at(path: &Path) -> Result<Self, Failed> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { path: name, text, not_found: Vec::new() })
    }

    /// An address within the compose network, `host:port`, is the machine's own at another port.
    #[must_use]
    pub fn address(self, of: &str, port: u16) -> Self {
        let is_part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
        self.change(of, |text| {
            replace_where(text, of, &format!("127.0.0.1:{port}"), |before, after| {
                !before.is_some_and(is_part_of_name) && !after.is_some_and(|c| c.is_ascii_digit())
            })
        })
    }

    /// One text for another, wherever it stands: a folder, an interval.
    #[must_use]
    pub fn replace(self, from: &str, to: &str) -> Self {
        self.change(from, |text| replace_where(text, from, to, |_, _| true))
    }

    /// The value of a key, wherever it stands at the beginning of a line.
    #[must_use]
    pub fn value(self, key: &str, value: &str) -> Self {
        self.change(key, |text| {
            let mut found = false;
            let lines = text.lines().map(|line| {
                let rest = line.trim_start().strip_prefix(key).and_then(|rest| rest.strip_prefix(':'));
                if rest.is_none() {
                    return line.to_owned();
                }
                found = true;
                format!("{}{key}: {value}", &line[..line.len() - line.trim_start().len()])
            });
            let lines: Vec<String> = lines.collect();
            found.then(|| lines.join("\n") + "\n")
        })
    }

    /// More lines at its end: what keeps a program on this machine and is no part of our file.
    #[must_use]
    pub fn also(mut self, lines: &str) -> Self {
        self.text += lines;
        self
    }

    /// Whether a key stands at the beginning of a line.
    pub fn has(&self, key: &str) -> bool {
        self.text
            .lines()
            .any(|line| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
    }

    /// Writes it, changed.
    ///
    /// # Errors
    /// If something that was to be changed was not there, or it cannot be written.
    pub fn write(self, to: &Path) -> Result<(), Failed> {
        if !self.not_found.is_empty() {
            return Err(format!("{} has no {}", self.path, self.not_found.join(", no ")).into());
        }
        if let Some(dir) = to.parent() {
            fs::create_dir_all(dir)?;
        }
        Ok(fs::write(to, self.text)?)
    }

    fn change(mut self, what: &str, change: impl FnOnce(&str) -> Option<String>) -> Self {
        match change(&self.text) {
            Some(text) => self.text = text,
            None => self.not_found.push(what.to_owned()),
        }
        self
    }
}

/// Every occurrence whose neighbours are right; `None` if there is none.
fn replace_where(
    text: &str,
    from: &str,
    to: &str,
    is_right: impl Fn(Option<char>, Option<char>) -> bool,
) -> Option<String> {
    let mut changed = String::with_capacity(text.len());
    let mut done = 0;
    let mut found = false;
    for (at, _) in text.match_indices(from) {
        let end = at + from.len();
        if is_right(text[..at].chars().next_back(), text[end..].chars().next()) {
            changed += &text[done..at];
            changed += to;
            done = end;
            found = true;
        }
    }
    changed += &text[done..];
    found.then_some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(text: &str) -> Ours {
        Ours { path: "a file".to_owned(), text: text.to_owned(), not_found: Vec::new() }
    }

    #[test]
    fn whole_addresses_are_replaced_and_no_parts() {
        let changed =
            ours("http://users:8001/x other-users:8001 users:80010 [users:8001]").address("users:8001", 5);
        assert_eq!(changed.text, "http://127.0.0.1:5/x other-users:8001 users:80010 [127.0.0.1:5]");
    }

    #[test]
    fn values_keep_their_indentation() {
        let changed =
            ours("a:\n  interval: 15s\n  - interval: 2s\ninterval: 1m # why\n").value("interval", "1s");
        assert_eq!(changed.text, "a:\n  interval: 1s\n  - interval: 2s\ninterval: 1s\n");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let dir = tempfile::tempdir().expect("a folder");
        let changed = ours("a: 1").address("tempo:4317", 1).replace("/data", "/tmp").value("b", "2");
        let failed = changed.write(&dir.path().join("x")).expect_err("nothing of it is there");
        assert_eq!(failed.message(), Some("a file has no tempo:4317, no /data, no b"));
    }
}
