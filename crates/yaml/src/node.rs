//! The tree.

use std::sync::Arc;

use crate::error::Failure;
use crate::scalar::{Resolved, resolve};

/// Where something begins in the text. Ordered as the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

/// A value, and where it stands. A value that came in through an alias stands where its anchor is.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub position: Position,
    /// Its tag, where one is written: `!!str` is `!!str`, `!mine` is `!mine`.
    pub tag: Option<Arc<str>>,
    /// What it is.
    pub value: Value,
}

/// The kinds of values.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, not yet taken for a number, a boolean or null.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file, keys that stand twice included: readers complain about those. Merge
    /// keys are resolved: what they bring follows, unless the mapping has the key itself.
    Mapping(Vec<Entry>),
}

/// The text of a scalar.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// After escapes and folding.
    pub text: Arc<str>,
    /// Written without quotes, so that it may be a number, a boolean or null.
    pub plain: bool,
    /// What `!!binary` stands for where that is no UTF-8; `text` has replacement characters then.
    pub bytes: Option<Arc<[u8]>>,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Node,
    /// The value.
    pub value: Node,
    /// It came through a merge key (`<<`).
    pub merged: bool,
}

impl Node {
    /// A null that stands at the beginning: what an empty document is.
    pub(crate) fn nothing() -> Self {
        Self {
            position: Position { line: 1, column: 1 },
            tag: None,
            value: Value::Scalar(Scalar { text: "".into(), plain: true, bytes: None }),
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&Arc<str>> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// The bytes of a scalar that is no UTF-8.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Scalar(scalar) => scalar.bytes.as_deref(),
            Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// What a scalar stands for by YAML's rules; `None` for lists and mappings.
    pub fn resolved(&self) -> Option<Resolved> {
        let Value::Scalar(scalar) = &self.value else { return None };
        Some(match self.tag.as_deref() {
            Some("!!str" | "!" | "!!binary") => Resolved::Text,
            None if !scalar.plain => Resolved::Text,
            Some(tag) if !tag.starts_with("!!") => Resolved::Text,
            _ => resolve(&scalar.text),
        })
    }

    /// Nothing, `~` or `null`.
    pub fn is_null(&self) -> bool {
        self.resolved() == Some(Resolved::Null)
    }

    /// Keys and values of a mapping; empty for everything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Scalar(_) | Value::Sequence(_) => &[],
        }
    }

    /// The items of a list; empty for everything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Scalar(_) | Value::Mapping(_) => &[],
        }
    }

    /// The value of a key, the first where it stands twice.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|entry| entry.key.text().is_some_and(|text| **text == *key))
            .map(|entry| &entry.value)
    }

    /// The tag as complaints name it, and the value for them: ``!!str `abc` ``, `!!map`.
    pub(crate) fn described(&self) -> String {
        let kind = match &self.value {
            Value::Sequence(_) => "!!seq",
            Value::Mapping(_) => "!!map",
            Value::Scalar(_) => self.resolved().map_or("!!str", Resolved::tag),
        };
        let tag = self.tag.as_deref().unwrap_or(kind);
        match &self.value {
            Value::Scalar(scalar) if scalar.text.len() > 10 => {
                // Go cuts bytes; a character that would be torn is left out.
                let end = (0..=7).rev().find(|end| scalar.text.is_char_boundary(*end)).unwrap_or(0);
                format!("{tag} `{}...`", &scalar.text[..end])
            }
            Value::Scalar(scalar) => format!("{tag} `{}`", scalar.text),
            Value::Sequence(_) | Value::Mapping(_) => tag.to_owned(),
        }
    }

    /// The document is refused because of this value.
    pub fn refuse(&self, message: impl Into<String>) -> Failure {
        Failure::Fatal { message: message.into(), position: Some(self.position) }
    }
}
