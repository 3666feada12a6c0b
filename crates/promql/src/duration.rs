//! Durations as PromQL and the configuration write them: `1h30m`, `5m`, `250ms`.

use std::fmt::Write;
use std::time::Duration;

/// Units with their milliseconds, the largest first: they come in this order, each once.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest duration: what 64 bits of nanoseconds hold, about 292 years.
const MAX_MS: u64 = i64::MAX as u64 / 1_000_000;

/// Reads a duration; the error is in Prometheus' words.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match text {
        "" => return Err("empty duration string".to_owned()),
        "0" => return Ok(Duration::ZERO),
        _ => {}
    }
    let invalid = || format!("not a valid duration string: {text:?}");
    let mut total: u64 = 0;
    let mut allowed = UNITS.as_slice();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| invalid())?;
        let letters = after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(invalid());
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err(format!("unknown unit {unit:?} in duration {text:?}"));
        }
        let position = allowed.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
        total = number
            .checked_mul(allowed[position].1)
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= MAX_MS)
            .ok_or("duration out of range")?;
        allowed = &allowed[position + 1..];
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

/// A duration as Prometheus prints it: the largest unit that leaves no rest, years and weeks only where they are whole.
pub fn format_duration(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, size) in UNITS {
        let exact_only = matches!(unit, "y" | "w");
        if left >= size && (!exact_only || left % size == 0) {
            _ = write!(out, "{}{unit}", left / size);
            left %= size;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_in_order() {
        let ms = |text: &str| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(ms("1h30m"), Ok(5_400_000));
        assert_eq!(ms("1m30ms"), Ok(60_030));
        assert_eq!(ms("1y2w"), Ok((365 + 14) * 86_400_000));
        assert_eq!(ms("0"), Ok(0));
        assert_eq!(ms(""), Err("empty duration string".to_owned()));
        assert_eq!(ms("5m1m"), Err("not a valid duration string: \"5m1m\"".to_owned()));
        assert_eq!(ms("5"), Err("not a valid duration string: \"5\"".to_owned()));
        assert_eq!(ms("m"), Err("not a valid duration string: \"m\"".to_owned()));
        assert_eq!(ms("5y1hs"), Err("unknown unit \"hs\" in duration \"5y1hs\"".to_owned()));
        assert_eq!(ms("300y"), Err("duration out of range".to_owned()));
        assert_eq!(
            ms("99999999999999999999s"),
            Err("not a valid duration string: \"99999999999999999999s\"".to_owned())
        );
    }

    #[test]
    fn printed_as_prometheus_does() {
        for (text, printed) in [
            ("15d", "15d"),
            ("14d", "2w"),
            ("90m", "1h30m"),
            ("1500ms", "1s500ms"),
            ("0", "0s"),
            ("365d", "1y"),
            ("366d", "366d"),
        ] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), printed);
        }
    }
}
