//! Prometheus' own words for what cannot be read.

use exposition::protocol::MediaType;
use exposition::{Event, Options, Parser};

/// The error that a body ends with; empty if it is read to its end.
fn outcome(format: MediaType, body: &[u8]) -> String {
    let mut parser = Parser::of(body, format, &Options { skip_created: true, ..Options::default() });
    let mut labels = Vec::new();
    loop {
        match parser.next_event() {
            Ok(Some(Event::Float)) => {
                labels.clear();
                _ = parser.labels(&mut labels);
            }
            Ok(Some(_)) => {}
            Ok(None) => return String::new(),
            Err(error) => return error.message,
        }
    }
}

fn check(format: MediaType, cases: &[(&[u8], &str)]) {
    for (body, expected) in cases {
        assert_eq!(outcome(format, body), *expected, "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn text() {
    check(
        MediaType::Text,
        &[
            (b"a", r#"expected value after metric, got "\n" ("INVALID") while parsing: "a\n""#),
            (b"a{b='c'} 1\n", r#"expected label value, got "'" ("INVALID") while parsing: "a{b='""#),
            (b"a{b=\n", r#"expected label value, got "\n" ("INVALID") while parsing: "a{b=\n""#),
            (
                b"a{\xff=\"foo\"} 1\n",
                r#"expected label name, got "\xff" ("INVALID") while parsing: "a{\xff""#,
            ),
            (b"a{b=\"\xff\"} 1\n", r#"invalid UTF-8 label value: "\"\xff\"""#),
            (
                b"{\"a\", \"b = \"c\"}",
                r#"expected equal, got "c\"" ("LNAME") while parsing: "{\"a\", \"b = \"c\"""#,
            ),
            (b"{\"a\",b\\nc=\"d\"} 1", r#"expected equal, got "\\" ("INVALID") while parsing: "{\"a\",b\\""#),
            (b"a true\n", r#"strconv.ParseFloat: parsing "true": invalid syntax while parsing: "a true""#),
            (
                b"something_weird{problem=\"",
                r#"expected label value, got "\"\n" ("INVALID") while parsing: "something_weird{problem=\"\n""#,
            ),
            (
                b"empty_label_name{=\"\"} 0",
                r#"expected label name, got "=\"" ("EQUAL") while parsing: "empty_label_name{=\"""#,
            ),
            (b"{A}0", r#"expected equal, got "}0" ("BCLOSE") while parsing: "{A}0""#),
            (b"foo 1_2\n", r#"unsupported character in float while parsing: "foo 1_2""#),
            (b"foo 0x1p-3\n", r#"unsupported character in float while parsing: "foo 0x1p-3""#),
            (
                b"foo 0 1_2\n",
                r#"expected next entry after timestamp, got "_" ("INVALID") while parsing: "foo 0 1_""#,
            ),
            (b"{a=\"ok\"} 1", r#"metric name not set while parsing: "{a=\"ok\"} 1""#),
            (
                b"# TYPE #\n#EOF\n",
                r##"expected metric name after TYPE, got "#" ("INVALID") while parsing: "# TYPE #""##,
            ),
            (
                b"# HELP #\n#EOF\n",
                r##"expected metric name after HELP, got "#" ("INVALID") while parsing: "# HELP #""##,
            ),
            (
                b"a 1 99999999999999999999\n",
                r#"strconv.ParseInt: parsing "99999999999999999999": value out of range while parsing: "a 1 99999999999999999999""#,
            ),
            (b"# TYPE a gadget\n", r#"invalid metric type "gadget""#),
            (b"{\"a\",\"b\"} 1\n", r#"metric name already set while parsing: "{\"a\",\"b\"}""#),
        ],
    );
}

#[test]
fn zero_bytes_in_text() {
    check(
        MediaType::Text,
        &[
            (b"null_byte_metric{a=\"abc\x00\"} 1", ""),
            (b"a{b=\"\x00ss\"} 1\n", ""),
            (b"a{b=\"\x00\"} 1\n", ""),
            (b"# HELP a b\x00c\n", ""),
            (b"# TYPE a \x00gauge\n", r#"invalid metric type "\x00gauge""#),
            (b"# TYPE a\x00b gauge\n", r#"invalid metric type """#),
            (
                b"# HELP a\x00bc d\n",
                r##"linebreak expected after metadata, got "\x00b" ("EOF") while parsing: "# HELP a\x00b""##,
            ),
            (
                b"a{b=\x00\"ssss\"} 1\n",
                r#"expected label value, got "\x00" ("INVALID") while parsing: "a{b=\x00""#,
            ),
            (
                b"a{b=\"\x00",
                r#"expected label value, got "\"\x00\n" ("INVALID") while parsing: "a{b=\"\x00\n""#,
            ),
            (b"a{b\x00=\"hiih\"}\t1", r#"expected equal, got "\x00" ("INVALID") while parsing: "a{b\x00""#),
            (
                b"a\x00{b=\"ddd\"} 1",
                r#"expected value after metric, got "\x00" ("INVALID") while parsing: "a\x00""#,
            ),
            (
                b"a 0 1\x00",
                r#"expected next entry after timestamp, got "\x00" ("INVALID") while parsing: "a 0 1\x00""#,
            ),
        ],
    );
}

#[test]
fn openmetrics() {
    check(
        MediaType::OpenMetrics,
        &[
            (b"# EOF", ""),
            (b"# EOF\n", ""),
            (b"", "data does not end with # EOF"),
            (b"\n", r#"expected a valid start token, got "\n" ("INVALID") while parsing: "\n""#),
            (b"metric", r#"expected value after metric, got "metric" ("EOF") while parsing: "metric""#),
            (b"metric 1", "data does not end with # EOF"),
            (b"metric 1\n", "data does not end with # EOF"),
            (b"metric_total 1 # {aa=\"bb\"} 4", "data does not end with # EOF"),
            (b"a\n#EOF\n", r#"expected value after metric, got "\n" ("INVALID") while parsing: "a\n""#),
            (b" a 1\n#EOF\n", r#"expected a valid start token, got " " ("INVALID") while parsing: " ""#),
            (b"9\n#EOF\n", r#"expected a valid start token, got "9" ("INVALID") while parsing: "9""#),
            (b"# TYPE u untyped\n#EOF\n", r#"invalid metric type "untyped""#),
            (b"# TYPE c counter \n#EOF\n", r#"invalid metric type "counter ""#),
            (
                b"#  TYPE c counter\n#EOF\n",
                r##"expected a valid start token, got "#  " ("INVALID") while parsing: "#  ""##,
            ),
            (
                b"# TYPE \n#EOF\n",
                r##"expected metric name after TYPE, got "\n" ("INVALID") while parsing: "# TYPE \n""##,
            ),
            (b"# TYPE m\n#EOF\n", "expected text in TYPE"),
            (b"# UNIT metric suffix\n#EOF\n", r#"unit "suffix" not a suffix of metric "metric""#),
            (b"# UNIT metricsuffix suffix\n#EOF\n", r#"unit "suffix" not a suffix of metric "metricsuffix""#),
            (b"# UNIT m suffix\n#EOF\n", r#"unit "suffix" not a suffix of metric "m""#),
            (b"# UNIT m\n#EOF\n", "expected text in UNIT"),
            (b"# HELP m\n#EOF\n", "expected text in HELP"),
            (b"a\t1\n#EOF\n", r#"expected value after metric, got "\t" ("INVALID") while parsing: "a\t""#),
            (
                b"a 1\t2\n#EOF\n",
                r#"strconv.ParseFloat: parsing "1\t2": invalid syntax while parsing: "a 1\t2""#,
            ),
            (
                b"a 1 2 \n#EOF\n",
                r#"expected next entry after timestamp, got " \n" ("INVALID") while parsing: "a 1 2 \n""#,
            ),
            (
                b"a 1 2 #\n#EOF\n",
                r#"expected next entry after timestamp, got " #\n" ("TIMESTAMP") while parsing: "a 1 2 #\n""#,
            ),
            (
                b"a 1 1z\n#EOF\n",
                r#"strconv.ParseFloat: parsing "1z": invalid syntax while parsing: "a 1 1z""#,
            ),
            (b"# EOF\na 1", "unexpected data after # EOF"),
            (b"# EOF\n\n", "unexpected data after # EOF"),
            (b"# EOFa 1", "unexpected data after # EOF"),
            (
                b"#\tTYPE c counter\n",
                r##"expected a valid start token, got "#\t" ("INVALID") while parsing: "#\t""##,
            ),
            (b"# TYPE c  counter\n", r#"invalid metric type " counter""#),
            (
                b"a 1 1 1\n# EOF\n",
                r#"expected next entry after timestamp, got " 1\n" ("TIMESTAMP") while parsing: "a 1 1 1\n""#,
            ),
            (b"a{,b=\"c\"} 1\n# EOF\n", r#"expected label name, got ",b" ("COMMA") while parsing: "a{,b""#),
            (
                b"a{b=\"c\"d=\"e\"} 1\n# EOF\n",
                r#"expected comma or brace close, got "d=" ("LNAME") while parsing: "a{b=\"c\"d=""#,
            ),
            (
                b"a{b=\"c\",,d=\"e\"} 1\n# EOF\n",
                r#"expected label name, got ",d" ("COMMA") while parsing: "a{b=\"c\",,d""#,
            ),
            (
                b"something_weird{problem=\"\n# EOF\n",
                r#"expected label value, got "\"\n" ("INVALID") while parsing: "something_weird{problem=\"\n""#,
            ),
            (b"foo 0 1_2\n\n# EOF\n", r#"unsupported character in float while parsing: "foo 0 1_2""#),
            (b"{b=\"c\",} 1", r#"metric name not set while parsing: "{b=\"c\",} 1""#),
            (b"a 1 NaN", "invalid timestamp NaN"),
            (b"a 1 -Inf", "invalid timestamp -Inf"),
            (b"a 1 Inf", "invalid timestamp +Inf"),
            (b"#", r##"expected a valid start token, got "#" ("INVALID") while parsing: "#""##),
            (b"# H", r##"expected a valid start token, got "# H" ("INVALID") while parsing: "# H""##),
            (
                b"a 1 \n# EOF\n",
                r#"expected a valid start token, got "\n#" ("LINEBREAK") while parsing: "\n#""#,
            ),
        ],
    );
}

#[test]
fn exemplars_of_openmetrics() {
    check(
        MediaType::OpenMetrics,
        &[
            (
                b"custom_metric_total 1 # {aa=bb}\n# EOF\n",
                r#"expected label value, got "b" ("INVALID") while parsing: "custom_metric_total 1 # {aa=b""#,
            ),
            (
                b"custom_metric_total 1 # {aa=\"bb\"}\n# EOF\n",
                r#"expected value after exemplar labels, got "\n" ("INVALID") while parsing: "custom_metric_total 1 # {aa=\"bb\"}\n""#,
            ),
            (
                b"custom_metric_total 1 # {aa=\"bb\"}",
                r#"expected value after exemplar labels, got "}" ("EOF") while parsing: "custom_metric_total 1 # {aa=\"bb\"}""#,
            ),
            (
                b"custom_metric_total 1 # {bb}",
                r#"expected equal, got "}" ("BCLOSE") while parsing: "custom_metric_total 1 # {bb}""#,
            ),
            (
                b"custom_metric_total 1 # {bb, a=\"dd\"}",
                r#"expected equal, got ", " ("COMMA") while parsing: "custom_metric_total 1 # {bb, ""#,
            ),
            (
                b"custom_metric_total 1 # {aa=\"bb\",,cc=\"dd\"} 1",
                r#"expected label name, got ",c" ("COMMA") while parsing: "custom_metric_total 1 # {aa=\"bb\",,c""#,
            ),
            (
                b"custom_metric_total 1 # {aa=\"bb\"} 1_2",
                r#"unsupported character in float while parsing: "custom_metric_total 1 # {aa=\"bb\"} 1_2""#,
            ),
            (
                b"custom_metric_total 1 # {aa=\"bb\"} true",
                r#"strconv.ParseFloat: parsing "true": invalid syntax while parsing: "custom_metric_total 1 # {aa=\"bb\"} true""#,
            ),
            (
                b"custom_metric_total 1 # {aa=\"bb\",cc=}",
                r#"expected label value, got "}" ("INVALID") while parsing: "custom_metric_total 1 # {aa=\"bb\",cc=}""#,
            ),
            (
                b"# TYPE hhh histogram\nhhh_bucket{le=\"+Inf\"} 1 # {aa=\"bb\"} 4 NaN",
                "invalid exemplar timestamp NaN",
            ),
            (
                b"custom_metric_total 1 # {b=\x00\"ssss\"} 1\n",
                r#"expected label value, got "\x00" ("INVALID") while parsing: "custom_metric_total 1 # {b=\x00""#,
            ),
            (
                b"custom_metric_total 1 # {b=\"\x00ss\"} 1\n",
                r#"expected label value, got "\"\x00" ("INVALID") while parsing: "custom_metric_total 1 # {b=\"\x00""#,
            ),
        ],
    );
}

#[test]
fn lines_are_counted() {
    let body = b"# HELP a b\na 1\na x\n";
    let mut parser = Parser::of(body, MediaType::Text, &Options::default());
    let error = loop {
        if let Err(error) = parser.next_event() {
            break error;
        }
    };
    assert_eq!(error.line, 3);
}

#[test]
fn a_series_that_is_expected_is_read_as_any_other() {
    let body = b"a{x=\"1\"} 1\nab 2\na{x=\"1\"}  3\na {y=\"2\"} 4\na 5";
    let read = |key: &[u8]| {
        let mut parser = Parser::of(body, MediaType::Text, &Options::default());
        let mut found = Vec::new();
        while let Some(event) = parser.next_expecting(key).unwrap() {
            assert_eq!(event, Event::Float);
            let mut labels = Vec::new();
            parser.labels(&mut labels).unwrap();
            let sample = parser.sample();
            found.push((sample.key.to_vec(), sample.value.to_bits(), labels));
        }
        found
    };
    let plain = read(b"");
    assert_eq!(plain.len(), 5);
    for key in [&b"a{x=\"1\"}"[..], b"a", b"ab", b"a {y=\"2\"}", b"b", b"a 5", body] {
        assert_eq!(read(key), plain, "{:?}", String::from_utf8_lossy(key));
    }
}
