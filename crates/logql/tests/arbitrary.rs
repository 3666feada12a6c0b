//! Any text: no panic, no overflow, and what is read prints as what reads the same.

#![allow(clippy::unwrap_used, reason = "a test")]

use logql::{Expr, Pipeline, parse, parse_matchers};
use proptest::prelude::*;

/// Pieces that queries are made of, and some that do not belong there.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "(",
        ")",
        "[5m]",
        "[",
        "]",
        ",",
        "|",
        "|=",
        "|~",
        "!=",
        "!~",
        "|>",
        "!>",
        "=",
        "==",
        "=~",
        ">",
        ">=",
        "<",
        "<=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "or",
        "and",
        "unless",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "bool",
        "offset",
        "json",
        "logfmt",
        "--strict",
        "regexp",
        "pattern",
        "unpack",
        "unwrap",
        "line_format",
        "label_format",
        "decolorize",
        "drop",
        "keep",
        "ip",
        "sum",
        "topk",
        "rate",
        "count_over_time",
        "quantile_over_time",
        "vector",
        "label_replace",
        "bytes",
        "duration",
        "app",
        "foo",
        "\"bar\"",
        "`ba.*`",
        "\"<_> x\"",
        "5",
        "0.5",
        "1e3",
        "250ms",
        "2KiB",
        "{app=\"foo\"}",
        "| foo=\"bar\"",
        "rate({a=\"b\"}[5m])",
        "#",
        "\n",
        "\"",
        "`",
        "\\",
        "é",
        "//",
    ];
    prop_oneof![9 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => ".{0,3}"]
}

fn check(query: &str) {
    let _ = parse_matchers(query, false);
    let Ok(expr) = parse(query) else { return };
    let printed = expr.to_string();
    // A number too large for a double is infinite, which has no way to be written.
    if !printed.contains("inf") && !printed.contains("NaN") {
        assert_eq!(parse(&printed).as_ref(), Ok(&expr), "{query:?} printed as {printed:?}");
    }
    if let Expr::Log(log) = expr
        && let Ok(pipeline) = Pipeline::new(&log)
    {
        pipeline.keeps_line("some bar line");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn pieces_in_any_order(pieces in prop::collection::vec(piece(), 0..14), blank in prop::bool::ANY) {
        check(&pieces.join(if blank { " " } else { "" }));
    }

    #[test]
    fn pipelines_of_pieces(pieces in prop::collection::vec(piece(), 0..8)) {
        check(&format!("{{app=\"foo\"}} | {}", pieces.join(" ")));
    }

    #[test]
    fn any_characters(query in ".{0,80}") {
        check(&query);
    }
}

#[test]
fn depth_and_length_are_bounded() {
    // Query threads have two megabytes; an optimised build needs less than this one.
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = || {
        let refused = |query: String| parse(&query).map(|_| ()).unwrap_err().message;
        assert_eq!(refused("(".repeat(100_000)), "nested deeper than 100 levels");
        assert_eq!(
            refused("rate(".repeat(20_000)),
            "syntax error: unexpected RATE, expecting NUMBER or { or ("
        );
        assert_eq!(refused("sum(".repeat(20_000)), "nested deeper than 100 levels");
        assert_eq!(refused(format!("rate({}", "(".repeat(20_000))), "nested deeper than 100 levels");
        assert_eq!(
            refused(format!("{{a=\"b\"}} | {}", "(".repeat(100_000))),
            "nested deeper than 100 levels"
        );
        assert_eq!(
            refused(format!("{{a=\"b\"}} | x=1{}", " or x=1".repeat(10_000))),
            "more than 300 operators in a row"
        );
        assert_eq!(
            refused(format!("vector(1){}", "+vector(1)".repeat(10_000))),
            "more than 300 operators in a row"
        );
        assert_eq!(refused("x".repeat(131_072)), "input size too long (131072 > 131072)");
        // Long rows are read, though what is printed of them nests too deep to be read again.
        let long = parse(&format!("{{a=\"b\"}} | x=1{}", " or x=1".repeat(290))).unwrap();
        assert!(long.to_string().len() > 2000);
        check(&format!("{{a=\"b\"}} | {}x=1{}", "(".repeat(45), ")".repeat(45)));
        check(&format!("{}vector(1){}", "(".repeat(40), ")".repeat(40)));
    };
    thread.spawn(run).unwrap().join().unwrap();
}
