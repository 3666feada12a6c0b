//! Prometheus' own tests of evaluation: each `eval` of its `.test` files is a case, run as upstream runs it: as written, with
//! `@` put on every selector, and within a range query.

#[path = "promqltest/compare.rs"]
mod compare;
#[path = "promqltest/eval.rs"]
mod eval;
#[path = "promqltest/run.rs"]
mod run;
#[path = "promqltest/script.rs"]
mod script;
#[path = "promqltest/store.rs"]
mod store;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use testkit::Corpus;

use script::Command;
use store::Store;

const FOLDER: &str = "prometheus/promqltest";

/// Tests of our own in the same notation: what upstream's do not have.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/evaluation");

fn main() -> ExitCode {
    let mut corpus = Corpus::new(FOLDER);
    let mut files: Vec<_> = corpus
        .dir()
        .into_iter()
        .chain([Path::new(OWN)])
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect();
    files.sort();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = if path.starts_with(OWN) { format!("own {name}") } else { name };
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if let Err(reason) = add_cases(&mut corpus, &name, &text) {
            corpus.case(&format!("{name} is read"), move |_| Err(reason));
        }
    }
    corpus.run()
}

/// Adds a case for each `eval` of a file. What was loaded until then is what it sees.
fn add_cases(corpus: &mut Corpus, name: &str, text: &str) -> Result<(), String> {
    let mut store = Arc::new(Store::default());
    for command in script::parse(text)? {
        match command {
            Command::Clear => store = Arc::new(Store::default()),
            Command::Load(load) => Arc::make_mut(&mut store).load(load)?,
            Command::Eval(eval) => {
                let store = Arc::clone(&store);
                let case = format!("{name}:{:04} {}", eval.line, eval.query);
                corpus.case(&case, move |_| run::check(&store, &eval));
            }
        }
    }
    Ok(())
}
