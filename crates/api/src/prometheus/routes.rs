//! What Go's routers make of a request before a handler sees it: which methods a path takes, and where a path that is
//! almost right leads.
//!
//! Prometheus stands behind `http.ServeMux`, which leads paths with `//`, `.` and `..` to clean ones, and behind
//! `httprouter` below `/` and once more below `/api/v1`, which knows methods, answers `OPTIONS`, and leads a path with a
//! slash too much or in other letters to the right one. The one below `/api/v1` does not know where it stands, so that
//! what it leads to lacks `/api/v1`; a client that follows sees what it sees there.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use crate::{Context, go};

/// Where the second router begins.
const API: &str = "/api/v1";

/// Routes with the methods that they take.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    router: Router<Context>,
    table: Table,
}

/// A handler for `GET`.
pub(super) fn get<H: Handler<T, Context>, T: 'static>(handler: H) -> MethodRouter<Context> {
    on(MethodFilter::GET, handler)
}

impl Routes {
    /// A route. `{name}` in its path is one part of it.
    pub(super) fn add(mut self, path: &'static str, takes: Takes, handler: MethodRouter<Context>) -> Self {
        self.router = self.router.route(path, handler);
        self.knows(path, takes)
    }

    /// A route whose handler is elsewhere.
    pub(super) fn knows(mut self, path: &'static str, takes: Takes) -> Self {
        self.table.0.push((path, takes));
        self
    }

    /// All routes of both; a layer around one of them stays there.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.table.0.extend(other.table.0);
        self
    }

    /// The routes so far, changed.
    pub(super) fn map(mut self, change: impl FnOnce(Router<Context>) -> Router<Context>) -> Self {
        self.router = change(self.router);
        self
    }

    pub(super) fn into_parts(self) -> (Router<Context>, Table) {
        (self.router, self.table)
    }
}

/// Methods that a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Get,
    GetHead,
    GetPost,
    GetPostPut,
    Post,
    PostPut,
}

impl Takes {
    /// As Go's router lists them.
    fn allow(self) -> &'static str {
        match self {
            Self::Get => "GET, OPTIONS",
            Self::GetHead => "GET, HEAD, OPTIONS",
            Self::GetPost => "GET, OPTIONS, POST",
            Self::GetPostPut => "GET, OPTIONS, POST, PUT",
            Self::Post => "OPTIONS, POST",
            Self::PostPut => "OPTIONS, POST, PUT",
        }
    }

    fn includes(self, method: &Method) -> bool {
        *method != Method::OPTIONS && self.allow().split(", ").any(|name| name == method.as_str())
    }
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A handler has it.
    Pass,
    /// Any path below `/api/v1` says that a page may ask it.
    MayAsk,
    Methods(&'static str),
    NotAllowed(&'static str),
    NotFound,
    LeadsTo(StatusCode, String),
}

/// Paths with the methods that they take.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(Vec<(&'static str, Takes)>);

impl Table {
    fn judge(&self, method: &Method, uri: &Uri) -> Verdict {
        let raw = uri.path();
        let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
        if !raw.starts_with('/') {
            // `OPTIONS *` is about no path.
            return Verdict::NotFound;
        }
        let clean = clean(raw);
        if clean == API {
            return Verdict::LeadsTo(StatusCode::TEMPORARY_REDIRECT, format!("{API}/{query}"));
        }
        if clean != raw {
            // Escapes are escaped once more, as Go does it.
            let place = clean.replace('%', "%25");
            return Verdict::LeadsTo(StatusCode::TEMPORARY_REDIRECT, place + &query);
        }
        let path = String::from_utf8_lossy(&go::unescape_bytes(raw)).into_owned();
        let is_api = path.strip_prefix(API).is_some_and(|rest| rest.starts_with('/'));
        if is_api && *method == Method::OPTIONS {
            return Verdict::MayAsk;
        }
        let takes = self.find(|pattern| is_match(pattern, &path, str::eq));
        if let Some((_, takes)) = takes.filter(|(_, takes)| takes.includes(method)) {
            debug_assert!(takes.includes(method));
            return Verdict::Pass;
        }
        let status = if *method == Method::GET {
            StatusCode::MOVED_PERMANENTLY
        } else {
            StatusCode::PERMANENT_REDIRECT
        };
        let leads_to = |path: &str| {
            let path = if is_api { path.strip_prefix(API).unwrap_or(path) } else { path };
            Verdict::LeadsTo(status, format!("{path}{query}"))
        };
        let without_slash = path.strip_suffix('/').filter(|path| !path.is_empty());
        for (path, raw) in [(Some(&*path), raw), (without_slash, raw.strip_suffix('/').unwrap_or(raw))] {
            let Some(path) = path else { continue };
            let is_known = |pattern: &str| {
                is_match(pattern, path, str::eq_ignore_ascii_case) && is_api == pattern.starts_with(API)
            };
            if let Some((pattern, takes)) = self.find(is_known)
                && takes.includes(method)
            {
                return leads_to(&canonical(pattern, raw));
            }
        }
        match takes {
            Some((_, takes)) if *method == Method::OPTIONS => Verdict::Methods(takes.allow()),
            Some((_, takes)) => Verdict::NotAllowed(takes.allow()),
            None => Verdict::NotFound,
        }
    }

    fn find(&self, is_it: impl Fn(&str) -> bool) -> Option<(&'static str, Takes)> {
        self.0.iter().find(|(pattern, _)| is_it(pattern)).copied()
    }
}

/// Answers in the routers' place, or lets a handler do it.
pub(super) async fn judge(table: Arc<Table>, request: Request, next: Next) -> Response {
    match table.judge(request.method(), request.uri()) {
        Verdict::Pass => next.run(request).await,
        Verdict::NotFound => go::http_error(StatusCode::NOT_FOUND, "404 page not found"),
        Verdict::MayAsk => super::wrap::options(request.headers()),
        Verdict::Methods(allow) => allowing(StatusCode::OK.into_response(), allow),
        Verdict::NotAllowed(allow) => {
            allowing(go::http_error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"), allow)
        }
        Verdict::LeadsTo(status, place) => go::redirect(request.method(), status, &place),
    }
}

fn allowing(mut response: Response, allow: &'static str) -> Response {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// Whether a path is that of a route, letters compared as said.
fn is_match(pattern: &str, path: &str, is_same: fn(&str, &str) -> bool) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if pattern.starts_with('{') => {
                if part.is_empty() {
                    return false;
                }
            }
            (Some(pattern), Some(part)) if is_same(pattern, part) => {}
            _ => return false,
        }
    }
}

