//! From the labels in a body to those of the series: the target's labels, rules, checks.

use exposition::Quoted;
use model::Labels;
use model::labels::METRIC_NAME;

use crate::job::{Job, LabelLimits};

/// Begins the name of a label that the target's own pushed aside.
const EXPORTED: &str = "exported_";

/// Characters of names and values that a message shows.
const SHOWN: usize = 50;

/// Why the labels of a sample make the whole scrape fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LabelError {
    /// A limit of the job.
    Limit(String),
    /// Anything else.
    Invalid(String),
}

/// The labels of a series; `None` if rules drop it. `raw` are those in the body, in any order, and are used up.
pub(crate) fn series_labels(
    raw: &mut Vec<(String, String)>,
    target: &Labels,
    job: &Job,
) -> Result<Option<Labels>, LabelError> {
    raw.sort_by(|left, right| left.0.cmp(&right.0));
    if job.honor_labels {
        add_missing(raw, target);
    } else {
        push_aside(raw, target);
    }
    raw.retain(|(_, value)| !value.is_empty());
    raw.sort_by(|left, right| left.0.cmp(&right.0));
    if let Some(rules) = &job.relabel {
        if !rules.relabel(raw) {
            return Ok(None);
        }
        raw.retain(|(_, value)| !value.is_empty());
        raw.sort_by(|left, right| left.0.cmp(&right.0));
    }
    if raw.is_empty() {
        return Ok(None);
    }
    if let Some(pair) = raw.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let name = Quoted(pair[0].0.as_bytes());
        return Err(LabelError::Invalid(format!("label name {name} is not unique: invalid sample")));
    }
    let labels = Labels::from_sorted(raw.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let metric = labels.get(METRIC_NAME);
    if metric.is_empty() {
        return Err(LabelError::Invalid("missing metric name (__name__ label)".to_owned()));
    }
    let classic = || is_classic(metric, true) && labels.iter().all(|(name, _)| is_classic(name, false));
    if !(job.utf8_names || classic()) {
        return Err(LabelError::Invalid(format!("invalid metric name or label names: {labels}")));
    }
    check_limits(&labels, metric, job.label_limits).map_err(LabelError::Limit)?;
    Ok(Some(labels))
}

/// The labels of a series about the scrape itself.
pub(crate) fn report_labels(name: &str, target: &Labels) -> Labels {
    let name = [(METRIC_NAME.to_owned(), name.to_owned())];
    let own = target.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    name.into_iter().chain(own).collect()
}

