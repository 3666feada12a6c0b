//! What of a right configuration has no effect in the embedded engine.

use yaml::Position;

use crate::config::Config;
use crate::discovery::Discovery;
use crate::http_client::HttpClientConfig;

/// What follows from a key that is not honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that a user would miss in what is measured: a warning is enough.
    Harmless,
    /// Metrics or alerts would be missing or wrong: the configuration is refused.
    Harmful,
}

/// A key that the embedded engine does not honour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The key, from the top: `scrape_configs.tls_config`.
    pub key: String,
    /// The line (from 1) where it stands, or its block.
    pub line: u32,
    /// What follows.
    pub effect: Effect,
    /// What the engine does instead, for a sentence.
    pub reason: String,
}

impl Config {
    /// Keys that are there and that the embedded engine does not honour, by line.
    pub fn unsupported(&self) -> Vec<Unsupported> {
        let mut found = Vec::new();
        let mut add = |key: &str, position: Position, effect, reason: &str| {
            found.push(Unsupported {
                key: key.to_owned(),
                line: position.line,
                effect,
                reason: reason.to_owned(),
            });
        };
        let top = |key: &str| {
            let present = self.keys.iter().find(|(name, _)| name == key);
            present.map_or(Position { line: 1, column: 1 }, |(_, position)| *position)
        };
        if self.keys.iter().any(|(name, _)| name == "runtime") {
            add("runtime.gogc", top("runtime"), Effect::Harmless, "there is no garbage collector to tune");
        }
        if self.tracing.is_some() {
            let reason = "the engine sends no traces of its own";
            add("tracing", top("tracing"), Effect::Harmless, reason);
        }
        if !self.global.query_log_file.is_empty() {
            add(
                "global.query_log_file",
                top("global"),
                Effect::Harmless,
                "queries are not written to a file",
            );
        }
        if !self.global.scrape_failure_log_file.is_empty() {
            let reason = "failed scrapes are shown by /api/v1/targets and not written to a file";
            add("global.scrape_failure_log_file", top("global"), Effect::Harmless, reason);
        }
        if self.storage.tsdb.float_chunk_encoding == "xor2" {
            let reason = "chunks are written as xor, which every version of Prometheus reads";
            add("storage.tsdb.chunk_encoding.floats", top("storage"), Effect::Harmless, reason);
        }
        if self.storage.tsdb.stale_series_compaction_threshold != 0.0 {
            let reason = "stale series are compacted with the others";
            add("storage.tsdb.stale_series_compaction_threshold", top("storage"), Effect::Harmless, reason);
        }
        if self.storage.tsdb.retention_percentage != 0.0 {
            let reason = "retention goes by time and size";
            add("storage.tsdb.retention.percentage", top("storage"), Effect::Harmless, reason);
        }
        for remote in &self.remote_write {
            let reason = "nothing is sent to other servers";
            add("remote_write", remote.position.get(), Effect::Harmful, reason);
        }
        for remote in &self.remote_read {
            let reason = "nothing is read from other servers, and answers would lack what they have";
            add("remote_read", remote.position.get(), Effect::Harmful, reason);
        }
        for job in &self.scrape_configs {
            if job.scrape_failure_log_file != self.global.scrape_failure_log_file {
                let reason = "failed scrapes are shown by /api/v1/targets and not written to a file";
                add("scrape_configs.scrape_failure_log_file", job.position.get(), Effect::Harmless, reason);
            }
            if job.scheme == "https" {
                let reason = "the engine has no TLS, so this job's targets would all be down";
                add("scrape_configs.scheme", job.position.get(), Effect::Harmful, reason);
            }
            check_client("scrape_configs", &job.client, job.position.get(), &mut add);
            check_discoveries("scrape_configs", &job.discoveries, job.position.get(), &mut add);
        }
        for one in &self.alerting.alertmanagers {
            let key = "alerting.alertmanagers";
            if one.scheme == "https" {
                add(
                    &format!("{key}.scheme"),
                    one.position.get(),
                    Effect::Harmful,
                    "the engine has no TLS, so no alert would arrive",
                );
            }
            if one.sigv4 {
                add(
                    &format!("{key}.sigv4"),
                    one.position.get(),
                    Effect::Harmful,
                    "requests are not signed for AWS",
                );
            }
            check_client(key, &one.client, one.position.get(), &mut add);
            check_discoveries(key, &one.discoveries, one.position.get(), &mut add);
        }
        found.sort_by_key(|unsupported| unsupported.line);
        found
    }
}

type Add<'a> = dyn FnMut(&str, Position, Effect, &str) + 'a;

fn check_client(block: &str, client: &HttpClientConfig, position: Position, add: &mut Add<'_>) {
    if client.oauth2.is_some() {
        add(&format!("{block}.oauth2"), position, Effect::Harmful, "no token is fetched");
    }
    if client.proxy.url.is_some() || client.proxy.from_environment {
        add(&format!("{block}.proxy_url"), position, Effect::Harmful, "servers are reached directly only");
    }
    let refs = [
        ("username_ref", client.basic_auth.as_ref().map_or("", |basic| &basic.username_ref)),
        ("password_ref", client.basic_auth.as_ref().map_or("", |basic| &basic.password_ref)),
        ("credentials_ref", client.authorization.as_ref().map_or("", |it| &it.credentials_ref)),
    ];
    for (key, _) in refs.into_iter().filter(|(_, value)| !value.is_empty()) {
        add(&format!("{block}.{key}"), position, Effect::Harmful, "there is no manager of secrets");
    }
}

fn check_discoveries(block: &str, discoveries: &[Discovery], position: Position, add: &mut Add<'_>) {
    for discovery in discoveries {
        match discovery {
            Discovery::Foreign(foreign) => {
                let reason = "the engine finds targets by static_configs, file_sd_configs, http_sd_configs and \
                              dns_sd_configs only, and these would be missing";
                add(&format!("{block}.{}", foreign.key), foreign.position.get(), Effect::Harmful, reason);
            }
            Discovery::Http(http) => {
                let key = format!("{block}.http_sd_configs");
                if http.url.scheme() == "https" {
                    add(
                        &key,
                        position,
                        Effect::Harmful,
                        "the engine has no TLS, so no target would be found",
                    );
                }
                check_client(&key, &http.client, position, add);
            }
            _ => {}
        }
    }
}
