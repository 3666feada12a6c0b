//! The receiver's own figures, registered once, looked up without a hash on the hot path.

use std::sync::Arc;
use std::time::Instant;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::admission::Admission;
use crate::names::{self, Signal, Transport};
use crate::{Accepted, Error};

/// All of them.
#[derive(Debug)]
pub(crate) struct Meters {
    /// By signal and transport; `None` where that way does not carry that signal.
    ways: Vec<Option<Way>>,
    dropped: IntCounterVec,
    refused: IntCounterVec,
    queued: IntGauge,
}

/// The figures of one signal on one transport.
#[derive(Debug)]
struct Way {
    accepted: IntCounter,
    received: IntCounter,
    seconds: Histogram,
    in_flight: IntGauge,
}

impl Meters {
    pub(crate) fn new(registry: &Registry, admission: &Arc<Admission>) -> prometheus::Result<Self> {
        let way = ["signal", "transport"];
        let reasons = ["signal", "transport", "reason"];
        let accepted = register(
            registry,
            IntCounterVec::new(
                Opts::new(names::ACCEPTED_ITEMS, "Spans, log records and data points that were kept."),
                &way,
            )?,
        )?;
        let received = register(
            registry,
            IntCounterVec::new(Opts::new(names::RECEIVED_BYTES, "Bytes of bodies as they arrived."), &way)?,
        )?;
        let seconds = register(
            registry,
            HistogramVec::new(
                HistogramOpts::new(
                    names::REQUEST_SECONDS,
                    "Seconds from a request's head until its answer is known.",
                )
                .buckets(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0]),
                &way,
            )?,
        )?;
        let in_flight = register(
            registry,
            IntGaugeVec::new(Opts::new(names::IN_FLIGHT_REQUESTS, "Requests that are being served."), &way)?,
        )?;
        let dropped = register(
            registry,
            IntCounterVec::new(
                Opts::new(names::DROPPED_ITEMS, "Items left out of requests that were otherwise taken."),
                &reasons,
            )?,
        )?;
        let refused = register(
            registry,
            IntCounterVec::new(
                Opts::new(names::REFUSED_REQUESTS, "Requests of which nothing was kept."),
                &reasons,
            )?,
        )?;
        let queued =
            register(registry, IntGauge::new(names::QUEUED_REQUESTS, "Requests that wait for a worker.")?)?;
        registry.register(Box::new(HeldBytes::new(Arc::clone(admission))?))?;

        let ways = Signal::ALL
            .into_iter()
            .flat_map(|signal| Transport::ALL.map(|transport| (signal, transport)))
            .map(|(signal, transport)| {
                let labels = [signal.as_str(), transport.as_str()];
                transport.carries(signal).then(|| Way {
                    accepted: accepted.with_label_values(&labels),
                    received: received.with_label_values(&labels),
                    seconds: seconds.with_label_values(&labels),
                    in_flight: in_flight.with_label_values(&labels),
                })
            })
            .collect();
        Ok(Self { ways, dropped, refused, queued })
    }

    fn way(&self, signal: Signal, transport: Transport) -> Option<&Way> {
        self.ways.get(signal as usize * Transport::ALL.len() + transport as usize)?.as_ref()
    }

    /// A request begins.
    pub(crate) fn begin(&self, signal: Signal, transport: Transport) {
        if let Some(way) = self.way(signal, transport) {
            way.in_flight.inc();
        }
    }

    /// What was asked for was kept, all or in part.
    pub(crate) fn kept(&self, signal: Signal, transport: Transport, accepted: &Accepted) {
        if let Some(way) = self.way(signal, transport) {
            way.accepted.inc_by(accepted.items);
        }
        for (reason, count) in &accepted.rejected.by_reason {
            self.dropped.with_label_values(&[signal.as_str(), transport.as_str(), reason]).inc_by(*count);
        }
    }

    /// A request has its answer.
    pub(crate) fn end(
        &self,
        signal: Signal,
        transport: Transport,
        began: Instant,
        received: usize,
        refused: Option<&Error>,
    ) {
        if let Some(way) = self.way(signal, transport) {
            way.in_flight.dec();
            way.seconds.observe(began.elapsed().as_secs_f64());
            way.received.inc_by(received as u64);
        }
        if let Some(error) = refused {
            self.refused.with_label_values(&[signal.as_str(), transport.as_str(), error.reason()]).inc();
        }
    }

    /// A request waits for a worker until the guard is dropped.
    pub(crate) fn waiting(&self) -> Waiting {
        self.queued.inc();
        Waiting(self.queued.clone())
    }
}

/// A request that waits for a worker.
pub(crate) struct Waiting(IntGauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// Reads the budget when it is collected, so that the hot path keeps one figure and not two.
struct HeldBytes {
    admission: Arc<Admission>,
    gauge: IntGauge,
}

impl HeldBytes {
    fn new(admission: Arc<Admission>) -> prometheus::Result<Self> {
        let gauge = IntGauge::new(
            names::IN_FLIGHT_BYTES,
            "Bytes that the bodies of requests hold, compressed and decompressed.",
        )?;
        Ok(Self { admission, gauge })
    }
}

impl Collector for HeldBytes {
    fn desc(&self) -> Vec<&prometheus::core::Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.gauge.set(self.admission.held() as i64);
        self.gauge.collect()
    }
}
