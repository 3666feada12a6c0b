//! Who calls whom.

use generator::{Config, ServiceGraph, names};

use crate::support::{Bench, CLIENT, CONSUMER, PRODUCER, SERVER, failed, resource, service, span, text};

const TOTAL: &str = "traces_service_graph_request_total";
const FAILED: &str = "traces_service_graph_request_failed_total";

fn with(change: impl FnOnce(&mut ServiceGraph)) -> Bench {
    let mut graph = ServiceGraph::default();
    change(&mut graph);
    Bench::new(Config { service_graph: Some(graph), ..Config::default() })
}

/// The edges after a flush.
fn edges(bench: &mut Bench) -> Vec<(String, f64)> {
    bench.pass(1);
    bench.generator.flush();
    bench.floats(TOTAL).into_iter().collect()
}

fn edge(labels: &str, count: f64) -> (String, f64) {
    (labels.to_owned(), count)
}

#[test]
fn halves_make_an_edge_whichever_comes_first() {
    let mut bench = with(|_| {});
    bench.observe(vec![service("b", vec![failed(span(SERVER, "s", (2, 1), 20, &[]))])]);
    assert_eq!(edges(&mut bench), []);
    bench.observe(vec![service("a", vec![span(CLIENT, "c", (1, 0), 30, &[])])]);
    assert_eq!(edges(&mut bench), [edge("client=a failed=true server=b", 1.0)]);
    bench.observe(vec![
        service("a", vec![span(CLIENT, "c", (3, 0), 30, &[])]),
        service("b", vec![span(SERVER, "s", (4, 3), 20, &[])]),
    ]);
    let both = [edge("client=a failed=false server=b", 1.0), edge("client=a failed=true server=b", 1.0)];
    assert_eq!(edges(&mut bench), both);
    assert_eq!(
        bench.floats(FAILED).into_iter().collect::<Vec<_>>(),
        [edge("client=a failed=true server=b", 1.0)]
    );
    let sum = |side: &str| bench.floats(&format!("traces_service_graph_request_{side}_seconds_sum"));
    assert_eq!(sum("server")["client=a failed=false server=b"], 0.02);
    assert_eq!(sum("client")["client=a failed=false server=b"], 0.03);
    assert_eq!(bench.floats("traces_service_graph_request_server_seconds_bucket").len(), 2 * 15);
    assert_eq!(bench.counted(names::EDGES), 2.0);
    assert!(bench.floats("target_info").keys().all(|labels| !labels.contains("client")));
}

#[test]
fn messages_and_databases_are_edges() {
    let mut bench = with(|_| {});
    bench.observe(vec![
        service("a", vec![span(PRODUCER, "send", (1, 0), 3, &[])]),
        service("b", vec![span(CONSUMER, "receive", (2, 1), 3, &[])]),
        service("a", vec![span(CLIENT, "SELECT", (3, 0), 3, &[text("db.system.name", "postgresql")])]),
    ]);
    let expected = [
        edge("client=a connection_type=database failed=false server=postgresql", 1.0),
        edge("client=a connection_type=messaging_system failed=false server=b", 1.0),
    ];
    assert_eq!(edges(&mut bench), expected);
}

#[test]
fn what_sends_no_spans_is_drawn_as_it_is_called() {
    let mut bench = with(|_| {});
    bench.observe(vec![service(
        "a",
        vec![
            span(SERVER, "GET /", (1, 0), 10, &[]),
            span(
                CLIENT,
                "GET",
                (2, 1),
                3,
                &[text("server.address", "example.org"), text("peer.service", "shop")],
            ),
            span(CLIENT, "GET", (3, 1), 3, &[text("server.address", "example.org")]),
            span(CLIENT, "GET", (4, 1), 3, &[]),
            // Its caller is somewhere, and did not say so.
            span(SERVER, "GET /", (5, 9), 10, &[]),
        ],
    )]);
    bench.pass(10);
    bench.generator.expire();
    assert_eq!(bench.counted(names::EXPIRED_EDGES), 0.0);
    bench.pass(1);
    bench.generator.expire();
    let expected = [
        edge("client=a connection_type=virtual_node failed=false server=example.org", 1.0),
        edge("client=a connection_type=virtual_node failed=false server=shop", 1.0),
        edge("client=a connection_type=virtual_node failed=false server=unknown", 1.0),
        edge("client=user connection_type=virtual_node failed=false server=a", 1.0),
    ];
    assert_eq!(edges(&mut bench), expected);
    assert_eq!(bench.counted(names::EXPIRED_EDGES), 5.0);
}

#[test]
fn a_label_can_say_which_side_is_virtual() {
    let mut bench = with(|graph| graph.virtual_node_label = true);
    bench.observe(vec![service(
        "a",
        vec![span(SERVER, "GET /", (1, 0), 10, &[]), span(CLIENT, "GET", (2, 1), 3, &[])],
    )]);
    bench.pass(11);
    bench.generator.expire();
    let expected = [
        edge("client=a connection_type=virtual_node failed=false server=unknown virtual_node=server", 1.0),
        edge("client=user connection_type=virtual_node failed=false server=a virtual_node=client", 1.0),
    ];
    assert_eq!(edges(&mut bench), expected);
}

#[test]
fn dimensions_are_labels_of_each_side() {
    let mut bench = with(|graph| graph.dimensions = vec!["zone".to_owned()]);
    let of =
        |name: &str, zone: &str, spans| resource(&[text("service.name", name), text("zone", zone)], spans);
    bench.observe(vec![
        of("b", "two", vec![span(SERVER, "s", (2, 1), 20, &[])]),
        of("a", "one", vec![span(CLIENT, "c", (1, 0), 30, &[])]),
    ]);
    assert_eq!(
        edges(&mut bench),
        [edge("client=a client_zone=one failed=false server=b server_zone=two", 1.0)]
    );
}

#[test]
fn at_most_so_many_halves_wait() {
    let mut bench = with(|graph| graph.max_items = 2);
    let spans = (1..=4).map(|number| span(CLIENT, "c", (number, 0), 3, &[])).collect();
    bench.observe(vec![service("a", spans)]);
    assert_eq!(bench.counted(names::DROPPED_SPANS), 2.0);
    bench.generator.flush();
    assert_eq!(bench.counted(names::WAITING_EDGES), 2.0);
    // A half whose other half waits is taken all the same.
    bench.observe(vec![service("b", vec![span(SERVER, "s", (9, 1), 3, &[])])]);
    assert_eq!(edges(&mut bench), [edge("client=a failed=false server=b", 1.0)]);
}

#[test]
fn pairs_of_services_have_a_limit_and_end_when_silent() {
    let mut bench = Bench::new(Config { max_series: 2, span_metrics: None, ..Config::default() });
    let query =
        |number: u8, database: &str| span(CLIENT, "q", (number, 0), 3, &[text("db.system.name", database)]);
    bench.observe(vec![service("a", vec![query(1, "x"), query(2, "y"), query(3, "z"), query(4, "x")])]);
    assert_eq!(edges(&mut bench).len(), 2);
    assert_eq!(bench.counted(names::DROPPED_SPANS), 1.0);
    bench.pass(500);
    bench.observe(vec![service("a", vec![query(5, "y")])]);
    bench.pass(450);
    bench.generator.expire();
    assert_eq!(edges(&mut bench), [edge("client=a connection_type=database failed=false server=y", 2.0)]);
}
