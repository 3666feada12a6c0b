//! Numbers as the components print them: what Go's `strconv.FormatFloat` gives with the shortest precision.

use std::fmt;

/// A number without an exponent, as in `le` and `quantile` labels: Go's format `f`.
///
/// ```
/// use model::number::Fixed;
/// assert_eq!(Fixed(0.005).to_string(), "0.005");
/// assert_eq!(Fixed(1e21).to_string(), "1000000000000000000000");
/// assert_eq!(Fixed(f64::INFINITY).to_string(), "+Inf");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fixed(pub f64);

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match special(self.0) {
            Some(text) => f.write_str(text),
            // Rust prints the shortest digits that read back as the same number, and never an exponent: as Go does.
            None => write!(f, "{}", self.0),
        }
    }
}

/// A number as the JSON of the Prometheus and Loki APIs has it: without an exponent from 1e-6 up to 1e21, with one
/// outside, the exponent with a sign and two digits at least.
///
/// ```
/// use model::number::Short;
/// assert_eq!(Short(0.000001).to_string(), "0.000001");
/// assert_eq!(Short(2.5e-7).to_string(), "2.5e-07");
/// assert_eq!(Short(1e21).to_string(), "1e+21");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Short(pub f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_exponent_outside(f, self.0, 1e-6, 1e21)
    }
}

/// A number as `%g` and `%v` of Go print it: without an exponent from 1e-4 up to 1e6, with one outside.
///
/// ```
/// use model::number::General;
/// assert_eq!(General(0.0001).to_string(), "0.0001");
/// assert_eq!(General(0.00001).to_string(), "1e-05");
/// assert_eq!(General(123456.5).to_string(), "123456.5");
/// assert_eq!(General(1e6).to_string(), "1e+06");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct General(pub f64);

impl fmt::Display for General {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_exponent_outside(f, self.0, 1e-4, 1e6)
    }
}

/// A number with six digits behind the point: Go's `%f`.
///
/// ```
/// use model::number::Decimals;
/// assert_eq!(Decimals(0.5).to_string(), "0.500000");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimals(pub f64);

impl fmt::Display for Decimals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match special(self.0) {
            Some(text) => f.write_str(text),
            None => write!(f, "{:.6}", self.0),
        }
    }
}

fn with_exponent_outside(f: &mut fmt::Formatter<'_>, number: f64, from: f64, to: f64) -> fmt::Result {
    let size = number.abs();
    if special(number).is_some() || size == 0.0 || (from..to).contains(&size) {
        return write!(f, "{}", Fixed(number));
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    write!(f, "{digits}e{sign}{exponent:0>2}")
}

fn special(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number.is_infinite() {
        Some(if number > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_prints() {
        let cases = [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (1.0, "1", "1"),
            (1e-7, "0.0000001", "1e-07"),
            (-1.5e300, &format!("-15{}", "0".repeat(299)), "-1.5e+300"),
            (1e20, "100000000000000000000", "100000000000000000000"),
            (f64::NAN, "NaN", "NaN"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
        ];
        for (number, fixed, short) in cases {
            assert_eq!(Fixed(number).to_string(), fixed);
            assert_eq!(Short(number).to_string(), short);
        }
    }
}
