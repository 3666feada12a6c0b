//! Log lines on standard output.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::settings::LogFormat;

pub(super) fn layer(format: LogFormat) -> impl Layer<Registry> + Send + Sync {
    use std::io::IsTerminal;
    // Colour is for people: neither for files and pipes nor where they asked for none (https://no-color.org).
    let colour = format == LogFormat::Text
        && std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt::layer()
        .with_ansi(colour)
        // Complaints about a console that is gone would go to a console that is gone, and end the thread.
        .log_internal_errors(false)
        .event_format(Lines { format })
}

struct Lines {
    format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let context = Context::map_current(|context| {
            context.has_active_span().then(|| context.span().span_context().clone())
        });
        let context = context.filter(SpanContext::is_valid);
        match self.format {
            LogFormat::Text => text(ctx, &mut writer, event, context.as_ref()),
            LogFormat::Json => json(&mut writer, event, context.as_ref()),
        }
    }
}

fn text<S, N>(
    ctx: &FmtContext<'_, S, N>,
    writer: &mut Writer<'_>,
    event: &Event<'_>,
    context: Option<&SpanContext>,
) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let meta = event.metadata();
    SystemTime.format_time(writer)?;
    write!(writer, " {:>5} {}: ", meta.level(), meta.target())?;
    ctx.field_format().format_fields(writer.by_ref(), event)?;
    if let Some(context) = context {
        write!(writer, " trace_id={} span_id={}", context.trace_id(), context.span_id())?;
    }
    writeln!(writer)
}

fn json(writer: &mut Writer<'_>, event: &Event<'_>, context: Option<&SpanContext>) -> fmt::Result {
    let meta = event.metadata();
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut fields = Fields(Map::new());
    event.record(&mut fields);
    let Fields(mut object) = fields;
    // After the fields, so that none of them may pass for one of these.
    object.insert("timestamp".into(), time.into());
    object.insert("level".into(), meta.level().as_str().into());
    object.insert("target".into(), meta.target().into());
    if let Some(context) = context {
        object.insert("trace_id".into(), context.trace_id().to_string().into());
        object.insert("span_id".into(), context.span_id().to_string().into());
    }
    writeln!(writer, "{}", Value::Object(object))
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn line(format: LogFormat, traced: bool) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(Lines { format });
        let context = if traced {
            let (trace, span) = (TraceId::from(0xabc_u128), SpanId::from(0xdef_u64));
            let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default());
            Context::new().with_remote_span_context(context)
        } else {
            Context::new()
        };
        let _context = context.attach();
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            tracing::info!(target: "users", count = 3, name = "a \"b\"", level = "mine", "listed");
        });
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_ends_with_the_ids() {
        let line = line(LogFormat::Text, true);
        assert!(line.contains("  INFO users: listed count=3 name=\"a \\\"b\\\"\""), "{line}");
        let ids = " trace_id=00000000000000000000000000000abc span_id=0000000000000def\n";
        assert!(line.ends_with(ids), "{line}");
    }

    #[test]
    fn outside_of_a_span_there_are_no_ids() {
        assert!(!line(LogFormat::Text, false).contains("trace_id"));
        assert!(!line(LogFormat::Json, false).contains("trace_id"));
    }

    #[test]
    fn json_keeps_types_and_its_own_keys() {
        let line: Value = serde_json::from_str(&line(LogFormat::Json, true)).unwrap();
        assert_eq!(line["message"], "listed");
        assert_eq!(line["count"], 3);
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["target"], "users");
        assert_eq!(line["trace_id"], "00000000000000000000000000000abc");
        assert_eq!(line["span_id"], "0000000000000def");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}
