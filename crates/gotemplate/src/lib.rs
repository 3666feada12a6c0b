//! Go's `text/template`, as alerting rules and notifications are written in.
//!
//! [`Templates`] holds named templates and the functions that they may call; [`Templates::parse`] adds a text,
//! [`Templates::execute`] runs one over a [`Value`]. Messages, and the places in them, are Go's: users find the same
//! words in their search engine. Functions of the language itself are in `builtin`; those of a component are passed in
//! as [`Functions`].
//!
//! What is not there: complex numbers, channels, functions as values, other delimiters than `{{` and `}}`.
//!
//! A template runs to an end: loops go over data that is there already, templates call each other only so deep, and the
//! text that comes out has a limit.

mod builtin;
mod exec;
mod format;
mod functions;
mod lex;
mod node;
mod parse;
pub mod time;
mod value;

use std::collections::HashMap;
use std::sync::Arc;

use parse::Tree;

pub use builtin::url_query;
pub use format::{format_float, sprint, sprintf};
pub use functions::{Function, Functions};
pub use value::{List, Map, Object, Signature, Type, Value};

/// What stands for a key that a map does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingKey {
    /// No value, printed as `<no value>`.
    #[default]
    Invalid,
    /// The zero value of the map's elements.
    Zero,
    /// The template fails.
    Error,
}

/// Why a template cannot be read or executed; Go's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Templates that may call each other, and their functions.
#[derive(Debug, Clone, Default)]
pub struct Templates<'f> {
    trees: HashMap<String, Arc<Tree>>,
    functions: Functions<'f>,
    missing_key: MissingKey,
}

impl<'f> Templates<'f> {
    /// No template yet.
    pub fn new(functions: Functions<'f>, missing_key: MissingKey) -> Self {
        Self { trees: HashMap::new(), functions, missing_key }
    }

    /// Adds a text as a template of that name, and what it defines.
    ///
    /// # Errors
    /// `template: NAME:LINE: …` with what is wrong.
    pub fn parse(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let is_function = |name: &str| self.functions.get(name).is_some() || builtin::is_builtin(name);
        parse::parse(name, text, &is_function, &mut self.trees).map_err(Error)
    }

    /// Runs the template of that name over some data.
    ///
    /// # Errors
    /// `template: NAME:LINE:COLUMN: executing "NAME" at <…>: …` with what is wrong.
    pub fn execute(&self, name: &str, data: &Value) -> Result<String, Error> {
        exec::execute(self, name, data).map_err(Error)
    }

    /// Whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.trees.contains_key(name)
    }
}

#[cfg(test)]
mod tests;
