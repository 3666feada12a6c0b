//! Fetching a body: headers, limits on time and bytes, decompression, errors in Prometheus' words.

use std::error::Error as _;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use exposition::Quoted;
use exposition::protocol::accept_header;
use flate2::write::MultiGzDecoder;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};

use crate::job::Job;
use crate::target::{Address, Target};

/// Most bytes of a body, decompressed, where the job has no limit of its own: a target that never ends is ended.
pub const MAX_BODY_BYTES: u64 = 256 << 20;

const MAX_REDIRECTS: usize = 10;

/// Where a host really listens, `host:port` for `host:port`; `None` where it is as it says.
pub trait Dial: std::fmt::Debug + Send + Sync {
    /// The address to connect to instead.
    fn dial(&self, host: &str) -> Option<String>;
}

/// Why a body was not had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    /// More bytes than allowed.
    #[error("body size limit exceeded")]
    BodySize,
    /// Anything else, in Prometheus' words.
    #[error("{0}")]
    Other(String),
}

/// Fetches one target's bodies.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// As it is shown, in errors too.
    address: Address,
    /// As it is called.
    url: String,
    headers: HeaderMap,
    timeout: Duration,
    limit: u64,
}

impl Client {
    /// A client of a target. Connections are shared with the other targets of its job.
    pub(crate) fn new(
        http: reqwest::Client,
        job: &Job,
        target: &Target,
        dial: Option<&Arc<dyn Dial>>,
        user_agent: &str,
    ) -> Self {
        let mut headers = HeaderMap::new();
        let accept = accept_header(&job.protocols, job.escaping);
        let timeout = model::number::Fixed(target.timeout().as_secs_f64()).to_string();
        let encoding = if job.compression { "gzip" } else { "identity" };
        let own = [
            (ACCEPT, accept.as_str()),
            (ACCEPT_ENCODING, encoding),
            (USER_AGENT, user_agent),
            (HeaderName::from_static("x-prometheus-scrape-timeout-seconds"), timeout.as_str()),
        ];
        let configured = job
            .headers
            .iter()
            .filter_map(|(name, value)| Some((HeaderName::try_from(name.as_str()).ok()?, value.as_str())));
        for (name, value) in own.into_iter().chain(configured) {
            // What is no header value was refused with the configuration.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        let address = target.address().clone();
        let mut url = address.to_string();
        if let Some(host) = dial.and_then(|dial| dial.dial(&address.host)) {
            if let Ok(named) = HeaderValue::from_str(&address.host) {
                headers.insert(HOST, named);
            }
            url = Address { host, ..address.clone() }.to_string();
        }
        let limit = if job.body_size_limit == 0 { MAX_BODY_BYTES } else { job.body_size_limit };
        Self { http, address, url, headers, timeout: target.timeout(), limit }
    }

    /// Appends the body, decompressed, and gives its `Content-Type`.
    pub(crate) async fn fetch(&self, body: &mut Vec<u8>) -> Result<String, FetchError> {
        let mut head_came = false;
        match tokio::time::timeout(self.timeout, self.fetch_all(body, &mut head_came)).await {
            Ok(fetched) => fetched,
            Err(_) if head_came => Err(FetchError::Other("context deadline exceeded".to_owned())),
            Err(_) => Err(self.get_error("context deadline exceeded")),
        }
    }

    fn get_error(&self, cause: &str) -> FetchError {
        let url = self.address.to_string();
        FetchError::Other(format!("Get {}: {cause}", Quoted(url.as_bytes())))
    }

    async fn fetch_all(&self, body: &mut Vec<u8>, head_came: &mut bool) -> Result<String, FetchError> {
        if self.address.scheme != "http" {
            let cause = format!("unsupported protocol scheme {}", Quoted(self.address.scheme.as_bytes()));
            return Err(self.get_error(&cause));
        }
        let request = self.http.get(&self.url).headers(self.headers.clone());
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(self.get_error(&self.cause(&error).await)),
        };
        *head_came = true;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            let reason = status.canonical_reason().unwrap_or_default();
            let message = format!("server returned HTTP status {} {reason}", status.as_u16());
            return Err(FetchError::Other(message.trim_end().to_owned()));
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).unwrap_or_default().to_owned();
        let compressed = header(CONTENT_ENCODING) == Some("gzip");
        let limited = Limited { body, left: self.limit, exceeded: false };
        if !compressed {
            let mut limited = limited;
            while let Some(part) = next_part(&mut response).await? {
                if limited.write_all(&part).is_err() {
                    return Err(FetchError::BodySize);
                }
            }
            return Ok(content_type);
        }
        let mut decoder = MultiGzDecoder::new(limited);
        let mut any = false;
        while let Some(part) = next_part(&mut response).await? {
            any = any || !part.is_empty();
            if decoder.write_all(&part).is_err() {
                let limited = decoder.get_ref();
                return Err(match (limited.exceeded, limited.left < self.limit) {
                    (true, _) => FetchError::BodySize,
                    (false, false) => FetchError::Other("gzip: invalid header".to_owned()),
                    (false, true) => FetchError::Other("flate: corrupt input".to_owned()),
                });
            }
        }
        match decoder.try_finish() {
            Ok(()) if any => Ok(content_type),
            Err(_) if decoder.get_ref().exceeded => Err(FetchError::BodySize),
            _ => Err(FetchError::Other(if any { "unexpected EOF" } else { "EOF" }.to_owned())),
        }
    }

    /// Why a request failed, as Go's client says it.
    async fn cause(&self, error: &reqwest::Error) -> String {
        if error.is_redirect() {
            return format!("stopped after {MAX_REDIRECTS} redirects");
        }
        let mut source = error.source();
        let mut deepest = None;
        while let Some(inner) = source {
            if let Some(io) = inner.downcast_ref::<std::io::Error>() {
                deepest = Some((io.kind(), io.to_string()));
            }
            source = inner.source();
        }
        let host = self.url.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next());
        let host = host.unwrap_or_default();
        let with_port = if host.rsplit(']').next().is_some_and(|end| end.contains(':')) {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        if !error.is_connect() {
            return match deepest {
                Some((std::io::ErrorKind::UnexpectedEof, _)) | None => "EOF".to_owned(),
                Some((_, text)) => text,
            };
        }
        let Some(resolved) = tokio::net::lookup_host(&with_port).await.ok().and_then(|mut all| all.next())
        else {
            let name = with_port.rsplit_once(':').map_or(with_port.as_str(), |(name, _)| name);
            return format!("dial tcp: lookup {name}: no such host");
        };
        match deepest {
            Some((std::io::ErrorKind::ConnectionRefused, _)) => {
                format!("dial tcp {resolved}: connect: connection refused")
            }
            Some((_, text)) => format!("dial tcp {resolved}: {text}"),
            None => format!("dial tcp {resolved}: connect failed"),
        }
    }
}

/// The connections of a job, or of a discovery.
pub(crate) fn connections(follow_redirects: bool) -> reqwest::Result<reqwest::Client> {
    let redirects = if follow_redirects {
        reqwest::redirect::Policy::limited(MAX_REDIRECTS)
    } else {
        reqwest::redirect::Policy::none()
    };
    // A proxy is taken from the configuration alone, never from the environment.
    reqwest::Client::builder().redirect(redirects).no_proxy().build()
}

async fn next_part(
    response: &mut reqwest::Response,
) -> Result<Option<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]> + use<>>, FetchError> {
    response.chunk().await.map_err(|_| FetchError::Other("unexpected EOF".to_owned()))
}

/// A body that refuses to grow beyond its limit. As in Prometheus, a body of exactly the limit is too large.
struct Limited<'a> {
    body: &'a mut Vec<u8>,
    left: u64,
    exceeded: bool,
}

impl Write for Limited<'_> {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        if part.len() as u64 >= self.left {
            self.exceeded = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.left -= part.len() as u64;
        self.body.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
