//! Sizes in bytes with units to the base 2: `10MB`, `1GiB512MiB`.

/// The units, smallest first. `KB` and `KiB` are both 1024; `kB` is none.
const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];

/// Reads a size.
///
/// # Errors
/// The text of the library that Prometheus uses.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    let invalid = || format!("units: invalid {text}");
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number = &rest[..end];
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        if digits == 0 || number.bytes().filter(|byte| *byte == b'.').count() > 1 {
            return Err(invalid());
        }
        let number: f64 = number.parse().map_err(|_| invalid())?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = &rest[..end];
        rest = &rest[end..];
        let power = UNITS.iter().position(|prefix| {
            unit.strip_prefix(prefix)
                .is_some_and(|suffix| suffix == "B" || (suffix == "iB" && !prefix.is_empty()))
        });
        let Some(power) = power else { return Err(format!("units: unknown unit {unit} in {text}")) };
        sum += number * 1024f64.powi(power as i32);
    }
    let value = if negative { -sum } else { sum };
    if value.abs() >= 9.223_372_036_854_775e18 {
        return Err("units: overflow parsing unit".to_owned());
    }
    Ok(value as i64)
}

/// Writes a size: `1GiB512MiB`, `0B`.
pub fn print(bytes: i64) -> String {
    let mut rest = bytes;
    let mut parts = Vec::new();
    for (power, prefix) in UNITS.iter().enumerate() {
        let part = rest % 1024;
        if part != 0 || (power == 0 && rest == 0) {
            parts.push(format!("{part}{prefix}{}", if power == 0 { "B" } else { "iB" }));
        }
        rest /= 1024;
        if rest == 0 {
            break;
        }
    }
    parts.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, printed) in [
            ("0", 0, "0B"),
            ("10B", 10, "10B"),
            ("1KB", 1024, "1KiB"),
            ("1.5KiB", 1536, "1KiB512B"),
            ("8GB", 8 << 30, "8GiB"),
            ("1GiB512MiB", (1 << 30) + (512 << 20), "1GiB512MiB"),
            ("-1KB", -1024, "-1KiB"),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
            assert_eq!(print(bytes), printed);
        }
        assert_eq!(parse("10kB").unwrap_err(), "units: unknown unit kB in 10kB");
        assert_eq!(parse("10").unwrap_err(), "units: unknown unit  in 10");
        assert_eq!(parse("").unwrap_err(), "units: invalid ");
        assert_eq!(parse("x").unwrap_err(), "units: invalid x");
        assert_eq!(parse("99999EB").unwrap_err(), "units: overflow parsing unit");
    }
}
