//! Deleting and copying what is kept: off unless the one who started the engine allows it, as with Prometheus'
//! `--web.enable-admin-api`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::Clock;

use super::answer::{Answer, ApiError};
use super::params::Params;
use crate::Context;

fn allowed(context: &Context) -> Result<(), ApiError> {
    if context.admin_api { Ok(()) } else { Err(ApiError::unavailable("admin APIs disabled")) }
}

pub(super) async fn delete_series(
    State(context): State<Context>,
    params: Params,
) -> Result<Response, ApiError> {
    allowed(&context)?;
    params.well_formed().map_err(ApiError::bad_data)?;
    if !params.has_matches() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let range = params.range()?;
    let sets = params.selectors().map_err(|reason| ApiError::parameter("match[]", reason))?;
    let metrics = context.metrics;
    let deleted = context.pool.run(move || metrics.delete_series(&sets, range)).await?;
    deleted.map_err(|error| ApiError::internal(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn clean_tombstones(State(context): State<Context>) -> Result<Response, ApiError> {
    allowed(&context)?;
    let metrics = context.metrics;
    let cleaned = context.pool.run(move || metrics.clean_tombstones()).await?;
    cleaned.map_err(|error| ApiError::internal(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn snapshot(State(context): State<Context>, params: Params) -> Result<Answer, ApiError> {
    allowed(&context)?;
    let skip_head = match params.get("skip_head") {
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
        "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
        other => {
            let quoted = crate::go::quote(other);
            let reason =
                format!("unable to parse boolean: strconv.ParseBool: parsing {quoted}: invalid syntax");
            return Err(ApiError::parameter("skip_head", reason));
        }
    };
    let name = name(&*context.clock);
    let metrics = context.metrics;
    let answered = name.clone();
    let copied = context.pool.run(move || metrics.snapshot(&name, !skip_head)).await?;
    copied.map_err(|error| ApiError::internal(&format!("create snapshot: {error}")))?;
    Answer::of(&serde_json::json!({ "name": answered }))
}

/// The moment and a number, so that each has its own.
fn name(clock: &dyn Clock) -> String {
    let now_ns = clock.now_ns();
    let seconds = i64::try_from(now_ns / 1_000_000_000).unwrap_or(0);
    let moment = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    let number = now_ns.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1;
    format!("{}-{number:016x}", moment.strftime("%Y%m%dT%H%M%SZ"))
}
