use model::histogram::Notation;
use model::sample::STALE_NAN_BITS;

use super::*;

fn points(line: &str) -> Vec<Point> {
    parse_series(line).unwrap_or_else(|error| panic!("{line}: {error}")).points
}

/// The points as text: `_` for none.
fn read(line: &str) -> String {
    let words = points(line).into_iter().map(|point| match point {
        Point::None => "_".to_owned(),
        Point::Float(value) if value.to_bits() == STALE_NAN_BITS => "stale".to_owned(),
        Point::Float(value) => value.to_string(),
        Point::Histogram { histogram, hint_given } => {
            format!("{}{}", Notation(&histogram), if hint_given { "!" } else { "" })
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn refused(line: &str) -> String {
    parse_series(line).expect_err(line).to_string()
}

#[test]
fn series() {
    let labels = |line| {
        let labels = parse_series(line).unwrap().labels;
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
    };
    assert_eq!(labels("up 1"), "__name__=up");
    assert_eq!(labels("  a:b{} 1"), "__name__=a:b");
    assert_eq!(labels("sum{by='x', on=\"\\u70ac = torch\",} 1"), "__name__=sum,by=x,on=炬 = torch");
    assert_eq!(labels("{\"a metric\", \"a label\"=`b`} 1"), "__name__=a metric,a label=b");
    assert_eq!(labels("{} 1"), "");
    assert_eq!(labels("fill{a=\"1\"} 1"), "__name__=fill,a=1");
}

#[test]
fn numbers() {
    assert_eq!(read("{}"), "");
    assert_eq!(read("a 1 -2   +3.5 \t .5 1e3  "), "1 -2 3.5 0.5 1000");
    assert_eq!(read("a 1_000 007 NaN Inf -inf"), "1000 7 NaN inf -inf");
    assert_eq!(read("a 1 2 3-10x4"), "1 2 3 -7 -17 -27 -37");
    assert_eq!(read("a -3+2.5x2 7x2 8x0 9-1x0"), "-3 -0.5 2 7 7 7 8 9");
    assert_eq!(read("a _ 1 _x3 stale _"), "_ 1 _ _ _ stale _");
}

#[test]
fn what_is_no_point() {
    for (line, message) in [
        ("a 1+1", "1:6: parse error: unexpected end of input in series values"),
        ("a -3-3 -3", "1:7: parse error: unexpected \" \" in series values"),
        ("a _a4", "1:4: parse error: unexpected identifier \"a4\""),
        ("a -3 _-2", "1:7: parse error: unexpected <op:->"),
        ("a 3+3x4-4", "1:8: parse error: unexpected <op:->"),
        (
            "a 1x1.5",
            "1:5: parse error: invalid repetition in series values: strconv.ParseUint: parsing \"1.5\": invalid syntax",
        ),
        ("a sum", "1:3: parse error: unexpected <aggr:sum>"),
        ("a ?", "1:3: parse error: unexpected character in series sequence: '?'"),
        ("a 0x10y", "1:5: parse error: bad number syntax: \"10\""),
        ("a{b} 1", "1:4: parse error: unexpected \"}\" in label set, expected \"=\""),
        ("a{b=1} 1", "1:5: parse error: unexpected character inside braces: '1'"),
        ("a{b=c} 1", "1:5: parse error: unexpected identifier \"c\" in label set, expected string"),
        ("a{b=~'c'} 1", "1:4: parse error: unexpected <op:=~> in label set, expected \"=\""),
        ("a{b='c' 1", "1:9: parse error: unexpected character inside braces: '1'"),
        ("a{=} 1", "1:3: parse error: unexpected \"=\" in label set, expected identifier or \"}\""),
        ("1 2 3", "1:1: parse error: unexpected number \"1\" in series values"),
        ("a {b='c'} 1", "1:3: parse error: unexpected character in series sequence: '{'"),
        (
            "a stalex1",
            "1:3: parse error: unexpected identifier \"stalex1\" in series values, expected number or \"stale\"",
        ),
        ("a{b='c'}} 1", "1:9: parse error: unexpected character in series sequence: '}'"),
        ("a x3", "1:3: parse error: unexpected \"x\""),
        ("a 1 x3", "1:5: parse error: unexpected \"x\""),
        ("a 5mx3", "1:3: parse error: bad number syntax: \"5\""),
        ("a 1_", "1:3: parse error: bad number syntax: \"1_\""),
        ("a 1e", "1:3: parse error: bad number syntax: \"1e\""),
        ("a stale{", "1:8: parse error: unexpected \"{\""),
        ("a start 1", "1:3: parse error: unexpected \"start\""),
        ("a 1 # x", "1:5: parse error: unexpected character in series sequence: '#'"),
        ("up[5m] 1", "1:3: parse error: unexpected character in series sequence: '['"),
        ("a+b 1", "1:2: parse error: unexpected <op:+> in series values"),
    ] {
        assert_eq!(refused(line), message, "{line}");
    }
}

#[test]
fn too_many_points() {
    assert_eq!(refused("a 1x10000000"), "1:5: parse error: the series has more than 10000000 points");
    assert!(refused("a _x18446744073709551615").ends_with("points"));
    assert!(refused("a 1+1x18446744073709551615").ends_with("points"));
}

#[test]
fn histograms() {
    let all = "{{schema:1 count:3.5 sum:-0.5 z_bucket:7 z_bucket_w:0.05 counter_reset_hint:gauge offset:-3 \
               buckets:[5 10 7] n_offset:5 n_buckets:[4 5.5]}}";
    assert_eq!(read(&format!("{{}} {all}")), format!("{all}!"));
    assert_eq!(read("{} {{}} {{ }}"), "{{}} {{}}");
    assert_eq!(
        read("a {{n_buckets:[4 -5  ]  schema:-53 custom_values:[1 Inf 2.5] buckets:[1 6e1]  }}"),
        "{{schema:-53 custom_values:[1 +Inf 2.5] buckets:[1 60] n_buckets:[4 -5]}}"
    );
    assert_eq!(read("a {{Sum:nan count:inf counter_reset_hint:unknown}}"), "{{count:+Inf sum:NaN}}!");
    assert_eq!(read("a {{sum:1}}x1 _ {{sum:2}}"), "{{sum:1}} {{sum:1}} _ {{sum:2}}");
}

#[test]
fn progressions_of_histograms() {
    assert_eq!(
        read("a {{sum:1}}+{{sum:2}}x2 {{sum:1}}-{{sum:2}}x1"),
        "{{sum:1}} {{sum:3}} {{sum:5}} {{sum:1}} {{sum:-1}}"
    );
    assert_eq!(
        read("a {{buckets:[5]}}+{{buckets:[1 2] schema:1}}x2"),
        "{{buckets:[5]}} {{buckets:[6 2]}} {{buckets:[7 4]}}"
    );
    assert_eq!(read("a {{}}+{{sum:1 counter_reset_hint:not_reset}}x1"), "{{}}! {{sum:1}}!");
    assert_eq!(
        refused("{} {{buckets:[5 10 7] schema:1}}+{{buckets:[1 2 3] schema:0}}x2"),
        "1:63: parse error: error combining histograms: cannot merge from schema 0 to 1"
    );
    assert!(
        refused("{} {{schema:-53 custom_values:[1]}}+{{}}x2")
            .ends_with("a mix of exponential and custom bucket schemas")
    );
}

#[test]
fn what_is_no_histogram() {
    for (line, message) in [
        ("{} {{schema:1 schema:1}}", "1:1: parse error: duplicate key \"schema\" in histogram"),
        ("{} {{foo:1}}", "1:6: parse error: bad histogram descriptor found: \"foo\""),
        ("{} {{schema :1}}", "1:6: parse error: missing `:` for histogram descriptor"),
        ("{} {{schema: 1}}", "1:13: parse error: unexpected \" \" in series values"),
        ("{} {{buckets:[ 1]}}", "1:15: parse error: unexpected \" \" in series values"),
        ("{} {{ schema:1}}", "1:7: parse error: unexpected \"<Item 57372>\" \"schema\" in series values"),
        ("{} {{counter_reset_hint:foo}}", "1:25: parse error: bad histogram descriptor found: \"foo\""),
        (
            "{} {{sum:1 counter_reset_hint:1}}",
            "1:31: parse error: unexpected number \"1\" in histogram description, expected histogram description key, e.g. buckets:[5 10 7]",
        ),
        (
            "{} {{sum:1 count: 2}}",
            "1:18: parse error: unexpected \" \" in histogram description, expected histogram description key, e.g. buckets:[5 10 7]",
        ),
        ("{} {{sum:1}", "1:11: parse error: histogram description incomplete unexpected: '}'"),
        ("{} {{sum:1", "1:11: parse error: histogram description incomplete unexpected: '\u{fffd}'"),
        ("{} {{buckets:[1,2]}}", "1:16: parse error: invalid character in buckets description: ','"),
        ("{} {{sum:1}}+2x3", "1:14: parse error: unexpected number \"2\" in series values"),
        ("{} {{sum:1}}+{{sum:1}}", "1:23: parse error: unexpected end of input in series values"),
        (
            "{} {{schema:-53 custom_values:[1]}}+{{}}x2",
            "1:42: parse error: cannot apply this operation on histograms with a mix of exponential and custom bucket schemas",
        ),
        ("{} {{buckets:[1 -]}}", "1:18: parse error: bad number syntax: \"\""),
        ("{} {{buckets:[a]}}", "1:15: parse error: unexpected \"a]\" in series values"),
        (
            "{} {{schema:1.5}}",
            "1:13: parse error: invalid repetition in series values: strconv.ParseUint: parsing \"1.5\": invalid syntax",
        ),
        ("{} {{schema:1m}}", "1:13: parse error: bad number syntax: \"1\""),
        ("{} {{z_bucket_w:-1}}", "1:17: parse error: unexpected <op:-> in series values"),
        ("{} {{sum:}}", "1:10: parse error: unexpected \"}}\" in series values"),
        ("{} {{sum:1 sum}}", "1:12: parse error: missing `:` for histogram descriptor"),
        (
            "{} {{sum:1 count:1 gauge}}",
            "1:20: parse error: unexpected \"<Item 57448>\" \"gauge\" in histogram description, expected histogram description key, e.g. buckets:[5 10 7]",
        ),
        ("{} {{gauge}}", "1:6: parse error: unexpected \"<Item 57448>\" \"gauge\" in series values"),
        ("{} {{}}5", "1:8: parse error: unexpected number \"5\""),
        ("{} {{}}{{}}", "1:8: parse error: unexpected \"{{\""),
        ("{} {{sum:+1}}", "1:10: parse error: histogram description incomplete unexpected: '+'"),
        ("{} {{buckets:[]}}", "1:15: parse error: unexpected \"]\" in series values"),
        ("{} {{buckets:[1 2 ", "1:19: parse error: invalid character in buckets description: '\u{fffd}'"),
        ("{} {{buckets:1}}", "1:14: parse error: unexpected number \"1\" in series values"),
    ] {
        assert_eq!(refused(line), message, "{line}");
    }
    // Without a word, as in Prometheus.
    assert_eq!(read("{} {{buckets:[1-2]}}"), "{{buckets:[1]}}");
    assert_eq!(read("{} {{buckets:[1 a] sum:1}}"), "{{sum:1 buckets:[1]}}");
}

#[test]
fn start_times() {
    assert!(is_start_times("  a@st -1m") && is_start_times("a{b='c'}@st\t_"));
    assert!(!is_start_times("a @st") && !is_start_times("a@st") && !is_start_times("a 1"));
    let times = parse_start_times(" a{b='c'}@st  -1m _ 30sx1 _x2 -1m+10sx2 0s-500msx1 ").unwrap();
    assert_eq!(times.labels, parse_series("a{b='c'} 1").unwrap().labels);
    let expected =
        [-60, 0, 30, 30, 0, 0, -60, -50, -40].map(|seconds| (seconds != 0).then_some(seconds * 1000));
    assert_eq!(times.offsets_ms[..9], expected);
    assert_eq!(times.offsets_ms[9..], [Some(0), Some(-500)]);
    for (line, message) in [
        ("a@st x", "invalid @st sequence: invalid ST item \"x\": expected digits in duration \"x\""),
        ("a@st _x0", "invalid @st sequence: invalid ST item \"_x0\": invalid repeat count"),
        (
            "a@st 1m?2",
            "invalid @st sequence: invalid ST item \"1m?2\": unexpected character '?' after duration",
        ),
        (
            "a@st 1m+1m",
            "invalid @st sequence: invalid ST item \"1m+1m\": expected 'x<count>' after step duration",
        ),
        ("a@st 1m+", "invalid @st sequence: invalid ST item \"1m+\": invalid step duration: empty duration"),
        (
            "a@st 1q",
            "invalid @st sequence: invalid ST item \"1q\": invalid duration \"1q\": unknown unit \"q\" in duration \
             \"1q\"",
        ),
    ] {
        let reason = parse_start_times(line).unwrap_err();
        assert!(reason.starts_with(message), "{reason}");
    }
    assert!(parse_start_times("a@st 1mx18446744073709551615").unwrap_err().contains("more than"));
    assert!(parse_start_times("?@st 1m").unwrap_err().starts_with("invalid @st line metric \"?\": 1:1: "));
}
