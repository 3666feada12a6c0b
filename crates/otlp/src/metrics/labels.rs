//! Label sets: the attributes of a data point, what the resource and the scope add, and in which order.

use model::Labels;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};

use super::{Config, naming};
use crate::logs::text;

/// Labels while they are built: few, so a list.
#[derive(Debug, Clone, Default)]
pub(super) struct Builder(Vec<(String, String)>);

impl Builder {
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    /// Sets a label unless it has a value already.
    fn fill(&mut self, name: &str, value: &str) {
        if self.get(name).is_empty() {
            self.set(name, value);
        }
    }

    pub(super) fn build(self) -> Labels {
        Labels::new(self.0)
    }

    /// The labels with one more, or with another value of one.
    pub(super) fn with(&self, extras: &[(&str, &str)]) -> Labels {
        let mut copy = self.clone();
        for (name, value) in extras {
            copy.set(name, *value);
        }
        copy.build()
    }

    fn check(&self, config: &Config) -> Result<(), String> {
        let limits = &config.limits;
        if self.0.len() > limits.max_labels {
            return Err(format!("a series has {} labels, the limit is {}", self.0.len(), limits.max_labels));
        }
        match self.0.iter().find(|(name, value)| name.len() + value.len() > limits.max_label_bytes) {
            Some((name, _)) => {
                let shown: String = name.chars().take(64).collect();
                Err(format!("label {shown:?} is longer than the limit of {} bytes", limits.max_label_bytes))
            }
            None => Ok(()),
        }
    }
}

/// What the resource adds to each of its series.
#[derive(Debug, Default)]
pub(super) struct ResourceLabels {
    job: String,
    instance: String,
    promoted: Vec<(String, String)>,
}

