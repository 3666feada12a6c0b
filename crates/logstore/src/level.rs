//! `detected_level`: how grave an entry is, read from its labels, its structured metadata, its OpenTelemetry severity
//! or its line, as Loki reads it.
//!
//! Fact source: `pkg/distributor/field_detection.go` of grafana/loki.

mod json;
mod logfmt;

use std::borrow::Cow;

use memchr::memmem;
use model::Labels;

/// The structured metadata that holds the level.
pub(crate) const DETECTED_LEVEL: &str = "detected_level";

/// Names under which an entry may say its level, the first that is there.
const LEVEL_FIELDS: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

const UNKNOWN: &str = "unknown";

/// The level of an entry with these labels and this structured metadata, sorted by name.
pub(crate) fn detect<'a>(
    labels: &'a Labels,
    metadata: &'a [(Cow<'a, str>, Cow<'a, str>)],
    line: &str,
) -> Cow<'a, str> {
    let of_metadata =
        |name: &str| metadata.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
    let named = LEVEL_FIELDS
        .iter()
        .map(|name| labels.get(name))
        .find(|value| !value.is_empty())
        .or_else(|| LEVEL_FIELDS.iter().find_map(|name| of_metadata(name)));
    if let Some(named) = named {
        return Cow::Borrowed(normalized(named));
    }
    match of_metadata("severity_number").filter(|number| !number.is_empty()) {
        Some(number) => Cow::Borrowed(of_severity(number)),
        None => Cow::Borrowed(of_line(line)),
    }
}

/// The usual word for a level; a word that is no level stays as it is.
pub(crate) fn normalized(level: &str) -> &str {
    known(level).unwrap_or(level)
}

fn known(level: &str) -> Option<&'static str> {
    let words: [(&str, &'static str); 13] = [
        ("trace", "trace"),
        ("trc", "trace"),
        ("debug", "debug"),
        ("dbg", "debug"),
        ("info", "info"),
        ("inf", "info"),
        ("information", "info"),
        ("warn", "warn"),
        ("wrn", "warn"),
        ("warning", "warn"),
        ("error", "error"),
        ("err", "error"),
        ("critical", "critical"),
    ];
    let found = words.iter().find(|(word, _)| level.eq_ignore_ascii_case(word)).map(|(_, level)| *level);
    found.or_else(|| level.eq_ignore_ascii_case("fatal").then_some("fatal"))
}

/// The level of an OpenTelemetry severity number.
fn of_severity(number: &str) -> &'static str {
    match number.parse::<i64>() {
        Ok(0) => UNKNOWN,
        Ok(..=4) => "trace",
        Ok(..=8) => "debug",
        Err(_) | Ok(..=12) => "info",
        Ok(..=16) => "warn",
        Ok(..=20) => "error",
        Ok(..=24) => "fatal",
        Ok(_) => UNKNOWN,
    }
}

fn of_line(line: &str) -> &'static str {
    let field = if line.trim_start().starts_with('{') && line.trim_end().ends_with('}') {
        json::level(line, &LEVEL_FIELDS)
    } else if line.contains('=') {
        logfmt::first_of(line, &LEVEL_FIELDS)
    } else {
        None
    };
    field.and_then(|level| known(&level)).unwrap_or_else(|| of_words(line))
}

/// The first word of the line that is a level and stands alone.
fn of_words(line: &str) -> &'static str {
    const WORDS: [(&str, &str); 9] = [
        ("trace", "trace"),
        ("debug", "debug"),
        ("fatal", "fatal"),
        ("critical", "critical"),
        ("error", "error"),
        ("err", "error"),
        ("warning", "warn"),
        ("warn", "warn"),
        ("info", "info"),
    ];
    let lower = line.to_ascii_lowercase();
    let mut first = (lower.len(), UNKNOWN);
    for (word, level) in WORDS {
        if let Some(position) = position_of_word(lower.as_bytes(), word)
            && position < first.0
        {
            first = (position, level);
        }
    }
    first.1
}

fn position_of_word(line: &[u8], word: &str) -> Option<usize> {
    memmem::find_iter(line, word.as_bytes()).find(|&start| {
        let before = start.checked_sub(1).and_then(|before| line.get(before));
        let after = line.get(start + word.len());
        // A colon before the word makes it part of something longer, as in `misc:error`; behind it, it ends the word.
        before.is_none_or(|byte| b" \t\n[({\"'=|".contains(byte))
            && after.is_none_or(|byte| b" \t\n[](){}:,!\"'=|".contains(byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(labels: &[(&str, &str)], metadata: &[(&'static str, &'static str)], line: &str) -> String {
        let labels: Labels = labels.iter().copied().collect();
        let metadata: Vec<_> =
            metadata.iter().map(|&(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect();
        detect(&labels, &metadata, line).into_owned()
    }

    #[test]
    fn labels_win_over_metadata_over_severity_over_the_line() {
        let line = "level=error";
        assert_eq!(level(&[("level", "WARNING")], &[("level", "info")], line), "warn");
        assert_eq!(level(&[], &[("severity_number", "17"), ("severity_text", "Information")], line), "info");
        assert_eq!(level(&[], &[("severity_number", "17")], "level=debug"), "error");
        assert_eq!(level(&[], &[], line), "error");
        assert_eq!(level(&[("severity", "audit")], &[], line), "audit", "an unknown word stays");
    }

    #[test]
    fn severity_numbers_have_levels() {
        for (number, expected) in
            [("1", "trace"), ("8", "debug"), ("9", "info"), ("16", "warn"), ("20", "error"), ("24", "fatal")]
        {
            assert_eq!(level(&[], &[("severity_number", number)], ""), expected);
        }
        assert_eq!(level(&[], &[("severity_number", "25")], "error"), UNKNOWN);
        assert_eq!(level(&[], &[("severity_number", "x")], "error"), "info");
    }

    #[test]
    fn lines_are_read_as_json_logfmt_or_words() {
        for (line, expected) in [
            (r#"{"msg":"error","level":"warn"}"#, "warn"),
            (r#"{"a":{"level":"debug"},"level":"warn"}"#, "debug"),
            (r#"{"a":{"b":{"level":"dbg"}},"m":"x error"}"#, "error"),
            (r#"{"level":3,"msg":"fatal"}"#, "fatal"),
            (r#"ts=1 LVL=wrn msg="an error""#, "warn"),
            ("severity=debug level=info", "info"),
            ("msg=hello status=200", "unknown"),
            ("2024-01-01 [ERROR] failed, info follows", "error"),
            ("debug: starting", "debug"),
            ("misc:error happened", "unknown"),
            ("terror is not a level", "unknown"),
            ("warning before error", "warn"),
            ("", "unknown"),
        ] {
            assert_eq!(level(&[], &[], line), expected, "{line}");
        }
    }
}
