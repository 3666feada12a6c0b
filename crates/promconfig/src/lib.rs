//! Prometheus' configuration file, as version 3.14 reads it.
//!
//! [`Config::parse`] reads `prometheus.yml` with the defaults, checks and error texts of the real one;
//! [`Config::print`] gives it back as `/api/v1/status/config` shows it, with secrets hidden. [`relabel`] has relabelling
//! itself, [`target_group`] the files and answers of file and HTTP discovery.
//!
//! Pure, but for [`expand_patterns`], which looks for the files that a pattern names; none is read here. What names files (`rule_files`, `scrape_config_files`, `credentials_file`) is resolved
//! against the directory of the configuration ([`Config::set_directory`]) and opened by whoever uses it.
//!
//! What the embedded engine cannot honour is told by [`Config::unsupported`]: the file is right, but part of it has no
//! effect here.
//!
//! Begin with [`Config`], then [`ScrapeConfig`].

mod alerting;
mod config;
pub mod discovery;
mod error;
mod global;
pub mod go_json;
mod http_client;
mod names;
mod otlp_block;
mod paths;
mod place;
mod print;
mod read;
pub mod relabel;
mod remote;
mod scrape;
mod secret;
mod size;
mod storage;
pub mod target_group;
mod tls;
mod tracing;
mod unsupported;
mod url;

pub use alerting::{AlertingConfig, AlertmanagerConfig};
pub use config::Config;
pub use discovery::Discovery;
pub use error::{Error, Result};
pub use global::GlobalConfig;
pub use http_client::{Authorization, BasicAuth, Header, HttpClientConfig, OAuth2, Proxy};
pub use names::ValidationScheme;
pub use paths::expand_patterns;
pub use place::Place;
pub use read::join_directory;
pub use remote::{RemoteReadConfig, RemoteWriteConfig};
pub use scrape::{Limits, ScrapeConfig};
pub use secret::Secret;
pub use size::print as format_size;
pub use storage::{StorageConfig, TsdbConfig};
pub use target_group::TargetGroup;
pub use tls::TlsConfig;
pub use tracing::TracingConfig;
pub use unsupported::{Effect, Unsupported};
pub use url::Url;
