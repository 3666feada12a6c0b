//! `--retention`: how long what is kept.

use stack::{Keep, Retention};

use crate::quantity::{parse_bytes, parse_duration};

/// Reads `AGE`, `BYTES` or `AGE/BYTES`, for every signal or, as `SIGNAL=…`, for one of them; several are parted by
/// commas and a later one wins.
pub(crate) fn parse(text: &str) -> Result<Retention, String> {
    let mut retention = Retention::default();
    for rule in text.split(',') {
        match rule.split_once('=') {
            None => {
                apply(&mut retention.traces, rule)?;
                apply(&mut retention.logs, rule)?;
                apply(&mut retention.metrics, rule)?;
            }
            // A rule for all may name a size, which then is for those that have blocks.
            Some((signal, keep)) if signal.trim() == "metrics" && parse_duration(keep).is_err() => {
                return Err(
                    "metrics are kept by age alone, such as metrics=30d; their size is bounded by --memory"
                        .to_owned(),
                );
            }
            Some((signal, keep)) => {
                let of_signal = match signal.trim() {
                    "traces" => &mut retention.traces,
                    "logs" => &mut retention.logs,
                    "metrics" => &mut retention.metrics,
                    other => {
                        return Err(format!("{other:?} is no signal, expected traces, logs or metrics"));
                    }
                };
                apply(of_signal, keep)?;
            }
        }
    }
    Ok(retention)
}

fn apply(keep: &mut Keep, text: &str) -> Result<(), String> {
    const ALLOWED: &str = "expected an age, a size or age/size, such as 7d, 10GiB or 7d/10GiB, \
        for all signals or for one, such as traces=2d,logs=7d/10GiB";
    let mut one = |text: &str| {
        if let Ok(age) = parse_duration(text) {
            keep.age = age;
            return Ok(());
        }
        match parse_bytes(text) {
            // A bare number would be bytes, and was hardly meant so.
            Ok(bytes) if bytes > 0 && !text.trim().ends_with(|last: char| last.is_ascii_digit()) => {
                keep.bytes = bytes;
                Ok(())
            }
            _ => Err(ALLOWED.to_owned()),
        }
    };
    text.splitn(2, '/').try_for_each(&mut one)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn one_rule_is_for_all_signals() {
        let week = Retention::default();
        assert_eq!(parse("7d"), Ok(week));
        let all = parse("2d/1GiB").unwrap();
        for keep in [all.traces, all.logs, all.metrics] {
            assert_eq!(keep, Keep { age: 2 * DAY, bytes: 1 << 30 });
        }
        assert_eq!(parse("3GiB").unwrap().logs, Keep { bytes: 3 << 30, ..Keep::default() });
    }

    #[test]
    fn a_rule_may_be_for_one_signal() {
        let retention = parse("1d, traces=2d/100MB, logs=12h").unwrap();
        assert_eq!(retention.traces, Keep { age: 2 * DAY, bytes: 100_000_000 });
        assert_eq!(retention.logs, Keep { age: DAY / 2, ..Keep::default() });
        assert_eq!(retention.metrics, Keep { age: DAY, ..Keep::default() });
    }

    #[test]
    fn what_is_neither_age_nor_size_is_refused() {
        for text in [
            "metrics=1GiB",
            "metrics=7d/1GiB",
            "",
            "7",
            "forever",
            "7d/",
            "/1GiB",
            "traces=",
            "profiles=7d",
            "7d/1GiB/2",
            "0d",
            "7d,,",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
