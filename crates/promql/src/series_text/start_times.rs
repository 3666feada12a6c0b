//! Lines with the start timestamps of a series' points.

use model::Labels;

use super::{MAX_POINTS, parse_series};
use crate::duration::parse_duration;

/// Behind the series of a line with start timestamps.
const MARK: &str = "@st";

/// The start timestamps of a series, for the points in the line that follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartTimes {
    /// The series.
    pub labels: Labels,
    /// For each point, when it began to count, in milliseconds relative to the point's own time.
    pub offsets_ms: Vec<Option<i64>>,
}

/// Whether a line has start timestamps rather than points: `@st` stands right behind its series.
pub fn is_start_times(line: &str) -> bool {
    split(line).is_some()
}

fn split(line: &str) -> Option<(&str, &str)> {
    let (series, rest) = line.trim().split_once([' ', '\t'])?;
    Some((series.strip_suffix(MARK)?, rest.trim()))
}

/// Reads a line with start timestamps: durations with a sign, repeated as points are.
///
/// # Errors
///
/// In the words of Prometheus' tests; also if there are more than [`MAX_POINTS`].
pub fn parse_start_times(line: &str) -> Result<StartTimes, String> {
    let (metric, rest) = split(line).ok_or("invalid @st line: missing value sequence")?;
    let series = parse_series(&format!("{metric} _"))
        .map_err(|reason| format!("invalid @st line metric {metric:?}: {reason}"))?;
    let mut offsets_ms = Vec::new();
    for item in rest.split_whitespace() {
        read_item(item, &mut offsets_ms)
            .map_err(|reason| format!("invalid @st sequence: invalid ST item {item:?}: {reason}"))?;
    }
    Ok(StartTimes { labels: series.labels, offsets_ms })
}

fn read_item(item: &str, offsets: &mut Vec<Option<i64>>) -> Result<(), String> {
    const REPEAT: &str = "invalid repeat count";
    if item == "_" {
        return repeat(offsets, Some(1), std::iter::repeat(None));
    }
    if let Some(times) = item.strip_prefix("_x") {
        let times: u64 = times.parse().ok().filter(|times| *times > 0).ok_or(REPEAT)?;
        return repeat(offsets, Some(times), std::iter::repeat(None));
    }
    let (base, rest) = duration_prefix(item)?;
    let Some(first) = rest.chars().next() else {
        return repeat(offsets, Some(1), std::iter::once(Some(base)));
    };
    if let Some(times) = rest.strip_prefix('x') {
        let times: u64 = times.parse().map_err(|_| REPEAT)?;
        return repeat(offsets, times.checked_add(1), std::iter::repeat(Some(base)));
    }
    if first != '+' && first != '-' {
        return Err(format!("unexpected character {first:?} after duration"));
    }
    let (step, rest) =
        duration_prefix(&rest[1..]).map_err(|reason| format!("invalid step duration: {reason}"))?;
    let step = if first == '-' { step.wrapping_neg() } else { step };
    let times = rest.strip_prefix('x').ok_or("expected 'x<count>' after step duration")?;
    let times: u64 = times.parse().map_err(|_| {
        let reason = if !times.is_empty() && times.bytes().all(|byte| byte.is_ascii_digit()) {
            "value out of range"
        } else {
            "invalid syntax"
        };
        format!("{REPEAT}: strconv.ParseUint: parsing {times:?}: {reason}")
    })?;
    let mut offset = base;
    let row = std::iter::from_fn(|| {
        let current = offset;
        offset = offset.wrapping_add(step);
        Some(Some(current))
    });
    repeat(offsets, times.checked_add(1), row)
}

fn repeat(
    offsets: &mut Vec<Option<i64>>,
    times: Option<u64>,
    row: impl Iterator<Item = Option<i64>>,
) -> Result<(), String> {
    let left = MAX_POINTS - offsets.len();
    match times.and_then(|times| usize::try_from(times).ok()) {
        Some(times) if times <= left => offsets.extend(row.take(times)),
        _ => return Err(format!("more than {MAX_POINTS} start timestamps")),
    }
    Ok(())
}

/// A duration with an optional sign, in milliseconds, and what stands behind it.
fn duration_prefix(text: &str) -> Result<(i64, &str), String> {
    if text.is_empty() {
        return Err("empty duration".to_owned());
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(format!("expected digits in duration {text:?}"));
    }
    // An `x` is never part of a unit.
    let is_unit = |byte: &u8| byte.is_ascii_alphabetic() && *byte != b'x';
    let unit = unsigned[digits..].bytes().take_while(is_unit).count();
    let (written, rest) = unsigned.split_at(digits + unit);
    let duration =
        parse_duration(written).map_err(|reason| format!("invalid duration {written:?}: {reason}"))?;
    let ms = i64::try_from(duration.as_millis()).map_err(|_| format!("invalid duration {written:?}"))?;
    Ok((if text.starts_with('-') { -ms } else { ms }, rest))
}
