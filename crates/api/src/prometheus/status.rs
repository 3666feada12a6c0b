//! Whether Prometheus is there, which, and how it does.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Serialize;

use super::answer::{Answer, ApiError};
use super::params::Params;
use crate::build_info::BuildInfo;
use crate::{Context, go};

/// The version of Prometheus whose API this is. Grafana reads it to know what it may ask.
const PROMETHEUS_VERSION: &str = "3.14.0";

/// Most entries of a list of the index's figures.
const MAX_STATS_LIMIT: usize = 10_000;

pub(super) async fn healthy() -> &'static str {
    "Prometheus Server is Healthy.\n"
}

pub(super) async fn ready() -> &'static str {
    "Prometheus Server is Ready.\n"
}

/// `/-/reload`: reads the configuration again, where there is one.
pub(super) async fn reload(State(context): State<Context>) -> Response {
    let Some(configuration) = context.configuration else { return lifecycle_disabled().await };
    match configuration.reload.ask().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(reason) => {
            let message = format!("failed to reload config: {reason}");
            go::http_error(StatusCode::INTERNAL_SERVER_ERROR, &message)
        }
    }
}

/// Also for `/-/quit`: the port is one of many of a process, which no client of one of them ends.
pub(super) async fn lifecycle_disabled() -> Response {
    (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response()
}

const BUILD_INFO: BuildInfo = BuildInfo::of(PROMETHEUS_VERSION);

pub(super) async fn build_info() -> Result<Answer, ApiError> {
    Answer::of(&BUILD_INFO)
}

/// The same without the envelope.
pub(super) async fn version() -> Response {
    match serde_json::to_string(&BUILD_INFO) {
        // As Go guesses it: Prometheus does not say that it is JSON.
        Ok(body) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body + "\n").into_response(),
        Err(error) => go::http_error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

#[derive(Serialize)]
struct RuntimeInfo {
    #[serde(rename = "startTime")]
    start_time: String,
    #[serde(rename = "CWD")]
    directory: String,
    hostname: String,
    #[serde(rename = "serverTime")]
    server_time: String,
    #[serde(rename = "reloadConfigSuccess")]
    reload_config_success: bool,
    #[serde(rename = "lastConfigTime")]
    last_config_time: String,
    #[serde(rename = "corruptionCount")]
    corruption_count: u64,
    #[serde(rename = "goroutineCount")]
    goroutine_count: usize,
    #[serde(rename = "GOMAXPROCS")]
    processors: usize,
    #[serde(rename = "GOMEMLIMIT")]
    memory_limit: i64,
    #[serde(rename = "GOGC")]
    gc: &'static str,
    #[serde(rename = "GODEBUG")]
    debug: &'static str,
    #[serde(rename = "storageRetention")]
    storage_retention: String,
}

pub(super) async fn runtime_info(State(context): State<Context>) -> Result<Answer, ApiError> {
    // Without a file the settings are those of the start.
    let configuration = context.configuration.as_ref().map(|configuration| configuration.loaded.last());
    let (is_current, loaded_ns) = configuration.unwrap_or((true, context.started_ns));
    Answer::of(&RuntimeInfo {
        start_time: timestamp(context.started_ns),
        directory: std::env::current_dir().map_or_else(|_| String::new(), |dir| dir.display().to_string()),
        hostname: std::fs::read_to_string("/proc/sys/kernel/hostname")
            .unwrap_or_default()
            .trim_end()
            .to_owned(),
        server_time: timestamp(context.clock.now_ns()),
        reload_config_success: is_current,
        // A metric gives it to Prometheus' own page, and the page cuts it to seconds.
        last_config_time: timestamp(loaded_ns / 1_000_000_000 * 1_000_000_000),
        corruption_count: 0,
        // Threads come nearest.
        goroutine_count: std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count),
        processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_limit: i64::MAX,
        gc: "",
        debug: "",
        storage_retention: retention(context.metrics.config()),
    })
}

/// How long samples are kept: an age, perhaps a size.
fn retention(config: &tsdb::Config) -> String {
    let age = promql::format_duration(config.retention_age);
    match i64::try_from(config.retention_bytes) {
        Ok(bytes) => format!("{age} or {}", promconfig::format_size(bytes)),
        Err(_) => age,
    }
}

fn timestamp(time_ns: u64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or_default().to_string()
}

/// The configuration with all defaults and without secrets.
pub(super) async fn config(State(context): State<Context>) -> Result<Answer, ApiError> {
    let yaml = match context.configuration {
        Some(configuration) => configuration.loaded.yaml(),
        None => promconfig::Config::default().print(),
    };
    Answer::of(&BTreeMap::from([("yaml", yaml)]))
}

#[derive(Serialize)]
struct Stat {
    name: String,
    value: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadStats {
    num_series: u64,
    num_label_pairs: u64,
    chunk_count: u64,
    min_time: i64,
    max_time: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TsdbStatus {
    head_stats: HeadStats,
    series_count_by_metric_name: Vec<Stat>,
    label_value_count_by_label_name: Vec<Stat>,
    memory_in_bytes_by_label_name: Vec<Stat>,
    series_count_by_label_value_pair: Vec<Stat>,
}

pub(super) async fn tsdb(State(context): State<Context>, params: Params) -> Result<Answer, ApiError> {
    let limit = match params.get("limit") {
        "" => 10,
        text => match go::atoi(text).map(usize::try_from) {
            Ok(Ok(limit)) if limit > MAX_STATS_LIMIT => {
                return Err(ApiError::bad_data(format!("limit must not exceed {MAX_STATS_LIMIT}")));
            }
            Ok(Ok(limit)) if limit > 0 => limit,
            _ => return Err(ApiError::bad_data("limit must be a positive number")),
        },
    };
    let metrics = context.metrics;
    let (stats, index) = context.pool.run(move || (metrics.stats(), metrics.index_stats(limit))).await?;
    let list =
        |list: Vec<(String, u64)>| list.into_iter().map(|(name, value)| Stat { name, value }).collect();
    let is_empty = stats.head_items == 0;
    Answer::of(&TsdbStatus {
        head_stats: HeadStats {
            num_series: stats.series,
            num_label_pairs: index.label_pairs,
            chunk_count: stats.chunks,
            min_time: if is_empty { i64::MAX } else { stats.min_time_ms },
            max_time: if is_empty { i64::MIN } else { stats.max_time_ms },
        },
        series_count_by_metric_name: list(index.series_by_name),
        label_value_count_by_label_name: list(index.values_by_label),
        memory_in_bytes_by_label_name: list(index.bytes_by_label),
        series_count_by_label_value_pair: list(index.series_by_pair),
    })
}

pub(super) async fn blocks(State(context): State<Context>) -> Answer {
    Answer::new(format!(r#"{{"blocks":[{}]}}"#, context.metrics.block_metas().join(",")))
}

/// Whoever can ask is asking after the replay.
pub(super) async fn wal_replay() -> Answer {
    Answer::new(r#"{"min":0,"max":0,"current":0}"#.to_owned())
}
