//! Jaeger's searches as questions to the store.

use model::{SpanKind, StatusCode, TimeRange, TraceId};
use tracestore::{Search, SpanFilter, Tag, TagMatch, TagScopes, TraceStore};

use super::adjust::adjust;
use super::answer::JaegerError;
use super::params::TraceQuery;
use super::sanitize::{EMPTY_SPAN, sanitize, stands_for_no_service};
use super::trace::Trace;

/// Most traces that a search may ask for, as a Jaeger with this many traces in its memory.
const MAX_TRACES: i64 = 100_000;
/// Most spans in one answer.
const MAX_SPANS: usize = 500_000;

/// Traces for an answer, and whether there were too many spans for all of them.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub traces: Vec<Trace>,
    pub is_cut: bool,
}

impl Found {
    /// What to tell the client where something is missing.
    pub(super) fn cut_message(&self) -> Option<String> {
        self.is_cut
            .then(|| format!("the answer is limited to {MAX_SPANS} spans, narrow the search to see the rest"))
    }
}

/// Runs a search and gets the traces that it finds, newest first, mended and unless it says otherwise adjusted.
pub(super) fn find(store: &TraceStore, query: &TraceQuery) -> Result<Found, JaegerError> {
    if query.limit <= 0 || query.limit > MAX_TRACES {
        return Err(JaegerError::Internal("search depth must be greater than 0 and less than max traces"));
    }
    let Some(search) = to_search(query) else { return Ok(Found::default()) };
    let ids = store.search(&search)?.traces.into_iter().map(|trace| trace.trace_id);
    get(store, ids, query.raw)
}

/// Gets traces; those that are not stored are left out.
pub(super) fn get(
    store: &TraceStore,
    ids: impl IntoIterator<Item = TraceId>,
    raw: bool,
) -> Result<Found, JaegerError> {
    let mut found = Found::default();
    let mut span_count = 0;
    for id in ids {
        let spans = store.trace(id, TimeRange::ALL)?;
        if spans.is_empty() {
            continue;
        }
        span_count += spans.len();
        if span_count > MAX_SPANS && !found.traces.is_empty() {
            found.is_cut = true;
            break;
        }
        let mut trace = Trace::new(spans);
        sanitize(&mut trace);
        if !raw {
            adjust(&mut trace);
        }
        found.traces.push(trace);
    }
    Ok(found)
}

/// What a search asks of the store; `None` if no span can satisfy it.
fn to_search(query: &TraceQuery) -> Option<Search> {
    let mut filter = SpanFilter {
        service: (!query.service.is_empty()).then(|| stored_service(&query.service).to_owned()),
        name: (!query.operation.is_empty()).then(|| stored_operation(&query.operation).to_owned()),
        min_duration_ns: u64::try_from(query.min_duration_ns).ok().filter(|ns| *ns != 0),
        max_duration_ns: match query.max_duration_ns {
            0 => None,
            ns => Some(u64::try_from(ns).ok()?),
        },
        ..SpanFilter::default()
    };
    for (key, text) in &query.tags {
        add_tag(&mut filter, key, text)?;
    }
    Some(Search {
        range: time_range(query.start_ns, query.end_ns),
        filter,
        also: Vec::new(),
        overlaps: None,
        root_service_contains: None,
        root_name_contains: None,
        min_trace_duration_ns: None,
        max_trace_duration_ns: None,
        limit: query.limit as usize,
        spans_per_trace: 0,
    })
}

/// A range whose both ends are included.
pub(super) fn time_range(start_ns: i64, end_ns: i64) -> TimeRange {
    let unsigned = |ns: i64| u64::try_from(ns).unwrap_or(0);
    TimeRange { start_ns: unsigned(start_ns), end_ns: unsigned(end_ns.saturating_add(1)) }
}

/// The name of a service as it is stored: those that Jaeger makes up stand for none.
pub(super) fn stored_service(name: &str) -> &str {
    if stands_for_no_service(name) { "" } else { name }
}

