//! The Dockerfile: whether what it copies is there and reaches the builder, whether it covers the workspace, and
//! whether what comes out is what the compose files start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::compose::Compose;
use super::{Complaints, pattern};

/// A Dockerfile's instructions.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    /// Each a word in capitals and the rest of it, with continued lines joined and arguments' defaults put in.
    instructions: Vec<(String, String)>,
}

/// What a build's context leaves out.
#[derive(Clone, Debug)]
pub struct Ignore {
    rules: Vec<(bool, Regex)>,
}

impl Dockerfile {
    /// Reads a Dockerfile. Arguments take their defaults.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut instructions = Vec::new();
        let mut arguments = BTreeMap::new();
        let mut whole = String::new();
        for line in text.lines() {
            if line.trim_start().starts_with('#') {
                continue;
            }
            if let Some(begun) = line.trim_end().strip_suffix('\\') {
                whole.push_str(begun);
                continue;
            }
            whole.push_str(line);
            let joined = std::mem::take(&mut whole);
            let Some((word, rest)) = joined.trim().split_once(char::is_whitespace) else { continue };
            let word = word.to_ascii_uppercase();
            let rest = if word == "FROM" {
                super::compose::interpolate(rest.trim(), &arguments)?
            } else {
                rest.trim().to_owned()
            };
            if word == "ARG"
                && let Some((name, value)) = rest.split_once('=')
            {
                arguments.insert(name.to_owned(), value.trim_matches('"').to_owned());
            }
            instructions.push((word, rest));
        }
        Ok(Self { instructions })
    }

    fn of(&self, word: &str) -> impl Iterator<Item = &str> {
        self.instructions.iter().filter(move |(found, _)| found == word).map(|(_, rest)| rest.as_str())
    }

    /// Names of the stages, in order, with what each begins from.
    pub fn stages(&self) -> Vec<(String, String)> {
        let stages = self.of("FROM").map(|from| {
            let words: Vec<&str> =
                from.split_ascii_whitespace().filter(|word| !word.starts_with("--")).collect();
            let name = if words.len() == 3 { words[2] } else { "" };
            (name.to_owned(), words.first().copied().unwrap_or_default().to_owned())
        });
        stages.collect()
    }

    /// A stage's instructions of one kind, those of the stages that it begins from left out.
    fn in_stage<'a>(&'a self, stage: &str, word: &str) -> Vec<&'a str> {
        let mut found = Vec::new();
        let mut at = String::new();
        for (instruction, rest) in &self.instructions {
            if instruction == "FROM" {
                rest.rsplit(' ').next().unwrap_or_default().clone_into(&mut at);
            } else if at == stage && instruction == word {
                found.push(rest.as_str());
            }
        }
        found
    }

    /// What the stage's image runs, as JSON's first word.
    fn entry_point(&self, stage: &str) -> Option<String> {
        let list: Vec<String> = serde_json::from_str(self.in_stage(stage, "ENTRYPOINT").last()?).ok()?;
        list.into_iter().next()
    }
}

