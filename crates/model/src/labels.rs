//! Label sets: what names a metric's series or a log stream.

use std::fmt;

/// Names with values, sorted by name, each name once, no empty value (an empty value means "no such label").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Labels(Vec<(String, String)>);

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

impl Labels {
    /// Sorts, drops empty values and, of a repeated name, keeps the value that came last.
    pub fn new(mut pairs: Vec<(String, String)>) -> Self {
        // A stable sort keeps repeated names in order, so the last of a run is the last that came.
        pairs.sort_by(|left, right| left.0.cmp(&right.0));
        pairs.reverse();
        pairs.dedup_by(|later, kept| later.0 == kept.0);
        pairs.reverse();
        pairs.retain(|(_, value)| !value.is_empty());
        Self(pairs)
    }

    /// The value of a label; the empty text where there is none, as the query languages read it.
    pub fn get(&self, name: &str) -> &str {
        match self.0.binary_search_by(|(key, _)| key.as_str().cmp(name)) {
            Ok(index) => &self.0[index].1,
            Err(_) => "",
        }
    }

    /// Names with values, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs themselves.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self::new(pairs.into_iter().collect())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// As Loki writes a stream: `{name="value", other="value"}`, values quoted with Go's escapes for `\`, `"` and
/// control characters.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}={}", Quoted(value))?;
        }
        f.write_str("}")
    }
}

/// A text in double quotes with the escapes of a Go string literal.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{7}' => f.write_str("\\a")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{b}' => f.write_str("\\v")?,
                '\u{c}' => f.write_str("\\f")?,
                control if control.is_ascii_control() => write!(f, "\\x{:02x}", control as u32)?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str("\"")
    }
}

impl serde::Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_last_value_wins_and_empty_means_absent() {
        let labels: Labels =
            [("b", "1"), ("a", "old"), ("a", "new"), ("c", "x"), ("c", "")].into_iter().collect();
        assert_eq!(labels.to_string(), r#"{a="new", b="1"}"#);
        assert_eq!(labels.get("a"), "new");
        assert_eq!(labels.get("c"), "");
    }

    #[test]
    fn values_are_quoted_as_go_does() {
        let labels: Labels = [("path", "a\\b\"c\n\u{1}")].into_iter().collect();
        assert_eq!(labels.to_string(), r#"{path="a\\b\"c\n\x01"}"#);
    }
}