fn stored_operation(name: &str) -> &str {
    if name == EMPTY_SPAN { "" } else { name }
}

/// Adds what a tag asks for. Some keys do not name attributes. `None` if nothing can satisfy it together with the rest.
fn add_tag(filter: &mut SpanFilter, key: &str, text: &str) -> Option<()> {
    match key {
        "error" => {
            let is_error = crate::go::parse_bool(text).ok()?;
            narrow(&mut filter.status, if is_error { StatusCode::Error } else { StatusCode::Ok })
        }
        "span.status" => narrow(
            &mut filter.status,
            match text.to_uppercase().as_str() {
                "OK" => StatusCode::Ok,
                "ERROR" => StatusCode::Error,
                _ => StatusCode::Unset,
            },
        ),
        "span.kind" => narrow(
            &mut filter.kind,
            match text.to_uppercase().as_str() {
                "CLIENT" => SpanKind::Client,
                "SERVER" => SpanKind::Server,
                "PRODUCER" => SpanKind::Producer,
                "CONSUMER" => SpanKind::Consumer,
                "INTERNAL" => SpanKind::Internal,
                _ => SpanKind::Unspecified,
            },
        ),
        "scope.name" => narrow(&mut filter.scope_name, text.to_owned()),
        "scope.version" => narrow(&mut filter.scope_version, text.to_owned()),
        _ => {
            let (scopes, key) = match key.strip_prefix("resource.") {
                Some(key) => (TagScopes { resource: true, ..TagScopes::default() }, key),
                None => (TagScopes::ALL, key),
            };
            let (key, value) = (key.to_owned(), text.to_owned());
            filter.tags.push(Tag { scopes, key, value, matching: TagMatch::Equal });
            Some(())
        }
    }
}

/// Asks for a value where perhaps another was asked for already.
fn narrow<T: PartialEq>(condition: &mut Option<T>, value: T) -> Option<()> {
    if condition.as_ref().is_some_and(|asked| *asked != value) {
        return None;
    }
    *condition = Some(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(tags: &[(&str, &str)]) -> TraceQuery {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        TraceQuery {
            service: "s".to_owned(),
            start_ns: 5,
            end_ns: 9,
            limit: 3,
            tags,
            ..TraceQuery::default()
        }
    }

    #[test]
    fn some_tags_are_not_attributes() {
        let filter = |tags: &[(&str, &str)]| to_search(&query(tags)).map(|search| search.filter);
        assert_eq!(filter(&[("error", "true")]).unwrap().status, Some(StatusCode::Error));
        assert_eq!(filter(&[("error", "false")]).unwrap().status, Some(StatusCode::Ok));
        assert!(filter(&[("error", "maybe")]).is_none());
        assert!(filter(&[("error", "true"), ("span.status", "ok")]).is_none());
        assert_eq!(filter(&[("span.kind", "client")]).unwrap().kind, Some(SpanKind::Client));
        assert_eq!(filter(&[("scope.name", "x")]).unwrap().scope_name.as_deref(), Some("x"));
        let tags = filter(&[("resource.a", "1"), ("b", "2")]).unwrap().tags;
        assert_eq!((tags[0].key.as_str(), tags[0].scopes.span), ("a", false));
        assert_eq!((tags[1].key.as_str(), tags[1].scopes), ("b", TagScopes::ALL));
    }

    #[test]
    fn both_ends_of_the_range_are_in_it_and_made_up_names_are_none() {
        let search = to_search(&query(&[])).unwrap();
        assert_eq!(search.range, TimeRange { start_ns: 5, end_ns: 10 });
        let made_up = TraceQuery {
            service: "missing-service-name".to_owned(),
            operation: "empty-span-name".to_owned(),
            ..query(&[])
        };
        let filter = to_search(&made_up).unwrap().filter;
        assert_eq!((filter.service.as_deref(), filter.name.as_deref()), (Some(""), Some("")));
        assert!(to_search(&TraceQuery { max_duration_ns: -1, ..query(&[]) }).is_none());
    }
}
