//! Lists of labels, their values, and series.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use model::{Labels, Matcher};
use serde::Serialize;

use super::params::{Bounds, Params};
use super::{Result, json};
use crate::Context;

/// An empty list is left out, as Loki does.
#[derive(Serialize)]
struct List {
    status: &'static str,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    data: BTreeSet<String>,
}

pub(super) async fn names(State(context): State<Context>, params: Params) -> Result<Response> {
    let streams = streams(&context, params.bounds()?, params.matchers()?).await?;
    let names = streams.iter().flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned()));
    json(&List { status: "success", data: names.collect() })
}

pub(super) async fn values(
    State(context): State<Context>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response> {
    let streams = streams(&context, params.bounds()?, params.matchers()?).await?;
    let values = streams.iter().map(|labels| labels.get(&name).to_owned()).filter(|value| !value.is_empty());
    json(&List { status: "success", data: values.collect() })
}

#[derive(Serialize)]
struct Series<'a> {
    status: &'static str,
    data: Vec<BTreeMap<&'a str, &'a str>>,
}

pub(super) async fn series(State(context): State<Context>, params: Params) -> Result<Response> {
    let (bounds, selectors) = (params.bounds()?, params.selectors()?);
    let mut found: BTreeSet<Arc<Labels>> = BTreeSet::new();
    if selectors.is_empty() {
        found.extend(streams(&context, bounds, Vec::new()).await?);
    }
    for matchers in selectors {
        found.extend(streams(&context, bounds, matchers).await?);
    }
    let data = found.iter().map(|labels| labels.iter().collect()).collect();
    json(&Series { status: "success", data })
}

async fn streams(context: &Context, bounds: Bounds, matchers: Vec<Matcher>) -> Result<Vec<Arc<Labels>>> {
    let logs = context.logs.clone();
    Ok(context.pool.run(move || logs.streams(bounds.closed_range(), &matchers)).await?)
}
