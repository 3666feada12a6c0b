use super::*;
use crate::parse;

/// What a query becomes; formatted again it stays so.
fn formatted(query: &str) -> String {
    let pretty = pretty(&parse(query).unwrap_or_else(|error| panic!("{query}: {error}")));
    let again = parse(&pretty).unwrap_or_else(|error| panic!("{pretty}: {error}"));
    assert_eq!(super::pretty(&again), pretty);
    pretty
}

/// A selector of so many bytes.
fn long(bytes: usize) -> String {
    "m".repeat(bytes)
}

#[test]
fn a_hundred_bytes_fit_into_a_line() {
    let fits = format!("sum({})", long(95));
    assert_eq!(formatted(&fits), fits);
    assert_eq!(formatted(&format!("sum({})", long(96))), format!("sum(\n  {}\n)", long(96)));
    // Bytes, not characters.
    let umlauts = format!("sum({{a=\"{}\"}})", "ä".repeat(46));
    assert!(formatted(&umlauts).starts_with("sum(\n"));
    // What has no parts stays in one line.
    assert_eq!(formatted(&long(120)), long(120));
    assert_eq!(formatted(&format!("{}[5m:]", long(120))), format!("{}[5m:]", long(120)));
}

#[test]
fn aggregations() {
    let (a, b) = (long(60), long(40));
    assert_eq!(
        formatted(&format!("topk by(x, \"y z\")(5, rate({a}[5m]) > {b})")),
        format!("topk by (x, \"y z\") (\n  5,\n    rate({a}[5m])\n  >\n    {b}\n)")
    );
    assert_eq!(
        formatted(&format!("sum(count without() ({a}{b}))")),
        format!("sum(\n  count without () (\n    {a}{b}\n  )\n)")
    );
    assert_eq!(
        formatted(&format!("count_values(\"v\", {a}{b})")),
        format!("count_values(\n  \"v\",\n  {a}{b}\n)")
    );
}

#[test]
fn operators() {
    let (a, b) = (long(60), long(50));
    assert_eq!(
        formatted(&format!("{a} == BOOL on(x) group_left(y) {b} + c")),
        format!("  {a}\n== bool on (x) group_left (y)\n  {b} + c")
    );
    assert_eq!(
        formatted(&format!("({a} + {b}) * 2 - d")),
        format!("    (\n        {a}\n      +\n        {b}\n    )\n  *\n    2\n-\n  d")
    );
    assert_eq!(formatted(&format!("-({a} / {b})")), format!("-(\n    {a}\n  /\n    {b}\n)"));
    assert_eq!(formatted(&format!("-{a} ^ {b}")), format!("-{a}\n^\n  {b}"));
}

#[test]
fn calls() {
    let (a, b) = (long(60), long(40));
    assert_eq!(
        formatted(&format!("label_replace(rate({a}[5m] offset 1h), '{b}', '$1', 'x', '')")),
        format!("label_replace(\n  rate({a}[5m] offset 1h),\n  \"{b}\",\n  \"$1\",\n  \"x\",\n  \"\"\n)")
    );
    assert_eq!(formatted(&format!("vector(time()) + {a}{b}")), format!("  vector(time())\n+\n  {a}{b}"));
}

#[test]
fn subqueries_stand_behind_what_they_are_of() {
    let (a, b) = (long(60), long(50));
    assert_eq!(
        formatted(&format!("max_over_time(({a} - {b})[1h:1m] @ end() offset 5m)")),
        format!("max_over_time(\n  (\n      {a}\n    -\n      {b}\n  )[1h:1m] @ end() offset 5m\n)")
    );
    // One that fits is not indented.
    assert_eq!(
        formatted(
            &format!("quantile_over_time({a}, {b}[1h:])")
                .replace(&a, "scalar(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa)")
        ),
        format!("quantile_over_time(\n  scalar({}),\n{b}[1h:]\n)", "a".repeat(44))
    );
}

#[test]
fn a_long_row_of_operators_takes_no_time() {
    let query = vec![long(500); 1500].join(" + ");
    let began = std::time::Instant::now();
    assert_eq!(pretty(&parse(&query).unwrap()).lines().count(), 2999);
    assert!(began.elapsed().as_secs() < 10);
}
