//! Rate, errors and duration of every span name: the Collector's connector `span_metrics`.
//!
//! Spans are counted by resource, and within it by name, kind, status and dimensions. What is written is cumulative.

use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::hash_table::{Entry, HashTable};
use model::{SpanId, TraceId, Value};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use otlp::value::to_pairs;
use std::hash::BuildHasher;

use crate::config;
use crate::histogram::{Bounds, Histogram};
use crate::origin::{Origin, OwnValue};
use crate::seen::Seen;
use crate::tally::Tally;
use crate::wanted::Found;

/// The label of a series in which everything past the limit is counted; its value is `true`.
const OVERFLOW: &str = "otel.metric.overflow";

/// All services.
#[derive(Debug)]
pub(crate) struct SpanMetrics {
    settings: Settings,
    by_key: foldhash::HashMap<Box<[u8]>, usize>,
    services: Vec<Option<Service>>,
    free: Vec<usize>,
    /// Series of all of them.
    series: usize,
    /// Counts batches, to know which service was silent for longest.
    turn: u64,
    scratch: Vec<u8>,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "which of the usual labels there are")]
struct Settings {
    config: config::SpanMetrics,
    bounds: Bounds,
    /// With the place of each among what is looked for.
    dimensions: Vec<(usize, String, Option<OwnValue>)>,
    has_service: bool,
    has_name: bool,
    has_kind: bool,
    has_status: bool,
    /// `collector.instance.id`, where it is wanted.
    instance_id: Option<String>,
    max_series: usize,
    hasher: RandomState,
}

/// Metrics of one resource.
#[derive(Debug)]
struct Service {
    key: Box<[u8]>,
    attributes: Arc<[KeyValue]>,
    series: HashTable<Series>,
    overflow: Option<Box<Series>>,
    last_seen_ns: u64,
    last_turn: u64,
    /// Ends after it was written once more.
    evicted: bool,
}

#[derive(Debug)]
struct Series {
    key: Box<[u8]>,
    attributes: Arc<[KeyValue]>,
    start_ns: u64,
    last_seen_ns: u64,
    calls: u64,
    /// Whether its zero was written: a counter that appears with a value would have no increase.
    is_begun: bool,
    histogram: Option<Histogram>,
    exemplars: Vec<Exemplar>,
}

/// A span that stands for others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    /// Its duration, in the unit.
    pub(crate) duration: f64,
}

/// A service's metrics at a time.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Attributes of its resource, of the first that was seen.
    pub(crate) resource: Arc<[KeyValue]>,
    pub(crate) points: Vec<Point>,
}

/// One series of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) attributes: Arc<[KeyValue]>,
    pub(crate) start_ns: u64,
    pub(crate) calls: u64,
    pub(crate) histogram: Option<Histogram>,
    pub(crate) exemplars: Vec<Exemplar>,
}

impl SpanMetrics {
    /// `place` says where an attribute stands among what is looked for.
    pub(crate) fn new(
        config: config::SpanMetrics,
        max_series: usize,
        instance_id: String,
        place: impl Fn(&str) -> usize,
    ) -> Self {
        let has = |name: &str| !config.exclude_dimensions.iter().any(|excluded| excluded == name);
        let dimensions = config.dimensions.iter().map(|dimension| {
            let default = dimension.default.as_ref().map(|text| OwnValue::of(&Value::String(text.clone())));
            (place(&dimension.name), dimension.name.clone(), default)
        });
        let settings = Settings {
            bounds: Bounds::new(&config.buckets, config.unit),
            dimensions: dimensions.collect(),
            has_service: has("service.name"),
            has_name: has("span.name"),
            has_kind: has("span.kind"),
            has_status: has("status.code"),
            instance_id: has("collector.instance.id").then_some(instance_id),
            max_series,
            hasher: RandomState::default(),
            config,
        };
        Self {
            settings,
            by_key: foldhash::HashMap::default(),
            services: Vec::new(),
            free: Vec::new(),
            series: 0,
            turn: 0,
            scratch: Vec::new(),
        }
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.settings.bounds
    }

    /// How many series there are.
    pub(crate) fn series_count(&self) -> usize {
        self.series
    }

