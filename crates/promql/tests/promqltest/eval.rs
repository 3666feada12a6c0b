//! A query with what it should answer.

use model::Labels;
use model::regex::compile;
use promql::engine::Steps;
use promql::series_text::{Point, parse_series};
use regex::Regex;

use crate::script::duration_ms;

/// A query with what it should answer.
pub(crate) struct Eval {
    pub(crate) line: usize,
    pub(crate) query: String,
    /// The steps of a range query, or the times of the points of a matrix that an instant query answers.
    pub(crate) steps: Steps,
    /// When an instant query asks.
    pub(crate) time_ms: i64,
    pub(crate) is_range: bool,
    /// Whether the answer is one that only an instant query has.
    pub(crate) is_instant_only: bool,
    pub(crate) is_ordered: bool,
    /// What the error has to be, if there has to be one: all of these.
    pub(crate) errors: Option<Vec<Expected>>,
    pub(crate) warns: Notes,
    pub(crate) infos: Notes,
    pub(crate) answer: Answer,
}

/// What a query should answer. Of what is given, the type of the answer decides what counts.
#[derive(Default)]
pub(crate) struct Answer {
    /// A number, if one was given behind all series.
    pub(crate) scalar: Option<f64>,
    pub(crate) text: String,
    pub(crate) series: Vec<Series>,
}

/// A series of an answer.
pub(crate) struct Series {
    /// Its place if the answer has an order, from 1 on.
    pub(crate) place: usize,
    pub(crate) labels: Labels,
    pub(crate) points: Vec<Point>,
}

/// What a query should say besides.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) none: bool,
    pub(crate) expected: Vec<Expected>,
    /// Whether there has to be something, whatever it is.
    pub(crate) any: bool,
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

/// Reads an `eval` and those of the lines behind it that belong to it; tells how many.
pub(crate) fn parse(line: usize, head: &str, body: &[&str]) -> Result<(Eval, usize), String> {
    let mut eval = head_of(line, head)?;
    promql::parse(&eval.query).map_err(|error| error.to_string())?;
    let is_old_fail = eval.errors.is_some();
    let mut reader = Reader { eval: &mut eval, is_old_fail, has_error: false, place: 0, is_matrix: false };
    for (at, line) in body.iter().enumerate() {
        reader.place += 1;
        if reader.line(line)? == Goes::No {
            return Ok((eval, at + 1));
        }
    }
    Ok((eval, body.len()))
}

