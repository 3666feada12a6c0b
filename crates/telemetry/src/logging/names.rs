//! Names of log events.

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::LogRecord;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

/// Stands before the exporting processor and takes away the names that nobody gave: `tracing` calls every event
/// without one `event <file>:<line>`, which says nothing, differs at every call and goes out with every record.
#[derive(Debug)]
pub(crate) struct OnlyGivenNames;

impl LogProcessor for OnlyGivenNames {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
        if record.event_name().is_some_and(|name| name.starts_with("event ")) {
            record.set_event_name("");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
    use opentelemetry_sdk::logs::SdkLoggerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl LogProcessor for Seen {
        fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
            self.0.lock().unwrap().push(record.event_name().unwrap_or_default().to_owned());
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
    }

    #[test]
    fn a_given_name_stays_and_the_place_in_the_source_goes() {
        let seen = Seen::default();
        let provider = SdkLoggerProvider::builder()
            .with_log_processor(OnlyGivenNames)
            .with_log_processor(seen.clone())
            .build();
        let subscriber = tracing_subscriber::registry().with(OpenTelemetryTracingBridge::new(&provider));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("nobody named this");
            tracing::info!(name: "user.created", "somebody named this");
        });
        assert_eq!(*seen.0.lock().unwrap(), ["", "user.created"]);
    }
}
