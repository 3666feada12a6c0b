//! The commands of a `.test` file.

use model::Labels;
use model::regex::compile;
use promql::engine::Steps;
use promql::series_text::{Point, StartTimes, is_start_times, parse_series, parse_start_times};
use regex::Regex;

/// A command.
pub(crate) enum Command {
    /// Takes all samples away.
    Clear,
    /// Adds samples.
    Load(Load),
    /// Asks.
    Eval(Box<Eval>),
}

/// Samples to be added.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) step_ms: i64,
    /// Whether classic histograms are added as native ones as well.
    pub(crate) with_nhcb: bool,
    /// Each series once, with a point for each step.
    pub(crate) series: Vec<(Labels, Vec<Started>)>,
}

/// A point with its start time relative to it, in milliseconds.
pub(crate) type Started = (Point, Option<i64>);

/// A query with what it should answer.
pub(crate) struct Eval {
    pub(crate) line: usize,
    pub(crate) query: String,
    pub(crate) steps: Steps,
    pub(crate) is_range: bool,
    /// The times of the points of a matrix that an instant query answers.
    pub(crate) matrix_steps: Option<Steps>,
    pub(crate) is_ordered: bool,
    pub(crate) fails: Option<Expected>,
    pub(crate) warns: Notes,
    pub(crate) infos: Notes,
    pub(crate) answer: Answer,
}

/// What a query should answer.
pub(crate) enum Answer {
    Scalar(f64),
    Text(String),
    Series(Vec<(Labels, Vec<Point>)>),
}

/// What it should say besides.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) none: bool,
    pub(crate) expected: Vec<Expected>,
}

/// A text.
pub(crate) enum Expected {
    Any,
    Text(String),
    Pattern(Regex),
}

impl Expected {
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Text(expected) => expected == text,
            Self::Pattern(regex) => regex.is_match(text),
        }
    }

    pub(crate) fn describe(&self) -> &str {
        match self {
            Self::Any => "anything",
            Self::Text(expected) => expected,
            Self::Pattern(regex) => regex.as_str(),
        }
    }
}

pub(crate) fn parse(text: &str) -> Result<Vec<Command>, String> {
    let comment = |line: &str| line.starts_with('#');
    let lines: Vec<&str> =
        text.split('\n').map(str::trim).map(|line| if comment(line) { "" } else { line }).collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let head = lines[at];
        let block = lines[at + 1..].iter().take_while(|line| !line.is_empty()).count();
        let body = &lines[at + 1..at + 1 + block];
        let line = at + 1;
        let word = head.split([' ', '\t']).next().unwrap_or_default().to_lowercase();
        let name = |reason: String| format!("line {line}: {reason}");
        at += 1;
        if word == "clear" {
            commands.push(Command::Clear);
        } else if word.starts_with("load") {
            commands.push(Command::Load(load(head, body).map_err(name)?));
            at += block;
        } else if word.starts_with("eval") {
            commands.push(Command::Eval(Box::new(eval(line, head, body).map_err(name)?)));
            at += block;
        } else if !head.is_empty() {
            return Err(name(format!("no command: {head}")));
        }
    }
    Ok(commands)
}

fn load(head: &str, body: &[&str]) -> Result<Load, String> {
    let (word, step) = head.split_once(char::is_whitespace).ok_or("load needs a step")?;
    let mut load = Load {
        step_ms: duration_ms(step.trim())?,
        with_nhcb: word.ends_with("_with_nhcb"),
        ..Load::default()
    };
    let mut starts: Option<StartTimes> = None;
    for line in body {
        if is_start_times(line) {
            starts = Some(parse_start_times(line)?);
            continue;
        }
        let series = parse_series(line).map_err(|error| error.to_string())?;
        let offsets = starts.take().map_or_else(Vec::new, |starts| starts.offsets_ms);
        let offsets = offsets.into_iter().chain(std::iter::repeat(None));
        let points = series.points.into_iter().zip(offsets).collect();
        load.series.retain(|(labels, _)| *labels != series.labels);
        load.series.push((series.labels, points));
    }
    Ok(load)
}