impl ResourceLabels {
    pub(super) fn new(attributes: &[KeyValue], config: &Config) -> Result<Self, String> {
        let find = |key: &str| {
            attributes.iter().find(|pair| pair.key == key).map(|pair| text::of(pair.value.as_ref()))
        };
        let job = match (find("service.namespace"), find("service.name")) {
            (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
            (None, Some(name)) => name,
            (_, None) => String::new(),
        };
        let mut promoted = Builder::default();
        for pair in attributes.iter().filter(|pair| config.promotes(&pair.key)) {
            promoted.set(&naming::label_name(&pair.key, config)?, text::of(pair.value.as_ref()));
        }
        let instance = find("service.instance.id").unwrap_or_default();
        Ok(Self { job, instance, promoted: promoted.0 })
    }

    /// The labels by which a target is told from others; `target_info` has no others of the resource promoted.
    pub(super) fn identifying(&self) -> Self {
        Self { job: self.job.clone(), instance: self.instance.clone(), promoted: Vec::new() }
    }

    pub(super) fn identifies(&self) -> bool {
        !(self.job.is_empty() && self.instance.is_empty())
    }
}

/// What the scope adds, where that is asked for and the scope has a name.
#[derive(Debug, Default)]
pub(super) struct ScopeLabels(Vec<(String, String)>);

impl ScopeLabels {
    pub(super) fn new(
        scope: Option<&InstrumentationScope>,
        schema_url: &str,
        config: &Config,
    ) -> Result<Self, String> {
        let Some(scope) = scope.filter(|scope| config.promote_scope_metadata && !scope.name.is_empty())
        else {
            return Ok(Self::default());
        };
        let mut labels = Builder::default();
        for pair in &scope.attributes {
            let name = naming::label_name(&format!("otel_scope_{}", pair.key), config)?;
            labels.set(&name, text::of(pair.value.as_ref()));
        }
        labels.set("otel_scope_name", scope.name.as_str());
        labels.set("otel_scope_version", scope.version.as_str());
        labels.set("otel_scope_schema_url", schema_url);
        Ok(Self(labels.0))
    }
}

/// The labels of a data point, without its name; and the label names that several attributes share.
pub(super) fn of_point(
    attributes: &[KeyValue],
    ignored: &[&str],
    resource: &ResourceLabels,
    scope: &ScopeLabels,
    config: &Config,
) -> Result<(Builder, Vec<String>), String> {
    // Sorted, so that attributes that share a name are joined in the same order each time. `__name__` is ours to set.
    let mut sorted: Vec<&KeyValue> = attributes
        .iter()
        .filter(|pair| pair.key != "__name__" && !ignored.contains(&pair.key.as_str()))
        .collect();
    sorted.sort_by(|left, right| left.key.cmp(&right.key));
    let mut labels = Builder(Vec::with_capacity(sorted.len() + 4));
    let mut collisions = Vec::new();
    for pair in sorted {
        let value = text::of(pair.value.as_ref());
        let name = naming::label_name(&pair.key, config)?;
        let known = labels.get(&name);
        if known.is_empty() || !config.translation_strategy.escapes() {
            labels.set(&name, value);
        } else {
            let joined = format!("{known};{value}");
            labels.set(&name, joined);
            collisions.push(name);
        }
    }
    for (name, value) in &resource.promoted {
        labels.fill(name, value);
    }
    for (name, value) in [("job", &resource.job), ("instance", &resource.instance)] {
        if !value.is_empty() {
            labels.set(name, value.as_str());
        }
    }
    for (name, value) in &scope.0 {
        labels.set(name, value.as_str());
    }
    labels.check(config)?;
    Ok((labels, collisions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Strategy;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};

    fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
        pairs
            .iter()
            .map(|(key, value)| KeyValue {
                key: (*key).to_owned(),
                value: Some(AnyValue { value: Some(Value::StringValue((*value).to_owned())) }),
                ..KeyValue::default()
            })
            .collect()
    }

    fn built(point: &[(&str, &str)], resource: &[(&str, &str)], config: &Config) -> String {
        let resource = ResourceLabels::new(&attributes(resource), config).unwrap();
        let (labels, _) =
            of_point(&attributes(point), &[], &resource, &ScopeLabels::default(), config).unwrap();
        labels.build().to_string()
    }

    #[test]
    fn job_and_instance_come_from_the_resource_and_win() {
        let config = Config::default();
        let resource = [
            ("service.namespace", "demo"),
            ("service.name", "users"),
            ("service.instance.id", "i-1"),
            ("x", "y"),
        ];
        assert_eq!(
            built(&[("job", "mine"), ("http.method", "GET")], &resource, &config),
            r#"{http_method="GET", instance="i-1", job="demo/users"}"#
        );
        assert_eq!(built(&[], &[("service.namespace", "demo")], &config), "{}");
    }

    #[test]
    fn promoted_attributes_fill_what_is_missing() {
        let config = Config {
            promote_resource_attributes: vec!["host.name".to_owned(), "zone".to_owned()],
            ..Config::default()
        };
        let resource = [("host.name", "h"), ("zone", "z"), ("other", "o")];
        assert_eq!(built(&[("zone", "mine")], &resource, &config), r#"{host_name="h", zone="mine"}"#);
        let all = Config {
            promote_all_resource_attributes: true,
            ignore_resource_attributes: vec!["zone".to_owned()],
            ..Config::default()
        };
        assert_eq!(built(&[], &resource, &all), r#"{host_name="h", other="o"}"#);
    }

    #[test]
    fn names_that_collide_are_joined_in_key_order() {
        let point = [("a_b", "2"), ("a.b", "1"), ("__name__", "x")];
        assert_eq!(built(&point, &[], &Config::default()), r#"{a_b="1;2"}"#);
        let utf8 = Config { translation_strategy: Strategy::NoTranslation, ..Config::default() };
        assert_eq!(built(&point, &[], &utf8), r#"{"a.b"="1", a_b="2"}"#);
    }

    #[test]
    fn the_scope_is_promoted_when_asked() {
        let config = Config { promote_scope_metadata: true, ..Config::default() };
        let scope = InstrumentationScope {
            name: "lib".to_owned(),
            version: "1".to_owned(),
            attributes: attributes(&[("k.v", "w")]),
            ..InstrumentationScope::default()
        };
        let labels = ScopeLabels::new(Some(&scope), "http://s", &config).unwrap();
        let (labels, _) = of_point(&[], &[], &ResourceLabels::default(), &labels, &config).unwrap();
        assert_eq!(
            labels.build().to_string(),
            r#"{otel_scope_k_v="w", otel_scope_name="lib", otel_scope_schema_url="http://s", otel_scope_version="1"}"#
        );
    }

    #[test]
    fn limits_are_named() {
        let mut config = Config::default();
        config.limits.max_labels = 1;
        let point = attributes(&[("a", "1"), ("b", "2")]);
        let error =
            of_point(&point, &[], &ResourceLabels::default(), &ScopeLabels::default(), &config).unwrap_err();
        assert_eq!(error, "a series has 2 labels, the limit is 1");
    }
}
