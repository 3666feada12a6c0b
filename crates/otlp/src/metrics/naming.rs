//! Names of metrics, labels and units, after "Prometheus and OpenMetrics Compatibility" of the OpenTelemetry
//! specification, with the outcomes of Prometheus' own translator.

use super::Config;

/// What a name depends on besides the metric's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Gets `_ratio` when its unit is `1`.
    Gauge,
    /// A monotonic sum: gets `_total`.
    Counter,
    /// Everything else.
    Other,
}

/// The name of a metric family, or why there is none.
pub(super) fn metric_name(name: &str, unit: &str, kind: Kind, config: &Config) -> Result<String, String> {
    let strategy = config.translation_strategy;
    let built = match (strategy.escapes(), strategy.adds_suffixes()) {
        (true, true) => escaped_with_suffixes(name, unit, kind),
        (true, false) => escaped(name),
        (false, suffixes) => return unescaped(name, unit, kind, suffixes),
    };
    if built.is_empty() {
        return Err(format!("normalization for metric {name:?} resulted in empty name"));
    }
    if built != name && built.bytes().all(|byte| byte == b'_') {
        return Err(format!("normalization for metric {name:?} resulted in invalid name {built:?}"));
    }
    Ok(built)
}

fn escaped_with_suffixes(name: &str, unit: &str, kind: Kind) -> String {
    let mut tokens: Vec<&str> =
        name.split(|character| !is_metric_character(character)).filter(|token| !token.is_empty()).collect();
    let (main, per) = unit_words(unit);
    let (mut main, mut per) = (cleaned(&main), cleaned(&per));
    if tokens.contains(&main.as_str()) {
        main.clear();
    }
    if per == "per_" {
        per.clear();
    } else {
        trim_underscore(&mut per);
        if tokens.contains(&per.as_str()) {
            per.clear();
        }
    }
    if !per.is_empty() {
        trim_underscore(&mut main);
    }
    tokens.extend([main.as_str(), per.as_str()].into_iter().filter(|token| !token.is_empty()));
    let last = match kind {
        Kind::Counter => Some("total"),
        Kind::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        tokens.retain(|token| *token != last);
        tokens.push(last);
    }
    not_a_digit_first(tokens.join("_"))
}

fn escaped(name: &str) -> String {
    let tokens: Vec<&str> = name
        .split(|character| !is_metric_character(character) && character != '_')
        .filter(|token| !token.is_empty())
        .collect();
    not_a_digit_first(tokens.join("_"))
}

/// UTF-8 names are kept; only suffixes may be added.
fn unescaped(name: &str, unit: &str, kind: Kind, suffixes: bool) -> Result<String, String> {
    if name.is_empty() {
        return Err("the metric has no name".to_owned());
    }
    if !suffixes {
        return Ok(name.to_owned());
    }
    let last = match kind {
        Kind::Counter => "total",
        Kind::Gauge if unit == "1" => "ratio",
        _ => "",
    };
    let (main, per) = unit_words(unit);
    let mut built = without_suffix(without_suffix(name, last), &per).to_owned();
    if !main.is_empty() && !built.ends_with(&main) {
        built = format!("{built}_{main}");
    }
    for suffix in [per.as_str(), last].into_iter().filter(|suffix| !suffix.is_empty()) {
        built.push('_');
        built.push_str(suffix);
    }
    Ok(built)
}

/// The name without a suffix and the delimiter before it, unless nothing would be left.
fn without_suffix<'a>(name: &'a str, suffix: &str) -> &'a str {
    if suffix.is_empty() {
        return name;
    }
    match name.strip_suffix(suffix).and_then(|rest| {
        let delimiter = rest.chars().next_back()?;
        Some(&rest[..rest.len() - delimiter.len_utf8()])
    }) {
        Some(rest) if !rest.is_empty() => rest,
        _ => name,
    }
}