fn eval(line: usize, head: &str, body: &[&str]) -> Result<Eval, String> {
    let instant = compile(r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$")?;
    let range =
        compile(r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$")?;
    let (captures, steps, query) = if let Some(captures) = instant.captures(head) {
        let at = captures.get(2).map_or("0", |at| at.as_str());
        let steps = Steps::at(duration_ms(at)?);
        let query = captures[3].to_owned();
        (captures, steps, query)
    } else if let Some(captures) = range.captures(head) {
        let steps = Steps {
            start_ms: duration_ms(&captures[2])?,
            end_ms: duration_ms(&captures[3])?,
            step_ms: duration_ms(&captures[4])?,
        };
        let query = captures[5].to_owned();
        (captures, steps, query)
    } else {
        return Err(format!("no eval: {head}"));
    };
    let kind = captures.get(1).map_or("", |kind| kind.as_str());
    let note = |wanted| Notes {
        none: false,
        expected: if kind == wanted { vec![Expected::Any] } else { Vec::new() },
    };
    let mut eval = Eval {
        line,
        query,
        steps,
        is_range: range.is_match(head),
        matrix_steps: None,
        is_ordered: kind == "ordered",
        fails: (kind == "fail").then_some(Expected::Any),
        warns: note("warn"),
        infos: note("info"),
        answer: Answer::Series(Vec::new()),
    };
    for line in body {
        expectation(&mut eval, line)?;
    }
    Ok(eval)
}

/// A line behind an `eval`.
fn expectation(eval: &mut Eval, line: &str) -> Result<(), String> {
    if let Some(text) = line.strip_prefix("expected_fail_message") {
        eval.fails = Some(Expected::Text(text.trim().to_owned()));
    } else if let Some(text) = line.strip_prefix("expected_fail_regexp") {
        eval.fails = Some(Expected::Pattern(compile(text.trim())?));
    } else if let Some(rest) = line.strip_prefix("expect range vector") {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let ["from", start, "to", end, "step", step] = *words else {
            return Err(format!("no range vector: {line}"));
        };
        eval.matrix_steps = Some(Steps {
            start_ms: duration_ms(start)?,
            end_ms: duration_ms(end)?,
            step_ms: duration_ms(step)?,
        });
    } else if let Some(text) = line.strip_prefix("expect string ") {
        // A text of Go is one of the language.
        match promql::parse(text) {
            Ok(promql::Expr::String(literal)) => eval.answer = Answer::Text(literal.value),
            other => return Err(format!("no text: {other:?}")),
        }
    } else if let Some(rest) = line.strip_prefix("expect ") {
        let (kind, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let rest = rest.trim();
        let expected = match rest.split_once(':') {
            _ if rest.is_empty() => Expected::Any,
            Some(("msg", text)) => Expected::Text(text.trim().to_owned()),
            Some(("regex", pattern)) => Expected::Pattern(compile(pattern.trim())?),
            _ => return Err(format!("no expectation: {line}")),
        };
        match kind {
            "ordered" => eval.is_ordered = true,
            "fail" => eval.fails = Some(expected),
            "warn" => eval.warns.expected.push(expected),
            "info" => eval.infos.expected.push(expected),
            "no_warn" => eval.warns.none = true,
            "no_info" => eval.infos.none = true,
            _ => return Err(format!("no expectation: {line}")),
        }
    } else if let Some(number) = number(line) {
        eval.answer = Answer::Scalar(number);
    } else {
        let series = parse_series(line).map_err(|error| error.to_string())?;
        if let Answer::Series(all) = &mut eval.answer {
            all.retain(|(labels, _)| *labels != series.labels);
            all.push((series.labels, series.points));
        }
    }
    Ok(())
}

/// A number alone on its line.
fn number(line: &str) -> Option<f64> {
    match promql::parse(line).ok()? {
        promql::Expr::Number(number) if !number.is_duration => Some(number.value),
        _ => None,
    }
}

fn duration_ms(text: &str) -> Result<i64, String> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let duration = promql::parse_duration(text)?;
    i64::try_from(duration.as_millis()).map(|ms| sign * ms).map_err(|error| error.to_string())
}
