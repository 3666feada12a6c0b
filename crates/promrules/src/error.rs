//! What is wrong with a rule file.

use std::fmt;

use model::labels::Quoted;

/// Where something stands in a file. Both numbers count from 1; of what is not there at all, both are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong with a file, printed in Prometheus' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no YAML, or its values have other types or names than they should.
    #[error("{0}")]
    Yaml(String),
    /// A group is wrong.
    #[error("{}{message}", Prefix(place.as_slice()))]
    Group {
        /// Where, if that is known.
        place: Option<Place>,
        /// What is wrong.
        message: String,
    },
    /// A rule is wrong.
    #[error("{}group {}, rule {rule}, {}: {message}", Prefix(places), Quoted(group), Quoted(name))]
    Rule {
        /// Where: the field, two fields that do not go together, or nothing where Prometheus says nothing.
        places: Vec<Place>,
        /// Name of the group.
        group: String,
        /// Which rule of the group, from 1.
        rule: usize,
        /// The rule's name; empty if it has none.
        name: String,
        /// What is wrong.
        message: String,
    },
}

/// Places, each followed by a colon and a space.
struct Prefix<'a>(&'a [Place]);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|place| write!(f, "{place}: "))
    }
}
