//! What Prometheus would have been started with to do what is done here, and which of its features that makes.

use std::collections::BTreeMap;

use axum::extract::State;
use promql::functions::FUNCTIONS;

use super::answer::{Answer, ApiError};
use super::limits::{MAX_SAMPLES, TIMEOUT};
use crate::Context;

/// Features that Prometheus has to be told to have, and that are always there here.
const ENABLED: &str = "exemplar-storage,promql-binop-fill-modifiers,promql-delayed-name-removal,promql-experimental-functions,\
                       promql-extended-range-selectors,promql-per-step-stats,use-start-timestamps";

/// Flags that are the same whatever this is started with: Prometheus' defaults, and what the compose file has.
const FIXED: &[(&str, &str)] = &[
    ("agent", "false"),
    ("alertmanager.drain-notification-queue-on-shutdown", "true"),
    ("alertmanager.notification-batch-size", "256"),
    ("alertmanager.notification-queue-capacity", "10000"),
    ("enable-feature", ENABLED),
    ("query.lookback-delta", "5m"),
    ("rules.alert.for-grace-period", "10m"),
    ("rules.alert.for-outage-tolerance", "1h"),
    ("rules.alert.resend-delay", "1m"),
    ("scrape.adjust-timestamps", "true"),
    ("scrape.timestamp-tolerance", "50ms"),
    ("storage.tsdb.min-block-duration", "2h"),
    ("web.cors.origin", ".*"),
    ("web.enable-lifecycle", "true"),
    ("web.enable-otlp-receiver", "true"),
    ("web.enable-remote-write-receiver", "true"),
    (
        "web.remote-write-receiver.accepted-protobuf-messages",
        "prometheus.WriteRequest,io.prometheus.write.v2.Request",
    ),
    ("web.route-prefix", "/"),
];

/// `/api/v1/status/flags`: only those that have a meaning here.
pub(super) async fn flags(State(context): State<Context>) -> Result<Answer, ApiError> {
    let config = context.metrics.config();
    let mut flags: BTreeMap<&str, String> =
        FIXED.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    if let Some(configuration) = &context.configuration {
        flags.insert("config.file", configuration.file.clone());
    }
    flags.extend([
        ("query.max-samples", MAX_SAMPLES.to_string()),
        ("query.timeout", promql::format_duration(TIMEOUT)),
        ("storage.tsdb.path", config.blocks_dir.display().to_string()),
        ("storage.tsdb.retention.time", promql::format_duration(config.retention_age)),
        ("web.enable-admin-api", context.admin_api.to_string()),
    ]);
    Answer::of(&flags)
}

type Features = BTreeMap<&'static str, BTreeMap<&'static str, bool>>;

/// `/api/v1/features`: what clients such as Grafana ask before they offer it.
pub(super) async fn features(State(context): State<Context>) -> Result<Answer, ApiError> {
    let mut features: Features = BTreeMap::new();
    for (category, there, missing) in KNOWN {
        let known = features.entry(category).or_default();
        known.extend(there.iter().map(|name| (*name, true)));
        known.extend(missing.iter().map(|name| (*name, false)));
    }
    let api = features.entry("api").or_default();
    api.insert("admin", context.admin_api);
    let functions = features.entry("promql_functions").or_default();
    functions.extend(FUNCTIONS.iter().map(|function| (function.name, true)));
    Answer::of(&features)
}

/// By category: what is there, and what is not.
const KNOWN: &[(&str, &[&str], &[&str])] = &[
    (
        "api",
        &[
            "exclude_alerts",
            "label_values_match",
            "lifecycle",
            "otlp_write_receiver",
            "query_stats",
            "query_warnings",
            "remote_write_receiver",
            "time_range_labels",
            "time_range_series",
        ],
        &[
            "openapi_3.1",
            "openapi_3.2",
            "search",
            "search_fuzz_alg_jarowinkler",
            "search_fuzz_alg_subsequence",
        ],
    ),
    ("otlp_receiver", &["delta_conversion"], &["native_delta_ingestion"]),
    ("prometheus", &["server_mode"], &["agent_mode", "auto_reload_config", "stringlabels"]),
    (
        "promql",
        &[
            "anchored",
            "at_modifier",
            "bool",
            "by",
            "delayed_name_removal",
            "duration_expr",
            "fill",
            "fill_left",
            "fill_right",
            "group_left",
            "group_right",
            "ignoring",
            "negative_offset",
            "offset",
            "on",
            "per_query_lookback_delta",
            "per_step_stats",
            "smoothed",
            "subqueries",
            "without",
        ],
        &["type_and_unit_labels"],
    ),
    (
        "promql_operators",
        &[
            "!=",
            "!~",
            "%",
            "*",
            "+",
            "-",
            "/",
            "<",
            "</",
            "<=",
            "==",
            "=~",
            ">",
            ">/",
            ">=",
            "@",
            "^",
            "and",
            "atan2",
            "avg",
            "bottomk",
            "count",
            "count_values",
            "group",
            "limit_ratio",
            "limitk",
            "max",
            "min",
            "or",
            "quantile",
            "stddev",
            "stdvar",
            "sum",
            "topk",
            "unless",
        ],
        &[],
    ),
    ("rules", &["keep_firing_for", "query_offset"], &["concurrent_rule_eval"]),
    ("scrape", &["extra_scrape_metrics", "start_timestamp_zero_ingestion"], &["type_and_unit_labels"]),
    ("service_discovery_providers", &["dns", "file", "http", "static"], &[]),
    ("templating_functions", promrules::template::FUNCTIONS, &[]),
    (
        "tsdb",
        &["exemplar_storage", "isolation", "native_histograms", "st_storage"],
        &["delayed_compaction", "histograms_st_encoding", "use_uncached_io", "xor2_encoding"],
    ),
];

/// `/api/v1/search/…`, as Prometheus answers without `--enable-feature=search-api`.
pub(super) async fn search() -> ApiError {
    ApiError::unavailable("search API disabled")
}
