//! Every route with every parameter, filled with what breaks parsers.

#[path = "support/server.rs"]
mod server;

/// No answer is an error of ours, and none is a panic.
#[test]
fn odd_parameters_are_answered() {
    let odd = [
        "",
        "0",
        "-1",
        "+1",
        "1e9",
        "99999999999999999999",
        "9223372036854775807",
        "-9223372036854775808",
        "é",
        "\u{0}",
        "\"",
        "\\",
        "%",
        "{",
        "}",
        "{}",
        "null",
        "[]",
        "a:b",
        "a=b",
        "a=\"",
        "1s",
        "-1s",
        "1h1",
        "1.s",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2020-02-30T00:00:00Z",
        "ffffffffffffffffffffffffffffffff",
        "AAAAAAAAAAAAAAAAAAAAAA==",
        "span.",
        ".",
        "resource.\"",
        "parent.parent.",
        "span:é",
    ];
    let keys = [
        "start",
        "end",
        "since",
        "limit",
        "spss",
        "q",
        "tags",
        "minDuration",
        "maxDuration",
        "scope",
        "mode",
        "service",
        "operation",
        "spanKind",
        "tag",
        "traceID",
        "raw",
        "prettyPrint",
        "endTs",
        "lookback",
        "quantile",
        "step",
        "query.startTimeMin",
        "query.startTimeMax",
        "query.searchDepth",
        "query.durationMin",
        "query.attributes",
        "query.rawTraces",
        "startTime",
        "endTime",
        "rawTraces",
    ];
    let tempo = [
        "/api/traces/ab",
        "/api/v2/traces/ab",
        "/api/search",
        "/api/search/tags",
        "/api/v2/search/tags",
        "/api/search/tag/a/values",
        "/api/v2/search/tag/span.a/values",
    ];
    let jaeger = [
        "/api/services",
        "/api/operations",
        "/api/traces",
        "/api/traces/ab",
        "/api/dependencies",
        "/api/metrics/latencies",
        "/api/metrics/calls",
        "/api/v3/services",
        "/api/v3/operations",
        "/api/v3/traces/ab",
        "/api/v3/traces",
        "/api/v3/trace-summaries",
        "/api/v3/dependencies",
    ];
    let ids = [
        "/api/traces/",
        "/api/v2/traces/",
        "/api/search/tag/",
        "/api/v2/search/tag/",
        "/api/services/",
        "/api/v3/traces/",
    ];
    server::run(async {
        let server = server::Server::start();
        let clients = [(server.tempo(), &tempo[..]), (server.jaeger(), &jaeger[..])];
        for (client, paths) in &clients {
            for text in odd.map(server::encode) {
                for path in *paths {
                    let all: String = keys.map(|key| format!("{key}={text}&")).concat();
                    let each = keys.map(|key| format!("{key}={text}"));
                    for query in each.iter().chain([&all]) {
                        let answer = client.get(&format!("{path}?{query}")).await;
                        let told = answer.text();
                        let fault = answer.status.is_server_error()
                            && !told.contains("search depth must be")
                            && !told.contains("no metrics backend")
                            && !told.contains("end time must be greater");
                        assert!(!fault, "{path}?{query}: {answer:?}");
                    }
                }
                for prefix in ids {
                    for suffix in ["", "/values", "/operations"] {
                        let answer = client.get(&format!("{prefix}{text}{suffix}")).await;
                        assert!(!answer.status.is_server_error(), "{prefix}{text}{suffix}: {answer:?}");
                    }
                }
            }
        }
    });
}
