//! Templates in labels and annotations of alerts: Go's `text/template` with Prometheus' functions.

mod functions;
mod humanize;

pub use functions::FUNCTIONS;
use gotemplate::{MissingKey, Templates, Value};
use model::Labels;
use promql::storage::PointValue;

/// What a template may ask a query for: series with their values, or why there is no answer.
pub type Query<'a> = dyn Fn(&str) -> Result<Vec<(Labels, PointValue)>, String> + 'a;

/// What an alert's templates know.
pub struct AlertData<'a> {
    /// Labels of the series, its name among them.
    pub labels: &'a Labels,
    /// Its value.
    pub value: &'a PointValue,
    /// The labels that the configuration adds to everything that leaves.
    pub external_labels: &'a Labels,
    /// Where Prometheus is found from outside.
    pub external_url: &'a str,
    /// When the rule is evaluated, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Answers `query`.
    pub query: &'a Query<'a>,
}

/// What stands before each template: short names for what it knows.
const DEFINITIONS: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                           {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// Whether a template can be read.
///
/// # Errors
/// Go's message with the line.
pub fn check(alert: &str, text: &str) -> Result<(), String> {
    let query = |_: &str| Ok(Vec::new());
    let functions = functions::of("", 0, &query);
    let mut templates = Templates::new(functions, MissingKey::Zero);
    templates.parse(&name(alert), &with_definitions(text)).map_err(|error| error.to_string())
}

/// A text with its templates expanded.
///
/// # Errors
/// What is wrong, and where, as Prometheus says it behind `error expanding template`.
pub fn expand(alert: &str, text: &str, data: &AlertData<'_>) -> Result<String, String> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let name = name(alert);
    let functions = functions::of(data.external_url, data.time_ms, data.query);
    let mut templates = Templates::new(functions, MissingKey::Zero);
    templates
        .parse(&name, &with_definitions(text))
        .map_err(|error| format!("error parsing template {name}: {error}"))?;
    templates
        .execute(&name, &data.to_value())
        .map_err(|error| format!("error executing template {name}: {error}"))
}

fn name(alert: &str) -> String {
    format!("__alert_{alert}")
}

fn with_definitions(text: &str) -> String {
    format!("{DEFINITIONS}{text}")
}

impl AlertData<'_> {
    fn to_value(&self) -> Value {
        let entries = [
            ("Labels", Value::string_map(self.labels.iter())),
            ("ExternalLabels", Value::string_map(self.external_labels.iter())),
            ("ExternalURL", self.external_url.into()),
            ("Value", functions::value(self.value)),
        ];
        // Go has a struct here, in which a name that is not there is an error and not an empty value.
        functions::structure(
            "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }",
            entries,
        )
    }
}

#[cfg(test)]
mod tests;
