//! What Jaeger mends before it stores: services and spans without a name, spans that end before they begin. Here the
//! store keeps what came, and it is mended for Jaeger's answers alone.

use jiff::Timestamp;
use model::{Span, Value};

use super::trace::{Trace, put, warn};

/// Stands for the name of a service that has none.
pub(super) const MISSING_SERVICE: &str = "missing-service-name";
const EMPTY_SERVICE: &str = "empty-service-name";
const WRONG_SERVICE: &str = "service-name-wrong-type";
/// Stands for the name of a span that has none.
pub(super) const EMPTY_SPAN: &str = "empty-span-name";

/// Whether a name of a service stands for a missing one.
pub(super) fn stands_for_no_service(name: &str) -> bool {
    [MISSING_SERVICE, EMPTY_SERVICE, WRONG_SERVICE].contains(&name)
}

/// Mends a trace.
pub(super) fn sanitize(trace: &mut Trace) {
    for group in &mut trace.0 {
        let attributes = &mut group.resource.attributes;
        let stand_in = match model::value::find(attributes, "service.name") {
            None => MISSING_SERVICE,
            Some(Value::String(name)) if name.is_empty() => EMPTY_SERVICE,
            Some(Value::String(_)) => continue,
            Some(_) => WRONG_SERVICE,
        };
        put(attributes, "service.name", stand_in.into());
    }
    for span in trace.spans_mut() {
        if span.name.is_empty() {
            EMPTY_SPAN.clone_into(&mut span.name);
        }
        mend_duration(span);
    }
}

fn mend_duration(span: &mut Span) {
    if span.start_ns < span.end_ns {
        return;
    }
    let end_ns = span.start_ns.saturating_add(1);
    let warning = format!(
        "Negative duration detected, sanitizing end timestamp. Original end timestamp: {}, adjusted to: {}",
        show_time(span.end_ns),
        show_time(end_ns)
    );
    span.end_ns = end_ns;
    warn(span, warning);
}

/// A time as Go prints it: `2026-11-20 23:39:16.000000001 +0000 UTC`.
fn show_time(time_ns: u64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or_default();
    let seconds = time.strftime("%Y-%m-%d %H:%M:%S");
    let nanos = format!("{:09}", time_ns % 1_000_000_000);
    match nanos.trim_end_matches('0') {
        "" => format!("{seconds} +0000 UTC"),
        fraction => format!("{seconds}.{fraction} +0000 UTC"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::Resource;

    use super::super::trace::warnings;
    use super::*;

    #[test]
    fn names_that_are_missing_are_stood_in_for() {
        let service = |attributes: Vec<(String, Value)>| {
            let resource = Arc::new(Resource { attributes, ..Resource::default() });
            let span = Span { end_ns: 1, resource, ..Span::default() };
            let mut trace = Trace::new(vec![span]);
            sanitize(&mut trace);
            assert_eq!(trace.spans().next().unwrap().name, "empty-span-name");
            trace.0[0].resource.service_name().to_owned()
        };
        assert_eq!(service(Vec::new()), "missing-service-name");
        assert_eq!(service(vec![("service.name".into(), "".into())]), "empty-service-name");
        assert_eq!(service(vec![("service.name".into(), 5.into())]), "service-name-wrong-type");
        assert_eq!(service(vec![("service.name".into(), "users".into())]), "users");
    }

    #[test]
    fn a_span_ends_after_it_begins() {
        let second = 1_795_217_956_000_000_000;
        let mut trace = Trace::new(vec![Span { start_ns: second, end_ns: second, ..Span::default() }]);
        sanitize(&mut trace);
        let span = trace.spans().next().unwrap();
        assert_eq!(span.end_ns, second + 1);
        // As Jaeger 2.20 said it of such a span.
        let warning = "Negative duration detected, sanitizing end timestamp. Original end timestamp: \
                       2026-11-20 23:39:16 +0000 UTC, adjusted to: 2026-11-20 23:39:16.000000001 +0000 UTC";
        assert_eq!(warnings(span), Some(vec![warning.to_owned()]));
    }
}
