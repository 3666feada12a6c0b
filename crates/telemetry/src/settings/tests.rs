use super::*;

fn settings(variables: &[(&str, &str)]) -> Result<Settings> {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let lookup =
        move |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    Settings::from_lookup("users", "1.2.3", &lookup)
}

#[track_caller]
fn refused(variables: &[(&str, &str)], variable: &str, allowed: &str) {
    let message = settings(variables).unwrap_err().to_string();
    assert!(message.contains(variable) && message.contains(allowed), "{message}");
}

#[test]
fn an_empty_environment_means_the_defaults_of_the_specification() {
    let settings = settings(&[]).unwrap();
    assert_eq!(settings.resource_attribute("service.name"), Some("users"));
    assert_eq!(settings.resource_attribute("service.namespace"), Some("demo"));
    assert_eq!(settings.resource_attribute("service.version"), Some("1.2.3"));
    assert_eq!(settings.resource_attribute("service.instance.id").unwrap().len(), 36);
    let traces = settings.traces.unwrap();
    assert_eq!(traces.endpoint, "http://localhost:4318/v1/traces");
    assert_eq!(traces.protocol, Protocol::HttpProtobuf);
    assert_eq!(settings.logs.unwrap().endpoint, "http://localhost:4318/v1/logs");
    assert!(
        settings.prometheus && settings.console && settings.loki.is_none() && settings.pyroscope.is_none()
    );
    assert_eq!(settings.sampler, Sampler { parent_based: true, share: 1.0 });
    assert_eq!(settings.span_batches.delay, Duration::from_secs(5));
    assert_eq!(settings.propagators, [Propagator::TraceContext, Propagator::Baggage]);
    assert!(settings.warnings.is_empty());
}

#[test]
fn an_empty_value_is_no_value() {
    let settings = settings(&[("OTEL_TRACES_SAMPLER", ""), ("OTEL_EXPORTER_OTLP_ENDPOINT", "  ")]).unwrap();
    assert!(settings.sampler.parent_based);
    assert_eq!(settings.traces.unwrap().endpoint, "http://localhost:4318/v1/traces");
}

#[test]
fn the_endpoint_of_all_signals_gets_paths_and_that_of_one_does_not() {
    let settings = settings(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/base/"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:9000/in"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:4317"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "250"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ])
    .unwrap();
    assert_eq!(settings.traces.as_ref().unwrap().endpoint, "http://collector:4318/base/v1/traces");
    assert!(settings.traces.unwrap().gzip);
    assert_eq!(settings.logs.unwrap().endpoint, "http://logs:9000/in");
    let metrics = settings.metrics.unwrap();
    assert_eq!((metrics.endpoint.as_str(), metrics.protocol), ("http://metrics:4317", Protocol::Grpc));
    assert_eq!(metrics.timeout, Duration::from_millis(250));
}

#[test]
fn resource_attributes_override_and_the_service_name_wins() {
    let settings = settings(&[
        ("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=shop, team=a%20b%2Cc,service.name=x,host.name=box"),
        ("OTEL_SERVICE_NAME", "front"),
    ])
    .unwrap();
    assert_eq!(settings.resource_attribute("service.namespace"), Some("shop"));
    assert_eq!(settings.resource_attribute("team"), Some("a b,c"));
    assert_eq!(settings.resource_attribute("service.name"), Some("front"));
    // What was found out gives way as well, and stays where nothing is said.
    assert_eq!(settings.resource_attribute("host.name"), Some("box"));
    assert!(settings.resource_attribute("process.pid").is_some());
}

#[test]
fn lists_of_exporters_are_read() {
    let settings = settings(&[
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_LOGS_EXPORTER", "loki, console"),
        ("LOKI_URL", "http://loki:3100"),
    ])
    .unwrap();
    assert!(settings.traces.is_none() && settings.metrics.is_none() && settings.logs.is_none());
    assert!(settings.prometheus && settings.console);
    assert_eq!(settings.loki.as_deref(), Some("http://loki:3100"));
}

#[test]
fn disabled_means_nothing_leaves_the_process() {
    let settings = settings(&[
        ("OTEL_SDK_DISABLED", "TRUE"),
        ("OTEL_LOGS_EXPORTER", "otlp,loki,console"),
        ("PYROSCOPE_SERVER_ADDRESS", "http://localhost:4040"),
    ])
    .unwrap();
    assert!(settings.disabled && settings.console);
    assert!(settings.traces.is_none() && settings.metrics.is_none() && settings.logs.is_none());
    assert!(settings.loki.is_none() && settings.pyroscope.is_none() && !settings.prometheus);
}

#[test]
fn samplers_are_read() {
    let of = |name, argument| {
        settings(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]).unwrap().sampler
    };
    assert_eq!(of("always_off", ""), Sampler { parent_based: false, share: 0.0 });
    assert_eq!(of("traceidratio", "0.25"), Sampler { parent_based: false, share: 0.25 });
    assert_eq!(of("parentbased_traceidratio", "0"), Sampler { parent_based: true, share: 0.0 });
}

