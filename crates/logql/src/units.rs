//! Durations and sizes, as LogQL writes and reads them.

pub use model::duration::parse_ns as prometheus_duration;

/// A duration as Go writes it: `1.5h`, `-250ms`, `1h2.5s`. In nanoseconds.
pub fn go_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (whole, fraction) = rest[..number].split_once('.').unwrap_or((&rest[..number], ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(invalid());
        }
        rest = &rest[number..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        if letters == 0 {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let unit: i128 = match &rest[..letters] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            unknown => {
                return Err(format!("time: unknown unit {} in duration {}", quoted(unknown), quoted(text)));
            }
        };
        rest = &rest[letters..];
        // More digits than these change nothing in 64 bits of nanoseconds.
        let whole = whole.trim_start_matches('0');
        if whole.len() > 19 {
            return Err(invalid());
        }
        total += whole.parse::<i128>().unwrap_or(0) * unit;
        let fraction = &fraction[..fraction.len().min(18)];
        let scale = 10_i128.pow(fraction.len() as u32);
        total += fraction.parse::<i128>().unwrap_or(0) * unit / scale;
        if total > 1 << 63 {
            return Err(invalid());
        }
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

/// A duration in the query's text: Prometheus' way first, then Go's.
pub(crate) fn query_duration(text: &str) -> Result<i64, String> {
    prometheus_duration(text).or_else(|_| go_duration(text))
}

/// A duration as Go prints it: `1h0m0s`, `1.5s`, `250ms`.
pub(crate) fn print_duration(ns: i64) -> String {
    if ns == 0 {
        return "0s".to_owned();
    }
    let sign = if ns < 0 { "-" } else { "" };
    let abs = ns.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let text = format!("{}.{:0width$}", value / unit, value % unit, width = unit.ilog10() as usize);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let text = match abs {
        1..1_000 => format!("{abs}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(abs, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(abs, 1_000_000)),
        _ => {
            let (minutes, rest) = (abs / 60_000_000_000, abs % 60_000_000_000);
            let seconds = fraction(rest, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

/// A size as `go-humanize` reads it: `5KB` is 5,000, `5KiB` is 5,120, a bare number is bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let digits = text[..end].replace(',', "");
    let number: f64 = digits
        .parse()
        .map_err(|_| format!("strconv.ParseFloat: parsing {}: invalid syntax", quoted(&digits)))?;
    let unit = text[end..].trim().to_lowercase();
    let factor = match unit.as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "p" | "pb" => 1e15,
        "e" | "eb" => 1e18,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1_048_576.0,
        "gi" | "gib" => 1_073_741_824.0,
        "ti" | "tib" => 1_099_511_627_776.0,
        "pi" | "pib" => 1_125_899_906_842_624.0,
        "ei" | "eib" => 1_152_921_504_606_846_976.0,
        _ => return Err(format!("unhandled size name: {unit}")),
    };
    let bytes = number * factor;
    if bytes >= u64::MAX as f64 {
        return Err(format!("too large: {text}"));
    }
    Ok(bytes as u64)
}

/// A text in double quotes, for messages.
pub(crate) fn quoted(text: &str) -> String {
    model::labels::Quoted(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_both_ways() {
        assert_eq!(prometheus_duration("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(prometheus_duration("1w").unwrap(), 7 * 86_400_000_000_000);
        assert_eq!(
            prometheus_duration("5minutes").unwrap_err(),
            r#"unknown unit "minutes" in duration "5minutes""#
        );
        assert_eq!(prometheus_duration("30m1h").unwrap_err(), r#"not a valid duration string: "30m1h""#);
        assert_eq!(prometheus_duration("").unwrap_err(), "empty duration string");
        assert!(prometheus_duration("99999999999999999y").is_err());
        assert_eq!(go_duration("1.5s"), Ok(1_500_000_000));
        assert_eq!(go_duration("-1h2m.5s"), Ok(-3_720_500_000_000));
        assert_eq!(go_duration("0"), Ok(0));
        assert_eq!(go_duration("3").unwrap_err(), r#"time: missing unit in duration "3""#);
        assert_eq!(go_duration("x").unwrap_err(), r#"time: invalid duration "x""#);
        assert_eq!(go_duration("1d").unwrap_err(), r#"time: unknown unit "d" in duration "1d""#);
        assert!(go_duration("9999999999h").is_err());
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (ns, text) in [
            (0, "0s"),
            (250_000_000, "250ms"),
            (1_500_000_000, "1.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (-90_000_000_000, "-1m30s"),
            (1_500, "1.5µs"),
            (7, "7ns"),
        ] {
            assert_eq!(print_duration(ns), text);
            assert_eq!(go_duration(text), Ok(ns));
        }
    }

    #[test]
    fn sizes_are_decimal_and_binary() {
        for (text, bytes) in [
            ("2.5KiB", 2560),
            ("5kB", 5000),
            ("1MB", 1_000_000),
            ("12", 12),
            ("1,000 B", 1000),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!(size("5x").unwrap_err(), "unhandled size name: x");
        assert!(size("abc").is_err() && size("99999999EB").is_err());
    }
}
