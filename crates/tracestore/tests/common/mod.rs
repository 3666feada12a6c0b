//! Random spans, and a store in a temporary directory.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "helpers of tests, where a panic is the report"
)]

use std::sync::Arc;

use model::{Event, Link, ManualClock, Resource, Scope, Span, SpanId, SpanKind, StatusCode, TraceId, Value};
use proptest::prelude::*;
use tempfile::TempDir;
use tracestore::{Config, TraceStore};

/// What the clock says: 2026-11-20.
pub const NOW_NS: u64 = 1_795_000_000_000_000_000;

/// A store whose background work is done by hand.
pub struct Bench {
    pub dir: TempDir,
    pub clock: Arc<ManualClock>,
    pub store: TraceStore,
}

pub fn config(dir: &std::path::Path) -> Config {
    let mut config = Config::new(dir.join("wal"), dir.join("blocks"), 64 << 20);
    config.background = false;
    config
}

impl Bench {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at_ns(NOW_NS));
        let mut config = config(dir.path());
        change(&mut config);
        let store = TraceStore::open(config, clock.clone()).unwrap();
        Self { dir, clock, store }
    }

    /// Closes the store and opens it anew, as after a crash.
    pub fn reopen(self) -> Self {
        let Self { dir, clock, store } = self;
        drop(store);
        let store = TraceStore::open(config(dir.path()), clock.clone()).unwrap();
        Self { dir, clock, store }
    }

    pub fn append(&self, spans: &[Span]) {
        append(&self.store, spans).unwrap();
    }
}

pub fn append(store: &TraceStore, spans: &[Span]) -> tracestore::Result<()> {
    let request = otlp::traces::encode_to_vec(spans);
    let (batch, rejected) = otlp::traces::decode(&request, &otlp::traces::Limits::default()).unwrap();
    assert_eq!(rejected.count, 0, "{}", rejected.message);
    store.append(&batch)
}

/// A small span of a service.
pub fn span(
    trace: u8,
    id: u8,
    parent: u8,
    service: &str,
    name: &str,
    start_ns: u64,
    duration_ns: u64,
) -> Span {
    let id_of = |id: u8| {
        let mut bytes = [0; 8];
        bytes[7] = id;
        SpanId(bytes)
    };
    let mut trace_id = [7; 16];
    trace_id[15] = trace;
    Span {
        trace_id: TraceId(trace_id),
        span_id: id_of(id),
        parent_span_id: id_of(parent),
        name: name.to_owned(),
        start_ns,
        end_ns: start_ns + duration_ns,
        resource: Arc::new(Resource {
            attributes: vec![("service.name".to_owned(), service.into())],
            ..Resource::default()
        }),
        ..Span::default()
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Empty),
        4 => "[a-c<é]{0,3}".prop_map(Value::String),
        1 => any::<bool>().prop_map(Value::Bool),
        2 => (-3_i64..3).prop_map(Value::Int),
        1 => any::<i64>().prop_map(Value::Int),
        2 => prop_oneof![Just(1.5), Just(-0.0), Just(1e300), Just(1.0), Just(f64::INFINITY)].prop_map(Value::Double),
        1 => proptest::collection::vec(any::<u8>(), 0..4).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::vec(("[$ab]{0,2}", inner), 0..3).prop_map(Value::KvList),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<(String, Value)>> {
    proptest::collection::vec(("[kl]{1,2}", value()), 0..4)
}

fn resource() -> impl Strategy<Value = Resource> {
    (prop_oneof![Just("users"), Just("albums"), Just("")], attributes(), 0..2_u32, "[u]{0,1}").prop_map(
        |(service, mut attributes, dropped_attributes_count, schema_url)| {
            if !service.is_empty() {
                attributes.insert(0, ("service.name".to_owned(), service.into()));
            }
            Resource { attributes, dropped_attributes_count, schema_url }
        },
    )
}

fn scope() -> impl Strategy<Value = Scope> {
    ("[s]{0,2}", "[1]{0,1}", attributes(), 0..2_u32, "[v]{0,1}").prop_map(
        |(name, version, attributes, dropped_attributes_count, schema_url)| Scope {
            name,
            version,
            attributes,
            dropped_attributes_count,
            schema_url,
        },
    )
}

prop_compose! {
    fn event()(offset in 0..1000_u64, name in "[ex]{0,2}", attributes in attributes(), dropped in 0..2_u32) -> Event {
        Event { time_ns: NOW_NS + offset, name, attributes, dropped_attributes_count: dropped }
    }
}

prop_compose! {
    fn link()(id in 0..3_u8, trace_state in "[t]{0,1}", attributes in attributes(), dropped in 0..2_u32, flags in 0..3_u32) -> Link {
        Link {
            trace_id: TraceId([id; 16]),
            span_id: SpanId([id; 8]),
            trace_state,
            attributes,
            dropped_attributes_count: dropped,
            flags,
        }
    }
}

prop_compose! {
    /// A span of one of a few traces, within some hundred seconds.
    pub fn any_span()(
        (trace, id, parent, kind) in (1..9_u8, 1..40_u8, 0..40_u8, 0..6_i32),
        (start, duration, backwards) in (0..300_u64, 0..5_000_000_000_u64, proptest::bool::weighted(0.05)),
        name in prop_oneof![Just("GET /"), Just("query"), Just("")],
        (trace_state, flags, status) in ("[t]{0,1}", 0..3_u32, 0..3_i32),
        status_message in "[m]{0,1}",
        attributes in attributes(),
        events in proptest::collection::vec(event(), 0..2),
        links in proptest::collection::vec(link(), 0..2),
        dropped in proptest::array::uniform3(0..2_u32),
        resource in resource(),
        scope in scope(),
    ) -> Span {
        let base = span(trace, id, parent, "", name, NOW_NS + start * 1_000_000_000, duration);
        Span {
            end_ns: if backwards { base.start_ns - 5 } else { base.end_ns },
            kind: SpanKind::from_number(kind),
            trace_state,
            flags,
            status_code: StatusCode::from_number(status),
            status_message,
            attributes,
            events,
            links,
            dropped_attributes_count: dropped[0],
            dropped_events_count: dropped[1],
            dropped_links_count: dropped[2],
            resource: Arc::new(resource),
            scope: Arc::new(scope),
            ..base
        }
    }
}
