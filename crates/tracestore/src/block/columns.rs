//! What stands in the JSON columns.

use model::{Event, KeyValue, Link, Resource, Scope, Value};

use crate::codec;

fn put(pairs: &mut Vec<KeyValue>, key: &str, value: Value) {
    let is_default = match &value {
        Value::String(text) => text.is_empty(),
        Value::Int(number) => *number == 0,
        Value::KvList(list) => list.is_empty(),
        _ => false,
    };
    if !is_default {
        pairs.push((key.to_owned(), value));
    }
}

fn common(pairs: &mut Vec<KeyValue>, attributes: &[KeyValue], dropped: u32) {
    put(pairs, "attributes", Value::KvList(attributes.to_vec()));
    put(pairs, "dropped_attributes_count", Value::Int(i64::from(dropped)));
}

pub(super) fn resource_to_json(resource: &Resource) -> String {
    let mut pairs = Vec::new();
    common(&mut pairs, &resource.attributes, resource.dropped_attributes_count);
    put(&mut pairs, "schema_url", resource.schema_url.as_str().into());
    codec::to_json(&Value::KvList(pairs))
}

pub(super) fn scope_to_json(scope: &Scope) -> String {
    let mut pairs = Vec::new();
    put(&mut pairs, "name", scope.name.as_str().into());
    put(&mut pairs, "version", scope.version.as_str().into());
    common(&mut pairs, &scope.attributes, scope.dropped_attributes_count);
    put(&mut pairs, "schema_url", scope.schema_url.as_str().into());
    codec::to_json(&Value::KvList(pairs))
}

pub(super) fn events_to_json(events: &[Event]) -> String {
    let events = events.iter().map(|event| {
        let mut pairs = Vec::new();
        // A time may be any 64-bit number; as a signed one it comes back the same.
        put(&mut pairs, "time_unix_nano", Value::Int(event.time_ns as i64));
        put(&mut pairs, "name", event.name.as_str().into());
        common(&mut pairs, &event.attributes, event.dropped_attributes_count);
        Value::KvList(pairs)
    });
    codec::to_json(&Value::Array(events.collect()))
}

pub(super) fn links_to_json(links: &[Link]) -> String {
    let links = links.iter().map(|link| {
        let mut pairs = Vec::new();
        if !link.trace_id.is_zero() {
            put(&mut pairs, "trace_id", link.trace_id.to_hex().into());
        }
        if !link.span_id.is_zero() {
            put(&mut pairs, "span_id", link.span_id.to_hex().into());
        }
        put(&mut pairs, "trace_state", link.trace_state.as_str().into());
        common(&mut pairs, &link.attributes, link.dropped_attributes_count);
        put(&mut pairs, "flags", Value::Int(i64::from(link.flags)));
        Value::KvList(pairs)
    });
    codec::to_json(&Value::Array(links.collect()))
}

/// Fields of an object by name, each taken once.
struct Fields(Vec<KeyValue>);

impl Fields {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::KvList(pairs) => Some(Self(pairs)),
            _ => None,
        }
    }

    fn take(&mut self, key: &str) -> Value {
        let index = self.0.iter().position(|(own, _)| own == key);
        index.map_or(Value::Empty, |index| self.0.swap_remove(index).1)
    }

    fn text(&mut self, key: &str) -> String {
        match self.take(key) {
            Value::String(text) => text,
            _ => String::new(),
        }
    }

    fn number(&mut self, key: &str) -> i64 {
        match self.take(key) {
            Value::Int(number) => number,
            _ => 0,
        }
    }

    fn attributes(&mut self) -> Vec<KeyValue> {
        match self.take("attributes") {
            Value::KvList(pairs) => pairs,
            _ => Vec::new(),
        }
    }

    fn dropped(&mut self) -> u32 {
        self.number("dropped_attributes_count") as u32
    }
}

pub(super) fn resource_from_json(text: &str) -> Option<Resource> {
    let mut fields = Fields::of(codec::from_json(text)?)?;
    Some(Resource {
        attributes: fields.attributes(),
        dropped_attributes_count: fields.dropped(),
        schema_url: fields.text("schema_url"),
    })
}

pub(super) fn scope_from_json(text: &str) -> Option<Scope> {
    let mut fields = Fields::of(codec::from_json(text)?)?;
    Some(Scope {
        name: fields.text("name"),
        version: fields.text("version"),
        attributes: fields.attributes(),
        dropped_attributes_count: fields.dropped(),
        schema_url: fields.text("schema_url"),
    })
}

fn objects<T>(text: &str, read: impl Fn(&mut Fields) -> Option<T>) -> Option<Vec<T>> {
    match codec::from_json(text)? {
        Value::Array(values) => values.into_iter().map(|value| read(&mut Fields::of(value)?)).collect(),
        _ => None,
    }
}

pub(super) fn events_from_json(text: &str) -> Option<Vec<Event>> {
    objects(text, |fields| {
        Some(Event {
            time_ns: fields.number("time_unix_nano") as u64,
            name: fields.text("name"),
            attributes: fields.attributes(),
            dropped_attributes_count: fields.dropped(),
        })
    })
}

pub(super) fn links_from_json(text: &str) -> Option<Vec<Link>> {
    fn id<T: Default + std::str::FromStr>(text: &str) -> Option<T> {
        if text.is_empty() { Some(T::default()) } else { text.parse().ok() }
    }
    objects(text, |fields| {
        Some(Link {
            trace_id: id(&fields.text("trace_id"))?,
            span_id: id(&fields.text("span_id"))?,
            trace_state: fields.text("trace_state"),
            attributes: fields.attributes(),
            dropped_attributes_count: fields.dropped(),
            flags: fields.number("flags") as u32,
        })
    })
}
