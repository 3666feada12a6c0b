//! Last touches to a log record before it is exported.

use opentelemetry::logs::LogRecord;
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

use crate::server::{USER_ID, user};

/// Stands before the exporting processor. It takes away the names that nobody gave: `tracing` calls every event
/// without one `event <file>:<line>`, which says nothing, differs at every call and goes out with every record. And it
/// adds `user.id` where the request says whose it is, so that lines can be counted by user.
#[derive(Debug)]
pub(crate) struct Finishing;

impl LogProcessor for Finishing {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
        if record.event_name().is_some_and(|name| name.starts_with("event ")) {
            record.set_event_name("");
        }
        if let Some(id) = Context::map_current(|context| user(context).map(str::to_owned)) {
            record.add_attribute(USER_ID, id);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::KeyValue;
    use opentelemetry::baggage::{Baggage, BaggageExt};
    use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
    use opentelemetry_sdk::logs::SdkLoggerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Event name and user.
    type Line = (String, Option<String>);

    #[derive(Debug, Clone, Default)]
    struct Seen(Arc<Mutex<Vec<Line>>>);

    impl LogProcessor for Seen {
        fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
            let user = record.attributes_iter().find(|(key, _)| key.as_str() == USER_ID);
            let user = user.map(|(_, value)| format!("{value:?}"));
            self.0.lock().unwrap().push((record.event_name().unwrap_or_default().to_owned(), user));
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
    }

    #[test]
    fn a_given_name_stays_the_place_in_the_source_goes_and_the_user_is_added() {
        let seen = Seen::default();
        let provider = SdkLoggerProvider::builder()
            .with_log_processor(Finishing)
            .with_log_processor(seen.clone())
            .build();
        let subscriber = tracing_subscriber::registry().with(OpenTelemetryTracingBridge::new(&provider));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("nobody named this");
            let context = Context::new().with_baggage(Baggage::from_iter([KeyValue::new(USER_ID, "7")]));
            let _attached = context.attach();
            tracing::info!(name: "user.created", "somebody named this");
        });
        let seen = seen.0.lock().unwrap().clone();
        assert_eq!(seen[0], (String::new(), None));
        assert_eq!(seen[1].0, "user.created");
        assert!(seen[1].1.as_ref().unwrap().contains('7'), "{seen:?}");
    }
}
