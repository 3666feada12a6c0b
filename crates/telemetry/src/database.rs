//! Calls to a database: a client span and a place in the metrics each, by the
//! [conventions for databases](https://opentelemetry.io/docs/specs/semconv/database/). Whichever library speaks to
//! the database, this wraps the call.
//!
//! - span `SELECT users`: `db.system.name`, `db.namespace`, `db.operation.name`, `db.collection.name`,
//!   `db.query.summary`, `db.query.text`, `server.address`, `server.port`, `db.response.status_code`, `error.type`
//! - `db.client.operation.duration` (seconds) by the same without the text
//! - `db.client.connection.count` and `db.client.connection.max` by pool

use std::borrow::Cow;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use opentelemetry::metrics::Histogram;
use opentelemetry::trace::{Span, SpanKind, Status, Tracer};
use opentelemetry::{Context, KeyValue};

use crate::{DATABASE_SECONDS, Telemetry, exception_attributes};

/// The database that is called.
#[derive(Clone, Debug)]
pub struct Peer {
    /// `sqlite`, `postgresql`, or another of the conventions' names.
    pub system: &'static str,
    /// The name of the database within the system.
    pub namespace: String,
    /// Host (or folder of a socket) and port, where there is a server.
    pub server: Option<(String, u16)>,
}

/// One statement that an application makes. All texts are fixed: values are bound, never written into them.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// `SELECT`, `INSERT`, …
    pub operation: &'static str,
    /// The table.
    pub collection: &'static str,
    /// Operation and table: the span's name.
    pub summary: &'static str,
    /// The statement with its placeholders.
    pub text: &'static str,
}

/// What an error of the database's library means.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Of few values: the kind of error, or the database's own code.
    pub kind: Cow<'static, str>,
    /// The database's own code, such as an SQLSTATE.
    pub code: Option<String>,
}

/// Instruments calls to one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    telemetry: Telemetry,
    duration: Histogram<f64>,
    peer: Arc<SharedPeer>,
}

#[derive(Debug)]
struct SharedPeer {
    system: &'static str,
    namespace: Arc<str>,
    server: Option<(Arc<str>, i64)>,
}

impl Database {
    pub(crate) fn new(telemetry: &Telemetry, peer: Peer) -> Self {
        let duration = telemetry
            .meter()
            .f64_histogram("db.client.operation.duration")
            .with_unit("s")
            .with_description("Duration of database client operations.")
            .with_boundaries(DATABASE_SECONDS.to_vec())
            .build();
        let peer = SharedPeer {
            system: peer.system,
            namespace: peer.namespace.into(),
            server: peer.server.map(|(host, port)| (host.into(), i64::from(port))),
        };
        Self { telemetry: telemetry.clone(), duration, peer: Arc::new(peer) }
    }

    /// Awaits a call and tells of it. `explain` is asked only about an error.
    ///
    /// # Errors
    /// The call's own.
    pub async fn call<T, E: Display>(
        &self,
        statement: &Statement,
        call: impl Future<Output = Result<T, E>>,
        explain: impl FnOnce(&E) -> Failure,
    ) -> Result<T, E> {
        let inner = &self.telemetry.inner;
        if inner.tracer.is_none() && !inner.measures {
            return call.await;
        }
        // Nothing is made below it, so it need not be the current span.
        let mut span = inner.tracer.as_ref().map(|tracer| {
            let builder = tracer
                .span_builder(statement.summary)
                .with_kind(SpanKind::Client)
                .with_attributes(self.attributes(statement, true));
            Context::map_current(|caller| tracer.build_with_context(builder, caller))
        });
        let begun = Instant::now();
        let result = call.await;
        let elapsed = begun.elapsed();
        let failure = result.as_ref().err().map(|error| (explain(error), error.to_string()));
        if let Some(span) = &mut span {
            if let Some((failure, message)) = &failure {
                span.set_attribute(KeyValue::new("error.type", failure.kind.clone()));
                if let Some(code) = &failure.code {
                    span.set_attribute(KeyValue::new("db.response.status_code", code.clone()));
                }
                span.add_event("exception", exception_attributes(&failure.kind, message));
                span.set_status(Status::error(message.clone()));
            }
            span.end();
        }
        if inner.measures {
            let mut attributes = self.attributes(statement, false);
            if let Some((failure, _)) = failure {
                attributes.push(KeyValue::new("error.type", failure.kind));
                attributes.extend(failure.code.map(|code| KeyValue::new("db.response.status_code", code)));
            }
            self.duration.record(elapsed.as_secs_f64(), &attributes);
        }
        result
    }

    fn attributes(&self, statement: &Statement, with_text: bool) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(10);
        attributes.push(KeyValue::new("db.system.name", self.peer.system));
        attributes.push(KeyValue::new("db.namespace", Arc::clone(&self.peer.namespace)));
        attributes.push(KeyValue::new("db.operation.name", statement.operation));
        attributes.push(KeyValue::new("db.collection.name", statement.collection));
        attributes.push(KeyValue::new("db.query.summary", statement.summary));
        if with_text {
            attributes.push(KeyValue::new("db.query.text", statement.text));
        }
        if let Some((host, port)) = &self.peer.server {
            attributes.push(KeyValue::new("server.address", Arc::clone(host)));
            attributes.push(KeyValue::new("server.port", *port));
        }
        attributes
    }

    /// Tells, whenever metrics are read, how many connections a pool holds. `count` answers with those that are idle
    /// and those that are used.
    pub fn observe_pool(
        &self,
        name: &str,
        most: u32,
        count: impl Fn() -> (u64, u64) + Send + Sync + 'static,
    ) {
        let pool: Arc<str> = name.into();
        let meter = self.telemetry.meter();
        let observed = Arc::clone(&pool);
        // The SDK keeps the callbacks; the instruments themselves are not needed any more.
        let _ = meter
            .i64_observable_up_down_counter("db.client.connection.count")
            .with_unit("{connection}")
            .with_description("Connections that a pool holds now, by state.")
            .with_callback(move |observer| {
                let (idle, used) = count();
                for (state, connections) in [("idle", idle), ("used", used)] {
                    observer.observe(
                        i64::try_from(connections).unwrap_or(i64::MAX),
                        &[
                            KeyValue::new("db.client.connection.pool.name", Arc::clone(&observed)),
                            KeyValue::new("db.client.connection.state", state),
                        ],
                    );
                }
            })
            .build();
        let _ = meter
            .i64_observable_up_down_counter("db.client.connection.max")
            .with_unit("{connection}")
            .with_description("Most connections that a pool may open.")
            .with_callback(move |observer| {
                let pool = KeyValue::new("db.client.connection.pool.name", Arc::clone(&pool));
                observer.observe(i64::from(most), &[pool]);
            })
            .build();
    }
}
