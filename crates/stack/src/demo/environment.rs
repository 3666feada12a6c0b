//! What a demo service is told through its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::{Config, Part};

/// Variables that the stack decides, or that would send the demo's telemetry elsewhere if they came from the user's
/// shell.
const OURS: [&str; 4] = ["LISTEN_ADDR", "ALBUMS_URL", "DATABASE_URL", "OTEL_SERVICE_NAME"];
const OURS_PREFIX: &str = "OTEL_EXPORTER_OTLP";

/// Telemetry is sent soon, so that what somebody does is found while they look. A user's own setting wins.
const SOON: [(&str, &str); 3] = [
    ("OTEL_BSP_SCHEDULE_DELAY", "200"),
    ("OTEL_BLRP_SCHEDULE_DELAY", "200"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "2000"),
];

/// The whole environment of a service, from that of this process.
pub(super) fn of(
    part: Part,
    config: &Config,
    dir: &Path,
    inherited: &BTreeMap<OsString, OsString>,
) -> BTreeMap<OsString, OsString> {
    let mut environment: BTreeMap<OsString, OsString> = inherited
        .iter()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            !OURS.contains(&name.as_ref()) && !name.starts_with(OURS_PREFIX)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in SOON {
        environment.entry(name.into()).or_insert_with(|| value.into());
    }
    let mut set = |name: &str, value: String| environment.insert(name.into(), value.into());
    set("LISTEN_ADDR", config.address(part).to_string());
    set("ALBUMS_URL", config.local_url(Part::Albums));
    set("DATABASE_URL", database_url(&dir.join(format!("{}.db", part.id()))));
    set("OTEL_SERVICE_NAME", part.id().to_owned());
    set("OTEL_EXPORTER_OTLP_ENDPOINT", config.local_url(Part::OtlpGrpc));
    set("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc".to_owned());
    let attributes = environment.entry("OTEL_RESOURCE_ATTRIBUTES".into()).or_default();
    // The user's come last: of two with one key the last is taken.
    let own = if attributes.is_empty() { "" } else { "," };
    let mut value = OsString::from(format!("service.namespace=demo{own}"));
    value.push(&*attributes);
    *attributes = value;
    environment
}

/// SQLite's URL of a file, which is created where it is missing.
fn database_url(path: &Path) -> String {
    // The path is percent-decoded by the reader, and `?` ends it.
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}?mode=rwc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(inherited: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut config = Config::new("/data");
        config.bind = [0, 0, 0, 0].into();
        config.port_offset = 1000;
        let inherited = inherited.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        let all = of(Part::Users, &config, Path::new("/data/50%/demo"), &inherited);
        let text = |text: OsString| text.into_string().unwrap();
        all.into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn a_service_learns_where_it_listens_and_where_everything_is() {
        let environment = environment(&[]);
        assert_eq!(environment["LISTEN_ADDR"], "0.0.0.0:9001");
        assert_eq!(environment["ALBUMS_URL"], "http://127.0.0.1:9002");
        assert_eq!(environment["DATABASE_URL"], "sqlite:///data/50%25/demo/users.db?mode=rwc");
        assert_eq!(environment["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://127.0.0.1:5317");
        assert_eq!(environment["OTEL_SERVICE_NAME"], "users");
        assert_eq!(environment["OTEL_RESOURCE_ATTRIBUTES"], "service.namespace=demo");
    }

    #[test]
    fn a_users_shell_sets_faults_and_intervals_but_not_where_telemetry_goes() {
        let environment = environment(&[
            ("APP_ERRORS", "50"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "9000"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://elsewhere:4317"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b"),
            ("OTEL_SERVICE_NAME", "mine"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=x"),
        ]);
        assert_eq!(environment["APP_ERRORS"], "50");
        assert_eq!(environment["OTEL_METRIC_EXPORT_INTERVAL"], "9000");
        assert_eq!(environment["OTEL_BSP_SCHEDULE_DELAY"], "200");
        assert!(!environment.contains_key("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"));
        assert!(!environment.contains_key("OTEL_EXPORTER_OTLP_HEADERS"));
        assert_eq!(environment["OTEL_SERVICE_NAME"], "users");
        assert_eq!(environment["OTEL_RESOURCE_ATTRIBUTES"], "service.namespace=demo,team=x");
    }
}
