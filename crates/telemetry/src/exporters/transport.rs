//! HTTP for the exporters: their threads have no reactor, so requests run on the application's runtime.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::context::FutureExt;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

use crate::{Error, Result};

/// Largest answer of a receiver that is read: a partial success with its reason is far smaller.
const LARGEST_ANSWER: usize = 64 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Transport {
    client: reqwest::Client,
    runtime: Handle,
}

impl Transport {
    pub(crate) fn new(timeout: Duration, signal: &'static str) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(super::CONNECT_TIMEOUT)
            .pool_max_idle_per_host(1)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::exporter(signal, &error))?;
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        Ok(Self { client, runtime })
    }

    async fn send(self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut answer = self.client.execute(request.try_into()?).await?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = std::mem::take(answer.headers_mut());
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err("the receiver's answer is too large".into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(response.body(body.into())?)
    }
}

impl HttpClient for Transport {
    // What `#[async_trait]` would write.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let quiet = Context::current().with_telemetry_suppressed();
        let task = self.runtime.spawn(self.clone().send(request).with_context(quiet));
        Box::pin(async move { task.await? })
    }
}
