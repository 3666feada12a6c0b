//! Which series satisfy matchers, by sets of their numbers: the same for the head and for a block.

use std::borrow::Cow;

use model::{MatchOp, Matcher};

/// An index of series by label. Numbers are sorted wherever they come from here.
pub(crate) trait Postings {
    /// Every series.
    fn all(&self) -> Vec<u32>;

    /// Series that have a label with a value.
    fn equal(&self, name: &str, value: &str) -> Cow<'_, [u32]>;

    /// Series that have a label whose value is wanted, in any order. Values that do not begin with the prefix are
    /// not wanted.
    fn wanted(&self, name: &str, prefix: &str, wanted: &mut dyn FnMut(&str) -> bool, found: &mut Vec<u32>);

    /// How many values a label has.
    fn value_count(&self, name: &str) -> usize;

    /// Whether a series satisfies a matcher.
    fn satisfies(&self, series: u32, matcher: &Matcher) -> bool;
}

/// Series that satisfy every matcher, sorted.
pub(crate) fn select(index: &impl Postings, matchers: &[Matcher]) -> Vec<u32> {
    let mut left: Vec<&Matcher> = matchers.iter().collect();
    // What is cheap and leaves few comes first: a value, then values, then what takes away.
    left.sort_by_key(|matcher| (matcher.matches_empty(), matcher.op() != MatchOp::Equal));
    let mut found: Option<Vec<u32>> = None;
    for matcher in left {
        let next = match found.take() {
            Some(found) if found.is_empty() => return found,
            // Fewer series than values: ask each series rather than each value.
            Some(mut found)
                if matcher.op() != MatchOp::Equal && found.len() <= index.value_count(matcher.name()) =>
            {
                found.retain(|series| index.satisfies(*series, matcher));
                found
            }
            Some(found) if matcher.matches_empty() => without(found, &unwanted(index, matcher)),
            Some(found) => both(found, &having(index, matcher)),
            None if matcher.matches_empty() => without(index.all(), &unwanted(index, matcher)),
            None => having(index, matcher).into_owned(),
        };
        found = Some(next);
    }
    found.unwrap_or_else(|| index.all())
}

/// Series that satisfy a matcher which wants the label to be there.
fn having<'a>(index: &'a impl Postings, matcher: &Matcher) -> Cow<'a, [u32]> {
    if matcher.op() == MatchOp::Equal {
        return index.equal(matcher.name(), matcher.value());
    }
    if matcher.op() == MatchOp::Regex
        && let Some(found) = of_alternatives(index, matcher)
    {
        return found.into();
    }
    let prefix = if matcher.op() == MatchOp::Regex { literal_prefix(matcher.value()) } else { "" };
    let mut found = Vec::new();
    index.wanted(matcher.name(), prefix, &mut |value| matcher.matches(value), &mut found);
    sorted(found).into()
}

/// Series that do not satisfy a matcher which is satisfied where the label is missing.
fn unwanted<'a>(index: &'a impl Postings, matcher: &Matcher) -> Cow<'a, [u32]> {
    if matcher.op() == MatchOp::NotEqual {
        return index.equal(matcher.name(), matcher.value());
    }
    if matcher.op() == MatchOp::NotRegex
        && let Some(found) = of_alternatives(index, matcher)
    {
        return found.into();
    }
    let mut found = Vec::new();
    index.wanted(matcher.name(), "", &mut |value| !matcher.matches(value), &mut found);
    sorted(found).into()
}

/// Series that have one of the values that an expression spells out, if it is nothing but these.
fn of_alternatives(index: &impl Postings, matcher: &Matcher) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for value in alternatives(matcher.value())? {
        found.extend_from_slice(&index.equal(matcher.name(), value));
    }
    Some(sorted(found))
}

