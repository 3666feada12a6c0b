//! Numbers and times within texts, as Go prints them there.

use std::fmt;

use model::number::Fixed;

/// A number in Go's format `%g`: with an exponent below 1e-4 and from 1e6 on, or from its digits on where they are
/// limited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct General {
    number: f64,
    /// How many digits at most; none is as many as it takes.
    digits: Option<usize>,
}

/// As many digits as it takes.
#[expect(non_snake_case, reason = "stands beside the constructors of the other formats, Fixed and Short")]
pub(crate) fn General(number: f64) -> General {
    General { number, digits: None }
}

impl General {
    /// Rounded to some digits, at least one.
    pub(crate) fn with_digits(number: f64, digits: usize) -> Self {
        Self { number, digits: Some(digits.max(1)) }
    }
}

impl fmt::Display for General {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.number.is_finite() || self.number == 0.0 {
            return Fixed(self.number).fmt(f);
        }
        let text = match self.digits {
            Some(digits) => format!("{:.*e}", digits - 1, self.number),
            None => format!("{:e}", self.number),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let (sign, mantissa) = match mantissa.strip_prefix('-') {
            Some(mantissa) => ("-", mantissa),
            None => ("", mantissa),
        };
        let digits = mantissa.replace('.', "");
        let digits = digits.trim_end_matches('0');
        let digits = if digits.is_empty() { "0" } else { digits };
        let count = digits.len() as i32;
        let limit = match self.digits {
            None => 6,
            Some(limit) if limit as i32 > count && count > exponent => count,
            Some(limit) => limit as i32,
        };
        if exponent < -4 || exponent >= limit {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            let direction = if exponent < 0 { '-' } else { '+' };
            return write!(f, "{sign}{first}{point}{rest}e{direction}{:02}", exponent.abs());
        }
        if exponent < 0 {
            return write!(f, "{sign}0.{}{digits}", "0".repeat(-exponent as usize - 1));
        }
        let whole = exponent as usize + 1;
        match digits.split_at_checked(whole) {
            Some((whole, "")) => write!(f, "{sign}{whole}"),
            Some((whole, rest)) => write!(f, "{sign}{whole}.{rest}"),
            None => write!(f, "{sign}{digits}{}", "0".repeat(whole - digits.len())),
        }
    }
}

/// A time in whole seconds, UTC: `2026-01-02T03:04:05Z`. Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rfc3339(pub(crate) i64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Go divides towards zero.
        let seconds = self.0 / 1000;
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, month and day of a day since the Unix epoch, in the Gregorian calendar. After Howard Hinnant's
/// `civil_from_days`.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on, so that a leap day is a year's last.
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_go_prints_them() {
        for (number, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (-0.5, "-0.5"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (123_456_789.0, "1.23456789e+08"),
            (1e6, "1e+06"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(General(number).to_string(), expected);
        }
        for (number, expected) in
            [(1.234, "1.2"), (10.0, "10"), (123.0, "1.2e+02"), (0.001_26, "0.0013"), (99.9, "1e+02")]
        {
            assert_eq!(General::with_digits(number, 2).to_string(), expected);
        }
    }

    #[test]
    fn times() {
        assert_eq!(Rfc3339(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Rfc3339(951_782_399_999).to_string(), "2000-02-28T23:59:59Z");
        assert_eq!(Rfc3339(951_868_799_000).to_string(), "2000-02-29T23:59:59Z");
        assert_eq!(Rfc3339(-1000).to_string(), "1969-12-31T23:59:59Z");
    }
}
