//! Durations as Prometheus writes them: `1h30m`, in configuration files, rules, PromQL and LogQL.

use std::time::Duration;

use crate::labels::Quoted;

/// Units, largest first, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads a duration; in nanoseconds, never negative. Units go from years to milliseconds, each at most once.
///
/// # Errors
/// Prometheus' text.
pub fn parse_ns(text: &str) -> Result<i64, String> {
    match text {
        "" => return Err("empty duration string".to_owned()),
        "0" => return Ok(0),
        _ => {}
    }
    let invalid = || format!("not a valid duration string: {}", Quoted(text));
    let mut rest = text;
    let mut millis: i64 = 0;
    let mut last = None;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        if digits == 0 {
            return Err(invalid());
        }
        let number: u64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let letters = rest.find(|character: char| character.is_ascii_digit()).unwrap_or(rest.len());
        if letters == 0 {
            return Err(invalid());
        }
        let unit = &rest[..letters];
        rest = &rest[letters..];
        let rank = UNITS
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or_else(|| format!("unknown unit {} in duration {}", Quoted(unit), Quoted(text)))?;
        if last.is_some_and(|last| last >= rank) {
            return Err(invalid());
        }
        last = Some(rank);
        let part = i64::try_from(number).ok().and_then(|number| number.checked_mul(UNITS[rank].1));
        millis = part.and_then(|part| millis.checked_add(part)).ok_or("duration out of range")?;
    }
    millis.checked_mul(1_000_000).ok_or_else(|| "duration out of range".to_owned())
}

/// Reads a duration, as [`parse_ns`] does.
///
/// # Errors
/// Prometheus' text.
pub fn parse(text: &str) -> Result<Duration, String> {
    parse_ns(text).map(|ns| Duration::from_nanos(ns.unsigned_abs()))
}

/// Writes a duration; what is below a millisecond is left out. Years and weeks are named only where nothing remains:
/// `90d` reads better than `12w6d`.
pub fn print(duration: Duration) -> String {
    let mut millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in UNITS {
        let only_whole = matches!(unit, "y" | "w");
        if millis < size || (only_whole && millis % size != 0) {
            continue;
        }
        text.push_str(&(millis / size).to_string());
        text.push_str(unit);
        millis %= size;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis, printed) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("15s", 15_000, "15s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90s", 90_000, "1m30s"),
            ("1500ms", 1500, "1s500ms"),
            ("14d", 14 * 86_400_000, "2w"),
            ("90d", 90 * 86_400_000, "90d"),
            ("730d", 730 * 86_400_000, "2y"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(duration.as_millis(), millis, "{text}");
            assert_eq!(print(duration), printed, "{text}");
        }
    }

    #[test]
    fn refusals_are_prometheus() {
        for (text, message) in [
            ("", "empty duration string"),
            ("-1h", "not a valid duration string: \"-1h\""),
            ("1", "not a valid duration string: \"1\""),
            ("1m1h", "not a valid duration string: \"1m1h\""),
            ("1x", "unknown unit \"x\" in duration \"1x\""),
            ("1m1s ", "unknown unit \"s \" in duration \"1m1s \""),
            ("1000y", "duration out of range"),
        ] {
            assert_eq!(parse(text).unwrap_err(), message);
        }
    }
}