impl Ignore {
    /// Reads a `.dockerignore`: the last rule that matches a path or a folder above it counts.
    pub fn read(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rules = lines.map(|line| {
            let (keeps, pattern) = line.strip_prefix('!').map_or((false, line), |pattern| (true, pattern));
            let pattern = regex::escape(pattern.trim_matches('/'));
            let pattern = pattern.replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*");
            let pattern = pattern.replace(r"\*", "[^/]*").replace(r"\?", "[^/]");
            Regex::new(&format!("^{pattern}(/.*)?$"))
                .map(|rule| (keeps, rule))
                .map_err(|error| error.to_string())
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether the builder never sees a path.
    pub fn leaves_out(&self, path: &str) -> bool {
        self.rules.iter().rev().find(|(_, rule)| rule.is_match(path)).is_some_and(|(keeps, _)| !keeps)
    }
}

/// Base images name one release, arguments have defaults, and later stages begin from or copy from earlier ones.
pub fn bases(file: &Dockerfile, rust_version: &str) -> Complaints {
    static PIN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[^:@]+:(\d+\.\d+\.\d+)|@sha256:"));
    let mut complaints = Vec::new();
    let mut known = BTreeSet::new();
    for (name, base) in file.stages() {
        if base != "scratch" && !known.contains(&base) {
            match PIN.captures(&base) {
                None => complaints.push(format!("{base} does not name one release")),
                Some(captures) => {
                    let version = captures.get(1).map_or("", |version| version.as_str());
                    let is_enough =
                        version.strip_prefix(rust_version).is_some_and(|rest| rest.starts_with('.'));
                    if base.starts_with("rust:") && !is_enough {
                        complaints.push(format!("{base} is not the workspace's rust-version {rust_version}"));
                    }
                }
            }
        }
        known.insert(name);
    }
    for copy in file.of("COPY") {
        if let Some(from) = copy.split_ascii_whitespace().find_map(|word| word.strip_prefix("--from="))
            && !known.contains(from)
        {
            complaints.push(format!("COPY {copy}: there is no stage {from}"));
        }
    }
    complaints
}

/// What is copied from the context is there and not left out; `exists` is asked with paths in the repository.
pub fn copies(file: &Dockerfile, ignore: &Ignore, exists: impl Fn(&str) -> bool) -> Complaints {
    let mut complaints = Vec::new();
    let mut sources: Vec<String> = Vec::new();
    for copy in file.of("COPY").chain(file.of("ADD")).filter(|copy| !copy.contains("--from=")) {
        let words: Vec<&str> = copy.split_ascii_whitespace().filter(|word| !word.starts_with("--")).collect();
        sources.extend(words.iter().take(words.len().saturating_sub(1)).map(|word| (*word).to_owned()));
    }
    // Scripts of ours that a step runs.
    for run in file.of("RUN") {
        let words = run.split_ascii_whitespace().filter(|word| word.starts_with("infra/"));
        sources.extend(words.map(str::to_owned));
    }
    for source in sources.iter().filter(|source| *source != ".") {
        let source = source.trim_start_matches("./").trim_end_matches('/');
        if !exists(source) {
            complaints.push(format!("{source} is copied or run, and is not there"));
        }
        if ignore.leaves_out(source) {
            complaints.push(format!("{source} is copied or run, and .dockerignore leaves it out"));
        }
    }
    complaints
}

/// These files (manifests of every member, what sources include) are copied and not left out.
pub fn covers(file: &Dockerfile, ignore: &Ignore, files: &[String]) -> Complaints {
    let copied: Vec<&str> = file
        .of("COPY")
        .filter(|copy| !copy.contains("--from="))
        .flat_map(|copy| {
            let mut words: Vec<&str> =
                copy.split_ascii_whitespace().filter(|word| !word.starts_with("--")).collect();
            words.pop();
            words
        })
        .map(|source| source.trim_start_matches("./").trim_end_matches('/'))
        .collect();
    let is_copied = |path: &str| {
        copied.iter().any(|source| {
            matches!(*source, "." | "") || path == *source || path.starts_with(&format!("{source}/"))
        })
    };
    let mut complaints = Vec::new();
    for path in files {
        if !is_copied(path) {
            complaints.push(format!("{path} is needed and not copied"));
        }
        if ignore.leaves_out(path) {
            complaints.push(format!("{path} is needed, and .dockerignore leaves it out"));
        }
    }
    complaints
}

/// What the compose files build is a stage that ends as somebody, starts its program directly, and is asked by the
/// program itself.
pub fn results(file: &Dockerfile, compose: &Compose, packages: &[String]) -> Complaints {
    let mut complaints = Vec::new();
    let stages: Vec<String> = file.stages().into_iter().map(|(name, _)| name).collect();
    let mut wanted: BTreeSet<String> = BTreeSet::from(["mirante".to_owned()]);
    for (name, service) in compose.services().filter(|(_, service)| !service["build"].is_null()) {
        let target = service["build"]["target"].as_str().unwrap_or_default().to_owned();
        let asked = service["healthcheck"]["test"][1].as_str();
        let started = file.entry_point(&target);
        if asked.is_some() && asked != started.as_deref() {
            complaints.push(format!("{name}: health asks {asked:?}, and the image starts {started:?}"));
        }
        wanted.insert(target);
    }
    for stage in &wanted {
        if !stages.contains(stage) {
            complaints.push(format!("no stage {stage}"));
            continue;
        }
        match file.in_stage(stage, "USER").last() {
            None => complaints.push(format!("{stage} runs as root")),
            Some(user) if user.starts_with('0') || user.starts_with("root") => {
                complaints.push(format!("{stage} runs as root"));
            }
            Some(_) => {}
        }
        if file.entry_point(stage).is_none() {
            complaints.push(format!("{stage} does not start its program directly (ENTRYPOINT as a list)"));
        }
        if file.in_stage(stage, "HEALTHCHECK").is_empty() {
            complaints.push(format!("{stage} has no HEALTHCHECK"));
        }
    }
    for run in file.of("RUN") {
        let words: Vec<&str> = run.split_ascii_whitespace().collect();
        for pair in words.windows(2).filter(|pair| matches!(pair[0], "-p" | "--package")) {
            if !packages.iter().any(|package| package == pair[1]) {
                complaints.push(format!("RUN {run}: there is no package {}", pair[1]));
            }
        }
    }
    complaints
}

/// The paths that a source file includes, relative to that file: `include_str!`, `include_bytes!`, `include!`.
pub fn included_by(source: &str) -> Vec<String> {
    static INCLUDE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"include(?:_str|_bytes)?!\(\s*"([^"]+)""#));
    INCLUDE.captures_iter(source).map(|captures| captures[1].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
ARG RUST=1.95.0
FROM rust:${RUST}-slim AS source
# A remark \
COPY Cargo.toml \
     crates ./
RUN cargo build -p users && infra/run.sh
FROM scratch AS users
COPY --from=source /x /
USER 65532:65532
HEALTHCHECK CMD ["/usr/local/bin/users", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/users"]
FROM users AS mirante
USER 65532
HEALTHCHECK CMD ["/m", "status"]
ENTRYPOINT ["/m"]
"#;
    const COMPOSE: &str = "services: { users: { build: { context: ., target: users }, \
                           healthcheck: { test: [CMD, /usr/local/bin/users, healthcheck] } } }";

    fn all(text: &str) -> String {
        let file = Dockerfile::read(text).unwrap();
        let ignore = Ignore::read("*\n!Cargo.toml\n!crates\n!infra/run.sh\n**/target\n").unwrap();
        let exists = |path: &str| matches!(path, "Cargo.toml" | "crates" | "infra/run.sh");
        let mut complaints = bases(&file, "1.95");
        complaints.extend(copies(&file, &ignore, exists));
        complaints.extend(covers(&file, &ignore, &["Cargo.toml".into(), "crates/a/Cargo.toml".into()]));
        complaints.extend(results(&file, &Compose::read(&[COMPOSE]).unwrap(), &["users".into()]));
        complaints.join("; ")
    }

    #[test]
    fn a_good_file_is_not_complained_about() {
        assert_eq!(all(GOOD), "");
    }

    #[test]
    fn faults_are_found() {
        for (change, said) in [
            (("1.95.0", "1.95"), "does not name one release"),
            (("1.95.0", "1.94.0"), "rust-version"),
            (("--from=source", "--from=sources"), "no stage sources"),
            (("Cargo.toml \\", "Cargo.lock \\"), "Cargo.lock is copied or run, and is not there"),
            (("infra/run.sh", "infra/other.sh"), "infra/other.sh"),
            (("     crates", "    "), "crates/a/Cargo.toml is needed and not copied"),
            (("USER 65532:65532", ""), "users runs as root"),
            (("HEALTHCHECK CMD [\"/m\"", "LABEL [\"/m\""), "mirante has no HEALTHCHECK"),
            (("ENTRYPOINT [\"/m\"]", "ENTRYPOINT /m"), "directly"),
            (("ENTRYPOINT [\"/usr/local/bin/users\"]", "ENTRYPOINT [\"/users\"]"), "health asks"),
            (("-p users", "-p user"), "no package user"),
        ] {
            assert!(GOOD.contains(change.0), "{change:?}");
            let complaints = all(&GOOD.replace(change.0, change.1));
            assert!(complaints.contains(said), "{change:?}: {complaints}");
        }
    }

    #[test]
    fn the_last_rule_counts() {
        let ignore = Ignore::read("*\n!crates\n# no\n**/target\n!keep/*.txt").unwrap();
        assert!(ignore.leaves_out("secret"));
        assert!(!ignore.leaves_out("crates/a/src/lib.rs"));
        assert!(ignore.leaves_out("crates/a/target/debug/a"));
        assert!(!ignore.leaves_out("keep/a.txt"));
        assert!(ignore.leaves_out("keep/a.rs"));
    }

    #[test]
    fn includes_are_found() {
        assert_eq!(included_by(r#"const A: &str = include_str!("../a.md"); x"#), ["../a.md"]);
    }
}
