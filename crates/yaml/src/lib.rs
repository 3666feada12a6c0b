//! Strict YAML for the configuration files that the components read.
//!
//! [`parse`] gives a tree in which every key and value knows its line and column. [`Fields`], [`list`], [`map`] and the
//! scalar readers take typed values out of it, and complain with the texts of Go's yaml packages, which users of
//! Prometheus and Alertmanager know: `line 3: field foo not found in type config.plain`. [`read`] does both.
//!
//! What it is not: a serde format. A value that is missing, null or given twice means different things in the
//! components' files, and their checks speak of lines, so readers walk the tree by hand.
//!
//! [`Output`] writes, for the components' pages that show their configuration.
//!
//! Bounds: bytes, nesting, nodes, and nodes made by aliases ([`Limits`]).
//!
//! Begin with [`read`], then [`Fields`].

mod emit;
mod error;
mod fields;
mod libyaml;
mod load;
mod node;
mod readers;
mod scalar;

pub use emit::Output;
pub use error::{Context, Dialect, Error, Failure, Issue, Outcome, Result, fatal};
pub use fields::Fields;
pub use load::{Limits, parse};
pub use node::{Entry, Node, Position, Scalar, Value};
pub use readers::{boolean, float, integer, list, map, named_string, skip, string, strings, unsigned};
pub use scalar::Resolved;

/// Parses `text` and reads the first document with `reader`.
///
/// The reader may go on after a complaint ([`Failure::Noted`]); all complaints are then reported together, by line.
///
/// # Errors
/// Whatever [`parse`] refuses, the complaints, or the first [`Failure::Fatal`].
pub fn read<T>(
    text: &str,
    dialect: Dialect,
    limits: Limits,
    reader: impl FnOnce(&Node, &mut Context) -> Outcome<T>,
) -> Result<T> {
    let node = parse(text, limits).map_err(|error| match dialect {
        Dialect::V2 => libyaml::in_words_of_v2(error, text),
        Dialect::V3 => error,
    })?;
    let mut context = Context::new(dialect);
    let outcome = reader(&node, &mut context);
    context.finish(outcome)
}
