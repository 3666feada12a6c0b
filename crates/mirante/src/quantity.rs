//! Sizes and durations as people write them.

use std::time::Duration;

/// Bytes: `512MiB`, `2GiB`, `300MB`, `1048576`. The two-letter units are powers of ten, those with an `i` of two.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    const ALLOWED: &str =
        "expected a whole number with a unit of KiB, MiB, GiB, TiB, kB, MB, GB or TB, such as 512MiB";
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| ALLOWED.to_owned())?;
    let scale: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(ALLOWED.to_owned()),
    };
    number.checked_mul(scale).ok_or_else(|| format!("{text} is more than can be counted"))
}

/// A duration: `90s`, `30m`, `12h`, `7d`, `2w`, `1d12h`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text.trim())
        .map_err(|_| "expected a number with a unit of ms, s, m, h, d or w, such as 7d or 90s".to_owned())?;
    if parsed.is_zero() { Err("expected more than nothing".to_owned()) } else { Ok(parsed) }
}

/// Bytes for people: three digits are enough to compare.
pub(crate) fn show_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let unit = UNITS[unit];
    let shown = format!("{value:.1}");
    format!("{} {unit}", shown.strip_suffix(".0").unwrap_or(&shown))
}

/// A count with its thousands set apart.
pub(crate) fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in the unit that suits it.
pub(crate) fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match duration.as_secs() {
        0 if seconds < 0.001 => "<1 ms".to_owned(),
        0 => format!("{:.0} ms", seconds * 1000.0),
        1..60 => format!("{seconds:.1} s"),
        whole @ 60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        whole @ 3600..86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        whole => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("512MiB", 512 << 20),
            ("2 gib", 2 << 30),
            ("300MB", 300_000_000),
            ("1k", 1024),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5GiB", "-1", "12 parsecs", "99999999999TiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_they_are_written() {
        assert_eq!(parse_duration("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(parse_duration("1d12h"), Ok(Duration::from_hours(36)));
        for text in ["", "7", "d", "0s", "-3h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn figures_are_shown_to_be_read() {
        assert_eq!(show_bytes(0), "0 B");
        assert_eq!(show_bytes(1023), "1023 B");
        assert_eq!(show_bytes(1536), "1.5 KiB");
        assert_eq!(show_bytes((1 << 20) - 1), "1 MiB");
        assert_eq!(show_bytes(u64::MAX), "16777216 TiB");
        assert_eq!(show_count(0), "0");
        assert_eq!(show_count(999), "999");
        assert_eq!(show_count(1_234_567), "1,234,567");
        assert_eq!(show_duration(Duration::from_micros(20)), "<1 ms");
        assert_eq!(show_duration(Duration::from_millis(1500)), "1.5 s");
        assert_eq!(show_duration(Duration::from_hours(3 * 24 + 2)), "3 d 2 h");
    }
}
