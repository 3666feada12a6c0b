//! Real components as programs: where they are, and what a test does when one is missing.
//!
//! A program is looked for in this order:
//!
//! 1. in the folder that `MIRANTE_PEERS_DIR` names: what somebody built or unpacked by hand;
//! 2. as `tests/peers/build.sh` built it, in the version that `tests/peers/versions` pins;
//! 3. in `PATH`: the distribution's package, which may be older.
//!
//! [`running`] are the processes, [`ours`] the files they are started with, [`ask`] what they are asked.
//!
//! [`trial`] is a case that needs such programs. Without them it is listed as ignored, with the reason in its name; with
//! `CI=true` it fails.

pub mod ask;
pub mod ours;
pub mod running;

use std::env;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};

/// `name version` a line; `#` begins a comment.
const VERSIONS: &str = include_str!("../peers/versions");

/// A program in the best version at hand, whichever that is.
pub fn tool(name: &str) -> Option<PathBuf> {
    pinned(name).or_else(|| packaged(name))
}

/// A program in the version that the compose file pins, or as somebody gave it by hand; never the distribution's.
pub fn pinned(name: &str) -> Option<PathBuf> {
    let by_hand = env::var_os("MIRANTE_PEERS_DIR").map(PathBuf::from);
    [by_hand, cached(name)].into_iter().flatten().map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// A program of the distribution: the first one in `PATH`.
pub fn packaged(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// The version that `tests/peers/versions` pins for a program.
pub fn version(name: &str) -> Option<&'static str> {
    entry(name).map(|(version, _)| version)
}

/// Whether `tests/peers/versions` says why a program's version is another than that of the compose file.
pub fn is_exception(name: &str) -> bool {
    entry(name).is_some_and(|(_, reason)| !reason.is_empty())
}

/// Version and reason of a program.
fn entry(name: &str) -> Option<(&'static str, &'static str)> {
    VERSIONS.lines().find_map(|line| {
        let (pin, reason) = line.split_once('#').unwrap_or((line, ""));
        let mut words = pin.split_ascii_whitespace();
        (words.next() == Some(name)).then(|| words.next()).flatten().map(|version| (version, reason.trim()))
    })
}

/// Where `tests/peers/build.sh` puts a program: `${XDG_CACHE_HOME:-~/.cache}/mirante/peers/NAME-VERSION`.
fn cached(name: &str) -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("mirante/peers").join(format!("{name}-{}", version(name)?)))
}

/// Whether a missing program is a failure: `CI=true`.
pub fn is_ci() -> bool {
    env::var("CI").is_ok_and(|ci| ci == "true")
}

/// Which of these programs are missing, in words; `None` if they are all there.
pub fn missing(names: &[&str], find: fn(&str) -> Option<PathBuf>) -> Option<String> {
    let missing: Vec<&str> = names.iter().filter(|name| find(name).is_none()).copied().collect();
    (!missing.is_empty()).then(|| format!("no {}: tests/setup.sh", missing.join(", no ")))
}

/// A case that needs programs, each as `find` ([`tool`], [`pinned`], [`packaged`]) sees it.
pub fn trial(
    name: &str,
    needs: &[&str],
    find: fn(&str) -> Option<PathBuf>,
    case: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match missing(needs, find) {
        None => Trial::test(name, case),
        Some(missing) if is_ci() => Trial::test(name, move || Err(missing.into())),
        Some(missing) => {
            Trial::test(format!("{name} (skipped: {missing})"), || Ok(())).with_ignored_flag(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(version("prometheus"), Some("3.14.0"));
        assert_eq!(version("promtool"), Some("3.14.0"));
        assert_eq!(version("#"), None);
        assert!(is_exception("telemetrygen") && !is_exception("prometheus"));
        assert_eq!(version("no-such-program"), None);
    }

    #[test]
    fn a_missing_program_is_named() {
        assert_eq!(
            missing(&["no-such-program", "sh"], packaged),
            Some("no no-such-program: tests/setup.sh".to_owned())
        );
        assert_eq!(missing(&["sh"], packaged), None);
    }
}
