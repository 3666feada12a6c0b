//! Durations that depend on the query: `step()`, `range()` and arithmetic.

use super::super::Error;
use super::super::steps::Steps;
use crate::ast::{BinaryOp, DurationExpr};

/// More seconds than this are more nanoseconds than Go counts.
const MAX_SECONDS: f64 = 9_223_372_036.854_775;

/// A duration in milliseconds.
pub(super) fn milliseconds(expr: &DurationExpr, query: Steps, may_be_negative: bool) -> Result<i64, Error> {
    let seconds = reckon(expr, query)?;
    let fail = |reason: &str| Err(at(expr, reason));
    if !seconds.is_finite() {
        return fail("duration is NaN or infinite");
    }
    if seconds <= 0.0 && !may_be_negative {
        return fail("duration must be greater than 0");
    }
    if seconds.abs() > MAX_SECONDS {
        return fail("duration is out of range");
    }
    Ok((seconds * 1000.0) as i64)
}

fn at(expr: &DurationExpr, reason: &str) -> Error {
    let span = expr.span();
    Error::Duration(format!("{}:{}: {reason}", span.start, span.end))
}

fn reckon(expr: &DurationExpr, query: Steps) -> Result<f64, Error> {
    Ok(match expr {
        DurationExpr::Literal(number) => number.value,
        DurationExpr::Step(_) => query.step_ms as f64 / 1000.0,
        DurationExpr::Range(_) => query.end_ms.saturating_sub(query.start_ms) as f64 / 1000.0,
        DurationExpr::MinOf(left, right) => least(reckon(left, query)?, reckon(right, query)?),
        DurationExpr::MaxOf(left, right) => greatest(reckon(left, query)?, reckon(right, query)?),
        DurationExpr::Negative(inner, _) => -reckon(inner, query)?,
        DurationExpr::Paren(inner) | DurationExpr::Positive(inner) => reckon(inner, query)?,
        DurationExpr::Binary(op, left, right) => {
            let (left, right) = (reckon(left, query)?, reckon(right, query)?);
            match op {
                BinaryOp::Add => left + right,
                BinaryOp::Sub => left - right,
                BinaryOp::Mul => left * right,
                BinaryOp::Div if right == 0.0 => return Err(at(expr, "division by zero")),
                BinaryOp::Div => left / right,
                BinaryOp::Mod if right == 0.0 => return Err(at(expr, "modulo by zero")),
                BinaryOp::Mod => left % right,
                BinaryOp::Pow => model::go_math::pow(left, right),
                other => {
                    let name = other.as_str();
                    return Err(Error::Duration(format!("unexpected duration expression operator {name:?}")));
                }
            }
        }
    })
}

/// As Go's `math.Min`: what is not a number wins.
fn least(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { left.min(right) }
}

/// As Go's `math.Max`: what is not a number wins.
fn greatest(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { left.max(right) }
}
