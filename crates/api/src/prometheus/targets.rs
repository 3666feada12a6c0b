//! What is scraped: targets, what they say of their metrics, and how their labels come about.

use std::fmt::Write;

use axum::extract::State;
use http::Uri;
use model::number::Short;
use model::{Labels, Metadata};
use promconfig::relabel::{self, Rule};
use scrape::{PoolView, Target};

use super::answer::{Answer, ApiError};
use super::json;
use super::params::Params;
use crate::{Context, go};

/// The pools in the order of their names, none where nothing is configured.
fn pools(context: &Context) -> Vec<PoolView> {
    context.configuration.as_ref().map(|configuration| configuration.targets.pools()).unwrap_or_default()
}

/// `/api/v1/scrape_pools`: names of jobs.
pub(super) async fn scrape_pools(State(context): State<Context>) -> Answer {
    let mut data = String::from(r#"{"scrapePools":"#);
    json::strings(&mut data, pools(&context).iter().map(|pool| pool.name.as_str()));
    data.push('}');
    Answer::new(data)
}

/// The pool that the parameters name.
fn pool_of(params: &Params) -> Result<&str, ApiError> {
    match params.get("scrapePool") {
        "" => Err(ApiError::bad_data("no scrapePool parameter provided")),
        pool => Ok(pool),
    }
}

fn config_of(context: &Context, pool: &str) -> Result<std::sync::Arc<promconfig::ScrapeConfig>, ApiError> {
    let config = context.configuration.as_ref().and_then(|configuration| configuration.targets.config(pool));
    config.ok_or_else(|| {
        let pool = go::quote(pool);
        ApiError::bad_data(format!("error retrieving scrape config: scrape pool {pool} not found"))
    })
}

/// `/api/v1/scrape_pools/config`: the configuration of a job.
pub(super) async fn scrape_pool_config(
    State(context): State<Context>,
    params: Params,
) -> Result<Answer, ApiError> {
    let config = config_of(&context, pool_of(&params)?)?;
    let mut data = String::from(r#"{"yaml":"#);
    json::text(&mut data, &config.document());
    data.push('}');
    Ok(Answer::new(data))
}

/// `/api/v1/targets`.
pub(super) async fn targets(State(context): State<Context>, uri: Uri) -> Answer {
    let query = go::Query::of(&uri);
    let state = query.get("state").to_lowercase();
    let shows = |kind: &str| matches!(state.as_str(), "" | "any") || state == kind;
    let pools = pools(&context);
    let wanted = query.get("scrapePool");
    let chosen = || pools.iter().filter(|pool| wanted.is_empty() || pool.name == wanted);
    let mut data = String::from(r#"{"activeTargets":"#);
    let active = chosen().flat_map(|pool| &pool.active).filter(|_| shows("active"));
    json::list(&mut data, active, |out, target| active_target(out, target));
    data.push_str(r#","droppedTargets":"#);
    let dropped = chosen().flat_map(|pool| pool.dropped.iter().map(move |dropped| (pool, dropped)));
    json::list(&mut data, dropped.filter(|_| shows("dropped")), |out, (pool, dropped)| {
        out.push_str(r#"{"discoveredLabels":"#);
        json::labels(out, &dropped.discovered);
        out.push_str(r#","scrapePool":"#);
        json::text(out, &pool.name);
        out.push('}');
    });
    data.push_str(r#","droppedTargetCounts":"#);
    if shows("dropped") {
        data.push('{');
        for (index, pool) in pools.iter().enumerate() {
            data.push_str(if index > 0 { "," } else { "" });
            json::text(&mut data, &pool.name);
            _ = write!(data, ":{}", pool.dropped_count);
        }
        data.push('}');
    } else {
        data.push_str("null");
    }
    data.push('}');
    Answer::new(data)
}

fn active_target(out: &mut String, target: &Target) {
    out.push_str(r#"{"discoveredLabels":"#);
    json::labels(out, &target.discovered_labels());
    out.push_str(r#","labels":"#);
    json::labels(out, target.labels());
    let url = target.address().to_string();
    let status = target.status();
    // Nothing stands between this server and others, so that an address is the same from everywhere.
    for (name, text) in [
        ("scrapePool", target.job()),
        ("scrapeUrl", &url),
        ("globalUrl", &url),
        ("lastError", &status.last_error),
    ] {
        _ = write!(out, r#","{name}":"#);
        json::text(out, text);
    }
    let scraped_ns = i64::try_from(status.last_scrape_ns).ok().filter(|time_ns| *time_ns > 0);
    _ = write!(
        out,
        r#","lastScrape":"{}","lastScrapeDuration":{},"health":"{}""#,
        json::moment(scraped_ns),
        Short(status.last_duration.as_secs_f64()),
        status.health.as_str()
    );
    for (name, label) in [("scrapeInterval", "__scrape_interval__"), ("scrapeTimeout", "__scrape_timeout__")]
    {
        _ = write!(out, r#","{name}":"#);
        json::text(out, target.all_labels().get(label));
    }
    out.push('}');
}

/// `/api/v1/targets/metadata`: what targets say of their metrics.
pub(super) async fn metadata(State(context): State<Context>, params: Params) -> Result<Answer, ApiError> {
    let limit = match params.get("limit") {
        "" => usize::MAX,
        text => {
            let limit = go::atoi(text).map_err(|_| ApiError::bad_data("limit must be a number"))?;
            usize::try_from(limit).unwrap_or(usize::MAX)
        }
    };
    let selector = params.get("match_target");
    let matchers = match selector {
        "" => Vec::new(),
        text => promql::parse_selector(text).map_err(|error| ApiError::parameter("match_target", error))?,
    };
    let metric = params.get("metric");
    let mut data = String::new();
    let mut found: Vec<(Labels, Option<String>, Metadata)> = Vec::new();
    for target in pools(&context).iter().flat_map(|pool| &pool.active) {
        if found.len() >= limit {
            break;
        }
        if !matchers.iter().all(|matcher| matcher.matches(target.labels().get(matcher.name()))) {
            continue;
        }
        let labels = target.labels();
        if metric.is_empty() {
            let all = target.metadata().into_iter();
            found.extend(all.map(|(family, metadata)| (labels.clone(), Some(family), metadata)));
        } else {
            found.extend(target.metadata_of(metric).map(|metadata| (labels.clone(), None, metadata)));
        }
    }
    json::list(&mut data, &found, |out, (labels, family, metadata)| {
        out.push_str(r#"{"target":"#);
        json::labels(out, labels);
        if let Some(family) = family {
            out.push_str(r#","metric":"#);
            json::text(out, family);
        }
        _ = write!(out, r#","type":"{}","help":"#, metadata.kind.as_str());
        json::text(out, &metadata.help);
        out.push_str(r#","unit":"#);
        json::text(out, &metadata.unit);
        out.push('}');
    });
    Ok(Answer::new(data))
}

/// `/api/v1/targets/relabel_steps`: what each rule of a job makes of labels.
pub(super) async fn relabel_steps(
    State(context): State<Context>,
    params: Params,
) -> Result<Answer, ApiError> {
    let pool = pool_of(&params)?;
    let mut labels = match params.get("labels") {
        "" => return Err(ApiError::bad_data("no labels parameter provided")),
        text => labels_of(text)?,
    };
    let config = config_of(&context, pool)?;
    let mut keep = true;
    let mut data = String::from(r#"{"steps":"#);
    json::list(&mut data, &config.relabel_configs, |out, step| {
        keep = keep && relabel::apply(std::slice::from_ref(step), &mut labels);
        out.push_str(r#"{"rule":"#);
        rule(out, step);
        out.push_str(r#","output":"#);
        let output = if keep { labels.clone() } else { Vec::new() };
        json::labels(out, &Labels::new(output));
        _ = write!(out, r#","keep":{keep}}}"#);
    });
    data.push('}');
    Ok(Answer::new(data))
}

/// Labels that a client wrote as an object.
fn labels_of(text: &str) -> Result<Vec<(String, String)>, ApiError> {
    let mut labels =
        go::string_map(text).map_err(|error| ApiError::bad_data(format!("error parsing labels: {error}")))?;
    labels.retain(|(_, value)| !value.is_empty());
    Ok(labels)
}

/// A rule, by the names of its keys.
fn rule(out: &mut String, rule: &Rule) {
    out.push('{');
    if let Some(labels) = rule.source_labels.as_ref().filter(|labels| !labels.is_empty()) {
        out.push_str(r#""source_labels":"#);
        json::strings(out, labels.iter().map(String::as_str));
        out.push(',');
    }
    out.push_str(r#""separator":"#);
    json::text(out, &rule.separator);
    out.push_str(r#","regex":"#);
    json::text(out, rule.pattern());
    if rule.modulus != 0 {
        _ = write!(out, r#","modulus":{}"#, rule.modulus);
    }
    if !rule.target_label.is_empty() {
        out.push_str(r#","target_label":"#);
        json::text(out, &rule.target_label);
    }
    out.push_str(r#","replacement":"#);
    json::text(out, &rule.replacement);
    _ = write!(out, r#","action":"{}"}}"#, rule.action.as_str());
}
