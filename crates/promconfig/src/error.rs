//! Why a configuration is refused.

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a configuration is refused. `Display` gives Prometheus' text; [`Error::line`] the line, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is no YAML, has values of wrong types, or fails a check.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// A file of target groups in JSON is wrong.
    #[error("{0}")]
    Json(String),
    /// Jobs of a file that `scrape_config_files` names are wrong.
    #[error("{file:?}: {source}")]
    ScrapeConfigFile {
        /// The file.
        file: String,
        /// What is wrong in it.
        source: Box<Error>,
    },
    /// A check of the whole failed.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// The line (from 1) that the first complaint is about.
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::Yaml(error) => error.line(),
            Self::ScrapeConfigFile { source, .. } => source.line(),
            Self::Json(_) | Self::Refused(_) => None,
        }
    }
}
