//! Numbers: read as Go's `strconv.ParseFloat` reads them, printed as Go's `%g` does.

use std::fmt;

use crate::quote::Quoted;

/// Digits that an integer may have to be exact in a double.
const EXACT_DIGITS: usize = 15;

/// A number of a text format. Hexadecimal and underscores, which Go would take, are refused as Prometheus does.
///
/// The error is Go's.
pub(crate) fn parse(text: &[u8]) -> Result<f64, String> {
    // Most values are small integers.
    if !text.is_empty() && text.len() <= EXACT_DIGITS {
        let mut number = 0_u64;
        let digits = text.iter().all(|digit| {
            number = number * 10 + u64::from(digit.wrapping_sub(b'0'));
            digit.is_ascii_digit()
        });
        if digits {
            return Ok(number as f64);
        }
    }
    if text.iter().any(|byte| matches!(byte, b'p' | b'P' | b'_')) {
        return Err("unsupported character in float".to_owned());
    }
    parse_go(text)
}

/// As Go's `strconv.ParseFloat` for what has no `p` and no `_`.
pub(crate) fn parse_go(text: &[u8]) -> Result<f64, String> {
    let syntax = || format!("strconv.ParseFloat: parsing {}: invalid syntax", Quoted(text));
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    let number = number.ok_or_else(syntax)?;
    let signed = matches!(text.first(), Some(b'+' | b'-'));
    if number.is_nan() && signed {
        return Err(syntax());
    }
    let named = text.iter().any(|byte| matches!(byte, b'n' | b'N'));
    if number.is_infinite() && !named {
        return Err(format!("strconv.ParseFloat: parsing {}: value out of range", Quoted(text)));
    }
    Ok(number)
}

/// A number with the shortest digits that read back the same, with an exponent below 1e-4 and from 1e6 on, where it has
/// more digits than that as well: Go's `%g`.
///
/// ```
/// use exposition::ShortestFloat;
/// assert_eq!(ShortestFloat(123_456_789.0).to_string(), "1.23456789e+08");
/// assert_eq!(ShortestFloat(100_000.0).to_string(), "100000");
/// assert_eq!(ShortestFloat(0.000_01).to_string(), "1e-05");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShortestFloat(pub f64);

impl fmt::Display for ShortestFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_finite() && has_exponent(self.0) {
            let text = format!("{:e}", self.0);
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            return write!(f, "{digits}e{sign}{exponent:0>2}");
        }
        model::number::Fixed(self.0).fmt(f)
    }
}

/// A number as OpenMetrics writes `le` and `quantile`: always with a point or an exponent.
///
/// ```
/// use exposition::OpenMetricsFloat;
/// assert_eq!(OpenMetricsFloat(1.0).to_string(), "1.0");
/// assert_eq!(OpenMetricsFloat(1e6).to_string(), "1e+06");
/// assert_eq!(OpenMetricsFloat(f64::INFINITY).to_string(), "+Inf");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenMetricsFloat(pub f64);

impl fmt::Display for OpenMetricsFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // There is no negative zero among labels.
        let number = if self.0 == 0.0 { 0.0 } else { self.0 };
        ShortestFloat(number).fmt(f)?;
        let whole = number.is_finite() && number.fract() == 0.0 && !has_exponent(number);
        if whole { f.write_str(".0") } else { Ok(()) }
    }
}

fn has_exponent(number: f64) -> bool {
    let text = format!("{number:e}");
    let exponent = text.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    number != 0.0 && !(-4..6).contains(&exponent.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_as_go_reads() {
        let good = [
            ("1", 1.0),
            ("007", 7.0),
            ("-0", -0.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("+1e-3", 0.001),
            ("1234567890123456789", 1_234_567_890_123_456_789.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+INF", f64::INFINITY),
        ];
        for (text, number) in good {
            assert_eq!(parse(text.as_bytes()), Ok(number), "{text}");
        }
        assert!(parse(b"nan").unwrap().is_nan());
        for text in ["", "+nan", "1 ", "0x1", "e5", "1e", "--1", "infi", "1\u{660}"] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.ends_with("invalid syntax"), "{text}: {error}");
        }
        assert_eq!(parse(b"1_0").unwrap_err(), "unsupported character in float");
        assert_eq!(parse(b"0x1p-3").unwrap_err(), "unsupported character in float");
        assert_eq!(parse(b"1e999").unwrap_err(), "strconv.ParseFloat: parsing \"1e999\": value out of range");
    }

    #[test]
    fn labels_of_buckets() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (-1.0, "-1.0"),
            (0.5, "0.5"),
            (100_000.0, "100000.0"),
            (999_999.0, "999999.0"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.000_015, "1.5e-05"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (number, text) in cases {
            assert_eq!(OpenMetricsFloat(number).to_string(), text);
        }
    }
}
