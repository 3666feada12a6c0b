//! A dependency that is not ours: whatever `EXTERNAL_URL` names.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use demo::Problem;
use serde::Serialize;
use telemetry::Telemetry;
use telemetry::client::{HttpClient, Options, with_causes};

/// Longer than for our own services: to be slow is what it is for.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The dependency, among those who may be to blame for an error.
const ORIGIN: &str = "external";

/// The dependency. Cheap to clone.
#[derive(Clone, Debug)]
pub struct External {
    url: Option<String>,
    client: HttpClient,
}

/// What came of a call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// The status that it answered with.
    status: u16,
    /// The time until then, in milliseconds.
    elapsed_ms: u64,
}

impl External {
    /// # Errors
    /// An address that is not `http://host:port/…`.
    pub fn new(url: Option<&str>, telemetry: &Telemetry) -> demo::Result<Self> {
        let url =
            url.filter(|url| !url.is_empty()).map(|url| demo::base_url("EXTERNAL_URL", url)).transpose()?;
        let options = Options { timeout: TIMEOUT, idle_connections: 2, ..Options::default() };
        let client =
            telemetry.http_client(options).map_err(|error| demo::Error::HttpClient(error.to_string()))?;
        telemetry.expect_errors_from(ORIGIN);
        Ok(Self { url, client })
    }

    /// # Errors
    /// 503 where there is nothing to call, 504 where it was too slow, 502 where it did not answer or failed.
    pub(crate) async fn call(&self) -> Result<Outcome, Problem> {
        let Some(url) = &self.url else {
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "EXTERNAL_URL names nothing to call"));
        };
        let url = url
            .parse()
            .map_err(|_| Problem::new(StatusCode::BAD_GATEWAY, "EXTERNAL_URL is not an address"))?;
        let begun = Instant::now();
        // Its paths are not ours to name.
        let answer = self.client.get(url, "external").await.map_err(|error| {
            let problem = if error.is_timeout() {
                Problem::new(StatusCode::GATEWAY_TIMEOUT, "the external service did not answer in time")
            } else {
                Problem::new(StatusCode::BAD_GATEWAY, "the external service did not answer")
            };
            problem.recorded("reqwest::Error", with_causes(&error)).caused_by(ORIGIN)
        })?;
        let status = answer.status();
        if status.is_server_error() {
            return Err(Problem::new(
                StatusCode::BAD_GATEWAY,
                format!("the external service answered {status}"),
            )
            .recorded("ExternalError", format!("the external service answered {status}"))
            .caused_by(ORIGIN));
        }
        let elapsed_ms = begun.elapsed().as_millis() as u64;
        tracing::info!(status = status.as_u16(), elapsed_ms, "called the external service");
        Ok(Outcome { status: status.as_u16(), elapsed_ms })
    }
}
