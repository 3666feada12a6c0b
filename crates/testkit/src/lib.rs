//! For tests only: upstream data as named test cases, skipped in plain sight where the data is missing.
//!
//! A test target that uses it has `harness = false` and a `main` like
//!
//! ```no_run
//! use testkit::Corpus;
//!
//! fn main() -> std::process::ExitCode {
//!     let mut corpus = Corpus::new("jaeger/storage-integration");
//!     corpus.case("queries.json: tags in one spot", |dir| {
//!         let text = std::fs::read_to_string(dir.join("queries.json")).map_err(|error| error.to_string())?;
//!         if text.is_empty() { Err("no queries".to_owned()) } else { Ok(()) }
//!     });
//!     corpus.run()
//! }
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Where the upstream data lies: `MIRANTE_CONFORMANCE_DIR`, else the folder `shared/conformance` beside the checkout.
/// `None` if it is not there.
pub fn conformance_dir() -> Option<PathBuf> {
    let dir = std::env::var_os("MIRANTE_CONFORMANCE_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance")),
        |dir| {
            // Tests run in their crate's folder, people give the path from the workspace's.
            let dir = PathBuf::from(dir);
            if dir.is_absolute() {
                dir
            } else {
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(dir)
            }
        },
    );
    dir.is_dir().then_some(dir)
}

/// The cases of one folder of upstream data.
#[derive(Debug)]
pub struct Corpus {
    name: String,
    dir: Option<PathBuf>,
    trials: Vec<Trial>,
}

impl Corpus {
    /// A folder below the conformance directory.
    pub fn new(folder: &str) -> Self {
        let dir = conformance_dir().map(|root| root.join(folder)).filter(|dir| dir.is_dir());
        Self { name: folder.to_owned(), dir, trials: Vec::new() }
    }

    /// The folder, where it is present: to list its cases before adding them.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Adds a case, which is given the folder. Does nothing where the folder is missing.
    pub fn case(&mut self, name: &str, check: impl FnOnce(&Path) -> Result<(), String> + Send + 'static) {
        if let Some(dir) = self.dir.clone() {
            let name = format!("{}::{name}", self.name);
            self.trials.push(Trial::test(name, move || check(&dir).map_err(Into::into)));
        }
    }

    /// Runs the cases of one folder.
    pub fn run(self) -> ExitCode {
        run([self])
    }
}

/// Runs the cases of several folders in one test target.
pub fn run(corpora: impl IntoIterator<Item = Corpus>) -> ExitCode {
    let mut trials = Vec::new();
    for corpus in corpora {
        if corpus.dir.is_none() {
            // Listed as ignored, so that a run without the data does not look like a run with it.
            let name = format!("{}::skipped, MIRANTE_CONFORMANCE_DIR has no such folder", corpus.name);
            trials.push(Trial::test(name, || Ok(())).with_ignored_flag(true));
        } else if corpus.trials.is_empty() {
            let name = corpus.name.clone();
            trials.push(Trial::test(name, || Err("the folder is there, but no case was found in it".into())));
        }
        trials.extend(corpus.trials);
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
