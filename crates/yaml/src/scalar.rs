//! What a plain scalar stands for, as Go's yaml packages decide it.

/// A scalar's meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resolved {
    /// Nothing, `~`, `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// `yes`, `on`, `y` and their opposites: booleans where one is asked for, and in version 2 everywhere.
    OldBool(bool),
    /// A whole number that an `i64` holds.
    Int(i64),
    /// A whole number that only a `u64` holds.
    Unsigned(u64),
    /// A number with a point or an exponent, an infinity, not a number.
    Float(f64),
    /// A date, with or without a time.
    Timestamp,
    /// The key `<<`.
    Merge,
    /// Everything else.
    Text,
}

impl Resolved {
    /// The short tag that complaints name.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) | Self::OldBool(_) => "!!bool",
            Self::Int(_) | Self::Unsigned(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Merge => "!!merge",
            Self::Text => "!!str",
        }
    }
}

/// Resolves a plain scalar.
pub(crate) fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "true" | "True" | "TRUE" => return Resolved::Bool(true),
        "false" | "False" | "FALSE" => return Resolved::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Resolved::OldBool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Resolved::OldBool(false),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        "<<" => return Resolved::Merge,
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return Resolved::Text;
    }
    if is_timestamp(text) {
        return Resolved::Timestamp;
    }
    let plain = text.replace('_', "");
    whole(&plain).or_else(|| fraction(&plain)).unwrap_or(Resolved::Text)
}

/// Go's `ParseInt` with base 0: `0x`, `0o`, `0b`, and a leading zero for octal.
fn whole(text: &str) -> Option<Resolved> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = u64::from_str_radix(digits, base).ok()?;
    match (negative, i64::try_from(value)) {
        (false, Ok(value)) => Some(Resolved::Int(value)),
        (false, Err(_)) => Some(Resolved::Unsigned(value)),
        (true, _) => 0i64.checked_sub_unsigned(value).map(Resolved::Int),
    }
}

/// Digits with a point, an exponent or both. Words that Rust takes for numbers (`inf`) are none here.
fn fraction(text: &str) -> Option<Resolved> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_ok = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && all_digits(exponent)
    });
    if !all_digits(before) || !all_digits(after) || (before.is_empty() && after.is_empty()) || !exponent_ok {
        return None;
    }
    text.parse().ok().map(Resolved::Float)
}

/// `2026-1-2`, also followed by `T` or a space and a time.
fn is_timestamp(text: &str) -> bool {
    let date_end = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let (date, time) = text.split_at(date_end);
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let number = |part: &str, longest: usize, most: u32| {
        !part.is_empty()
            && part.len() <= longest
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse::<u32>().is_ok_and(|value| value <= most)
    };
    if year.len() != 4 || !number(year, 4, 9999) || !number(month, 2, 12) || !number(day, 2, 31) {
        return false;
    }
    let Some(time) = time.get(1..) else { return true };
    let clock =
        time.trim_end_matches(|c: char| c == 'Z' || c == '+' || c == '-' || c == ':' || c.is_ascii_digit());
    let fields: Vec<&str> = time.split(['.', 'Z', '+', '-']).next().unwrap_or_default().split(':').collect();
    (clock.is_empty() || clock.ends_with('.'))
        && matches!(fields[..], [hour, minute, second]
            if number(hour, 2, 23) && number(minute, 2, 59) && number(second, 2, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_go_says() {
        let cases = [
            ("12", Resolved::Int(12)),
            ("-12", Resolved::Int(-12)),
            ("+12", Resolved::Int(12)),
            ("1_000", Resolved::Int(1000)),
            ("0x1F", Resolved::Int(31)),
            ("0o17", Resolved::Int(15)),
            ("017", Resolved::Int(15)),
            ("0b101", Resolved::Int(5)),
            ("0", Resolved::Int(0)),
            ("-9223372036854775808", Resolved::Int(i64::MIN)),
            ("18446744073709551615", Resolved::Unsigned(u64::MAX)),
            ("1.5", Resolved::Float(1.5)),
            (".5", Resolved::Float(0.5)),
            ("5.", Resolved::Float(5.0)),
            ("1e3", Resolved::Float(1000.0)),
            ("-.inf", Resolved::Float(f64::NEG_INFINITY)),
            ("08", Resolved::Float(8.0)),
            ("yes", Resolved::OldBool(true)),
            ("Off", Resolved::OldBool(false)),
            ("TRUE", Resolved::Bool(true)),
            ("~", Resolved::Null),
            ("2026-11-21", Resolved::Timestamp),
            ("2026-11-21T10:00:00Z", Resolved::Timestamp),
            ("2026-11-21 10:00:00.5", Resolved::Timestamp),
            ("2026-13-21", Resolved::Text),
            ("15s", Resolved::Text),
            ("1.2.3", Resolved::Text),
            ("-", Resolved::Text),
            ("--1", Resolved::Text),
            ("0x-1", Resolved::Text),
            ("inf", Resolved::Text),
            (".", Resolved::Text),
            ("1e", Resolved::Text),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(text), expected, "{text}");
        }
    }
}
