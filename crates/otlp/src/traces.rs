//! Trace requests: a borrowed, single-pass decoder, spans back to protobuf, and the JSON form.
//!
//! [`decode`] is the way in. It walks the protobuf bytes once, by hand, into flat arrays of borrowed rows
//! ([`Batch`]): no allocation per span, every length and every text checked. The same bytes with the same [`Limits`]
//! always give the same batch, which is why a store can keep the request's bytes in its log and decode them again at
//! start.
//!
//! - [`encode`]: spans to `TracesData`, grouped by resource and scope.
//! - `wire`: the protobuf reader; `raw`: attributes and values that are still bytes; `batch`: the arrays.

mod batch;
mod decode;
mod encode;
mod raw;
mod wire;

pub use batch::{Batch, EventRef, LinkRef, ResourceRef, ScopeRef, SpanRef};
pub use decode::decode;
pub use encode::{encode, encode_to_vec};
pub use raw::{AttributeRef, attributes_of, merge_key_value, merge_value, value_of};

/// What a span may have at most. A span over a limit is left out and counted; the rest of the request is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most attributes of one span, resource, scope, event or link.
    pub max_attributes: usize,
    /// Most bytes of one attribute, key and value together, as encoded.
    pub max_value_bytes: usize,
    /// Deepest nesting of one attribute value; a text or a number has depth one.
    pub max_value_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_attributes: 1024, max_value_bytes: 1 << 20, max_value_depth: 16 }
    }
}

impl Limits {
    /// No limits but those of the reader itself, for bytes that were checked before.
    pub const NONE: Self =
        Self { max_attributes: usize::MAX, max_value_bytes: usize::MAX, max_value_depth: MAX_DEPTH };
}

/// Deepest nesting that is followed at all, whatever the limits say; the depth at which protobuf libraries stop.
pub(crate) const MAX_DEPTH: usize = 100;