fn head_of(line: usize, head: &str) -> Result<Eval, String> {
    let instant = compile(r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$")?;
    let range =
        compile(r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$")?;
    let (captures, steps, query, is_range) = if let Some(captures) = instant.captures(head) {
        let at = captures.get(2).map_or("", |at| at.as_str());
        let steps = Steps::at(duration_ms(at)?);
        let query = captures[3].to_owned();
        (captures, steps, query, false)
    } else if let Some(captures) = range.captures(head) {
        let steps = steps(&captures[2], &captures[3], &captures[4])?;
        let query = captures[5].to_owned();
        (captures, steps, query, true)
    } else {
        return Err(format!("invalid evaluation command: {head}"));
    };
    let kind = captures.get(1).map_or("", |kind| kind.as_str());
    let notes = |wanted| Notes { any: kind == wanted, ..Notes::default() };
    Ok(Eval {
        line,
        query,
        steps,
        time_ms: steps.start_ms,
        is_range,
        is_instant_only: false,
        is_ordered: kind == "ordered",
        errors: (kind == "fail").then(Vec::new),
        warns: notes("warn"),
        infos: notes("info"),
        answer: Answer::default(),
    })
}

fn steps(from: &str, to: &str, step: &str) -> Result<Steps, String> {
    let steps = Steps { start_ms: duration_ms(from)?, end_ms: duration_ms(to)?, step_ms: duration_ms(step)? };
    if steps.end_ms < steps.start_ms {
        return Err(format!("the end {to} is before the start {from}"));
    }
    Ok(steps)
}

/// Whether lines behind one may belong to the same command.
#[derive(PartialEq, Eq)]
enum Goes {
    On,
    No,
}

struct Reader<'a> {
    eval: &'a mut Eval,
    /// Whether the command is `eval_fail`.
    is_old_fail: bool,
    /// Whether there was an `expect fail`.
    has_error: bool,
    place: usize,
    /// Whether a series may have more than one point though the query is an instant one.
    is_matrix: bool,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) -> Result<Goes, String> {
        if let Some(text) = line.strip_prefix("expected_fail_message").filter(|_| self.is_old_fail) {
            if !text.trim().is_empty() {
                self.eval.errors.get_or_insert_default().push(Expected::Text(text.trim().to_owned()));
            }
            return Ok(Goes::No);
        }
        if let Some(text) = line.strip_prefix("expected_fail_regexp").filter(|_| self.is_old_fail) {
            self.eval.errors.get_or_insert_default().push(Expected::Pattern(compile(text.trim())?));
            return Ok(Goes::No);
        }
        if line.starts_with("expect range vector") {
            let pattern = compile(r"^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$")?;
            let captures =
                pattern.captures(line).ok_or_else(|| format!("invalid range vector definition {line:?}"))?;
            self.eval.steps = steps(&captures[1], &captures[2], &captures[3])?;
            self.eval.time_ms = self.eval.steps.end_ms;
            (self.eval.is_instant_only, self.is_matrix) = (true, true);
            return Ok(Goes::On);
        }
        if let Some(text) = line.strip_prefix("expect string") {
            // A text of Go is one of the language.
            match promql::parse(text.strip_prefix(' ').unwrap_or_default()) {
                Ok(promql::Expr::String(literal)) => self.eval.answer.text = literal.value,
                _ => return Err(format!("no string literal: {line}")),
            }
            self.eval.is_instant_only = true;
            return Ok(Goes::On);
        }
        if line.split(' ').next() == Some("expect") {
            self.place -= 1;
            self.expectation(line)?;
            return Ok(Goes::On);
        }
        if let Some(number) = number(line) {
            self.eval.answer.scalar = Some(number);
            return Ok(Goes::No);
        }
        self.series(line)?;
        Ok(Goes::On)
    }

    fn expectation(&mut self, line: &str) -> Result<(), String> {
        let pattern =
            compile(r"^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$")?;
        let captures = pattern.captures(line).ok_or_else(|| format!("invalid expect statement: {line}"))?;
        let text = captures.get(3).map_or("", |text| text.as_str().trim());
        let expected = match captures.get(2).map(|kind| kind.as_str()) {
            None => Expected::Any,
            Some("msg") => Expected::Text(text.to_owned()),
            Some(_) => Expected::Pattern(compile(text)?),
        };
        let eval = &mut *self.eval;
        match &captures[1] {
            "ordered" => eval.is_ordered = true,
            "fail" if self.has_error => {
                return Err("multiple expect fail lines are not allowed".to_owned());
            }
            "fail" => {
                self.has_error = true;
                eval.errors.get_or_insert_default().push(expected);
            }
            "warn" => eval.warns.expected.push(expected),
            "info" => eval.infos.expected.push(expected),
            "no_warn" => eval.warns.none = true,
            _ => eval.infos.none = true,
        }
        for (kind, notes) in [("warn", &eval.warns), ("info", &eval.infos)] {
            if notes.none && !notes.expected.is_empty() {
                return Err(format!("{kind} and no_{kind} cannot be used together"));
            }
        }
        Ok(())
    }

    fn series(&mut self, line: &str) -> Result<(), String> {
        let series = parse_series(line).map_err(|error| error.to_string())?;
        if series.points.len() > 1 && !self.eval.is_range && !self.is_matrix {
            return Err("an instant query has one value for each series".to_owned());
        }
        let answer = &mut self.eval.answer;
        answer.scalar = None;
        answer.series.retain(|known| known.labels != series.labels);
        answer.series.push(Series { place: self.place, labels: series.labels, points: series.points });
        Ok(())
    }
}

/// A number alone on its line, as Go reads numbers.
fn number(line: &str) -> Option<f64> {
    let unsigned = line.strip_prefix(['+', '-']).unwrap_or(line);
    let number = match unsigned.to_ascii_lowercase().as_str() {
        "infinity" => f64::INFINITY,
        "" => return None,
        _ if unsigned.starts_with(|first: char| !first.is_ascii_alphanumeric() && first != '.') => {
            return None;
        }
        _ => match promql::parse(unsigned).ok()? {
            promql::Expr::Number(number) if !number.is_duration => number.value,
            _ => return None,
        },
    };
    Some(if line.starts_with('-') { -number } else { number })
}
