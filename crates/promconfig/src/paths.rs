//! The files that a pattern names.

use std::path::{Path, PathBuf};

/// The files that patterns name, each once, in order. A pattern may have `*`, `?` and `[…]` in every part of its path;
/// none that matches is no error.
pub fn expand_patterns<P: AsRef<Path>>(patterns: &[P]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = patterns.iter().flat_map(|pattern| glob(pattern.as_ref())).collect();
    files.sort();
    files.dedup();
    files
}

/// The paths that a pattern names, sorted.
fn glob(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let text = part.as_os_str().to_string_lossy();
        if !text.contains(['*', '?', '[']) {
            for path in &mut found {
                path.push(part);
            }
            continue;
        }
        found = found
            .iter()
            .flat_map(|dir| {
                let entries =
                    std::fs::read_dir(if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
                let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
                let mut names: Vec<_> = names
                    .filter(|name| matches_name(text.as_bytes(), name.to_string_lossy().as_bytes()))
                    .collect();
                names.sort();
                names.into_iter().map(|name| dir.join(name)).collect::<Vec<_>>()
            })
            .collect();
    }
    found.retain(|path| path.exists());
    found
}

/// Whether a name matches a pattern, as Go's `filepath.Match` sees it.
fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match first {
        b'*' => (0..=name.len()).any(|taken| matches_name(rest, &name[taken..])),
        b'?' => !name.is_empty() && matches_name(rest, &name[1..]),
        b'[' => {
            let Some(end) = rest.iter().skip(1).position(|byte| *byte == b']').map(|found| found + 1) else {
                return false;
            };
            let Some((byte, after)) = name.split_first() else { return false };
            let (set, is_negated) = match rest[..end].strip_prefix(b"^") {
                Some(set) => (set, true),
                None => (&rest[..end], false),
            };
            in_set(set, *byte) != is_negated && matches_name(&rest[end + 1..], after)
        }
        b'\\' if !rest.is_empty() => name.first() == rest.first() && matches_name(&rest[1..], &name[1..]),
        byte => name.first() == Some(byte) && matches_name(rest, &name[1..]),
    }
}

/// Whether a byte is in a set such as `a-cx`.
fn in_set(mut set: &[u8], byte: u8) -> bool {
    while let Some((first, rest)) = set.split_first() {
        match rest {
            [b'-', last, after @ ..] => {
                if (*first..=*last).contains(&byte) {
                    return true;
                }
                set = after;
            }
            _ if *first == byte => return true,
            _ => set = rest,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_gos() {
        for (pattern, name, matches) in [
            ("*.yml", "a.yml", true),
            ("*.yml", "a.yaml", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[ab", "a", false),
            ("\\*", "*", true),
            ("*a*b*", "xaxbx", true),
            ("", "", true),
        ] {
            assert_eq!(matches_name(pattern.as_bytes(), name.as_bytes()), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_found_in_order_and_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yml", "c.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let patterns = [dir.path().join("*.yml"), dir.path().join("a.yml"), dir.path().join("none/*.yml")];
        let names: Vec<_> =
            expand_patterns(&patterns).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.yml", "b.yml"]);
    }
}
