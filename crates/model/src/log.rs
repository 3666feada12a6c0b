//! Log entries in Loki's model: streams named by labels, entries with a line and structured metadata.

use crate::labels::Labels;

/// One line of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogEntry {
    /// Nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// The line itself.
    pub line: String,
    /// Structured metadata: names with values beside the line, in the order in which they came.
    pub metadata: Vec<(String, String)>,
}

/// Entries that share their labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogStream {
    /// What names the stream.
    pub labels: Labels,
    /// Its entries, in any order.
    pub entries: Vec<LogEntry>,
}