    /// Finds or makes room for a service of which spans come now. The place holds until the next [`Self::flush`], and
    /// while no more services than are allowed are asked for.
    pub(crate) fn service(&mut self, origin: &Origin, now_ns: u64, tally: &mut Tally) -> usize {
        self.turn += 1;
        let place = match self.by_key.get(&origin.key) {
            Some(place) => *place,
            None => self.begin(origin, tally),
        };
        if let Some(service) = &mut self.services[place] {
            service.last_seen_ns = now_ns;
            service.last_turn = self.turn;
            service.evicted = false;
        }
        place
    }

    fn begin(&mut self, origin: &Origin, tally: &mut Tally) -> usize {
        let live = self.services.iter().flatten().filter(|service| !service.evicted);
        if live.clone().count() >= self.settings.config.max_resources.max(1)
            && let Some(oldest) =
                live.min_by_key(|service| service.last_turn).map(|oldest| oldest.key.clone())
            && let Some(place) = self.by_key.get(&oldest).copied()
        {
            tally.evicted += 1;
            self.evict(place);
        }
        let service = Some(Service {
            key: origin.key.clone(),
            attributes: Arc::clone(&origin.attributes),
            series: HashTable::new(),
            overflow: None,
            last_seen_ns: 0,
            last_turn: 0,
            evicted: false,
        });
        let place = if let Some(place) = self.free.pop() {
            self.services[place] = service;
            place
        } else {
            self.services.push(service);
            self.services.len() - 1
        };
        self.by_key.insert(origin.key.clone(), place);
        place
    }

    /// Ends a service: after the next flush, unless too many wait for that.
    fn evict(&mut self, place: usize) {
        let waiting = self.services.iter().flatten().filter(|service| service.evicted).count();
        if waiting >= self.settings.config.max_resources {
            self.remove(place);
        } else if let Some(service) = &mut self.services[place] {
            service.evicted = true;
        }
    }

    fn remove(&mut self, place: usize) {
        if let Some(service) = self.services[place].take() {
            self.series -= service.len();
            self.by_key.remove(&service.key);
            self.free.push(place);
        }
    }

    /// Counts a span that stands for so many.
    #[inline]
    pub(crate) fn count(&mut self, place: usize, seen: &Seen<'_>, times: u64, tally: &mut Tally) {
        let settings = &self.settings;
        settings.write_key(seen, &mut self.scratch);
        let Some(service) = &mut self.services[place] else { return };
        let key = self.scratch.as_slice();
        let hash = settings.hasher.hash_one(key);
        let full = self.series >= settings.max_series || settings.is_full(service);
        let entry = service.series.entry(
            hash,
            |series| *series.key == *key,
            |series| settings.hasher.hash_one(&*series.key),
        );
        let (series, is_overflow) = match entry {
            Entry::Occupied(known) => (known.into_mut(), false),
            Entry::Vacant(vacant) if !full => {
                self.series += 1;
                let series = settings.begin(key, settings.attributes(seen), seen.now_ns);
                (vacant.insert(series).into_mut(), false)
            }
            Entry::Vacant(_) => {
                tally.overflowed += 1;
                let series = service.overflow.get_or_insert_with(|| {
                    self.series += 1;
                    let attributes = to_pairs(&[(OVERFLOW.to_owned(), Value::Bool(true))]);
                    Box::new(settings.begin(&[], attributes.into(), seen.now_ns))
                });
                (&mut **series, true)
            }
        };
        let duration = settings.config.unit.of_ns(seen.duration_ns());
        series.last_seen_ns = seen.now_ns;
        series.calls = series.calls.saturating_add(times);
        if let Some(histogram) = &mut series.histogram {
            histogram.observe(&settings.bounds, duration, times);
        }
        if !is_overflow
            && series.exemplars.len() < settings.config.exemplars.unwrap_or(0)
            && !seen.span.trace_id.is_zero()
        {
            let (trace_id, span_id) = (seen.span.trace_id, seen.span.span_id);
            series.exemplars.push(Exemplar { trace_id, span_id, duration });
        }
    }

