//! Conditions on labels and structured metadata.
//!
//! A value that cannot be read as the quantity it is compared with keeps the entry and leaves an error, as in Loki; a
//! later `| __error__=""` drops such entries.

use model::Matcher;

use super::{EntryError, Fields, field};
use crate::ast::{Compare, LabelFilter, Quantity};
use crate::units;

const ERROR_LABEL: &str = "__error__";
const FILTER_ERROR: &str = "LabelFilterErr";

#[derive(Debug)]
pub(super) enum Condition {
    Text(Matcher),
    Quantity { name: String, op: Compare, value: Quantity },
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// `None` for addresses, which are not supported.
    pub(super) fn new(filter: &LabelFilter) -> Option<Self> {
        Some(match filter {
            LabelFilter::Text(matcher) => Self::Text(matcher.clone()),
            LabelFilter::Quantity { name, op, value } => {
                Self::Quantity { name: name.clone(), op: *op, value: *value }
            }
            LabelFilter::And(left, right) => {
                Self::And(Box::new(Self::new(left)?), Box::new(Self::new(right)?))
            }
            LabelFilter::Or(left, right) => Self::Or(Box::new(Self::new(left)?), Box::new(Self::new(right)?)),
            LabelFilter::Ip { .. } => return None,
        })
    }

    pub(super) fn holds(&self, fields: &impl Fields, error: &mut Option<EntryError>) -> bool {
        match self {
            Self::Text(matcher) if matcher.name() == ERROR_LABEL => {
                matcher.matches(error.as_ref().map_or("", |error| error.error))
            }
            Self::Text(matcher) => matcher.matches(field(fields, matcher.name()).unwrap_or_default()),
            Self::Quantity { name, op, value } => {
                let Some(text) = field(fields, name) else { return false };
                match compare(text, *op, *value) {
                    Ok(holds) => holds,
                    Err(details) => {
                        error.get_or_insert(EntryError { error: FILTER_ERROR, details });
                        true
                    }
                }
            }
            // An error of the right side is an error even where the left side has decided already against it, so the
            // sides are asked as upstream asks them.
            Self::And(left, right) => {
                let left = left.holds(fields, error);
                let right = right.holds(fields, error);
                left && right
            }
            Self::Or(left, right) => left.holds(fields, error) || right.holds(fields, error),
        }
    }
}

fn compare(text: &str, op: Compare, with: Quantity) -> Result<bool, String> {
    let ordering = match with {
        Quantity::Number(number) => {
            let value: f64 = text.parse().map_err(|_| {
                format!("strconv.ParseFloat: parsing {}: invalid syntax", units::quoted(text))
            })?;
            value.partial_cmp(&number)
        }
        Quantity::Duration(ns) => Some(units::go_duration(text)?.cmp(&ns)),
        Quantity::Bytes(bytes) => Some(units::size(text)?.cmp(&bytes)),
    };
    // Without an order, which only "not a number" lacks, nothing but "not equal" holds.
    Ok(match op {
        Compare::Equal => ordering.is_some_and(std::cmp::Ordering::is_eq),
        Compare::NotEqual => !ordering.is_some_and(std::cmp::Ordering::is_eq),
        Compare::Greater => ordering.is_some_and(std::cmp::Ordering::is_gt),
        Compare::GreaterEqual => ordering.is_some_and(std::cmp::Ordering::is_ge),
        Compare::Less => ordering.is_some_and(std::cmp::Ordering::is_lt),
        Compare::LessEqual => ordering.is_some_and(std::cmp::Ordering::is_le),
    })
}
