//! What there is: label names and values, series, metadata.

use std::fmt::Write;

use axum::extract::State;
use http::Uri;
use model::literal::Quoted;

use super::answer::{Answer, ApiError, TRUNCATED};
use super::params::Params;
use super::{escape, json};
use crate::{Context, go};

pub(super) async fn names(State(context): State<Context>, params: Params) -> Result<Answer, ApiError> {
    let (limit, range) = (params.limit()?, params.range()?);
    let sets = params.matches().map_err(ApiError::bad_data)?;
    let metrics = context.metrics;
    let names = context
        .pool
        .run(move || metrics.label_names(&sets, range))
        .await?
        .map_err(|error| ApiError::internal(&error))?;
    Ok(texts(names, limit))
}

pub(super) async fn values(
    State(context): State<Context>,
    uri: Uri,
    params: Params,
) -> Result<Answer, ApiError> {
    let name = label_name(uri.path())?;
    let (limit, range) = (params.limit()?, params.range()?);
    let sets = params.matches().map_err(ApiError::bad_data)?;
    let metrics = context.metrics;
    let values = context
        .pool
        .run(move || metrics.label_values(&name, &sets, range))
        .await?
        .map_err(|error| ApiError::internal(&error))?;
    Ok(texts(values, limit))
}

/// The label's name in a path that ends in `/label/NAME/values`.
fn label_name(path: &str) -> Result<String, ApiError> {
    let invalid = |name: &[u8]| ApiError::bad_data(format!("invalid label name: {}", Quoted(name)));
    let raw = path.rsplit('/').nth(1).unwrap_or_default();
    let name = String::from_utf8(go::unescape_bytes(raw)).map_err(|bytes| invalid(bytes.as_bytes()))?;
    let name = escape::unescape(&name);
    if name.is_empty() { Err(invalid(name.as_bytes())) } else { Ok(name) }
}

fn texts(mut items: Vec<String>, limit: usize) -> Answer {
    let truncated = limit > 0 && items.len() > limit;
    if truncated {
        items.truncate(limit);
    }
    let bytes: usize = items.iter().map(|item| item.len() + 3).sum();
    let mut data = String::with_capacity(bytes + 2);
    json::strings(&mut data, items.iter().map(String::as_str));
    Answer::new(data).warn(truncated.then_some(TRUNCATED))
}

pub(super) async fn series(State(context): State<Context>, params: Params) -> Result<Answer, ApiError> {
    params.well_formed().map_err(ApiError::bad_data)?;
    if !params.has_matches() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let (limit, range) = (params.limit()?, params.range()?);
    let sets = params.matches().map_err(|reason| ApiError::parameter("match[]", reason))?;
    let metrics = context.metrics;
    let (data, truncated) = context
        .pool
        .run(move || {
            let mut series = metrics.series(&sets, range)?;
            let truncated = limit > 0 && series.len() > limit;
            if truncated {
                series.truncate(limit);
            }
            let mut data = String::new();
            json::list(&mut data, &series, json::labels);
            Ok::<_, tsdb::Error>((data, truncated))
        })
        .await?
        .map_err(|error| ApiError::internal(&error))?;
    Ok(Answer::new(data).warn(truncated.then_some(TRUNCATED)))
}

pub(super) async fn metadata(State(context): State<Context>, params: Params) -> Result<Answer, ApiError> {
    let number = |name: &str| match params.get(name) {
        "" => Ok(-1),
        text => go::atoi(text).map_err(|_| ApiError::bad_data(format!("{name} must be a number"))),
    };
    let limit = number("limit")?;
    let per_metric = number("limit_per_metric")?;
    let metric = Some(params.get("metric")).filter(|name| !name.is_empty());
    let families = context.metrics.metadata(metric);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let per_metric = usize::try_from(per_metric).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let mut data = String::from("{");
    for (index, (name, variants)) in families.iter().take(limit).enumerate() {
        if index > 0 {
            data.push(',');
        }
        json::text(&mut data, name);
        data.push(':');
        json::list(&mut data, variants.iter().take(per_metric), |out, metadata| {
            _ = write!(out, r#"{{"type":"{}","unit":"#, metadata.kind.as_str());
            json::text(out, &metadata.unit);
            out.push_str(r#","help":"#);
            json::text(out, &metadata.help);
            out.push('}');
        });
    }
    data.push('}');
    Ok(Answer::new(data))
}
