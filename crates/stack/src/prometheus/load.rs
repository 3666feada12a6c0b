//! Reading the configuration and all files that it names, before anything of it is applied.

use std::fmt;
use std::path::{Path, PathBuf};

use promconfig::{Config, Effect, ScrapeConfig, Unsupported, expand_patterns};

use super::{Settings, rules};

/// Most bytes of a file.
const MAX_BYTES: u64 = 16 << 20;

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file that is wrong.
    pub file: PathBuf,
    /// The line (from 1), where the reason belongs to one.
    pub line: Option<u32>,
    /// What is wrong, in Prometheus' words where it refuses the same.
    pub reason: String,
}

impl Refusal {
    /// As Prometheus says it: what is wrong with a file that could be read stands behind its name.
    pub(crate) fn in_words(&self) -> String {
        match self.line {
            Some(_) => format!("parsing YAML file {}: {}", self.file.display(), self.reason),
            None => self.reason.clone(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for Refusal {}

/// A configuration that can be applied.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The file.
    pub(crate) config: Config,
    /// Its jobs, and those of the files that it names.
    pub(crate) jobs: Vec<ScrapeConfig>,
    /// The rule files that there are.
    pub(crate) rule_files: Vec<PathBuf>,
    /// What of it has no effect here.
    ignored: Vec<Unsupported>,
}

impl Loaded {
    /// Reads the file of a stack, and its rules once, so that nothing is started for a wrong one; without a file, what an
    /// empty one says.
    pub(crate) fn of(config: &crate::Config) -> Result<Self, Refusal> {
        let Some(file) = config.prometheus_config.as_deref() else { return Ok(Self::default()) };
        let read = Self::read(file)?;
        rules::check(&read).map_err(|reason| Refusal { file: file.to_owned(), line: None, reason })?;
        Ok(read)
    }

    /// Reads a file and all that it names.
    pub(crate) fn read(file: &Path) -> Result<Self, Refusal> {
        let wrong = |line, reason: String| Refusal { file: file.to_owned(), line, reason };
        let text = text_of(file).map_err(|reason| wrong(None, reason))?;
        let variable = |name: &str| std::env::var(name).ok();
        let mut config =
            Config::parse(&text, variable).map_err(|error| wrong(error.line(), error.to_string()))?;
        let directory = file.parent().unwrap_or(Path::new(""));
        config.set_directory(directory);
        let (harmful, ignored): (Vec<_>, Vec<_>) =
            config.unsupported().into_iter().partition(|key| key.effect == Effect::Harmful);
        if let Some(key) = harmful.first() {
            let reason = format!("{} is not supported by the embedded engine: {}", key.key, key.reason);
            return Err(wrong(Some(key.line), reason));
        }
        let jobs = all_jobs(&config)?;
        let rule_files = expand_patterns(&config.rule_files);
        Ok(Self { config, jobs, rule_files, ignored })
    }

    /// What the stores and receivers of a stack are built with.
    pub(crate) fn settings(&self, config: &crate::Config) -> Settings {
        Settings::of(&self.config, config.retention.metrics)
    }

    /// Names what has no effect here in the log.
    pub(crate) fn name_what_is_ignored(&self) {
        for key in &self.ignored {
            tracing::warn!(
                key = key.key,
                line = key.line,
                "no effect in the embedded engine: {}",
                key.reason
            );
        }
    }
}

/// The jobs of the file and of those that it names.
fn all_jobs(config: &Config) -> Result<Vec<ScrapeConfig>, Refusal> {
    let mut jobs = config.scrape_configs.clone();
    let mut names: Vec<_> =
        jobs.iter().map(|job| (job.job_name.clone(), "main config file".to_owned())).collect();
    for file in expand_patterns(&config.scrape_config_files) {
        let wrong = |line, reason: String| Refusal { file: file.clone(), line, reason };
        let text = text_of(&file).map_err(|reason| wrong(None, reason))?;
        let mut more = config
            .parse_scrape_config_file(&file, &text, &names)
            .map_err(|error| wrong(error.line(), error.to_string()))?;
        for job in &mut more {
            job.set_directory(file.parent().unwrap_or(Path::new("")));
            names.push((job.job_name.clone(), format!("\"{}\"", file.display())));
        }
        jobs.append(&mut more);
    }
    Ok(jobs)
}

fn text_of(file: &Path) -> Result<String, String> {
    let words = |error: std::io::Error| format!("open {}: {}", file.display(), go_words(&error));
    let bytes = std::fs::metadata(file).map_err(words)?.len();
    if bytes > MAX_BYTES {
        return Err(format!("larger than {MAX_BYTES} bytes"));
    }
    std::fs::read_to_string(file).map_err(words)
}

/// The system's words as Prometheus gives them: in lower case, without a number.
fn go_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Loaded, Refusal> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Loaded::read(&dir.path().join("prometheus.yml"))
    }

    #[test]
    fn jobs_of_other_files_are_among_the_jobs() {
        let main = "scrape_config_files: [more*.yml]\nscrape_configs:\n- job_name: a\n";
        let loaded = read(&[("prometheus.yml", main), ("more.yml", "scrape_configs:\n- job_name: b\n")]);
        let names: Vec<_> = loaded.unwrap().jobs.into_iter().map(|job| job.job_name).collect();
        assert_eq!(names, ["a", "b"]);
        let twice = read(&[("prometheus.yml", main), ("more.yml", "scrape_configs:\n- job_name: a\n")]);
        let refusal = twice.unwrap_err();
        assert!(refusal.file.ends_with("more.yml"), "{refusal}");
        assert_eq!(
            refusal.reason,
            "found multiple scrape configs with job name \"a\", first found in main config file"
        );
    }

    #[test]
    fn a_refusal_names_the_line() {
        let refusal = read(&[("prometheus.yml", "global:\n  scrape_interval: soon\n")]).unwrap_err();
        assert_eq!(refusal.line, Some(2));
        assert!(refusal.to_string().contains("prometheus.yml:2: "), "{refusal}");
        assert!(refusal.in_words().starts_with("parsing YAML file "), "{refusal}");
        let missing = read(&[]).unwrap_err();
        assert!(missing.in_words().starts_with("open ") && missing.line.is_none(), "{missing}");
        assert!(missing.reason.ends_with(": no such file or directory"), "{missing}");
    }

    #[test]
    fn what_would_be_missed_is_refused_and_the_rest_is_kept_to_be_named() {
        let text = "global:\n  query_log_file: x\nremote_write:\n- url: http://example.org\n";
        let refusal = read(&[("prometheus.yml", text)]).unwrap_err();
        assert_eq!(refusal.line, Some(4));
        assert!(refusal.reason.starts_with("remote_write is not supported by the embedded engine: "));
        let loaded = read(&[("prometheus.yml", "global:\n  query_log_file: x\n")]).unwrap();
        assert_eq!(loaded.ignored.len(), 1);
    }
}
