//! A span with what is known of it.

use std::sync::Arc;

use otlp::traces::SpanRef;

use crate::origin::Origin;
use crate::wanted::{Found, Row};

/// A span of a resource that has a `service.name`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) span: &'a SpanRef<'a>,
    /// Those of its attributes that are looked for.
    pub(crate) row: &'a Row<'a>,
    pub(crate) origin: &'a Origin,
    /// Its service's name.
    pub(crate) service: &'a Arc<str>,
    pub(crate) now_ns: u64,
}

impl Seen<'_> {
    /// How long it lasted; no time where it ends before it begins.
    #[inline]
    pub(crate) fn duration_ns(&self) -> u64 {
        self.span.end_ns.saturating_sub(self.span.start_ns)
    }

    /// An attribute of the resource, else of the span, as text.
    pub(crate) fn text(&self, place: usize) -> Option<String> {
        let own = self.origin.values[place].as_ref().map(|own| own.text.to_string());
        own.or_else(|| self.row[place].as_ref().map(Found::text))
    }
}
