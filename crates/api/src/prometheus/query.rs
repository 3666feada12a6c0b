//! Queries: at one time, over a range, and for exemplars.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use model::Matcher;
use promql::engine::{self, Options, Outcome, Stats, Steps, Stop, Value};
use promql::{Expr, parse};

use super::answer::{Answer, ApiError, TRUNCATED};
use super::json;
use super::limits::{Broken, MAX_SAMPLES, MAX_STEPS, QueryFigures, TIMEOUT};
use super::params::Params;
use super::result::QueryAnswer;
use crate::Context;

/// How long a query that waits for its turn is left alone once its time is over: one that runs ends by itself.
const GRACE: Duration = Duration::from_secs(1);

/// Most warnings and most infos that are told.
const MAX_ANNOTATIONS: usize = 10;

/// Most threads of one query: others have their turn as well.
const MAX_THREADS: usize = 8;

const NANOS_PER_MS: i64 = 1_000_000;

type Figures = Extension<Arc<QueryFigures>>;

pub(super) async fn instant(
    State(context): State<Context>,
    Extension(figures): Figures,
    params: Params,
) -> Result<QueryAnswer, ApiError> {
    let limit = params.limit()?;
    let time_ms = params.time_or("time", context.clock.now_ms())?;
    let request = Request::new(&params, limit, Steps::at(time_ms))?;
    run(context, figures, request, engine_instant).await
}

pub(super) async fn range(
    State(context): State<Context>,
    Extension(figures): Figures,
    params: Params,
) -> Result<QueryAnswer, ApiError> {
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
        figures.refuse(Broken::Steps);
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
             (?step=XX)",
        ));
    }
    let steps = Steps { start_ms, end_ms, step_ms: (step_ns / NANOS_PER_MS).max(1) };
    let request = Request::new(&params, limit, steps)?;
    run(context, figures, request, engine_range).await
}

fn engine_instant(context: &Context, expr: &Expr, request: &Request) -> Result<Outcome, engine::Error> {
    let time_ms = request.steps.start_ms;
    engine::instant(&*context.metrics, expr, time_ms, request.options, &|| request.stop())
}

fn engine_range(context: &Context, expr: &Expr, request: &Request) -> Result<Outcome, engine::Error> {
    engine::range(&*context.metrics, expr, request.steps, request.options, &|| request.stop())
}

/// What both kinds of query have.
struct Request {
    query: String,
    steps: Steps,
    /// Most rows; 0 is no limit.
    limit: usize,
    options: Options,
    deadline: Instant,
    /// Whether the client went away.
    gone: Arc<AtomicBool>,
    stats: String,
    began: Instant,
}

impl Request {
    fn new(params: &Params, limit: usize, steps: Steps) -> Result<Self, ApiError> {
        let began = Instant::now();
        let timeout_ns =
            params.given_duration("timeout").map_err(|reason| ApiError::parameter("timeout", reason))?;
        let timeout =
            timeout_ns.map_or(TIMEOUT, |nanos| Duration::from_nanos(nanos.max(0) as u64).min(TIMEOUT));
        let lookback_ns = params.given_duration("lookback_delta").map_err(|reason| {
            ApiError::bad_data(format!("error parsing lookback delta duration: {reason}"))
        })?;
        let stats = params.get("stats").to_owned();
        let mut options = Options {
            max_samples: MAX_SAMPLES,
            stats_per_step: stats == "all",
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MAX_THREADS),
            ..Options::default()
        };
        if let Some(lookback_ns) = lookback_ns.filter(|nanos| *nanos > 0) {
            options.lookback_ms = lookback_ns / NANOS_PER_MS;
        }
        Ok(Self {
            query: params.get("query").to_owned(),
            steps,
            limit,
            options,
            deadline: began + timeout,
            gone: Arc::default(),
            stats,
            began,
        })
    }

    fn stop(&self) -> Option<Stop> {
        if self.gone.load(Ordering::Relaxed) {
            Some(Stop::Canceled)
        } else {
            (Instant::now() >= self.deadline).then_some(Stop::TimedOut)
        }
    }
}

