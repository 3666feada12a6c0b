//! Values of templates: what Go's reflection would find in the data.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::time::{Duration, Time};

/// A value.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// None at all, as a key that a map does not have: printed as `<no value>`.
    #[default]
    Missing,
    /// `nil`: printed as `<nil>`.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text.
    String(Arc<str>),
    /// A length of time.
    Duration(Duration),
    /// A point in time.
    Time(Time),
    /// A slice.
    List(Arc<List>),
    /// A map with texts as keys.
    Map(Arc<Map>),
    /// A struct with fields and methods.
    Object(Arc<dyn Object>),
}

/// A slice.
#[derive(Debug, Clone)]
pub struct List {
    /// Its type, as Go names it: `[]string`.
    pub type_name: &'static str,
    /// What it holds.
    pub items: Vec<Value>,
}

/// A map with texts as keys.
#[derive(Debug, Clone)]
pub struct Map {
    /// Its type, as Go names it: `map[string]string`.
    pub type_name: &'static str,
    /// What it holds.
    pub entries: BTreeMap<String, Value>,
    /// The zero value of its elements, which stands for what it does not hold.
    pub zero: Value,
}

/// A struct, or a pointer to one.
pub trait Object: fmt::Debug + Send + Sync {
    /// Its type, as Go names it: `*template.sample`.
    fn type_name(&self) -> &str;

    /// A field.
    fn field(&self, name: &str) -> Option<Value>;

    /// A method, if there is one of that name.
    fn method(&self, name: &str) -> Option<&Signature> {
        let _ = name;
        None
    }

    /// Calls a method; the arguments are as many and of such types as its signature says.
    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        Err(format!("{} has no method {name} with {} arguments", self.type_name(), args.len()))
    }

    /// As `%v` prints it.
    fn print(&self) -> String;

    /// The object itself, for functions that know what it is.
    fn as_any(&self) -> &dyn Any;
}

/// The types of a function's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Of the arguments; of a variadic function's last ones the last.
    pub params: Vec<Type>,
    /// Whether the last may be there any number of times.
    pub is_variadic: bool,
}

/// A type of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`
    Any,
    /// `reflect.Value`: as any, and where there is no value, none rather than `nil`.
    Value,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `float64`
    Float,
    /// `string`
    String,
    /// Any other by its name.
    Named(&'static str),
}

impl Type {
    /// As Go names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Value => "reflect.Value",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float64",
            Self::String => "string",
            Self::Named(name) => name,
        }
    }

    /// Whether `nil` is one of its values.
    pub(crate) fn has_nil(self) -> bool {
        match self {
            Self::Any | Self::Value => true,
            Self::Bool | Self::Int | Self::Float | Self::String => false,
            Self::Named(name) => name.starts_with(['*', '[']) || name.starts_with("map["),
        }
    }

    /// Whether a value may be given where this type is asked for.
    pub(crate) fn takes(self, value: &Value) -> bool {
        match self {
            Self::Any | Self::Value => true,
            other => {
                let (wanted, is) = (other.name(), value.type_name());
                // A pointer is followed where what it points to is asked for.
                wanted == is || is.strip_prefix('*') == Some(wanted) || wanted.strip_prefix('*') == Some(is)
            }
        }
    }
}

impl Value {
    /// A text.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    /// A slice of texts.
    pub fn strings<S: Into<Arc<str>>>(texts: impl IntoIterator<Item = S>) -> Self {
        let items = texts.into_iter().map(Self::string).collect();
        Self::List(Arc::new(List { type_name: "[]string", items }))
    }

    /// A map of texts.
    pub fn string_map<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let entries = entries.into_iter().map(|(name, value)| (name.to_owned(), Self::string(value)));
        Self::Map(Arc::new(Map {
            type_name: "map[string]string",
            entries: entries.collect(),
            zero: Self::string(""),
        }))
    }

    /// Its type, as Go names it.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Missing | Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::Duration(_) => "*time.Duration",
            Self::Time(_) => "*time.Time",
            Self::List(list) => list.type_name,
            Self::Map(map) => map.type_name,
            Self::Object(object) => object.type_name(),
        }
    }

    /// Whether it counts as true: everything but zero, nothing and what is empty.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Nil => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::Duration(_) | Self::Time(_) | Self::Object(_) => true,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}
