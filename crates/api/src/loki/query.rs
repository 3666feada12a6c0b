//! Queries for entries.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use logql::{Expr, LogExpr, Pipeline};
use logstore::{Direction, LogStore, Select, Selection};
use model::TimeRange;

use super::encode::{self, Labelling};
use super::params::Params;
use super::{Result, bad_request, json};
use crate::Context;

/// Header by which a client asks for structured metadata apart from the labels.
const ENCODING_FLAGS: &str = "x-loki-response-encoding-flags";

pub(super) async fn range(
    State(context): State<Context>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let bounds = params.ordered_bounds()?;
    let limit = params.limit()?;
    let direction = params.direction()?;
    params.check_step(bounds)?;
    let interval_ns = params.interval_ns()?;
    let query = logql::parse(params.get("query")).map_err(bad_request)?;
    if matches!(query, Expr::Log(_)) {
        Params::check_limit(limit)?;
    }
    let log = query.into_log().map_err(bad_request)?;
    let pipeline = Pipeline::new(&log).map_err(bad_request)?;

    let (logs, pool) = (context.logs.clone(), context.pool.clone());
    let started_ns = context.clock.now_ns();
    let selection = pool
        .run(move || {
            let query = Query { log: &log, pipeline: &pipeline, direction, limit };
            if interval_ns == 0 {
                query.select(&logs, bounds.range(), limit)
            } else {
                query.spaced(&logs, bounds.range(), interval_ns)
            }
        })
        .await??;
    let took_ns = context.clock.now_ns().saturating_sub(started_ns);
    let labelling = if wants_categories(&headers) { Labelling::Categorized } else { Labelling::Merged };
    json(&encode::streams(&selection, labelling, took_ns))
}

pub(super) async fn instant(params: Params) -> Result<Response> {
    params.limit()?;
    params.instant_ns()?;
    params.direction()?;
    match logql::parse(params.get("query")).map_err(bad_request)? {
        Expr::Log(_) => Err(bad_request(
            "log queries are not supported as an instant query type, please change your query to a range query type",
        )),
        metric @ Expr::Metric(_) => Err(metric.into_log().map_or_else(bad_request, bad_request)),
    }
}

fn wants_categories(headers: &HeaderMap) -> bool {
    let flags = headers.get(ENCODING_FLAGS).and_then(|flags| flags.to_str().ok()).unwrap_or_default();
    flags.split(',').any(|flag| flag == encode::CATEGORIZE_LABELS)
}

struct Query<'a> {
    log: &'a LogExpr,
    pipeline: &'a Pipeline,
    direction: Direction,
    limit: usize,
}

impl Query<'_> {
    fn select(&self, logs: &LogStore, range: TimeRange, limit: usize) -> logstore::Result<Selection> {
        logs.select(&Select {
            matchers: &self.log.matchers,
            pipeline: self.pipeline,
            range,
            direction: self.direction,
            limit,
        })
    }

    /// Entries that lie at least so far apart.
    fn spaced(&self, logs: &LogStore, mut range: TimeRange, interval_ns: i64) -> logstore::Result<Selection> {
        /// Entries that are looked at together.
        const BATCH: usize = 1000;
        let mut all = Selection::default();
        let mut last_ns: Option<i64> = None;
        loop {
            let batch = self.select(logs, range, BATCH)?;
            let is_last = batch.entries.len() < BATCH;
            all.stats.add(&batch.stats);
            for entry in batch.entries {
                let far_enough = last_ns.is_none_or(|last_ns| match self.direction {
                    Direction::Forward => entry.time_ns >= last_ns.saturating_add(interval_ns),
                    Direction::Backward => entry.time_ns <= last_ns.saturating_sub(interval_ns),
                });
                if far_enough {
                    last_ns = Some(entry.time_ns);
                    all.entries.push(entry);
                    if all.entries.len() == self.limit {
                        return Ok(all);
                    }
                }
            }
            let Some(last_ns) = last_ns.filter(|_| !is_last) else { return Ok(all) };
            match self.direction {
                Direction::Forward => range.start_ns = last_ns.saturating_add(interval_ns).max(0) as u64,
                Direction::Backward => {
                    range.end_ns = last_ns.saturating_sub(interval_ns).saturating_add(1).max(0) as u64;
                }
            }
        }
    }
}
