//! `time.ParseDuration` and how a duration prints.

use std::fmt;

use super::quote;

/// A signed duration in nanoseconds, which prints as Go's `time.Duration` does: `1.5s`, `2h0m0s`, `300µs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nanos(pub i64);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let (whole, unit, digits) = match nanos {
            0 => return f.write_str("0s"),
            1..1_000 => (nanos, "ns", 0),
            1_000..1_000_000 => (nanos, "µs", 3),
            1_000_000..1_000_000_000 => (nanos, "ms", 6),
            _ => {
                let seconds = nanos / 1_000_000_000;
                f.write_str(sign)?;
                if seconds >= 3600 {
                    write!(f, "{}h", seconds / 3600)?;
                }
                if seconds >= 60 {
                    write!(f, "{}m", seconds / 60 % 60)?;
                }
                return write!(f, "{}s", decimal(nanos % 60_000_000_000, 9));
            }
        };
        write!(f, "{sign}{}{unit}", decimal(whole, digits))
    }
}

/// A number with so many digits behind the point, without zeros at the end.
fn decimal(number: u64, digits: u32) -> String {
    let unit = 10_u64.pow(digits);
    let (whole, fraction) = (number / unit, number % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{fraction:0width$}", width = digits as usize);
    text.trim_end_matches('0').to_owned()
}

/// Reads a duration such as `300ms`, `-1.5h` or `2h45m`; says what is wrong in Go's words.
pub fn parse_duration(text: &str) -> Result<Nanos, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Nanos(0));
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid());
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let scale = unit_nanos(unit)
            .ok_or_else(|| format!("time: unknown unit {} in duration {}", quote(unit), quote(text)))?;
        let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().map_err(|_| invalid())? };
        let mut nanos = whole.checked_mul(scale).filter(|nanos| *nanos <= 1 << 63).ok_or_else(invalid)?;
        nanos += fraction_nanos(fraction, scale);
        total = total.checked_add(nanos).filter(|total| *total <= 1 << 63).ok_or_else(invalid)?;
        rest = next;
    }
    if negative {
        return Ok(Nanos((total as i64).wrapping_neg()));
    }
    i64::try_from(total).map(Nanos).map_err(|_| invalid())
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// The digits behind the point times the unit, cut to whole nanoseconds.
fn fraction_nanos(digits: &str, scale: u64) -> u64 {
    let mut number: u64 = 0;
    let mut divisor: f64 = 1.0;
    for digit in digits.bytes().take(18) {
        number = number * 10 + u64::from(digit - b'0');
        divisor *= 10.0;
    }
    (number as f64 * (scale as f64 / divisor)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("5s", 5_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("2h45m", 9_900_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("-3ms", -3_000_000),
            ("10µs", 10_000),
            ("10us", 10_000),
            ("0.1ns", 0),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse_duration(text), Ok(Nanos(nanos)), "{text}");
        }
        for (text, error) in [
            ("", r#"time: invalid duration """#),
            ("abc", r#"time: invalid duration "abc""#),
            ("5", r#"time: missing unit in duration "5""#),
            ("5x", r#"time: unknown unit "x" in duration "5x""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            (".s", r#"time: invalid duration ".s""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("99999999999999999999s", r#"time: invalid duration "99999999999999999999s""#),
        ] {
            assert_eq!(parse_duration(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (14_706_007_000_000, "4h5m6.007s"),
            (-3_600_000_000_000, "-1h0m0s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(Nanos(nanos).to_string(), text);
        }
    }
}
