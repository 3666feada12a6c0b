//! Who calls whom: the Collector's connector `service_graph`.
//!
//! A call is two spans: the caller's, of kind client or producer, and the callee's, of kind server or consumer, whose
//! parent it is. A call of a database is one span, for databases send none.

use std::sync::Arc;

use foldhash::HashMap;
use model::{SpanKind, StatusCode, Value};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use otlp::value::to_pairs;

use crate::config::{self, Unit};
use crate::edges::{Connection, Edge, EdgeKey, Edges, Upserted};
use crate::histogram::{Bounds, Histogram};
use crate::seen::Seen;
use crate::tally::Tally;

/// The node that calls a service which has no caller.
const USER: &str = "user";
/// The node of a callee whose caller says nothing of it.
const UNKNOWN: &str = "unknown";

/// All edges.
#[derive(Debug)]
pub(crate) struct ServiceGraph {
    config: config::ServiceGraph,
    bounds: Bounds,
    peers: Vec<usize>,
    databases: Vec<usize>,
    dimensions: Vec<usize>,
    edges: Edges,
    series: HashMap<Box<[u8]>, Series>,
    max_series: usize,
    start_ns: u64,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Series {
    attributes: Arc<[KeyValue]>,
    updated_ns: u64,
    is_failed: bool,
    server: Histogram,
    client: Histogram,
}

/// The graph at a time.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) start_ns: u64,
    pub(crate) points: Vec<Point>,
}

/// One edge of it. How many requests there were is what the histograms count.
#[derive(Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) attributes: Arc<[KeyValue]>,
    pub(crate) is_failed: bool,
    pub(crate) server: Histogram,
    pub(crate) client: Histogram,
}

impl ServiceGraph {
    /// `place` says where an attribute stands among what is looked for.
    pub(crate) fn new(
        config: config::ServiceGraph,
        max_series: usize,
        now_ns: u64,
        place: impl Fn(&str) -> usize,
    ) -> Self {
        let places = |names: &[String]| names.iter().map(|name| place(name)).collect();
        let ttl_ns = u64::try_from(config.ttl.as_nanos()).unwrap_or(u64::MAX);
        Self {
            bounds: Bounds::new(&config.buckets, Unit::Seconds),
            peers: places(&config.peer_attributes),
            databases: places(&config.database_attributes),
            dimensions: places(&config.dimensions),
            edges: Edges::new(config.max_items, ttl_ns),
            series: HashMap::default(),
            max_series,
            start_ns: now_ns,
            scratch: Vec::new(),
            config,
        }
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    pub(crate) fn series_count(&self) -> usize {
        self.series.len()
    }

    /// Halves that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.edges.len()
    }

    /// Takes what a span says of a call, if it is a half of one.
    #[inline]
    pub(crate) fn take(&mut self, seen: &Seen<'_>, tally: &mut Tally) {
        let (half, connection) = match seen.span.kind {
            SpanKind::Client => (Half::Client, Connection::Direct),
            SpanKind::Producer => (Half::Client, Connection::Messaging),
            SpanKind::Server => (Half::Server, Connection::Direct),
            SpanKind::Consumer => (Half::Server, Connection::Messaging),
            SpanKind::Unspecified | SpanKind::Internal => return,
        };
        let span = seen.span;
        let span_id = if half == Half::Client { span.span_id } else { span.parent_span_id };
        let key = EdgeKey { trace_id: span.trace_id, span_id };
        let name = (!seen.service.is_empty()).then(|| Arc::clone(seen.service));
        let seconds = Unit::Seconds.of_ns(seen.duration_ns());
        let Self { databases, peers, dimensions, .. } = self;
        let upserted = self.edges.upsert(key, seen.now_ns, |edge| {
            edge.connection = connection;
            edge.is_failed |= span.status_code == StatusCode::Error;
            add_dimensions(edge, dimensions, half == Half::Server, seen);
            if half == Half::Server {
                edge.server = name;
                edge.server_seconds = seconds;
                return;
            }
            edge.client = name;
            edge.client_seconds = seconds;
            if let Some(peer) = peers.iter().find_map(|place| seen.row[*place].as_ref()) {
                edge.peer = Some(peer.text().into());
            }
            if let Some(database) = databases.iter().find_map(|place| seen.text(*place)) {
                edge.connection = Connection::Database;
                edge.server = (!database.is_empty()).then(|| database.into());
                edge.server_seconds = seconds;
            }
        });
        match upserted {
            Upserted::Waits { is_new } => tally.edges += u64::from(is_new),
            Upserted::Complete { edge, is_new } => {
                tally.edges += u64::from(is_new);
                self.count(&edge, "", seen.now_ns, tally);
            }
            Upserted::Full => tally.unstored += 1,
        }
    }

