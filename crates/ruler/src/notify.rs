//! Alerts on their way out.

use std::collections::BTreeMap;

use model::Labels;

/// An alert as it is handed over. Times are nanoseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Its labels.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: BTreeMap<String, String>,
    /// When it began to fire.
    pub starts_at_ns: Option<i64>,
    /// When it resolved, or until when it may be taken for true.
    pub ends_at_ns: Option<i64>,
    /// A page that shows its expression.
    pub generator_url: String,
}

/// Where alerts go. Does not wait.
pub trait Notify: Send + Sync {
    /// Takes alerts.
    fn send(&self, alerts: Vec<Outgoing>);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Notify for Nobody {
    fn send(&self, _alerts: Vec<Outgoing>) {}
}

/// The path of the page that shows an expression as a table.
pub(crate) fn table_link(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=1", query_escape(expr))
}

/// A text in the query of an address, escaped as Go's `url.QueryEscape` does.
fn query_escape(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => {
                _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn links_are_escaped_as_go_does() {
        assert_eq!(super::table_link("up == 0"), "/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
        assert_eq!(super::table_link("ä{a=~\"b*\"}"), "/graph?g0.expr=%C3%A4%7Ba%3D~%22b%2A%22%7D&g0.tab=1");
    }
}