#[test]
fn bad_values_are_refused_with_what_is_allowed() {
    refused(&[("OTEL_TRACES_SAMPLER", "sometimes")], "OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
    refused(
        &[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "7")],
        "OTEL_TRACES_SAMPLER_ARG",
        "0 to 1",
    );
    refused(&[("OTEL_TRACES_EXPORTER", "zipkin")], "OTEL_TRACES_EXPORTER", "otlp, none");
    refused(&[("OTEL_METRICS_EXPORTER", "otlp,none")], "OTEL_METRICS_EXPORTER", "none only alone");
    refused(&[("OTEL_LOGS_EXPORTER", "file")], "OTEL_LOGS_EXPORTER", "loki");
    refused(
        &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "grpc, http/protobuf",
    );
    refused(
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317")],
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "http://host:port",
    );
    refused(
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://x")],
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "https is not built in",
    );
    refused(&[("OTEL_BSP_SCHEDULE_DELAY", "soon")], "OTEL_BSP_SCHEDULE_DELAY", "milliseconds");
    refused(
        &[("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "11")],
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        "which is 10",
    );
    refused(&[("OTEL_METRIC_EXPORT_INTERVAL", "0")], "OTEL_METRIC_EXPORT_INTERVAL", "from 1");
    refused(&[("OTEL_RESOURCE_ATTRIBUTES", "team")], "OTEL_RESOURCE_ATTRIBUTES", "key=value");
    refused(&[("OTEL_RESOURCE_ATTRIBUTES", "team=%zz")], "OTEL_RESOURCE_ATTRIBUTES", "percent-encoded");
    refused(&[("LOG_FORMAT", "xml")], "LOG_FORMAT", "text, json");
    refused(&[("PYROSCOPE_SERVER_ADDRESS", "here")], "PYROSCOPE_SERVER_ADDRESS", "http://host:port");
}

#[test]
fn what_the_specification_asks_to_warn_about_is_warned_about() {
    let settings =
        settings(&[("OTEL_SDK_DISABLED", "yes"), ("OTEL_PROPAGATORS", "b3,tracecontext")]).unwrap();
    assert!(!settings.disabled);
    assert_eq!(settings.propagators, [Propagator::TraceContext]);
    assert_eq!(settings.warnings.len(), 2, "{:?}", settings.warnings);
}

#[test]
fn every_variable_is_in_the_help() {
    for name in
        ["OTEL_TRACES_SAMPLER", "OTEL_BSP_", "LOKI_URL", "PYROSCOPE_SERVER_ADDRESS", "OTEL_PROPAGATORS"]
    {
        assert!(HELP.contains(name), "{name}");
    }
}

#[test]
fn instance_ids_are_version_4_uuids_and_differ() {
    let (first, second) = (env::instance_id(), env::instance_id());
    assert_ne!(first, second);
    assert_eq!(first.as_bytes()[14], b'4', "{first}");
    assert!(b"89ab".contains(&first.as_bytes()[19]), "{first}");
}
