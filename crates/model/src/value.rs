//! Attribute values as OpenTelemetry's `AnyValue` has them.

/// An attribute: a key with its value.
pub type KeyValue = (String, Value);

/// A value of an attribute or of a log record's body.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value was set.
    #[default]
    Empty,
    /// UTF-8 text.
    String(String),
    /// A truth value.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// An IEEE 754 double.
    Double(f64),
    /// Bytes without a meaning of their own.
    Bytes(Vec<u8>),
    /// Values in order, of any types.
    Array(Vec<Value>),
    /// Keys with values, in the order in which they came.
    KvList(Vec<KeyValue>),
}

impl Value {
    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

/// The first value of a key in a list of attributes.
pub fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}