/// Sorts runs that are sorted each; a series that comes twice stays once.
#[expect(clippy::stable_sort_primitive, reason = "it finds the runs, the other sort does not")]
fn sorted(mut series: Vec<u32>) -> Vec<u32> {
    series.sort();
    series.dedup();
    series
}

/// What is in both.
fn both(mut found: Vec<u32>, others: &[u32]) -> Vec<u32> {
    let mut others = others;
    found.retain(|series| advance(&mut others, *series));
    found
}

/// What is in the first and not in the second.
fn without(mut found: Vec<u32>, others: &[u32]) -> Vec<u32> {
    let mut others = others;
    found.retain(|series| !advance(&mut others, *series));
    found
}

/// Leaves out what is below a number; whether the number is there. Steps grow, so that a long list costs little where
/// few are asked for.
fn advance(others: &mut &[u32], series: u32) -> bool {
    let mut step = 1;
    while others.get(step).is_some_and(|other| *other < series) {
        step *= 2;
    }
    let window = &others[..others.len().min(step + 1)];
    *others = &others[window.partition_point(|other| *other < series)..];
    others.first() == Some(&series)
}

/// The values that a pattern means, where it is nothing but texts with `|` between them.
fn alternatives(pattern: &str) -> Option<impl Iterator<Item = &str>> {
    pattern.bytes().all(|byte| byte == b'|' || is_literal(byte)).then(|| pattern.split('|'))
}

/// The text that every value begins with that a pattern matches.
fn literal_prefix(pattern: &str) -> &str {
    if pattern.contains('|') {
        return "";
    }
    let mut end = pattern.bytes().position(|byte| !is_literal(byte)).unwrap_or(pattern.len());
    // A sign of repetition belongs to the letter before it.
    if pattern[end..].starts_with(['*', '?', '{']) {
        end = end.saturating_sub(1);
    }
    &pattern[..end]
}

fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-:/ ,;=%@#\"'<>~".contains(&byte)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use model::Labels;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_without_signs_are_texts() {
        let texts = |pattern| alternatives(pattern).map(Iterator::collect::<Vec<_>>);
        assert_eq!(texts("a|b-c"), Some(vec!["a", "b-c"]));
        assert_eq!(texts("a|"), Some(vec!["a", ""]));
        assert_eq!((texts("a.b"), texts("a(b|c)"), texts("a\\.b")), (None, None, None));
        let prefixes = ["node_.*", "abc?d", "ab*", "a|b.*", "", ".*", "(?i)a", "abc{2}"].map(literal_prefix);
        assert_eq!(prefixes, ["node_", "ab", "a", "", "", "", "", "ab"]);
    }

    #[test]
    fn long_lists_are_skipped_in_steps() {
        let long: Vec<u32> = (0..1000).map(|number| number * 3).collect();
        assert_eq!(both(vec![1, 3, 900, 901, 2997, 5000], &long), [3, 900, 2997]);
        assert_eq!(without(vec![1, 3, 900, 901, 2997, 5000], &long), [1, 901, 5000]);
        assert_eq!(both(vec![1], &[]), [0_u32; 0]);
    }

    /// Series with few labels and values, so that matchers find some.
    pub(crate) fn label_sets() -> impl Strategy<Value = BTreeSet<Labels>> {
        let pair = ("[abc]", "[xy]{0,2}");
        prop::collection::btree_set(
            prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.into_iter().collect::<Labels>()),
            0..40,
        )
    }

    /// Matchers of every kind, of labels that are there and of some that are not.
    pub(crate) fn matchers() -> impl Strategy<Value = Vec<Matcher>> {
        let op =
            prop::sample::select(vec![MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
        let value = prop::sample::select(vec![
            "", "x", "xy", "x|y", "x.*", ".+", ".*", "x?", "(x|yy)", "xy|", "[^x]+",
        ]);
        let matcher =
            ("[abcd]", op, value).prop_map(|(name, op, value)| Matcher::new(name, op, value).unwrap());
        prop::collection::vec(matcher, 0..4)
    }
}
