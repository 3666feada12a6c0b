//! Numbers for people.

use gotemplate::time::Time;
use gotemplate::{Value, format_float};

/// What a number is, of whatever type.
pub(super) fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(number) => Ok(*number),
        Value::Int(number) => Ok(*number as f64),
        Value::String(text) => parse_float(text),
        Value::Duration(duration) => Ok(duration.seconds()),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

/// `strconv.ParseFloat`.
fn parse_float(text: &str) -> Result<f64, String> {
    let error = |reason| format!("strconv.ParseFloat: parsing {}: {reason}", model::labels::Quoted(text));
    let is_number = !text.is_empty() && !text.contains(char::is_whitespace);
    let number: f64 = text.parse().ok().filter(|_| is_number).ok_or_else(|| error("invalid syntax"))?;
    let is_written = text.bytes().any(|byte| byte.is_ascii_digit());
    if number.is_infinite() && is_written { Err(error("value out of range")) } else { Ok(number) }
}

/// With four significant digits: `%.4g`.
fn short(number: f64) -> String {
    format_float(number, 'g', Some(4))
}

/// Divides by a thousand, or by 1024, until what is left is small enough, and says by how much with a prefix.
fn larger(mut number: f64, base: f64, prefixes: &[&str]) -> String {
    let mut prefix = "";
    for larger in prefixes {
        if number.abs() < base {
            break;
        }
        prefix = larger;
        number /= base;
    }
    short(number) + prefix
}

/// Multiplies by a thousand until what is left is large enough.
fn smaller(mut number: f64) -> String {
    let mut prefix = "";
    for smaller in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if number.abs() >= 1.0 {
            break;
        }
        prefix = smaller;
        number *= 1000.0;
    }
    short(number) + prefix
}

/// `humanize`: with the prefixes of the metric system.
pub(super) fn metric(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        short(number)
    } else if number.abs() >= 1.0 {
        larger(number, 1000.0, &["k", "M", "G", "T", "P", "E", "Z", "Y"])
    } else {
        smaller(number)
    }
}

/// `humanize1024`: with those of powers of two.
pub(super) fn binary(number: f64) -> String {
    if number.abs() <= 1.0 || !number.is_finite() {
        return short(number);
    }
    larger(number, 1024.0, &["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"])
}

/// `humanizeDuration`: seconds as days, hours, minutes and seconds, or as a fraction of one.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return short(seconds);
    }
    if seconds == 0.0 {
        return short(seconds) + "s";
    }
    if seconds.abs() < 1.0 {
        return smaller(seconds) + "s";
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    let whole = seconds as i64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {}s", whole % 60)
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {}s", whole % 60)
    } else if minutes != 0 {
        format!("{sign}{minutes}m {}s", whole % 60)
    } else {
        format!("{sign}{}s", short(seconds))
    }
}

/// `humanizePercentage`: a ratio in percent.
pub(super) fn percentage(ratio: f64) -> String {
    short(ratio * 100.0) + "%"
}

/// `humanizeTimestamp`: seconds since the Unix epoch as date and time.
pub(super) fn timestamp(seconds: f64) -> Result<String, String> {
    if !seconds.is_finite() {
        return Ok(short(seconds));
    }
    time(seconds).map(|time| time.to_string())
}

/// Seconds since the Unix epoch as a time.
pub(super) fn time(seconds: f64) -> Result<Time, String> {
    if !seconds.is_finite() {
        return Err("value is NaN or Inf".to_owned());
    }
    let nanos = seconds * 1e9;
    if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
        return Err(format!(
            "{} cannot be represented as a nanoseconds timestamp since it overflows int64",
            format_float(seconds, 'g', None)
        ));
    }
    // A model.Time has milliseconds.
    let millis = (nanos as i64) / 1_000_000;
    Ok(Time(millis.saturating_mul(1_000_000)))
}
