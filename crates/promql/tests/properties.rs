//! Whatever is asked: an answer or an error with a place in the query, never a panic; and what is written is read back.

use std::fmt::Write;

use model::labels::Quoted;
use model::{MatchOp, Matcher};
use promql::{At, Expr, parse, parse_selector, pretty};
use proptest::prelude::*;

/// Pieces that queries are made of, so that many of them get far.
const PIECES: [&str; 56] = [
    "rate",
    "topk",
    "without",
    "group_left",
    "ignoring",
    "and",
    "anchored",
    "step()",
    "min_of",
    "fill",
    "/",
    "[5m:1m]",
    "up",
    "sum",
    "rate",
    "by",
    "offset",
    "start",
    "end",
    "step",
    "inf",
    "nan",
    "bool",
    "on",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    ",",
    "=",
    "!=",
    "=~",
    "!~",
    "==",
    "<",
    "+",
    "-",
    "*",
    "^",
    "@",
    "\"a\"",
    "'b\\n'",
    "`c`",
    "\"\\x4",
    "5m",
    "1h30m",
    "0x1F",
    ".5e3",
    "1_0",
    " ",
    "\n",
    "#",
    "ä",
];

fn check(query: &str) -> Result<(), TestCaseError> {
    for error in [parse(query).err(), parse_selector(query).err()].into_iter().flatten() {
        prop_assert!(
            error.span.start <= query.len() && error.span.end <= query.len(),
            "{query:?}: {error:?}"
        );
        prop_assert!(error.to_string().contains(": parse error: "));
    }
    if let Ok(expr) = parse(query) {
        let printed = expr.to_string();
        let again = parse(&printed).map(|expr| expr.to_string());
        // The sign of infinity is printed, and in front of a power it is read as one of the power: as in Prometheus.
        if printed.contains("+Inf ^") {
            prop_assert!(again.is_ok(), "{query:?} is printed as {printed:?}");
            return Ok(());
        }
        prop_assert_eq!(again.as_ref(), Ok(&printed), "{:?} is printed as {:?}", query, printed);
    }
    Ok(())
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = prop_oneof![
        Just(MatchOp::Equal),
        Just(MatchOp::NotEqual),
        Just(MatchOp::Regex),
        Just(MatchOp::NotRegex)
    ];
    ("[a-zA-Z_][a-zA-Z0-9_]{0,8}|[^\u{fffd}]{1,6}", op, "[^\u{fffd}]{0,8}").prop_map(|(name, op, value)| {
        Matcher::new(name.clone(), op, value).unwrap_or_else(|_| {
            Matcher::new(name, MatchOp::Equal, "no expression").expect("a text is always a matcher")
        })
    })
}

/// A selector in quotes throughout.
fn written(matchers: &[Matcher]) -> String {
    let each = matchers.iter().map(|matcher| {
        format!("{}{}{}", Quoted(matcher.name()), matcher.op().as_str(), Quoted(matcher.value()))
    });
    format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
}

/// Expressions deep and long enough to be split into lines.
fn expression() -> impl Strategy<Value = String> {
    let selector = prop_oneof![
        "[a-z_]{1,40}",
        "[a-z_]{1,30}\\{[a-z]{1,9}=\"[a-z <]{0,20}\"\\} offset (5m|-1h|step\\(\\))",
        Just("{\"a.b\", x=~\".*\"} @ end()".to_owned()),
    ];
    let leaf = prop_oneof![4 => selector, 1 => Just("1.5e9".to_owned()), 1 => Just("vector(1)".to_owned())];
    leaf.prop_recursive(6, 40, 3, |inner| {
        let op = prop::sample::select(vec![
            "+",
            "* on(x)",
            "== bool",
            "/ ignoring(y) group_left(z)",
            "+ fill(0)",
            "^",
        ]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.clone().prop_map(|inner| format!("-({inner})")),
            inner.clone().prop_map(|inner| format!("sum by(job, \"a b\") ({inner})")),
            inner.clone().prop_map(|inner| format!("topk without() (3, {inner})")),
            inner.clone().prop_map(|inner| format!("label_replace({inner}, \"a\", \"$1\", \"b\", \"(.*)\")")),
            inner.prop_map(|inner| format!("max_over_time(({inner})[1h:5m] offset 1d)")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_formatted_says_the_same(query in expression()) {
        // Not all that is made here fits together.
        let Ok(expr) = parse(&query) else { return Ok(()) };
        let formatted = pretty(&expr);
        let again = parse(&formatted).map_err(|error| TestCaseError::fail(format!("{formatted}: {error}")))?;
        prop_assert_eq!(again.to_string(), expr.to_string(), "{}", formatted);
        prop_assert_eq!(pretty(&again), formatted);
    }

    #[test]
    fn any_text_is_read_or_refused(query in any::<String>()) {
        check(&query)?;
    }

    #[test]
    fn any_pieces_are_read_or_refused(pieces in prop::collection::vec(prop::sample::select(PIECES.as_slice()), 0..14)) {
        check(&pieces.concat())?;
        check(&pieces.join(" "))?;
    }

    #[test]
    fn selectors_are_read_back(
        matchers in prop::collection::vec(matcher(), 0..5),
        offset in -1_000_000..1_000_000_i64,
        at in prop::option::of(-1_000_000..1_000_000_i64),
        range in prop::option::of(1..1_000_000_i64),
    ) {
        let selector = written(&matchers);
        prop_assert_eq!(parse_selector(&selector), Ok(matchers.clone()));
        // Something has to be selected.
        let mut query = format!("{{__name__=\"up\", {}", &selector[1..]);
        if let Some(range) = range {
            _ = write!(query, "[{range}ms]");
        }
        if offset != 0 {
            let sign = if offset < 0 { "-" } else { "" };
            _ = write!(query, " offset {sign}{}ms", offset.abs());
        }
        if let Some(at) = at {
            _ = write!(query, " @ {at}");
        }
        let (vector, read_range) = match parse(&query) {
            Ok(Expr::Vector(vector)) => (vector, None),
            Ok(Expr::Matrix(matrix)) => (matrix.vector, Some(matrix.range_ms)),
            other => return Err(TestCaseError::fail(format!("{query:?}: {other:?}"))),
        };
        prop_assert_eq!(&vector.matchers[1..], matchers.as_slice());
        prop_assert_eq!((vector.offset_ms, vector.at, read_range), (offset, at.map(|at| At::Time(at * 1000)), range));
    }
}
