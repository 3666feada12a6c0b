//! The fields of a mapping that stands for one of Go's structs.

use std::collections::HashSet;

use crate::error::{Context, Dialect, Failure, Outcome};
use crate::node::{Node, Position, Value};
use crate::readers::repeated_keys;

/// Reads a mapping field by field, and complains about those that nobody asked for.
///
/// ```
/// use yaml::{Dialect, Fields, Limits};
///
/// let error = yaml::read("name: a\ncolour: red\n", Dialect::V2, Limits::default(), |node, context| {
///     let mut fields = Fields::open(node, context, "paint.plain")?;
///     let mut name = String::new();
///     fields.set("name", &mut name, context, yaml::string)?;
///     fields.close(context)?;
///     Ok(name)
/// });
/// let text = "yaml: unmarshal errors:\n  line 2: field colour not found in type paint.plain";
/// assert_eq!(error.unwrap_err().to_string(), text);
/// ```
#[derive(Debug)]
pub struct Fields<'n> {
    node: &'n Node,
    type_name: &'static str,
    known: Vec<&'static str>,
    complaints: usize,
    waiting: usize,
}

impl<'n> Fields<'n> {
    /// Begins with a mapping. Null has no fields. `type_name` is the one that complaints give: `config.plain`.
    ///
    /// # Errors
    /// A complaint for everything else.
    pub fn open(node: &'n Node, context: &mut Context, type_name: &'static str) -> Outcome<Self> {
        let (complaints, waiting) = (context.complaints(), context.waiting());
        if !matches!(node.value, Value::Mapping(_)) && !node.is_null() {
            let text = format!("cannot unmarshal {} into {type_name}", node.described());
            return Err(context.complain(node.position, text));
        }
        if context.dialect() == Dialect::V3 && repeated_keys(node, context) {
            return Err(Failure::Noted);
        }
        Ok(Self { node, type_name, known: Vec::new(), complaints, waiting })
    }

    /// The value of a field as it stands. The field counts as known from now on.
    pub fn node(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        self.node.get(name)
    }

    /// Reads a field, if it is there and not null. A value that was complained about is like one that is missing:
    /// [`Fields::close`] fails then.
    ///
    /// # Errors
    /// Only what is fatal.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        context: &mut Context,
        read: impl FnOnce(&Node, &mut Context) -> Outcome<T>,
    ) -> Outcome<Option<T>> {
        let Some(node) = self.node(name).filter(|node| !node.is_null()) else { return Ok(None) };
        match read(node, context) {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Noted) => Ok(None),
            Err(fatal) => Err(fatal),
        }
    }

    /// Reads a field over its default. In [`Dialect::V2`] a null empties it.
    ///
    /// # Errors
    /// Only what is fatal.
    pub fn set<T: Default>(
        &mut self,
        name: &'static str,
        value: &mut T,
        context: &mut Context,
        read: impl FnOnce(&Node, &mut Context) -> Outcome<T>,
    ) -> Outcome<()> {
        let null = self.node.get(name).is_some_and(Node::is_null);
        if let Some(read) = self.optional(name, context, read)? {
            *value = read;
        } else if null && context.dialect() == Dialect::V2 {
            *value = T::default();
        }
        Ok(())
    }

    /// Where a field's value stands, or the mapping where it is missing.
    pub fn position(&self, name: &str) -> Position {
        self.node.get(name).map_or(self.node.position, |node| node.position)
    }

    /// The document is refused because of a field.
    pub fn refuse(&self, name: &str, message: impl Into<String>) -> Failure {
        Failure::Fatal { message: message.into(), position: Some(self.position(name)) }
    }

    /// Complains about fields that nobody asked for and about those given twice.
    ///
    /// # Errors
    /// When anything was complained about since [`Fields::open`]: checks of the whole are pointless then. Otherwise the
    /// first refusal that waited for this ([`Context::refuse_later`]).
    pub fn close(self, context: &mut Context) -> Outcome<()> {
        let mut seen = HashSet::new();
        for entry in self.node.entries() {
            let Some(name) = entry.key.text() else {
                let text = format!("cannot unmarshal {} into string", entry.key.described());
                context.complain(entry.key.position, text);
                continue;
            };
            if !self.known.iter().any(|known| **known == **name) {
                let text = format!("field {name} not found in type {}", self.type_name);
                context.complain(entry.key.position, text);
            } else if seen.contains(name) {
                let text = format!("field {name} already set in type {}", self.type_name);
                context.complain(entry.key.position, text);
            }
            seen.insert(name);
        }
        let refusal = context.take_waiting(self.waiting);
        if context.complaints() > self.complaints {
            return Err(Failure::Noted);
        }
        refusal.map_or(Ok(()), Err)
    }
}
