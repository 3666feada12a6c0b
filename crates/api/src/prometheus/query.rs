//! Queries: at one time, over a range, and for exemplars.

use std::fmt::Write;
use std::time::{Duration, Instant};

use axum::extract::State;
use model::Matcher;
use promql::engine::{self, Options, Outcome, Steps, Stop, Value};
use promql::{Expr, parse};

use super::answer::{Answer, ApiError, TRUNCATED};
use super::json;
use super::params::Params;
use crate::Context;

/// Longest time that a query takes, as Prometheus' `--query.timeout`.
pub(super) const TIMEOUT: Duration = Duration::from_mins(2);

/// Most samples of a result. A tenth of what Prometheus allows: an answer is held in memory as JSON.
pub(super) const MAX_SAMPLES: usize = 5_000_000;

/// Most steps of a range query.
const MAX_STEPS: i128 = 11_000;

const NANOS_PER_MS: i64 = 1_000_000;

pub(super) async fn instant(State(context): State<Context>, params: Params) -> Result<Answer, ApiError> {
    let limit = params.limit()?;
    let time_ms = params.time_or("time", context.clock.now_ms())?;
    let request = Request::new(&params)?;
    run(context, request, limit, move |context, expr, request| {
        Ok(engine::instant(&*context.metrics, expr, time_ms, request.options, &request.stop())?)
    })
    .await
}

pub(super) async fn range(State(context): State<Context>, params: Params) -> Result<Answer, ApiError> {
    let limit = params.limit()?;
    let (start_ms, end_ms) = (params.time("start")?, params.time("end")?);
    if end_ms < start_ms {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ns = params.duration("step")?;
    if step_ns <= 0 {
        let reason = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(ApiError::parameter("step", reason));
    }
    let span_ns = (i128::from(end_ms) - i128::from(start_ms)) * i128::from(NANOS_PER_MS);
    if span_ns / i128::from(step_ns) > MAX_STEPS {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
             (?step=XX)",
        ));
    }
    let request = Request::new(&params)?;
    let steps = Steps { start_ms, end_ms, step_ms: (step_ns / NANOS_PER_MS).max(1) };
    run(context, request, limit, move |context, expr, request| {
        Ok(engine::range(&*context.metrics, expr, steps, request.options, &request.stop())?)
    })
    .await
}

/// What both kinds of query have.
struct Request {
    query: String,
    options: Options,
    deadline: Instant,
    stats: String,
    began: Instant,
}

impl Request {
    fn new(params: &Params) -> Result<Self, ApiError> {
        let began = Instant::now();
        let timeout_ns =
            params.given_duration("timeout").map_err(|reason| ApiError::parameter("timeout", reason))?;
        let timeout =
            timeout_ns.map_or(TIMEOUT, |nanos| Duration::from_nanos(nanos.max(0) as u64).min(TIMEOUT));
        let lookback_ns = params.given_duration("lookback_delta").map_err(|reason| {
            ApiError::bad_data(format!("error parsing lookback delta duration: {reason}"))
        })?;
        let mut options = Options { max_samples: MAX_SAMPLES, ..Options::default() };
        if let Some(lookback_ns) = lookback_ns.filter(|nanos| *nanos > 0) {
            options.lookback_ms = lookback_ns / NANOS_PER_MS;
        }
        Ok(Self {
            query: params.get("query").to_owned(),
            options,
            deadline: began + timeout,
            stats: params.get("stats").to_owned(),
            began,
        })
    }

    fn stop(&self) -> impl Fn() -> Option<Stop> {
        let deadline = self.deadline;
        move || (Instant::now() >= deadline).then_some(Stop::TimedOut)
    }
}

async fn run(
    context: Context,
    request: Request,
    limit: usize,
    evaluate: impl FnOnce(&Context, &Expr, &Request) -> Result<Outcome, ApiError> + Send + 'static,
) -> Result<Answer, ApiError> {
    let pool = context.pool.clone();
    pool.run(move || {
        let queued = request.began.elapsed();
        if request.stop()().is_some() {
            return Err(ApiError::timeout());
        }
        let expr = parse(&request.query).map_err(|error| ApiError::parameter("query", error))?;
        let evaluation = Instant::now();
        let Outcome { mut value, .. } = evaluate(&context, &expr, &request)?;
        let evaluated = evaluation.elapsed();
        let samples = sample_count(&value);
        let truncated = limit > 0 && truncate(&mut value, limit);
        let mut data = String::from("{");
        json::value(&mut data, &value);
        if !request.stats.is_empty() {
            stats(&mut data, samples, queued, evaluated);
        }
        data.push('}');
        Ok(Answer::new(data).warn(truncated.then_some(TRUNCATED)).warn(stats_warning(&request.stats)))
    })
    .await?
}

fn sample_count(value: &Value) -> usize {
    match value {
        Value::Scalar(..) | Value::String(..) => 1,
        Value::Vector(_, samples) => samples.len(),
        Value::Matrix(matrix) => matrix.iter().map(engine::SeriesPoints::len).sum(),
    }
}

fn truncate(value: &mut Value, limit: usize) -> bool {
    let length = match value {
        Value::Vector(_, samples) => {
            let length = samples.len();
            samples.truncate(limit);
            length
        }
        Value::Matrix(matrix) => {
            let length = matrix.len();
            matrix.truncate(limit);
            length
        }
        Value::Scalar(..) | Value::String(..) => 0,
    };
    length > limit
}

fn stats(out: &mut String, samples: usize, queued: Duration, evaluated: Duration) {
    let (queued, evaluated) = (queued.as_secs_f64(), evaluated.as_secs_f64());
    _ = write!(
        out,
        concat!(
            r#","stats":{{"timings":{{"evalTotalTime":{e},"resultSortTime":0,"queryPreparationTime":0,"#,
            r#""innerEvalTime":{e},"execQueueTime":{q},"execTotalTime":{t}}},"#,
            r#""samples":{{"totalQueryableSamples":{n},"samplesRead":{n},"peakSamples":{n}}}}}"#
        ),
        e = evaluated,
        q = queued,
        t = queued + evaluated,
        n = samples
    );
}

fn stats_warning(stats: &str) -> Option<String> {
    match stats {
        "" | "true" | "all" => None,
        other => Some(format!(
            "value {} for parameter \"stats\" is deprecated and will be rejected in the next major release, use \
             \"true\" or \"all\"",
            crate::go::quote(other)
        )),
    }
}

pub(super) async fn exemplars(
    State(context): State<Context>,
    params: Params,
) -> Result<axum::response::Response, ApiError> {
    use axum::response::IntoResponse;

    let range = params.range()?;
    if range.end_ms < range.start_ms {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    let expr = parse(params.get("query")).map_err(|error| ApiError::bad_data(error.to_string()))?;
    let sets: Vec<Vec<Matcher>> = expr.selectors().into_iter().map(<[Matcher]>::to_vec).collect();
    if sets.is_empty() {
        return Ok(http::StatusCode::NO_CONTENT.into_response());
    }
    let pool = context.pool.clone();
    let data = pool
        .run(move || {
            let mut data = String::new();
            json::list(&mut data, &context.metrics.exemplars(&sets, range), json::exemplars);
            data
        })
        .await?;
    Ok(Answer::new(data).into_response())
}
