//! What the generator needs of a resource, taken once and kept while its bytes come again.

use std::sync::Arc;

use foldhash::HashMap;
use model::Value;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use otlp::traces::{ResourceRef, attributes_of};
use otlp::value::{to_pairs, to_text};

/// Most resources whose bytes are remembered.
const MOST: usize = 4096;
/// Longest resource that is remembered, in bytes. Longer ones are read each time.
const LONGEST: usize = 4096;

/// Where spans come from: their resource.
#[derive(Debug)]
pub(crate) struct Origin {
    /// `service.name` as text; without one its spans make no metrics.
    pub(crate) service: Option<Arc<str>>,
    /// `service.name`, empty where it is no text.
    pub(crate) service_text: Arc<str>,
    /// What tells it from other resources.
    pub(crate) key: Box<[u8]>,
    /// Its attributes as they are sent on.
    pub(crate) attributes: Arc<[KeyValue]>,
    /// The values of what is looked for, by place, as [`crate::wanted::Row`] has those of spans.
    pub(crate) values: Vec<Option<OwnValue>>,
}

/// A value with its text.
#[derive(Debug, Clone)]
pub(crate) struct OwnValue {
    pub(crate) value: Value,
    pub(crate) text: Box<str>,
}

/// Resources that were seen.
#[derive(Debug)]
pub(crate) struct Origins {
    names: Vec<String>,
    key_attributes: Vec<String>,
    known: HashMap<Box<[u8]>, Arc<Origin>>,
}

impl Origins {
    /// Looks for these attributes; tells resources from each other by `key_attributes`, or by all if there are none.
    pub(crate) fn new(names: Vec<String>, key_attributes: Vec<String>) -> Self {
        Self { names, key_attributes, known: HashMap::default() }
    }

    pub(crate) fn of(&mut self, resource: &ResourceRef<'_>) -> Arc<Origin> {
        if let Some(known) = self.known.get(&*resource.raw) {
            return Arc::clone(known);
        }
        let origin = Arc::new(self.read(&resource.raw));
        if resource.raw.len() <= LONGEST {
            if self.known.len() >= MOST {
                self.known.clear();
            }
            self.known.insert(resource.raw.as_ref().into(), Arc::clone(&origin));
        }
        origin
    }

    fn read(&self, raw: &[u8]) -> Origin {
        let attributes = attributes_of(raw, 1);
        let find = |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let service = find("service.name");
        let service_text = service.and_then(Value::as_str).unwrap_or_default();
        let values = self.names.iter().map(|name| find(name).map(OwnValue::of)).collect();
        Origin {
            service: service.map(|value| to_text(value).into()),
            service_text: service_text.into(),
            key: self.key(&attributes),
            values,
            attributes: to_pairs(&attributes).into(),
        }
    }

    fn key(&self, attributes: &[(String, Value)]) -> Box<[u8]> {
        let mut parts: Vec<(&str, &Value)> = attributes
            .iter()
            .filter(|(key, _)| self.key_attributes.is_empty() || self.key_attributes.contains(key))
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        parts.sort_by_key(|(key, _)| *key);
        // The debug form tells the text "1" from the number 1 and quotes what separates.
        format!("{parts:?}").into_bytes().into()
    }
}

impl OwnValue {
    pub(crate) fn of(value: &Value) -> Self {
        Self { value: value.clone(), text: to_text(value).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use prost::Message;

    fn of(origins: &mut Origins, attributes: &[(&str, Value)]) -> Arc<Origin> {
        let pairs: Vec<_> =
            attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let raw = Resource { attributes: to_pairs(&pairs), ..Resource::default() }.encode_to_vec();
        origins.of(&ResourceRef { raw: raw.into(), schema_url: "" })
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn key_attributes_alone_tell_resources_from_each_other() {
        let mut origins = Origins::new(
            vec!["a".to_owned()],
            vec!["service.name".to_owned(), "service.namespace".to_owned()],
        );
        let one = of(&mut origins, &[("service.name", text("x")), ("service.instance.id", text("1"))]);
        let again = of(&mut origins, &[("a", Value::Int(5)), ("service.name", text("x"))]);
        let other = of(&mut origins, &[("service.name", text("x")), ("service.namespace", text("y"))]);
        assert_eq!(one.key, again.key);
        assert_ne!(one.key, other.key);
        assert_eq!(again.values[0].as_ref().map(|value| &*value.text), Some("5"));
        assert_eq!(one.attributes.len(), 2);
        let number = of(&mut origins, &[("service.name", Value::Int(1))]);
        assert_ne!(number.key, of(&mut origins, &[("service.name", text("1"))]).key);
        assert_eq!((number.service.as_deref(), &*number.service_text), (Some("1"), ""));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut origins = Origins::new(Vec::new(), Vec::new());
        for number in 0..MOST as i64 + 10 {
            assert!(of(&mut origins, &[("n", Value::Int(number))]).service.is_none());
        }
        of(&mut origins, &[("n", text(&"x".repeat(LONGEST)))]);
        assert_eq!(origins.known.len(), 10);
    }
}
