//! Texts in the order that people give them: `node2` before `node10`.

use std::cmp::Ordering;

/// Whether a text stands before another: runs of digits compare as numbers, other runs as bytes.
///
/// It is the order of Prometheus' `sort_by_label`, and not a strict one: of two texts that differ but compare equal,
/// such as `1` and `01`, each is before the other, and of an empty text and another neither is.
pub(super) fn is_before(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (Runs(left).peekable(), Runs(right).peekable());
    while let Some(of_left) = left.next() {
        let Some(of_right) = right.next() else { return false };
        let order = match (number(of_left), number(of_right)) {
            (Some(of_left), Some(of_right)) => of_left.cmp(&of_right),
            _ => of_left.cmp(of_right),
        };
        match order {
            Ordering::Less => return true,
            Ordering::Greater => return false,
            Ordering::Equal if left.peek().is_none() => return true,
            Ordering::Equal if right.peek().is_none() => return false,
            Ordering::Equal => {}
        }
    }
    false
}

/// What is a number that a signed 64-bit integer holds; a longer one is a text.
fn number(run: &str) -> Option<i64> {
    // A single sign in a run without digits is no number, and with digits it is a run of its own.
    run.starts_with(|character: char| character.is_ascii_digit()).then(|| run.parse().ok())?
}

/// Longest runs of digits and of anything else, in turn.
struct Runs<'a>(&'a str);

impl<'a> Iterator for Runs<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let is_digit = self.0.chars().next()?.is_ascii_digit();
        let end = self.0.find(|character: char| character.is_ascii_digit() != is_digit);
        let (run, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        Some(run)
    }
}

/// Sorts by a comparison that may contradict itself, which the sorts of the standard library may refuse: few items by
/// insertion, so that what contradicts itself ends as it does in Prometheus, more by merging.
pub(super) fn sort_loosely<T>(items: &mut Vec<T>, compare: &mut impl FnMut(&T, &T) -> Ordering) {
    const FEW: usize = 12;
    if items.len() <= FEW {
        for sorted in 1..items.len() {
            let mut at = sorted;
            while at > 0 && compare(&items[at], &items[at - 1]) == Ordering::Less {
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let mut upper = items.split_off(items.len() / 2);
    sort_loosely(items, compare);
    sort_loosely(&mut upper, compare);
    let lower = std::mem::take(items);
    items.reserve(lower.len() + upper.len());
    let (mut lower, mut upper) = (lower.into_iter().peekable(), upper.into_iter().peekable());
    while let (Some(of_lower), Some(of_upper)) = (lower.peek(), upper.peek()) {
        let is_upper = compare(of_upper, of_lower) == Ordering::Less;
        items.extend(if is_upper { upper.next() } else { lower.next() });
    }
    items.extend(lower);
    items.extend(upper);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_texts() {
        assert!(is_before("node2", "node10") && !is_before("node10", "node2"));
        assert!(is_before("4xx", "16xx") && is_before("a", "b"));
        assert!(
            is_before("cpu2-1", "cpu2-10") && is_before("cpu2", "cpu2-1") && !is_before("cpu2-1", "cpu2")
        );
        assert!(is_before("99999999999999999999", "999999999999999999999"), "too long for a number");
        assert!(is_before("1", "a") && is_before("é1", "é2"));
    }

    #[test]
    fn what_is_no_strict_order() {
        assert!(is_before("1", "01") && is_before("01", "1"));
        assert!(!is_before("", "a") && !is_before("a", ""));
        assert!(is_before("a", "a"));
    }

    #[test]
    fn many_items_are_sorted() {
        let mut items: Vec<u32> = (0..500).map(|number| number * 7919 % 503).collect();
        let mut expected = items.clone();
        expected.sort_unstable();
        sort_loosely(&mut items, &mut u32::cmp);
        assert_eq!(items, expected);
        let mut contradictory: Vec<u32> = (0..100).collect();
        sort_loosely(&mut contradictory, &mut |_, _| Ordering::Less);
        assert_eq!(contradictory.len(), 100);
    }
}