    /// Ends calls of which one half has not come in time. Where it is known what is at the other end, they are drawn all
    /// the same.
    pub(crate) fn expire(&mut self, now_ns: u64, tally: &mut Tally) {
        while let Some(mut edge) = self.edges.expire(now_ns) {
            tally.expired += 1;
            if self.peers.is_empty() {
                continue;
            }
            edge.connection = Connection::Virtual;
            if edge.client.is_none() && edge.key.span_id.is_zero() {
                edge.client = Some(USER.into());
                self.count(&edge, "client", now_ns, tally);
            }
            if edge.server.is_none() {
                edge.server = Some(edge.peer.clone().unwrap_or_else(|| UNKNOWN.into()));
                self.count(&edge, "server", now_ns, tally);
            }
        }
    }

    fn count(&mut self, edge: &Edge, virtual_side: &str, now_ns: u64, tally: &mut Tally) {
        let (client, server) = (edge.client.as_deref().unwrap_or(""), edge.server.as_deref().unwrap_or(""));
        let key = &mut self.scratch;
        key.clear();
        key.extend_from_slice(&[edge.connection as u8, edge.is_failed.into()]);
        key.extend_from_slice(client.as_bytes());
        key.push(0);
        key.extend_from_slice(server.as_bytes());
        for (number, of_server, value) in &edge.dimensions {
            key.extend_from_slice(&[0, *number as u8, (*of_server).into()]);
            key.extend_from_slice(value.as_bytes());
        }
        let attributes = || {
            let text = |name: &str, value: &str| (name.to_owned(), Value::String(value.to_owned()));
            let mut attributes = vec![
                text("client", client),
                text("server", server),
                text("connection_type", edge.connection.as_str()),
                ("failed".to_owned(), Value::Bool(edge.is_failed)),
            ];
            for (number, of_server, value) in &edge.dimensions {
                let side = if *of_server { "server" } else { "client" };
                attributes.push(text(&format!("{side}_{}", self.config.dimensions[*number]), value));
            }
            if self.config.virtual_node_label {
                attributes.push(text("virtual_node", virtual_side));
            }
            Arc::from(to_pairs(&attributes))
        };
        if !self.series.contains_key(key.as_slice()) {
            if self.series.len() >= self.max_series {
                tally.uncounted += 1;
                return;
            }
            let series = Series {
                attributes: attributes(),
                updated_ns: now_ns,
                is_failed: edge.is_failed,
                server: Histogram::new(&self.bounds),
                client: Histogram::new(&self.bounds),
            };
            self.series.insert(key.as_slice().into(), series);
        } else if self.config.virtual_node_label {
            // It does not tell series from each other: the last edge has it.
            let attributes = attributes();
            if let Some(series) = self.series.get_mut(key.as_slice()) {
                series.attributes = attributes;
            }
        }
        if let Some(series) = self.series.get_mut(key.as_slice()) {
            series.updated_ns = now_ns;
            series.server.observe(&self.bounds, edge.server_seconds, 1);
            series.client.observe(&self.bounds, edge.client_seconds, 1);
        }
    }

    /// What there is to be written.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let point = |series: &Series| Point {
            attributes: Arc::clone(&series.attributes),
            is_failed: series.is_failed,
            server: series.server.clone(),
            client: series.client.clone(),
        };
        Snapshot { start_ns: self.start_ns, points: self.series.values().map(point).collect() }
    }

    /// Ends pairs of services that have been silent for long.
    pub(crate) fn clean(&mut self, now_ns: u64) {
        let after = config::ServiceGraph::SERIES_EXPIRATION.as_nanos();
        self.series.retain(|_, series| u128::from(now_ns.saturating_sub(series.updated_ns)) <= after);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Client,
    Server,
}

fn add_dimensions(edge: &mut Edge, dimensions: &[usize], of_server: bool, seen: &Seen<'_>) {
    for (number, place) in dimensions.iter().enumerate() {
        let Some(value) = seen.text(*place) else { continue };
        let known = edge.dimensions.iter_mut().find(|known| (known.0, known.1) == (number, of_server));
        match known {
            Some(known) => known.2 = value.into(),
            None => edge.dimensions.push((number, of_server, value.into())),
        }
    }
    // In one order, whichever half came first.
    edge.dimensions.sort_by_key(|known| (known.0, known.1));
}
