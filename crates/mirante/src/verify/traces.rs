//! The trace, and what it has to have.

use std::collections::{HashMap, HashSet};

use anyhow::{bail, ensure};
use model::SpanId;

use super::found::{self, Span};
use super::look::Look;
use super::report::{Check, Place};

const TEMPO: Place = Place {
    name: "tempo",
    asked: "trace by id",
    hint: "is OTLP sent to this stack? Its receivers count on /metrics what they accept",
};
const JAEGER: Place = Place {
    name: "jaeger",
    asked: "trace by id",
    hint: "does Jaeger look into the same storage as Tempo, or get the same spans?",
};

/// Services that have to take part.
const SERVICES: [&str; 2] = ["users", "albums"];

pub(super) async fn in_tempo(look: &Look<'_>) -> Check {
    let url = format!("{}/api/v2/traces/{}", look.places.tempo, look.sent.trace_id);
    let found = look.until_found(TEMPO, async || {
        complete(&found::in_tempo(look.client, &url).await?, look.sent.parent_id)
    });
    Check::new(TEMPO, found.await)
}

pub(super) async fn in_jaeger(look: &Look<'_>) -> Check {
    let url = format!("{}/api/traces/{}", look.places.jaeger, look.sent.trace_id);
    let found = look.until_found(JAEGER, async || {
        complete(&found::in_jaeger(look.client, &url).await?, look.sent.parent_id)
    });
    Check::new(JAEGER, found.await)
}

/// Says what is there, if all is: spans of both services and of a database, all below the one root, which is the span that
/// came from outside.
pub(super) fn complete(spans: &[Span], came_from: SpanId) -> anyhow::Result<String> {
    ensure!(!spans.is_empty(), "the trace is not there");
    for service in SERVICES {
        ensure!(spans.iter().any(|span| span.service == service), "no span of {service}");
    }
    let databases = spans.iter().filter(|span| span.is_database).count();
    ensure!(databases > 0, "no database span");
    let ids: HashSet<SpanId> = spans.iter().map(|span| span.id).collect();
    let mut roots = spans.iter().filter(|span| span.parent.is_none_or(|parent| !ids.contains(&parent)));
    let Some(root) = roots.next() else { bail!("no root: the spans are each other's children") };
    let others = roots.count();
    ensure!(others == 0, "{} spans without a parent in the trace, expected one root", others + 1);
    ensure!(
        root.parent == Some(came_from) && root.service == SERVICES[0],
        "the root belongs to {}, expected {} below the caller's span",
        root.service,
        SERVICES[0]
    );
    ensure!(all_lead_to(root.id, spans), "some spans are each other's children and lead to no root");
    Ok(format!("{} spans of users and albums, {databases} of a database, under one root", spans.len()))
}

fn all_lead_to(root: SpanId, spans: &[Span]) -> bool {
    let parents: HashMap<SpanId, Option<SpanId>> = spans.iter().map(|span| (span.id, span.parent)).collect();
    spans.iter().all(|span| {
        let ancestors = std::iter::successors(Some(span.id), |id| parents.get(id).copied().flatten());
        // A chain is never longer than there are spans, unless it goes round.
        ancestors.take(spans.len()).any(|id| id == root)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: SpanId = SpanId([1; 8]);

    fn span(id: u8, parent: u8, service: &str, is_database: bool) -> Span {
        Span {
            id: SpanId([id; 8]),
            parent: Some(SpanId([parent; 8])),
            service: service.to_owned(),
            is_database,
        }
    }

    fn whole() -> Vec<Span> {
        vec![
            span(2, 1, "users", false),
            span(3, 2, "users", true),
            span(4, 2, "users", false),
            span(5, 4, "albums", false),
            span(6, 5, "albums", true),
        ]
    }

    #[test]
    fn a_whole_trace_is_complete() {
        let said = complete(&whole(), CALLER).unwrap();
        assert_eq!(said, "5 spans of users and albums, 2 of a database, under one root");
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |spans: &[Span]| complete(spans, CALLER).unwrap_err().to_string();
        let without =
            |id: u8| whole().into_iter().filter(|span| span.id != SpanId([id; 8])).collect::<Vec<_>>();
        assert_eq!(missing(&[]), "the trace is not there");
        assert_eq!(missing(&whole()[..3]), "no span of albums");
        assert_eq!(missing(&[span(2, 1, "users", false), span(5, 2, "albums", false)]), "no database span");
        assert_eq!(missing(&without(4)), "2 spans without a parent in the trace, expected one root");
        assert!(
            missing(&[span(5, 1, "albums", false), span(3, 5, "users", true)]).contains("belongs to albums")
        );
        let mut round = whole();
        round.extend([span(8, 9, "users", false), span(9, 8, "users", false)]);
        assert!(missing(&round).contains("each other's children"));
    }
}
