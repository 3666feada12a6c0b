//! The commands of a `.test` file.

use model::Labels;
use model::regex::compile;
use promql::series_text::{Point, SeriesText, StartTimes, is_start_times, parse_series, parse_start_times};

use crate::eval::{self, Eval};

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

/// Lines are taken as they are from left to right: what a command does not take is a command itself.
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
            let (eval, taken) = eval::parse(line, head, body).map_err(name)?;
            commands.push(Command::Eval(Box::new(eval)));
            at += taken;
        } else if !head.is_empty() {
            return Err(name(format!("invalid command {head:?}")));
        }
    }
    Ok(commands)
}

fn load(head: &str, body: &[&str]) -> Result<Load, String> {
    let pattern = compile(r"^load(?:_(with_nhcb))?\s+(.+?)$")?;
    let captures =
        pattern.captures(head).ok_or("invalid load command. (load[_with_nhcb] <step:duration>)")?;
    let mut load =
        Load { step_ms: duration_ms(&captures[2])?, with_nhcb: captures.get(1).is_some(), ..Load::default() };
    let mut starts: Option<StartTimes> = None;
    let without_points = "@st line has no following sample line";
    for line in body {
        if is_start_times(line) {
            if starts.is_some() {
                return Err(without_points.to_owned());
            }
            starts = Some(parse_start_times(line)?);
            continue;
        }
        let series = parse_series(line).map_err(|error| error.to_string())?;
        let offsets = starts.take().map(|starts| fitting(starts, &series)).transpose()?.unwrap_or_default();
        let offsets = offsets.into_iter().chain(std::iter::repeat(None));
        let points = series.points.into_iter().zip(offsets).collect();
        load.series.retain(|(labels, _)| *labels != series.labels);
        load.series.push((series.labels, points));
    }
    if starts.is_some() { Err(without_points.to_owned()) } else { Ok(load) }
}

/// Start times of the points of a series.
fn fitting(starts: StartTimes, series: &SeriesText) -> Result<Vec<Option<i64>>, String> {
    if starts.labels != series.labels {
        return Err("@st metric does not match the following sample line metric".to_owned());
    }
    let (given, wanted) = (starts.offsets_ms.len(), series.points.len());
    if given != wanted {
        return Err(format!("@st line has {given} values but sample line has {wanted}"));
    }
    Ok(starts.offsets_ms)
}

/// A duration without a sign.
pub(crate) fn duration_ms(text: &str) -> Result<i64, String> {
    let duration = promql::parse_duration(text)?;
    i64::try_from(duration.as_millis()).map_err(|error| error.to_string())
}
