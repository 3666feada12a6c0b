//! CPU profiles, sent to a Pyroscope server where `PYROSCOPE_SERVER_ADDRESS` names one.

use std::sync::{Mutex, PoisonError};

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use pyroscope::PyroscopeAgent;
use pyroscope::backend::{BackendConfig, PprofConfig, pprof_backend};
use pyroscope::pyroscope::{PyroscopeAgentBuilder, PyroscopeAgentRunning};

use crate::settings::Settings;
use crate::{Error, Result};

/// Samples per second of CPU time: coarse enough to cost next to nothing.
const SAMPLE_RATE: u32 = 100;

type LabelChange = Box<dyn Fn(String, String) -> pyroscope::error::Result<()> + Send + Sync>;

/// The running profiler of a process.
pub(crate) struct Profiler {
    agent: Mutex<Option<PyroscopeAgent<PyroscopeAgentRunning>>>,
    add: LabelChange,
    remove: LabelChange,
}

impl std::fmt::Debug for Profiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiler").finish_non_exhaustive()
    }
}

impl Profiler {
    pub(crate) fn start(settings: &Settings, address: &str) -> Result<Self> {
        let attribute = |key| settings.resource_attribute(key).unwrap_or_default();
        let agent = PyroscopeAgentBuilder::new(
            address,
            attribute("service.name"),
            SAMPLE_RATE,
            "pyroscope-rs",
            env!("CARGO_PKG_VERSION"),
            pprof_backend(PprofConfig { sample_rate: SAMPLE_RATE }, BackendConfig::default()),
        )
        .tags(vec![
            ("service_namespace", attribute("service.namespace")),
            ("service_version", attribute("service.version")),
        ])
        .build()
        .and_then(PyroscopeAgent::start)
        .map_err(|error| Error::exporter("profiles", &error))?;
        let (add, remove) = agent.tag_wrapper();
        Ok(Self { agent: Mutex::new(Some(agent)), add: Box::new(add), remove: Box::new(remove) })
    }

    /// Runs work on this thread with labels on every sample that is taken of it. Changing labels empties the
    /// profiler's buffer, which is dear: only around work that takes milliseconds.
    pub(crate) fn labelled<T>(&self, span_name: &str, work: impl FnOnce() -> T) -> T {
        let mut labels = vec![("span_name", span_name.to_owned())];
        Context::map_current(|context| {
            let span = context.span();
            if span.span_context().is_valid() {
                labels.push(("trace_id", span.span_context().trace_id().to_string()));
                let span_id = span.span_context().span_id().to_string();
                // By this Grafana knows that the span has profiles, and offers the way to them.
                span.set_attribute(KeyValue::new("pyroscope.profile.id", span_id.clone()));
                labels.push(("span_id", span_id));
            }
        });
        // A sample without its label is no reason to fail the work.
        let apply = |change: &LabelChange| {
            for (name, value) in &labels {
                let _ = change((*name).to_owned(), value.clone());
            }
        };
        apply(&self.add);
        let result = work();
        apply(&self.remove);
        result
    }

    /// Sends what is left. Blocks.
    pub(crate) fn stop(&self) {
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Ok(agent)) = agent.map(PyroscopeAgent::stop) {
            agent.shutdown();
        }
    }
}