/// `honor_labels`: the body's labels stay, even where they say that there is none.
fn add_missing(raw: &mut Vec<(String, String)>, target: &Labels) {
    let own = raw.len();
    for (name, value) in target.iter() {
        if !raw[..own].iter().any(|(known, _)| known == name) {
            raw.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// The target's labels stay; what the body has under the same name gets another one.
fn push_aside(raw: &mut Vec<(String, String)>, target: &Labels) {
    let mut aside: Vec<(String, String)> = Vec::new();
    for (name, value) in target.iter() {
        match raw.iter_mut().find(|(known, _)| known == name) {
            Some((_, exposed)) => {
                let exposed = std::mem::replace(exposed, value.to_owned());
                if !exposed.is_empty() {
                    aside.push((name.to_owned(), exposed));
                }
            }
            None => raw.push((name.to_owned(), value.to_owned())),
        }
    }
    // Shorter names first, so that `exported_a` itself is pushed aside after `a` took its name.
    aside.sort_by_key(|(name, _)| name.len());
    for (name, value) in aside {
        let mut free = format!("{EXPORTED}{name}");
        while raw.iter().any(|(known, value)| *known == free && !value.is_empty()) {
            free.insert_str(0, EXPORTED);
        }
        raw.push((free, value));
    }
}

/// Whether a name has none but the characters that names had before they could be any UTF-8.
fn is_classic(name: &str, colons: bool) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (colons && byte == b':');
    !name.starts_with(|first: char| first.is_ascii_digit()) && !name.is_empty() && name.bytes().all(fits)
}

fn check_limits(labels: &Labels, metric: &str, limits: LabelLimits) -> Result<(), String> {
    let cut = |text: &str| text.chars().take(SHOWN).collect::<String>();
    let metric = cut(metric);
    let (count, limit) = (labels.len(), limits.count);
    if limit > 0 && count > limit {
        return Err(format!(
            "label_limit exceeded (metric: {metric}, number of labels: {count}, limit: {limit})"
        ));
    }
    for (name, value) in labels.iter() {
        let (length, limit) = (name.len(), limits.name_length);
        if limit > 0 && length > limit {
            let name = cut(name);
            return Err(format!(
                "label_name_length_limit exceeded (metric: {metric}, label name: {name}, length: {length}, limit: {limit})"
            ));
        }
        let (length, limit) = (value.len(), limits.value_length);
        if limit > 0 && length > limit {
            let (name, value) = (cut(name), cut(value));
            let value = Quoted(value.as_bytes());
            return Err(format!(
                "label_value_length_limit exceeded (metric: {metric}, label name: {name}, value: {value}, length: {length}, limit: {limit})"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn mutate(raw: Pairs<'_>, target: Pairs<'_>, job: &Job) -> String {
        let mut raw = raw.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let target = target.iter().copied().collect();
        match series_labels(&mut raw, &target, job) {
            Ok(Some(labels)) => labels.to_string(),
            Ok(None) => "dropped".to_owned(),
            Err(LabelError::Limit(error) | LabelError::Invalid(error)) => error,
        }
    }

    #[test]
    fn the_targets_labels_win() {
        let job = Job::new("j");
        let cases: [(Pairs<'_>, Pairs<'_>, &str); 4] = [
            (&[("__name__", "m"), ("n", "1")], &[("n", "2")], r#"{__name__="m", exported_n="1", n="2"}"#),
            (
                &[("__name__", "m"), ("foo", "1"), ("exported_foo", "2")],
                &[("foo", "3"), ("exported_foo", "4")],
                r#"{__name__="m", exported_exported_exported_foo="2", exported_exported_foo="1", exported_foo="4", foo="3"}"#,
            ),
            (&[("__name__", "m"), ("n", "")], &[("n", "2")], r#"{__name__="m", n="2"}"#),
            (
                &[("__name__", "m"), ("n", "1"), ("n", "2")],
                &[],
                "label name \"n\" is not unique: invalid sample",
            ),
        ];
        for (raw, target, expected) in cases {
            assert_eq!(mutate(raw, target, &job), expected);
        }
    }

    #[test]
    fn or_the_bodys_where_they_are_honoured() {
        let job = Job { honor_labels: true, ..Job::new("j") };
        assert_eq!(
            mutate(&[("__name__", "m"), ("n", "1")], &[("n", "2"), ("o", "3")], &job),
            r#"{__name__="m", n="1", o="3"}"#
        );
        assert_eq!(mutate(&[("__name__", "m"), ("n", "")], &[("n", "2")], &job), r#"{__name__="m"}"#);
    }

    #[test]
    fn limits_and_names() {
        let limits = LabelLimits { count: 2, name_length: 8, value_length: 3 };
        let job = Job { label_limits: limits, utf8_names: false, ..Job::new("j") };
        let cases: [(Pairs<'_>, &str); 5] = [
            (
                &[("__name__", "m"), ("a", "1"), ("b", "2")],
                "label_limit exceeded (metric: m, number of labels: 3, limit: 2)",
            ),
            (
                &[("__name__", "m"), ("a23456789", "1")],
                "label_name_length_limit exceeded (metric: m, label name: a23456789, length: 9, limit: 8)",
            ),
            (
                &[("__name__", "m"), ("a", "1234")],
                "label_value_length_limit exceeded (metric: m, label name: a, value: \"1234\", length: 4, limit: 3)",
            ),
            (&[("__name__", "m.n")], "invalid metric name or label names: {__name__=\"m.n\"}"),
            (&[("a", "1")], "missing metric name (__name__ label)"),
        ];
        for (raw, expected) in cases {
            assert_eq!(mutate(raw, &[], &job), expected);
        }
    }
}