/// A path in the letters of its route.
fn canonical(pattern: &str, path: &str) -> String {
    let parts = pattern.split('/').zip(path.split('/'));
    let parts = parts.map(|(pattern, part)| if pattern.starts_with('{') { part } else { pattern });
    parts.collect::<Vec<_>>().join("/")
}

/// Go's `path.Clean`, with a slash at the end kept.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            other => parts.push(other),
        }
    }
    let mut clean = String::with_capacity(path.len());
    for part in &parts {
        _ = write!(clean, "/{part}");
    }
    if parts.is_empty() || path.ends_with('/') {
        clean.push('/');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &str, path: &str) -> Verdict {
        let table = Table(vec![
            ("/", Takes::Get),
            ("/-/healthy", Takes::GetHead),
            ("/-/quit", Takes::GetPostPut),
            ("/api/v1/query", Takes::GetPost),
            ("/api/v1/label/{name}/values", Takes::Get),
            ("/api/v1/admin/tsdb/snapshot", Takes::PostPut),
            ("/api/v1/write", Takes::Post),
        ]);
        table.judge(&method.parse().unwrap(), &path.parse().unwrap())
    }

    #[test]
    fn methods_of_a_path() {
        for (method, path) in [
            ("GET", "/"),
            ("HEAD", "/-/healthy"),
            ("PUT", "/-/quit"),
            ("POST", "/api/v1/query?query=1"),
            ("GET", "/api/v1/label/a.b/values"),
            ("GET", "/api/v1/label/%E2%98%83/values"),
            ("GET", "/api/v1/%71uery"),
        ] {
            assert_eq!(verdict(method, path), Verdict::Pass, "{method} {path}");
        }
        assert_eq!(verdict("HEAD", "/"), Verdict::NotAllowed("GET, OPTIONS"));
        assert_eq!(verdict("POST", "/-/healthy"), Verdict::NotAllowed("GET, HEAD, OPTIONS"));
        assert_eq!(verdict("HEAD", "/api/v1/query"), Verdict::NotAllowed("GET, OPTIONS, POST"));
        assert_eq!(verdict("GET", "/api/v1/admin/tsdb/snapshot"), Verdict::NotAllowed("OPTIONS, POST, PUT"));
        assert_eq!(verdict("GET", "/api/v1/write"), Verdict::NotAllowed("OPTIONS, POST"));
        assert_eq!(verdict("OPTIONS", "/-/quit"), Verdict::Methods("GET, OPTIONS, POST, PUT"));
        for path in
            ["/nothing", "/api", "/api/", "/api/v1/", "/api/v1/label/a%2Fb/values", "/api/v1/label/values"]
        {
            assert_eq!(verdict("GET", path), Verdict::NotFound, "{path}");
        }
        assert_eq!(verdict("OPTIONS", "*"), Verdict::NotFound);
        for path in ["/api/v1/", "/api/v1/write", "/api/v1/nothing/at/all"] {
            assert_eq!(verdict("OPTIONS", path), Verdict::MayAsk, "{path}");
        }
    }

    #[test]
    fn paths_that_are_almost_right() {
        for (path, status, place) in [
            ("/-/healthy/", 301, "/-/healthy"),
            ("/-/HEALTHY", 301, "/-/healthy"),
            ("//-/healthy", 307, "/-/healthy"),
            ("/-/../version?x=1", 307, "/version?x=1"),
            ("/api/v1", 307, "/api/v1/"),
            ("/api/v1//query?query=1", 307, "/api/v1/query?query=1"),
            ("//api/v1/label/%C3%A4/values", 307, "/api/v1/label/%25C3%25A4/values"),
            ("/api/v1/query/?query=1", 301, "/query?query=1"),
            ("/api/v1/QUERY?query=1", 301, "/query?query=1"),
            ("/api/v1/label/%C3%A4/Values/", 301, "/label/%C3%A4/values"),
            ("/api/v1/query//", 307, "/api/v1/query/"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(verdict("GET", path), Verdict::LeadsTo(status, place.to_owned()), "{path}");
        }
        assert_eq!(
            verdict("POST", "/-/quit/"),
            Verdict::LeadsTo(StatusCode::PERMANENT_REDIRECT, "/-/quit".to_owned())
        );
        assert_eq!(verdict("POST", "/-/healthy/"), Verdict::NotFound);
    }
}
