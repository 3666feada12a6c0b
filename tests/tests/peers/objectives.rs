//! Pyrra turns `slo/` into rules, and Prometheus takes them.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use tests::peers::ours::root;
use tests::peers::running::run;
use tests::peers::{ask, pinned, trial};

use crate::pipeline::{Pipeline, WITHIN, program};
use crate::prometheus::all_healthy;

pub(crate) fn trials() -> Vec<Trial> {
    let with_prometheus = &["pyrra", "otelcol", "prometheus"];
    vec![
        trial("pyrra: its rules are right for promtool", &["pyrra", "promtool"], pinned, checked),
        trial("pyrra: Prometheus evaluates its rules", with_prometheus, pinned, evaluated),
    ]
}

/// Writes the rules of all objectives, with the generic ones that the dashboard reads.
pub(crate) fn generate(to: &Path) -> Result<Vec<PathBuf>, Failed> {
    fs::create_dir_all(to)?;
    let files = format!("--config-files={}/slo/*.yaml", root().display());
    let folder = format!("--prometheus-folder={}/", to.display());
    let (code, said) = run(&program("pyrra")?, &["generate", &files, &folder, "--generic-rules"], to)?;
    if code != 0 {
        return Err(said.into());
    }
    let written: Vec<PathBuf> = fs::read_dir(to)?.flatten().map(|entry| entry.path()).collect();
    let objectives = names()?;
    if written.len() < objectives.len() {
        return Err(format!("{objectives:?} became {written:?}:\n{said}").into());
    }
    Ok(written)
}

/// Names of the objectives: those of their files.
fn names() -> Result<Vec<String>, Failed> {
    let files = fs::read_dir(root().join("slo"))?.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let names: Vec<String> = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    if names.is_empty() { Err("there is no objective in slo/".into()) } else { Ok(names) }
}

fn checked() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let written = generate(&dir.path().join("pyrra"))?;
    let mut arguments = vec!["check".to_owned(), "rules".to_owned()];
    arguments.extend(written.iter().map(|path| path.display().to_string()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (code, said) = run(&program("promtool")?, &arguments, dir.path())?;
    if code == 0 { Ok(()) } else { Err(said.into()) }
}

fn evaluated() -> Result<(), Failed> {
    let pipeline = Pipeline::shared()?;
    let url = &pipeline.prometheus.url;
    for objective in names()? {
        let service = objective.split('-').next().unwrap_or_default();
        let target = format!("pyrra_objective{{slo=\"{objective}\", service=\"{service}\"}}");
        ask::until(
            &target,
            WITHIN,
            || ask::series(url, &target).pop(),
            || pipeline.prometheus.process.last_words(),
        )?;
        // Not only the constant: what the objective counts is there.
        let counted = format!(
            "{{__name__=~\"http_server_request_duration_seconds.*:increase1w\", slo=\"{objective}\"}} >= 0"
        );
        let found = || {
            tests::http::get(&format!("{}/users/1/albums", pipeline.users())).ok();
            ask::series(url, &counted).pop()
        };
        ask::until(&counted, WITHIN, found, || pipeline.prometheus.process.last_words())?;
    }
    all_healthy(url, 1)
}
