//! The service of albums, and what is answered where it does not.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::StatusCode;
use demo::Problem;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use serde::{Deserialize, Serialize};
use telemetry::Telemetry;
use telemetry::client::{HttpClient, Options, with_causes};

/// The service, among those who may be to blame for an error, and as the peer of a fallback.
const ALBUMS: &str = "albums";
/// Largest answer that is read.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// An album as the other service tells it. Fields that are new there are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Album {
    id: i64,
    user_id: i64,
    title: String,
    artist: String,
    year: i64,
}

/// Albums, and where they come from.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Found {
    albums: Vec<Album>,
    source: Source,
    /// Why these are not the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Where albums come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// The service.
    Albums,
    /// What it last said.
    Cache,
    /// Nothing was known.
    Empty,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Albums => ALBUMS,
            Self::Cache => "cache",
            Self::Empty => "empty",
        }
    }
}

/// Of a fallback, on its event and its metric.
fn attributes(source: Source) -> [KeyValue; 2] {
    [KeyValue::new("demo.peer", ALBUMS), KeyValue::new("demo.fallback", source.name())]
}

impl Found {
    /// Whether the service did not answer.
    pub(crate) fn is_degraded(&self) -> bool {
        self.source != Source::Albums
    }
}

#[derive(Deserialize)]
struct Answer {
    albums: Vec<Album>,
}

/// Asks the service of albums. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AlbumsClient {
    base: String,
    client: HttpClient,
    fallbacks: Counter<u64>,
    /// The last list of all albums, for the time without the service. One answer, so its size is bounded.
    last: Arc<RwLock<Option<Arc<[Album]>>>>,
}

/// Why the service's answer is of no use: a few words for the client and the metric, the rest for the operator.
struct Failure {
    reason: &'static str,
    detail: String,
    /// Whether the service answered, and said that it failed.
    answered: bool,
}

impl AlbumsClient {
    /// # Errors
    /// An address that is not `http://host:port`.
    pub fn new(url: &str, timeout_ms: u32, telemetry: &Telemetry) -> demo::Result<Self> {
        let base = demo::base_url("ALBUMS_URL", url)?;
        let timeout = Duration::from_millis(u64::from(timeout_ms));
        let options = Options { timeout, connect_timeout: timeout, ..Options::default() };
        let client =
            telemetry.http_client(options).map_err(|error| demo::Error::HttpClient(error.to_string()))?;
        let fallbacks = telemetry
            .meter()
            .u64_counter("demo.fallbacks")
            .with_unit("{response}")
            .with_description("Responses that were degraded because another service did not answer.")
            .build();
        // From 0, so that the first one is seen as an increase.
        for source in [Source::Cache, Source::Empty] {
            fallbacks.add(0, &attributes(source));
        }
        telemetry.expect_errors_from(ALBUMS);
        Ok(Self { base, client, fallbacks, last: Arc::default() })
    }

    /// All albums. Where the service does not answer, what it said last.
    ///
    /// # Errors
    /// 502 where the service answers that it failed: here its answer is the whole page, and to serve an old one would
    /// hide whose fault it is.
    pub(crate) async fn all(&self) -> Result<Found, Problem> {
        match self.ask("/albums", "/albums").await {
            Ok(albums) => {
                *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(albums.as_slice().into());
                Ok(Found { albums, source: Source::Albums, reason: None })
            }
            Err(failure) if failure.answered => Err(Problem::new(StatusCode::BAD_GATEWAY, failure.reason)
                .recorded("AlbumsError", format!("albums answered {}", failure.detail))
                .caused_by(ALBUMS)),
            Err(failure) => Ok(self.fall_back(&failure, |_| true)),
        }
    }

    /// One user's albums. Never fails: they are a part of a page that is worth showing without them.
    pub(crate) async fn of_user(&self, user_id: i64) -> Found {
        match self.ask(&format!("/albums?user_id={user_id}"), "/albums").await {
            Ok(albums) => Found { albums, source: Source::Albums, reason: None },
            Err(failure) => self.fall_back(&failure, |album| album.user_id == user_id),
        }
    }

    async fn ask(&self, path: &str, template: &'static str) -> Result<Vec<Album>, Failure> {
        let failed = |reason, detail| Failure { reason, detail, answered: false };
        let url = format!("{}{path}", self.base)
            .parse()
            .map_err(|_| failed("the address of albums is not valid", path.to_owned()))?;
        let mut response = self.client.get(url, template).await.map_err(|error| {
            let reason =
                if error.is_timeout() { "albums did not answer in time" } else { "albums did not answer" };
            failed(reason, with_causes(&error))
        })?;
        if !response.status().is_success() {
            let (reason, detail) = ("albums answered with an error", response.status().to_string());
            return Err(Failure { reason, detail, answered: true });
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST_ANSWER => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    return Err(failed("albums answered too much", format!("over {LARGEST_ANSWER} bytes")));
                }
                Ok(None) => break,
                Err(error) => return Err(failed("albums stopped in its answer", with_causes(&error))),
            }
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|error| failed("albums answered what is not understood", error.to_string()))?;
        Ok(answer.albums)
    }

    fn fall_back(&self, failure: &Failure, wanted: impl Fn(&Album) -> bool) -> Found {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner).clone();
        let source = if last.is_some() { Source::Cache } else { Source::Empty };
        let albums =
            last.iter().flat_map(|albums| albums.iter()).filter(|album| wanted(album)).cloned().collect();
        self.fallbacks.add(1, &attributes(source));
        telemetry::event("fallback", attributes(source).to_vec());
        tracing::warn!(fallback = source.name(), error = failure.detail.as_str(), "{}", failure.reason);
        Found { albums, source, reason: Some(failure.reason) }
    }
}
