//! How much there is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use logstore::StreamVolume;
use model::{Labels, Matcher};
use serde::Serialize;

use super::params::Params;
use super::{Result, bad_request, encode, json};
use crate::{Context, go};

/// Sets of labels that are given back if no limit is given.
const DEFAULT_LIMIT: usize = 100;

#[derive(Serialize)]
struct Stats {
    streams: u64,
    chunks: u64,
    bytes: u64,
    entries: u64,
}

pub(super) async fn stats(State(context): State<Context>, params: Params) -> Result<Response> {
    let bounds = params.ordered_bounds()?;
    params.limit()?;
    params.direction()?;
    params.check_step(bounds)?;
    let matchers = logql::parse_matchers(params.get("query"), true).map_err(bad_request)?;
    let logs = context.logs.clone();
    let volumes = context.pool.run(move || logs.volumes(bounds.closed_range(), &matchers)).await?;
    let sum = |of: fn(&StreamVolume) -> u64| volumes.iter().map(of).sum();
    json(&Stats {
        streams: volumes.len() as u64,
        chunks: sum(|volume| volume.chunks),
        bytes: sum(|volume| volume.bytes),
        entries: sum(|volume| volume.entries),
    })
}

pub(super) async fn volume(State(context): State<Context>, params: Params) -> Result<Response> {
    let limit = match params.get("limit") {
        "" | "0" => DEFAULT_LIMIT,
        text if go::atoi(text).map_err(bad_request)? < 0 => {
            return Err(bad_request("limit must be a positive value"));
        }
        _ => params.limit()?,
    };
    let by_series = match params.get("aggregateBy") {
        "" | "series" => true,
        "labels" => false,
        _ => return Err(bad_request("invalid aggregation option")),
    };
    let bounds = params.ordered_bounds()?;
    let targets: Vec<String> =
        params.get("targetLabels").split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    // Here an empty selector means everything.
    let matchers = logql::parse_matchers(params.get("query"), false).map_err(bad_request)?;
    let wanted = wanted_labels(&targets, &matchers);
    let logs = context.logs.clone();
    let volumes = context.pool.run(move || logs.volumes(bounds.closed_range(), &matchers)).await?;

    let mut sums: BTreeMap<Labels, u64> = BTreeMap::new();
    for volume in &volumes {
        let has_target = targets.is_empty() || targets.iter().all(|name| !volume.labels.get(name).is_empty());
        if !has_target {
            continue;
        }
        let pairs = volume.labels.iter().filter(|(name, _)| {
            wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| wanted == name))
        });
        if by_series {
            *sums.entry(pairs.collect()).or_default() += volume.bytes;
        } else {
            for (name, _) in pairs {
                // The name alone, with a value that cannot be empty in a set of labels, stands for the label.
                *sums.entry([(name, "*")].into_iter().collect()).or_default() += volume.bytes;
            }
        }
    }
    let mut sums: Vec<(Labels, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|(labels, bytes)| (Reverse(*bytes), labels.to_string()));
    sums.truncate(limit);
    json(&encode::vector(sums, bounds.end_ns / 1_000_000, by_series))
}

/// The labels that make a series of the result: those that are asked for, else those of the selector; all if the
/// selector has none.
fn wanted_labels(targets: &[String], matchers: &[Matcher]) -> Option<Vec<String>> {
    if !targets.is_empty() {
        return Some(targets.to_vec());
    }
    if matchers.is_empty() {
        return None;
    }
    Some(matchers.iter().map(|matcher| matcher.name().to_owned()).collect())
}
