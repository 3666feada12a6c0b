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
        let size = self.0.abs();
        if special(self.0).is_some() || size == 0.0 || (1e-6..1e21).contains(&size) {
            return Fixed(self.0).fmt(f);
        }
        let text = format!("{:e}", self.0);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        write!(f, "{digits}e{sign}{exponent:0>2}")
    }
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
