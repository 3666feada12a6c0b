//! What our programs read from their environment, held against what is documented and what the compose files set.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::compose::Compose;
use super::{Complaints, below, pattern, text};

/// The variables that command line flags of ours can be given as (`#[arg(env = "…")]`), from the sources of a folder.
pub fn of_flags(folder: &str) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    for path in below(folder, &["rs"]) {
        names.extend(flags_in(&text(&path)?));
    }
    Ok(names)
}

fn flags_in(source: &str) -> BTreeSet<String> {
    static ENV: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\benv = "([A-Z][A-Z0-9_]*)""#));
    ENV.captures_iter(source).map(|captures| captures[1].to_owned()).collect()
}

/// The names in a text, with `{A,B}` written out. `*` stays, and stands for anything.
pub fn named_in(text: &str) -> BTreeSet<String> {
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\b[A-Z][A-Z0-9]*(?:_?\{[A-Z0-9_,]*\}|[A-Z0-9_])*\*?"));
    NAME.find_iter(text).flat_map(|found| written_out(found.as_str())).collect()
}

fn written_out(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else { return vec![name.to_owned()] };
    let Some((choices, after)) = rest.split_once('}') else { return vec![name.to_owned()] };
    choices.split(',').flat_map(|choice| written_out(&format!("{before}{choice}{after}"))).collect()
}

/// Every variable is named in one of these texts.
pub fn documented(names: &BTreeSet<String>, texts: &[&str]) -> Complaints {
    let named: BTreeSet<String> = texts.iter().flat_map(|text| named_in(text)).collect();
    let is_named = |name: &str| {
        named.iter().any(|pattern| match pattern.strip_suffix('*') {
            // A prefix as short as `OTEL_*` would document everything.
            Some(prefix) => prefix.len() > 6 && name.starts_with(prefix),
            None => pattern == name,
        })
    };
    names
        .iter()
        .filter(|name| !is_named(name))
        .map(|name| format!("{name} is read and not documented"))
        .collect()
}

/// What the compose files set for a program of ours is what it reads.
pub fn set_in(compose: &Compose, service: &str, read: &BTreeSet<String>) -> Complaints {
    compose
        .environment(service)
        .into_keys()
        .filter(|name| !read.contains(name))
        .map(|name| format!("{service}: {name} is set, and the program does not read it"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn flags_are_found() {
        assert_eq!(flags_in(r#"#[arg(long, env = "APP_SEED", value_name = "X")]"#), set(&["APP_SEED"]));
    }

    #[test]
    fn names_are_written_out() {
        assert_eq!(named_in("`A_B` and `C_{D,E}_F`"), set(&["A_B", "C_D_F", "C_E_F"]));
        assert_eq!(named_in("OTEL_BSP_*, `G_{H,I}`"), set(&["OTEL_BSP_*", "G_H", "G_I"]));
    }

    #[test]
    fn what_is_not_documented_is_found() {
        let read = set(&["OTEL_BSP_MAX_QUEUE_SIZE", "APP_SEED", "OTEL_SDK_DISABLED"]);
        assert!(documented(&read, &["`APP_SEED`", "OTEL_BSP_*, OTEL_SDK_DISABLED"]).is_empty());
        assert_eq!(documented(&read, &["OTEL_*, APP_SEEDS, OTEL_BSP_*"]).len(), 2);
    }

    #[test]
    fn what_is_not_read_is_found() {
        let compose = Compose::read(&["services: { a: { environment: { ONE: 1, TWO: 2 } } }"]).unwrap();
        assert_eq!(
            set_in(&compose, "a", &set(&["ONE"])),
            ["a: TWO is set, and the program does not read it"]
        );
    }
}