/// Tells a query that nobody waits for it any more, when it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Evaluate = fn(&Context, &Expr, &Request) -> Result<Outcome, engine::Error>;

async fn run(
    context: Context,
    figures: Arc<QueryFigures>,
    request: Request,
    evaluate: Evaluate,
) -> Result<QueryAnswer, ApiError> {
    // A client that goes away ends this future; the query itself runs on a thread, and asks.
    let _waiting = Waiting(Arc::clone(&request.gone));
    let patience = tokio::time::Instant::from_std(request.deadline + GRACE);
    let pool = context.pool.clone();
    let counted = Arc::clone(&figures);
    let work = pool.run(move || answer(&context, &counted, &request, evaluate));
    if let Ok(done) = tokio::time::timeout_at(patience, work).await {
        return done?;
    }
    figures.refuse(Broken::Time);
    Err(ApiError::timeout())
}

/// Reads and evaluates a query.
fn answer(
    context: &Context,
    figures: &QueryFigures,
    request: &Request,
    evaluate: Evaluate,
) -> Result<QueryAnswer, ApiError> {
    let mut times = Times { queued: request.began.elapsed(), ..Times::default() };
    let refuse = |broken: Option<Broken>| {
        if let Some(broken) = broken {
            figures.refuse(broken);
        }
    };
    let expr = parse(&request.query).map_err(|error| {
        refuse(Broken::of_text(&error));
        ApiError::parameter("query", error)
    })?;
    // Prometheus looks at the clock before it begins, and says so in other words than on the way.
    if request.stop() == Some(Stop::TimedOut) {
        refuse(Some(Broken::Time));
        return Err(ApiError::timeout());
    }
    let begin = Instant::now();
    let Outcome { mut value, annotations, stats, .. } =
        evaluate(context, &expr, request).map_err(|error| {
            refuse(Broken::of_evaluation(&error));
            ApiError::from(error)
        })?;
    times.evaluated = begin.elapsed();
    figures.done(&stats);
    let truncated = request.limit > 0 && truncate(&mut value, request.limit);
    let (mut warnings, infos) = annotations.texts(&request.query, MAX_ANNOTATIONS);
    warnings.extend(truncated.then(|| TRUNCATED.to_owned()));
    warnings.extend(stats_warning(&request.stats));
    let mut in_data = String::new();
    if !request.stats.is_empty() {
        write_stats(&mut in_data, &stats, request.steps, times);
    }
    let mut behind_data = String::new();
    json::told(&mut behind_data, &warnings, &infos);
    Ok(QueryAnswer::new(value, &in_data, &behind_data))
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

/// How long parts of a query took.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    queued: Duration,
    evaluated: Duration,
}

fn write_stats(out: &mut String, stats: &Stats, steps: Steps, times: Times) {
    let (queued, evaluated) = (times.queued.as_secs_f64(), times.evaluated.as_secs_f64());
    _ = write!(
        out,
        concat!(
            r#","stats":{{"timings":{{"evalTotalTime":{e},"resultSortTime":0,"queryPreparationTime":0,"#,
            r#""innerEvalTime":{e},"execQueueTime":{q},"execTotalTime":{t}}},"samples":{{"#
        ),
        e = evaluated,
        q = queued,
        t = queued + evaluated,
    );
    per_step(out, "totalQueryableSamplesPerStep", stats.total_per_step.as_deref(), steps);
    _ = write!(out, r#""totalQueryableSamples":{},"#, stats.total_samples);
    per_step(out, "samplesReadPerStep", stats.read_per_step.as_deref(), steps);
    _ = write!(out, r#""samplesRead":{},"peakSamples":{}}}}}"#, stats.samples_read, stats.peak_samples);
}

/// A count for each step, if they were counted.
fn per_step(out: &mut String, name: &str, counts: Option<&[u64]>, steps: Steps) {
    let Some(counts) = counts.filter(|counts| !counts.is_empty()) else { return };
    _ = write!(out, r#""{name}":"#);
    json::list(out, steps.times().zip(counts), |out, (time_ms, count)| {
        _ = write!(out, "[{},{count}]", time_ms as f64 / 1000.0);
    });
    out.push(',');
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