    /// What there is to be written, service by service; what has been silent for too long ends with it.
    pub(crate) fn flush(&mut self, now_ns: u64) -> Vec<Snapshot> {
        let mut snapshots = Vec::new();
        let expired = |last_seen_ns: u64, after: Duration| {
            !after.is_zero() && u128::from(now_ns.saturating_sub(last_seen_ns)) >= after.as_nanos()
        };
        for place in 0..self.services.len() {
            let Some(service) = &mut self.services[place] else { continue };
            let points: Vec<Point> = service.all().map(Series::take).collect();
            if !points.is_empty() {
                snapshots.push(Snapshot { resource: Arc::clone(&service.attributes), points });
            }
            let before = service.len();
            let after = self.settings.config.series_expiration;
            service.series.retain(|series| !expired(series.last_seen_ns, after));
            service.overflow.take_if(|series| expired(series.last_seen_ns, after));
            self.series -= before - service.len();
            if service.evicted || expired(service.last_seen_ns, self.settings.config.expiration) {
                self.remove(place);
            }
        }
        snapshots
    }
}

impl Settings {
    /// What tells a series from others of its resource.
    #[inline]
    fn write_key(&self, seen: &Seen<'_>, key: &mut Vec<u8>) {
        let Seen { span, row, origin, .. } = seen;
        key.clear();
        key.push(if self.has_kind { span.kind as u8 } else { 0 });
        key.push(if self.has_status { span.status_code as u8 } else { 0 });
        if self.has_service {
            key.extend_from_slice(origin.service_text.as_bytes());
        }
        key.push(0);
        if self.has_name {
            key.extend_from_slice(span.name.as_bytes());
        }
        for (number, (place, _, default)) in self.dimensions.iter().enumerate() {
            let begin = key.len();
            key.extend_from_slice(&[0, number as u8]);
            match (&row[*place], &origin.values[*place], default) {
                (Some(found), _, _) => found.write_text(key),
                (None, Some(own), _) | (None, None, Some(own)) => key.extend_from_slice(own.text.as_bytes()),
                (None, None, None) => key.truncate(begin),
            }
        }
    }

    /// The attributes of a series that begins with this span.
    fn attributes(&self, seen: &Seen<'_>) -> Arc<[KeyValue]> {
        let Seen { span, row, origin, .. } = seen;
        let mut attributes = Vec::with_capacity(5 + self.dimensions.len());
        let mut text = |is_wanted: bool, name: &str, value: &str| {
            if is_wanted {
                attributes.push((name.to_owned(), Value::String(value.to_owned())));
            }
        };
        text(self.has_service, "service.name", &origin.service_text);
        text(self.has_name, "span.name", span.name);
        text(self.has_kind, "span.kind", span.kind.protocol_name());
        text(self.has_status, "status.code", span.status_code.protocol_name());
        text(
            self.instance_id.is_some(),
            "collector.instance.id",
            self.instance_id.as_deref().unwrap_or_default(),
        );
        for (place, name, default) in &self.dimensions {
            let of_span = row[*place].as_ref().map(Found::value);
            let of_resource = origin.values[*place].as_ref().or(default.as_ref()).map(|own| &own.value);
            let value = of_span.as_ref().or(of_resource);
            if let Some(value) = value {
                attributes.push((name.clone(), value.clone()));
            }
        }
        to_pairs(&attributes).into()
    }

    fn begin(&self, key: &[u8], attributes: Arc<[KeyValue]>, now_ns: u64) -> Series {
        Series {
            key: key.into(),
            attributes,
            start_ns: now_ns,
            last_seen_ns: now_ns,
            calls: 0,
            is_begun: false,
            histogram: self.config.histogram.then(|| Histogram::new(&self.bounds)),
            exemplars: Vec::new(),
        }
    }

    fn is_full(&self, service: &Service) -> bool {
        self.config.cardinality_limit > 0 && service.len() >= self.config.cardinality_limit
    }
}

impl Service {
    fn len(&self) -> usize {
        self.series.len() + usize::from(self.overflow.is_some())
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Series> {
        self.series.iter_mut().chain(self.overflow.as_deref_mut())
    }
}

impl Series {
    /// Its point; the exemplars are gone then.
    fn take(&mut self) -> Point {
        let calls = if self.is_begun { self.calls } else { 0 };
        self.is_begun = true;
        Point {
            attributes: Arc::clone(&self.attributes),
            start_ns: self.start_ns,
            calls,
            histogram: self.histogram.clone(),
            exemplars: std::mem::take(&mut self.exemplars),
        }
    }
}