/// The unit of a family's metadata.
pub(super) fn unit_name(unit: &str) -> String {
    let (main, per) = unit_words(unit);
    let joined = match (cleaned(&main), cleaned(&per)) {
        (main, per) if per.is_empty() => main,
        (main, per) if main.is_empty() => per,
        (main, per) => format!("{main}_{per}"),
    };
    let joined = joined.strip_prefix('_').unwrap_or(&joined);
    joined.strip_suffix('_').unwrap_or(joined).to_owned()
}

/// The unit before and after a slash, in words; empty where there is none or where it is an annotation in braces.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let plain = |part: &str| {
        let part = part.trim();
        (!part.is_empty() && !part.contains(['{', '}'])).then(|| part.to_owned())
    };
    let main = plain(main).map_or_else(String::new, |main| main_unit(&main).map_or(main, str::to_owned));
    let per = plain(per).map_or_else(String::new, |per| format!("per_{}", per_unit(&per).unwrap_or(&per)));
    (main, per)
}

fn main_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        _ => return None,
    })
}

fn per_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => return None,
    })
}

/// A unit's word with what no metric name may have replaced, without underscores in a row or in front.
fn cleaned(unit: &str) -> String {
    let mut out = String::with_capacity(unit.len());
    for character in unit.chars() {
        if is_metric_character(character) {
            out.push(character);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.strip_prefix('_').map_or(out.clone(), str::to_owned)
}

fn trim_underscore(text: &mut String) {
    if text.ends_with('_') {
        text.pop();
    }
}

fn not_a_digit_first(name: String) -> String {
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

fn is_metric_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == ':'
}

/// The name of a label, or why there is none.
pub(super) fn label_name(name: &str, config: &Config) -> Result<String, String> {
    if name.is_empty() {
        return Err("label name is empty".to_owned());
    }
    let only_underscores = |name: &str| name.bytes().all(|byte| byte == b'_');
    if !config.translation_strategy.escapes() {
        if only_underscores(name) {
            return Err(format!("label name {name:?} contains only underscores"));
        }
        return Ok(name.to_owned());
    }
    let mut built = sanitized(name, config.label_name_preserve_multiple_underscores);
    if built.starts_with(|first: char| first.is_ascii_digit()) {
        built.insert_str(0, "key_");
    } else if config.label_name_underscore_sanitization && built.starts_with('_') && !built.starts_with("__")
    {
        built.insert_str(0, "key");
    }
    if only_underscores(&built) {
        return Err(format!("normalization for label name {name:?} resulted in invalid name {built:?}"));
    }
    Ok(built)
}

fn sanitized(name: &str, preserve_multiple: bool) -> String {
    if preserve_multiple {
        return name
            .chars()
            .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
            .collect();
    }
    // The underscores around a reserved name stay.
    let reserved = (name.len() >= 4)
        .then(|| name.strip_prefix("__")?.strip_suffix("__"))
        .flatten()
        .map(|inner| ("__", inner));
    let (frame, inner) = reserved.unwrap_or(("", name));
    let mut out = String::from(frame);
    let mut after_underscore = false;
    for character in inner.chars() {
        let valid = character.is_ascii_alphanumeric();
        if valid {
            out.push(character);
        } else if !after_underscore {
            out.push('_');
        }
        after_underscore = !valid;
    }
    out.push_str(frame);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Strategy;

    fn config(strategy: Strategy) -> Config {
        Config { translation_strategy: strategy, ..Config::default() }
    }

    #[test]
    fn escaped_names_with_suffixes() {
        let config = config(Strategy::UnderscoreEscapingWithSuffixes);
        let cases = [
            ("http.server.request.duration", "s", Kind::Other, "http_server_request_duration_seconds"),
            ("system.io", "By", Kind::Counter, "system_io_bytes_total"),
            ("requests.total", "1", Kind::Counter, "requests_total"),
            ("requests_total_x", "{request}", Kind::Counter, "requests_x_total"),
            ("utilization", "1", Kind::Gauge, "utilization_ratio"),
            ("ratio.of.hits", "1", Kind::Gauge, "of_hits_ratio"),
            ("throughput", "By/s", Kind::Gauge, "throughput_bytes_per_second"),
            ("broken", "m/m", Kind::Gauge, "broken_meters_per_minute"),
            ("speed", "{packet}/s", Kind::Gauge, "speed_per_second"),
            ("speed", "V/{cell}", Kind::Gauge, "speed_volts"),
            ("2xx", "", Kind::Counter, "_2xx_total"),
            ("a  b__c", "", Kind::Gauge, "a_b_c"),
            ("temperature.celsius", "Cel", Kind::Gauge, "temperature_celsius"),
            ("money", "€", Kind::Gauge, "money"),
            ("rate", "10 By/s^2", Kind::Gauge, "rate_10_By_per_s_2"),
            ("http:requests", "", Kind::Gauge, "http:requests"),
            ("grüße", "", Kind::Gauge, "gr_e"),
        ];
        for (name, unit, kind, expected) in cases {
            assert_eq!(metric_name(name, unit, kind, &config).as_deref(), Ok(expected), "{name} in {unit}");
        }
        assert!(metric_name("", "", Kind::Gauge, &config).is_err());
        assert!(metric_name("...", "", Kind::Gauge, &config).is_err());
    }

    #[test]
    fn the_other_strategies() {
        let plain = config(Strategy::UnderscoreEscapingWithoutSuffixes);
        assert_eq!(metric_name("http.duration", "s", Kind::Counter, &plain).unwrap(), "http_duration");
        assert_eq!(metric_name("a__b..c", "s", Kind::Counter, &plain).unwrap(), "a__b_c");
        assert_eq!(metric_name("1st", "s", Kind::Counter, &plain).unwrap(), "_1st");
        let utf8 = config(Strategy::NoUTF8EscapingWithSuffixes);
        assert_eq!(metric_name("http.duration", "s", Kind::Other, &utf8).unwrap(), "http.duration_seconds");
        assert_eq!(metric_name("req.total", "1", Kind::Counter, &utf8).unwrap(), "req_total");
        assert_eq!(metric_name("io.seconds", "s", Kind::Counter, &utf8).unwrap(), "io.seconds_total");
        assert_eq!(metric_name("io", "By/s", Kind::Counter, &utf8).unwrap(), "io_bytes_per_second_total");
        let none = config(Strategy::NoTranslation);
        assert_eq!(metric_name("http.duration", "s", Kind::Counter, &none).unwrap(), "http.duration");
    }

    #[test]
    fn label_names() {
        let default = Config::default();
        let collapsing = Config { label_name_preserve_multiple_underscores: false, ..Config::default() };
        let cases = [
            ("http.method", "http_method", "http_method"),
            ("a..b", "a__b", "a_b"),
            ("_private", "key_private", "key_private"),
            ("__name__", "__name__", "__name__"),
            ("2nd", "key_2nd", "key_2nd"),
            ("ä", "key_", "key_"),
            ("__a..b__", "__a__b__", "__a_b__"),
        ];
        for (name, preserved, collapsed) in cases {
            assert_eq!(label_name(name, &default).as_deref(), Ok(preserved), "{name}");
            assert_eq!(label_name(name, &collapsing).as_deref(), Ok(collapsed), "{name}");
        }
        assert!(label_name("", &default).is_err());
        assert!(label_name("__", &default).is_err());
        let utf8 = config(Strategy::NoTranslation);
        assert_eq!(label_name("http.method", &utf8).unwrap(), "http.method");
        assert!(label_name("___", &utf8).is_err());
    }

    #[test]
    fn unit_of_the_metadata() {
        for (unit, expected) in [
            ("s", "seconds"),
            ("By/s", "bytes_per_second"),
            ("1", ""),
            ("{x}", ""),
            ("req/s", "req_per_second"),
        ] {
            assert_eq!(unit_name(unit), expected);
        }
    }
}
