//! What happened to the spans of one batch; added to the counters once it is done.

/// Counts by what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Spans whose resource has no `service.name`.
    pub(crate) nameless: u64,
    /// Spans that were counted in an overflow.
    pub(crate) overflowed: u64,
    /// Resources that ended to make room for others.
    pub(crate) evicted: u64,
    /// Edges that were begun.
    pub(crate) edges: u64,
    /// Edges of which one half did not come in time.
    pub(crate) expired: u64,
    /// Spans left out of the graph, since too many halves waited.
    pub(crate) unstored: u64,
    /// Edges left out, since there were too many pairs of services.
    pub(crate) uncounted: u64,
}
