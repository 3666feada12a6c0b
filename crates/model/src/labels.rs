//! Label sets: what names a metric's series or a log stream.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

pub use crate::literal::Quoted;

/// Names with values, sorted by name, each name once, no empty value (an empty value means "no such label").
///
/// All of them are one text, which clones share: a query hands out many label sets. The text is the number of labels,
/// then each name and each value behind its length; numbers have six bits a byte, the lowest first, as ASCII.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Labels(Arc<str>);

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// Says of a byte of a number that more follow.
const MORE: u8 = 0x40;

impl Labels {
    /// Sorts, drops empty values and, of a repeated name, keeps the value that came last.
    #[expect(clippy::needless_pass_by_value, reason = "the counterpart of `into_pairs`")]
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Labels that are sorted by name already, each name once, none of them empty.
    pub fn from_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let mut key = String::new();
        write_key(&mut key, pairs);
        Self(key.into())
    }

    /// A text that equal labels have and no others.
    pub fn key(&self) -> &str {
        &self.0
    }

    /// The value of a label; the empty text where there is none, as the query languages read it.
    pub fn get(&self, name: &str) -> &str {
        for (key, value) in self.iter() {
            match key.cmp(name) {
                Ordering::Less => {}
                Ordering::Equal => return value,
                Ordering::Greater => break,
            }
        }
        ""
    }

    /// Names with values, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.parts()
    }

    fn parts(&self) -> Iter<'_> {
        let mut rest = &*self.0;
        let left = if rest.is_empty() { 0 } else { take_number(&mut rest) };
        Iter { rest, left }
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.parts().left
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs themselves.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// Writes the [key](Labels::key) of labels to the end of a text. They are sorted by name, each name once, none of them
/// empty.
pub fn write_key<'a>(key: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) {
    let (mut count, mut bytes) = (0, 0);
    let mut last = None;
    for (name, value) in pairs.clone() {
        debug_assert!(last.is_none_or(|last| last < name) && !value.is_empty(), "{last:?}, {name:?}");
        last = Some(name);
        count += 1;
        bytes += number_bytes(name.len()) + name.len() + number_bytes(value.len()) + value.len();
    }
    if count == 0 {
        return;
    }
    key.reserve_exact(number_bytes(count) + bytes);
    push_number(key, count);
    for part in pairs.flat_map(|(name, value)| [name, value]) {
        push_number(key, part.len());
        key.push_str(part);
    }
}

fn number_bytes(number: usize) -> usize {
    let bits = usize::BITS - number.leading_zeros();
    bits.div_ceil(6).max(1) as usize
}

fn push_number(text: &mut String, mut number: usize) {
    while number >= usize::from(MORE) {
        text.push(char::from(number as u8 & (MORE - 1) | MORE));
        number >>= 6;
    }
    text.push(char::from(number as u8));
}

#[inline]
fn take_number(rest: &mut &str) -> usize {
    let (mut number, mut shift, mut read) = (0, 0, 0);
    for byte in rest.bytes() {
        read += 1;
        number |= usize::from(byte & (MORE - 1)) << shift;
        shift += 6;
        if byte < MORE {
            break;
        }
    }
    *rest = &rest[read..];
    number
}

#[inline]
fn take_text<'a>(rest: &mut &'a str) -> &'a str {
    let length = take_number(rest);
    let (text, behind) = rest.split_at(length);
    *rest = behind;
    text
}

/// Names with values of [`Labels`], by name.
#[derive(Debug, Clone)]
struct Iter<'a> {
    rest: &'a str,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = take_text(&mut self.rest);
        Some((name, take_text(&mut self.rest)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Labels")?;
        fmt::Display::fmt(self, f)
    }
}

/// Name by name and value by value.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut left, mut right) = (self.parts().rest, other.parts().rest);
        // What is alike at the begin, which is much where series are sorted, is left out a text at a time.
        let mut alike = alike(left.as_bytes(), right.as_bytes());
        if alike == left.len() || alike == right.len() {
            return left.len().cmp(&right.len());
        }
        loop {
            let before = left.len();
            let (text, other) = (take_text(&mut left), take_text(&mut right));
            let read = before - left.len();
            if alike < read {
                return text.cmp(other);
            }
            alike -= read;
        }
    }
}

/// How many bytes are the same at the begin.
fn alike(left: &[u8], right: &[u8]) -> usize {
    let (left_runs, _) = left.as_chunks::<16>();
    let (right_runs, _) = right.as_chunks::<16>();
    let runs = left_runs.iter().zip(right_runs).take_while(|(left, right)| left == right).count() * 16;
    runs + left[runs..].iter().zip(&right[runs..]).take_while(|(left, right)| left == right).count()
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self::new(pairs.into_iter().collect())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut pairs: Vec<(&str, &str)> = pairs.into_iter().collect();
        // A stable sort keeps repeated names in order, so the last of a run is the last that came.
        pairs.sort_by_key(|(name, _)| *name);
        pairs.reverse();
        pairs.dedup_by_key(|(name, _)| *name);
        pairs.reverse();
        pairs.retain(|(_, value)| !value.is_empty());
        Self::from_sorted(pairs.into_iter())
    }
}

/// As Prometheus prints labels, and Loki a stream: `{name="value", other="value"}`, values quoted with Go's escapes for
/// `\`, `"` and what does not print, as are names that were none before any text could be one.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let value = Quoted(value);
            if is_plain(name) {
                write!(f, "{separator}{name}={value}")?;
            } else {
                write!(f, "{separator}{}={value}", Quoted(name))?;
            }
        }
        f.write_str("}")
    }
}

fn is_plain(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

impl serde::Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sorted_last_value_wins_and_empty_means_absent() {
        let labels: Labels =
            [("b", "1"), ("a", "old"), ("a", "new"), ("c", "x"), ("c", "")].into_iter().collect();
        assert_eq!(labels.to_string(), r#"{a="new", b="1"}"#);
        assert_eq!(labels.get("a"), "new");
        assert_eq!(labels.get("c"), "");
    }

    fn sets() -> impl Strategy<Value = Vec<(String, String)>> {
        let text = prop_oneof!["[ab]{0,3}", "\\PC{0,4}", "x{60,70}", "[\u{0}-\u{7f}]{4090,4100}"];
        prop::collection::vec(("[ab]{0,2}", text), 0..5)
    }

    proptest! {
        #[test]
        fn labels_are_what_pairs_are(left in sets(), right in sets()) {
            let naive = |pairs: &[(String, String)]| -> Vec<(String, String)> {
                let all: BTreeMap<_, _> = pairs.iter().cloned().collect();
                all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
            };
            let (naive_left, naive_right) = (naive(&left), naive(&right));
            let (left, right) = (Labels::new(left), Labels::new(right));
            prop_assert_eq!(left.cmp(&right), naive_left.cmp(&naive_right));
            prop_assert_eq!(left == right, naive_left == naive_right);
            prop_assert_eq!(left.len(), naive_left.len());
            for (name, value) in &naive_left {
                prop_assert_eq!(left.get(name), value);
            }
            prop_assert_eq!(left.get("none"), "");
            prop_assert_eq!(Labels::from_sorted(left.iter()), left.clone());
            prop_assert_eq!(left.into_pairs(), naive_left);
        }
    }

    #[test]
    fn values_are_quoted_as_go_does() {
        let labels: Labels = [("path", "a\\b\"c\n\u{1}")].into_iter().collect();
        assert_eq!(labels.to_string(), r#"{path="a\\b\"c\n\x01"}"#);
    }
}
