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
            None if TIES.contains(&self.0.abs()) => f.write_str(&shortest(self.0)),
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
    let mut digits = digits.to_owned();
    if TIES.contains(&size) {
        // The last digit behind the point is the same with an exponent and without.
        let fixed = shortest(number);
        if let Some(last) = fixed.chars().last().filter(|_| fixed.contains('.')) {
            digits.pop();
            digits.push(last);
        }
    }
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    write!(f, "{digits}e{sign}{exponent:0>2}")
}

/// Below there are more digits behind the point than it takes to tell a number from others, above there are none.
const TIES: std::ops::Range<f64> = 67_108_864.0..9_007_199_254_740_992.0;

/// The shortest digits that read back as the same number, without an exponent. Where two are as short and as near it is
/// the even ones, as in Go; Rust rounds up then.
fn shortest(number: f64) -> String {
    let text = number.to_string();
    let Some((_, printed)) = text.split_once('.') else { return text };
    let binary_digits = fraction_digits(number);
    // A number has as many digits behind the decimal point as behind the binary one. Two are as near if it is one less.
    if i32::try_from(printed.len()).ok().map(|printed| printed + 1) != Some(binary_digits) {
        return text;
    }
    let mut lower = format!("{number:.*}", printed.len() + 1);
    lower.pop();
    let is_even = lower.ends_with(['0', '2', '4', '6', '8']);
    if is_even && lower.parse() == Ok(number) { lower } else { text }
}

/// How many binary digits a finite number has behind the point; none or less for whole numbers.
fn fraction_digits(number: f64) -> i32 {
    let bits = number.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7ff).unwrap_or_default();
    let mantissa = bits & ((1 << 52) - 1) | u64::from(exponent != 0) << 52;
    1075 - exponent.max(1) - i32::try_from(mantissa.trailing_zeros()).unwrap_or_default()
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
            (1_688_849_860_263_936.0 + 0.25, "1688849860263936.2", "1688849860263936.2"),
            (-1_688_849_860_263_936.0 - 0.75, "-1688849860263936.8", "-1688849860263936.8"),
            (1_000_000_000_000_368.0 + 0.25, "1000000000000368.2", "1000000000000368.2"),
            (1_000_000_000_000_368.0 + 0.75, "1000000000000368.8", "1000000000000368.8"),
            (0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"),
            (f64::NAN, "NaN", "NaN"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
        ];
        for (number, fixed, short) in cases {
            assert_eq!(Fixed(number).to_string(), fixed);
            assert_eq!(Short(number).to_string(), short);
        }
        assert_eq!(General(1_000_000_000_000_368.0 + 0.25).to_string(), "1.0000000000003682e+15");
    }
}
