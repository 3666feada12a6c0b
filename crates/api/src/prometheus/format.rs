//! Queries as they are read: formatted, and as a tree for pages that show them.

mod tree;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::number::Short;
use promql::Expr;

use super::answer::{Answer, ApiError};
use super::json;
use super::params::Params;
use crate::go;

/// `/api/v1/format_query`
pub(super) async fn format(params: Params) -> Result<Answer, ApiError> {
    let expr = parse(&params)?;
    let mut data = String::new();
    json::text(&mut data, &promql::pretty(&expr));
    Ok(Answer::new(data))
}

/// `/api/v1/parse_query`
pub(super) async fn tree(params: Params) -> Result<Response, ApiError> {
    let expr = parse(&params)?;
    // Such numbers cannot be JSON, and Prometheus fails on them as well.
    if let Some(number) = endless_fill(&expr) {
        let message = format!("v1.Response.Data: unsupported value: {}", Short(number));
        return Ok(go::http_error(StatusCode::INTERNAL_SERVER_ERROR, &message));
    }
    let mut data = String::new();
    tree::write_tree(&mut data, &expr);
    Ok(Answer::new(data).into_response())
}

fn parse(params: &Params) -> Result<Expr, ApiError> {
    promql::parse(params.get("query")).map_err(|reason| ApiError::parameter("query", reason))
}

/// What stands for a missing series and is not finite.
fn endless_fill(expr: &Expr) -> Option<f64> {
    let mut rest = vec![expr];
    while let Some(expr) = rest.pop() {
        if let Expr::Binary(binary) = expr
            && let Some(matching) = &binary.matching
        {
            let mut fills = [matching.fill_left, matching.fill_right].into_iter().flatten();
            if let Some(number) = fills.find(|number| !number.is_finite()) {
                return Some(number);
            }
        }
        rest.extend(expr.children());
    }
    None
}
