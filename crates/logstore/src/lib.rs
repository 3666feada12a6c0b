//! Log entries: kept at once, found at once.

/// The store.
#[derive(Debug)]
pub struct LogStore {}
