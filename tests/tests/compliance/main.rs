//! PromQL side by side: the same samples, by remote write, in a real Prometheus and in the embedded engine, the same
//! queries to both.
//!
//! The queries are the compliance tester's, where the corpora are at hand, and those of `queries.txt`. Each is asked as an
//! instant and as a range query, and the whole answers are compared: status, data with its order, errors, warnings and
//! infos. Numbers have to be equal to the last digit, but for what powers and logarithms leave to the processor. An older
//! Prometheus is asked the compliance tester's alone: what it does not know is passed over, and its numbers may differ in
//! the tenth digit, since it adds in another way.

mod answers;
mod data;
mod queries;
mod servers;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tests::peers::{ask, trial};

use answers::{Answer, Exactness};
use queries::Query;
use servers::{Pair, Version};

/// Range queries go over this long, with this step.
const RANGE_S: i64 = 1200;
const STEP_S: i64 = 10;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = match all() {
        Ok(trials) => trials,
        Err(error) => vec![Trial::test("queries are read", move || Err(error))],
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    servers::stop();
    conclusion.exit_code()
}

fn all() -> Result<Vec<Trial>, Failed> {
    let mut trials = Vec::new();
    for query in queries::own() {
        trials.extend(Kind::ALL.map(|kind| case("ours", &query, kind, Version::Pinned)));
    }
    if let Some(dir) = testkit::conformance_dir() {
        for query in queries::compliance(&dir)? {
            for version in Version::ALL {
                if version == Version::Packaged && query.has_subquery() {
                    continue;
                }
                trials.extend(Kind::ALL.map(|kind| case(version.name(), &query, kind, version)));
            }
        }
    }
    Ok(trials)
}

fn case(group: &str, query: &Query, kind: Kind, version: Version) -> Trial {
    let name = format!("{group}: {}: {}", kind.name(), query.text);
    let query = query.clone();
    trial(&name, &["prometheus"], version.find(), move || compare(&query, kind, version))
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Instant,
    Range,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Instant, Self::Range];

    fn name(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Range => "range",
        }
    }

    fn ask(self, url: &str, query: &str, end_s: i64) -> Result<Answer, Failed> {
        let query = ask::escaped(query);
        match self {
            Self::Instant => Answer::of(url, "query", &format!("query={query}&time={end_s}")),
            Self::Range => {
                let start_s = end_s - RANGE_S;
                let form = format!("query={query}&start={start_s}&end={end_s}&step={STEP_S}");
                Answer::of(url, "query_range", &form)
            }
        }
    }
}

fn compare(query: &Query, kind: Kind, version: Version) -> Result<(), Failed> {
    let pair = Pair::shared(version)?;
    let theirs = kind.ask(&pair.prometheus_url, &query.text, pair.end_s)?;
    let ours = kind.ask(&pair.mirante_url, &query.text, pair.end_s)?;
    let exactness = match version {
        Version::Pinned => query.exactness(),
        Version::Packaged if theirs.is_not_understood() && !ours.has_failed() => return Ok(()),
        Version::Packaged => Exactness { tolerance: 1e-9, order: false, words: false },
    };
    theirs.difference(&ours, exactness).map_or(Ok(()), |difference| Err(difference.into()))
}
