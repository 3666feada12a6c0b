//! Halves of calls that wait for the other half, oldest first.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use model::{SpanId, TraceId};

/// What two spans share that are the halves of one call: the trace, and the caller's span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EdgeKey {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
}

/// How a caller reaches a callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub(crate) enum Connection {
    /// A plain request.
    #[default]
    Direct,
    Messaging,
    Database,
    /// One side sent no span.
    Virtual,
}

impl Connection {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "",
            Self::Messaging => "messaging_system",
            Self::Database => "database",
            Self::Virtual => "virtual_node",
        }
    }
}

/// A call, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Edge {
    pub(crate) key: EdgeKey,
    /// The side that calls; `None` until its span comes, or while that has no name.
    pub(crate) client: Option<Arc<str>>,
    pub(crate) server: Option<Arc<str>>,
    pub(crate) client_seconds: f64,
    pub(crate) server_seconds: f64,
    pub(crate) connection: Connection,
    pub(crate) is_failed: bool,
    /// How the caller calls the callee.
    pub(crate) peer: Option<Arc<str>>,
    /// Labels `client_…` and `server_…`: place among the configured, whether of the server, value.
    pub(crate) dimensions: Vec<(usize, bool, Box<str>)>,
    expires_ns: u64,
}

impl Edge {
    fn new(key: EdgeKey, expires_ns: u64) -> Self {
        Self {
            key,
            client: None,
            server: None,
            client_seconds: 0.0,
            server_seconds: 0.0,
            connection: Connection::Direct,
            is_failed: false,
            peer: None,
            dimensions: Vec::new(),
            expires_ns,
        }
    }

    fn is_complete(&self) -> bool {
        self.client.is_some() && self.server.is_some()
    }
}

/// What became of a span.
#[derive(Debug, PartialEq)]
pub(crate) enum Upserted {
    /// It waits; whether it is the first half.
    Waits { is_new: bool },
    /// The call is known; whether nothing of it had waited.
    Complete { edge: Box<Edge>, is_new: bool },
    /// Too many wait already.
    Full,
}

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Slot {
    edge: Edge,
    before: u32,
    after: u32,
}

/// The halves. A list in the order of their coming goes through the slots, since one may end from anywhere within.
#[derive(Debug)]
pub(crate) struct Edges {
    by_key: HashTable<u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    first: u32,
    last: u32,
    limit: usize,
    ttl_ns: u64,
    hasher: RandomState,
}

impl Edges {
    pub(crate) fn new(limit: usize, ttl_ns: u64) -> Self {
        Self {
            by_key: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            first: NONE,
            last: NONE,
            limit: limit.min(NONE as usize - 1),
            ttl_ns,
            hasher: RandomState::default(),
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Adds what a span says to its call.
    pub(crate) fn upsert(&mut self, key: EdgeKey, now_ns: u64, update: impl FnOnce(&mut Edge)) -> Upserted {
        let Self { by_key, slots, hasher, .. } = self;
        let hash = hasher.hash_one(key);
        let key_of = |slot: &u32| slots[*slot as usize].as_ref().map(|slot| slot.edge.key);
        let is_full = by_key.len() >= self.limit;
        match by_key.entry(
            hash,
            |slot| key_of(slot) == Some(key),
            |slot| hasher.hash_one(key_of(slot).unwrap_or(key)),
        ) {
            Entry::Occupied(known) => {
                let place = *known.get();
                let Some(slot) = &mut slots[place as usize] else { return Upserted::Full };
                update(&mut slot.edge);
                if !slot.edge.is_complete() {
                    return Upserted::Waits { is_new: false };
                }
                known.remove();
                match self.unlink(place) {
                    Some(edge) => Upserted::Complete { edge: Box::new(edge), is_new: false },
                    None => Upserted::Full,
                }
            }
            Entry::Vacant(vacant) => {
                let mut edge = Edge::new(key, now_ns.saturating_add(self.ttl_ns));
                update(&mut edge);
                if edge.is_complete() {
                    return Upserted::Complete { edge: Box::new(edge), is_new: true };
                }
                if is_full {
                    return Upserted::Full;
                }
                let place = self.free.pop().unwrap_or(slots.len() as u32);
                vacant.insert(place);
                self.link(place, edge);
                Upserted::Waits { is_new: true }
            }
        }
    }

    /// Takes the oldest that has waited for too long.
    pub(crate) fn expire(&mut self, now_ns: u64) -> Option<Edge> {
        let place = self.first;
        let slot = self.slots.get(place as usize)?.as_ref()?;
        if now_ns <= slot.edge.expires_ns {
            return None;
        }
        let hash = self.hasher.hash_one(slot.edge.key);
        if let Ok(entry) = self.by_key.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        self.unlink(place)
    }

    fn link(&mut self, place: u32, edge: Edge) {
        let slot = Some(Slot { edge, before: self.last, after: NONE });
        match self.slots.get_mut(place as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        match self.slots.get_mut(self.last as usize) {
            Some(Some(last)) => last.after = place,
            _ => self.first = place,
        }
        self.last = place;
    }

    fn unlink(&mut self, place: u32) -> Option<Edge> {
        let slot = self.slots[place as usize].take()?;
        self.free.push(place);
        match self.slots.get_mut(slot.before as usize) {
            Some(Some(before)) => before.after = slot.after,
            _ => self.first = slot.after,
        }
        match self.slots.get_mut(slot.after as usize) {
            Some(Some(after)) => after.before = slot.before,
            _ => self.last = slot.before,
        }
        Some(slot.edge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> EdgeKey {
        EdgeKey { trace_id: TraceId([number; 16]), span_id: SpanId([1; 8]) }
    }

    fn client(edge: &mut Edge) {
        edge.client = Some("a".into());
    }

    fn server(edge: &mut Edge) {
        edge.server = Some("b".into());
    }

    #[test]
    fn halves_find_each_other_in_any_order() {
        let mut edges = Edges::new(10, 5);
        for (first, second) in [(client as fn(&mut Edge), server as fn(&mut Edge)), (server, client)] {
            assert_eq!(edges.upsert(key(1), 0, first), Upserted::Waits { is_new: true });
            assert_eq!(edges.upsert(key(1), 0, first), Upserted::Waits { is_new: false });
            assert!(matches!(edges.upsert(key(1), 0, second), Upserted::Complete { is_new: false, .. }));
            assert_eq!(edges.len(), 0);
        }
        let both = |edge: &mut Edge| {
            client(edge);
            server(edge);
        };
        assert!(matches!(edges.upsert(key(2), 0, both), Upserted::Complete { is_new: true, .. }));
    }

    #[test]
    fn at_most_so_many_wait_and_each_for_a_time() {
        let mut edges = Edges::new(3, 5);
        for number in 1..=3 {
            edges.upsert(key(number), u64::from(number), client);
        }
        assert_eq!(edges.upsert(key(4), 4, client), Upserted::Full);
        // From the middle, then a new one at the end, in the place that became free.
        assert!(matches!(edges.upsert(key(2), 4, server), Upserted::Complete { .. }));
        edges.upsert(key(5), 5, server);
        assert_eq!(edges.expire(6), None);
        let expired: Vec<u8> =
            std::iter::from_fn(|| edges.expire(10)).map(|edge| edge.key.trace_id.0[0]).collect();
        assert_eq!(expired, [1, 3]);
        assert_eq!(edges.expire(11).map(|edge| edge.key), Some(key(5)));
        assert_eq!((edges.len(), edges.expire(u64::MAX)), (0, None));
        edges.upsert(key(1), 20, client);
        assert_eq!((edges.len(), edges.slots.len()), (1, 3));
    }
}
