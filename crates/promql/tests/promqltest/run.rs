//! Runs a query in all the ways that upstream does.

use model::Labels;
use promql::engine::{Annotations, Options, Outcome, Steps, Value, instant, range};
use promql::storage::PointValue;
use promql::{At, Expr};

use crate::compare;
use crate::eval::{Eval, Notes};
use crate::store::Store;

/// Functions whose result is another at another time, whatever their arguments.
const DEPEND_ON_TIME: [&str; 15] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "step",
    "time",
    "timestamp",
    "year",
];

/// Functions that are numbers once the times of a query are known.
const OF_THE_QUERY: [&str; 4] = ["start()", "end()", "range()", "step()"];

const MINUTE_MS: i64 = 60_000;

fn options() -> Options {
    Options { max_samples: 10_000, subquery_step_ms: MINUTE_MS, ..Options::default() }
}

/// Checks one `eval`.
pub(crate) fn check(store: &Store, eval: &Eval) -> Result<(), String> {
    let expr = match promql::parse(&eval.query) {
        Ok(expr) => expr,
        Err(error) => return failed(eval, &error.to_string()),
    };
    if eval.is_range {
        return match range(store, &expr, eval.steps, options(), &|| None) {
            Err(error) => failed(eval, &error.to_string()),
            Ok(outcome) => succeeded(eval, &eval.query, &outcome),
        };
    }
    let time_ms = eval.time_ms;
    at(store, eval, &expr, &eval.query, time_ms)?;
    let Some(fixed) = fixed(&expr, time_ms) else { return Ok(()) };
    let query = fixed.to_string();
    let times: &[i64] = match time_ms {
        0 => &[-1000, 0, 1000],
        _ => &[-10 * time_ms, 0, time_ms / 5, time_ms, 10 * time_ms],
    };
    let fixed = promql::parse(&query).map_err(|error| format!("{query}: {error}"))?;
    for time_ms in times {
        at(store, eval, &fixed, &query, *time_ms)
            .map_err(|reason| format!("{query} at {time_ms} ms: {reason}"))?;
    }
    Ok(())
}

/// An instant query, and the same within a range query.
fn at(store: &Store, eval: &Eval, expr: &Expr, query: &str, time_ms: i64) -> Result<(), String> {
    let outcome = match instant(store, expr, time_ms, options(), &|| None) {
        Err(error) => return failed(eval, &error.to_string()),
        Ok(outcome) => outcome,
    };
    succeeded(eval, query, &outcome)?;
    let is_scalar = matches!(outcome.value, Value::Scalar(..));
    if eval.is_instant_only || OF_THE_QUERY.iter().any(|function| query.contains(function)) {
        return Ok(());
    }
    let steps = Steps { start_ms: time_ms - MINUTE_MS, end_ms: time_ms + MINUTE_MS, step_ms: MINUTE_MS };
    let outcome =
        range(store, expr, steps, options(), &|| None).map_err(|error| format!("within a range: {error}"))?;
    if eval.is_ordered {
        return Ok(());
    }
    let Value::Matrix(series) = outcome.value else { return Err("no matrix".to_owned()) };
    compare::sorted(&series)?;
    let mut samples: Vec<(Labels, PointValue)> = Vec::new();
    for one in series {
        let float = one.floats.iter().find(|(at_ms, _)| *at_ms == time_ms);
        let histogram = one.histograms.iter().find(|(at_ms, _)| *at_ms == time_ms);
        samples.extend(float.map(|(_, value)| (one.labels.clone(), PointValue::Float(*value))));
        samples
            .extend(histogram.map(|(_, value)| (one.labels.clone(), PointValue::Histogram(value.clone()))));
    }
    let same = match (is_scalar, samples.first()) {
        (true, Some((_, PointValue::Float(found)))) => compare::scalar(&eval.answer, *found),
        (true, _) => Err("no scalar".to_owned()),
        (false, _) => compare::vector(&eval.answer, &samples, false),
    };
    same.map_err(|reason| format!("within a range: {reason}"))
}

fn failed(eval: &Eval, error: &str) -> Result<(), String> {
    let Some(errors) = &eval.errors else { return Err(format!("failed: {error}")) };
    match errors.iter().find(|expected| !expected.matches(error)) {
        None => Ok(()),
        Some(expected) => {
            Err(format!("expected to fail with {:?}, failed with {error:?}", expected.describe()))
        }
    }
}

fn succeeded(eval: &Eval, query: &str, outcome: &Outcome) -> Result<(), String> {
    if eval.errors.is_some() {
        return Err("expected to fail".to_owned());
    }
    annotations(eval, query, &outcome.annotations)?;
    compare::value(eval, &outcome.value)
}

fn annotations(eval: &Eval, query: &str, annotations: &Annotations) -> Result<(), String> {
    let (warnings, infos) = annotations.texts(query, 0);
    notes("warning", &eval.warns, &warnings)?;
    notes("info", &eval.infos, &infos)
}

fn notes(kind: &str, notes: &Notes, found: &[String]) -> Result<(), String> {
    if notes.none && !found.is_empty() {
        return Err(format!("expected no {kind}, found {found:?}"));
    }
    if notes.any && found.is_empty() {
        return Err(format!("expected a {kind}"));
    }
    if notes.expected.is_empty() {
        return Ok(());
    }
    for expected in &notes.expected {
        if !found.iter().any(|text| expected.matches(text)) {
            return Err(format!("expected {kind} {:?}, found {found:?}", expected.describe()));
        }
    }
    match found.iter().find(|text| !notes.expected.iter().any(|expected| expected.matches(text))) {
        Some(text) => Err(format!("unexpected {kind} {text:?}")),
        None => Ok(()),
    }
}

/// The query with every selector and subquery fixed to a time; `None` if its result depends on the time of the
/// evaluation all the same.
fn fixed(expr: &Expr, time_ms: i64) -> Option<Expr> {
    let mut fixed = expr.clone();
    fix(&mut fixed, time_ms).then_some(fixed)
}

/// What is within a subquery that is fixed already stays as it is. Whether nothing depends on the time.
fn fix(expr: &mut Expr, time_ms: i64) -> bool {
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::Vector(selector) => {
            selector.at.get_or_insert(At::Time(time_ms));
            true
        }
        Expr::Matrix(selector) => {
            selector.vector.at.get_or_insert(At::Time(time_ms));
            true
        }
        Expr::Subquery(subquery) => {
            subquery.at.get_or_insert(At::Time(time_ms));
            true
        }
        Expr::Unary(unary) => fix(&mut unary.expr, time_ms),
        Expr::Paren(paren) => fix(&mut paren.expr, time_ms),
        Expr::Binary(binary) => {
            let left = fix(&mut binary.left, time_ms);
            fix(&mut binary.right, time_ms) && left
        }
        Expr::Aggregate(aggregate) => {
            let param = aggregate.param.as_mut().is_none_or(|param| fix(param, time_ms));
            fix(&mut aggregate.expr, time_ms) && param
        }
        Expr::Call(call) => {
            let mut is_fixed = !DEPEND_ON_TIME.contains(&call.function.name);
            for arg in &mut call.args {
                is_fixed &= fix(arg, time_ms);
            }
            is_fixed
        }
    }
}
