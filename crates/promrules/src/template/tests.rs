use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn answer(query: &str) -> Result<Vec<(Labels, PointValue)>, String> {
    match query {
        "metric" => Ok(vec![
            (labels(&[("__name__", "metric"), ("instance", "b")]), PointValue::Float(21.0)),
            (labels(&[("__name__", "metric"), ("instance", "a")]), PointValue::Float(11.0)),
        ]),
        "broken" => Err("no such thing".to_owned()),
        _ => Ok(Vec::new()),
    }
}

fn run(text: &str, value: f64) -> Result<String, String> {
    let data = AlertData {
        labels: &labels(&[("instance", "host:9090")]),
        value: &PointValue::Float(value),
        external_labels: &labels(&[("region", "here")]),
        external_url: "http://testhost:9090/path/prefix",
        time_ms: 1_353_755_652_000,
        query: &answer,
    };
    expand("Test", text, &data)
}

#[test]
fn what_an_alert_knows() {
    assert_eq!(
        run("{{ $labels.instance }} {{ $labels.none }}|{{ $value }} {{ $externalLabels.region }}", 1.5)
            .unwrap(),
        "host:9090 |1.5 here"
    );
    assert_eq!(
        run("{{ .Labels.instance }} {{ .ExternalURL }} {{ .Value }}", 2.0).unwrap(),
        "host:9090 http://testhost:9090/path/prefix 2"
    );
    assert_eq!(run("no template }}", 0.0).unwrap(), "no template }}");
    assert_eq!(
        run("{{ .Nope }}", 0.0).unwrap_err().split(": ").last(),
        Some(
            "can't evaluate field Nope in type struct { Labels map[string]string; ExternalLabels \
             map[string]string; ExternalURL string; Value interface {} }"
        )
    );
}

#[test]
fn samples() {
    for (text, expected) in [
        ("{{ query \"metric\" | first | value }}", "21"),
        ("{{ query \"metric\" | first | label \"instance\" }}", "b"),
        (
            "{{ range query \"metric\" | sortByLabel \"instance\" }}{{ .Labels.instance }}:{{ .Value }}: {{ end }}",
            "a:11: b:21: ",
        ),
        ("{{ with query \"none\" }}x{{ else }}nothing{{ end }}", "nothing"),
        ("{{ define \"x\" }}{{ .arg0 }} {{ .arg1 }}{{ end }}{{ template \"x\" (args 1 \"2\") }}", "1 2"),
    ] {
        assert_eq!(run(text, 0.0).as_deref(), Ok(expected), "{text}");
    }
    let error = run("{{ query \"none\" | first }}", 0.0).unwrap_err();
    assert!(
        error.ends_with("at <first>: error calling first: first() called on vector with no elements"),
        "{error}"
    );
    assert!(error.starts_with("error executing template __alert_Test: template: __alert_Test:1:"), "{error}");
    assert!(run("{{ query \"broken\" }}", 0.0).unwrap_err().ends_with("error calling query: no such thing"));
    assert!(
        run("{{ nope }}", 0.0)
            .unwrap_err()
            .starts_with("error parsing template __alert_Test: template: __alert_Test:1: function \"nope\"")
    );
}

#[test]
fn numbers_for_people() {
    for (function, value, expected) in [
        ("humanize", 0.0, "0"),
        ("humanize", 1_234_567.0, "1.235M"),
        ("humanize", 0.12, "120m"),
        ("humanize", -1e27, "-1000Y"),
        ("humanize", f64::INFINITY, "+Inf"),
        ("humanize1024", 1_048_576.0, "1Mi"),
        ("humanize1024", 0.12, "0.12"),
        ("humanizeDuration", 0.0, "0s"),
        ("humanizeDuration", 60.0, "1m 0s"),
        ("humanizeDuration", 90_000.0, "1d 1h 0m 0s"),
        ("humanizeDuration", -183_845.0, "-2d 3h 4m 5s"),
        ("humanizeDuration", 0.0001, "100us"),
        ("humanizeDuration", 12.3456, "12.35s"),
        ("humanizePercentage", 0.123_456_7, "12.35%"),
        ("humanizePercentage", 1.23456, "123.5%"),
        ("humanizeTimestamp", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("humanizeTimestamp", -1.0, "1969-12-31 23:59:59 +0000 UTC"),
        ("humanizeTimestamp", f64::NAN, "NaN"),
    ] {
        assert_eq!(
            run(&format!("{{{{ $value | {function} }}}}"), value).as_deref(),
            Ok(expected),
            "{function} {value}"
        );
        let text = gotemplate::format_float(value, 'g', None);
        assert_eq!(
            run(&format!("{{{{ \"{text}\" | {function} }}}}"), 0.0).as_deref(),
            Ok(expected),
            "{function} {text}"
        );
    }
    let error = run("{{ humanize \"one\" }}", 0.0).unwrap_err();
    assert!(
        error.ends_with("error calling humanize: strconv.ParseFloat: parsing \"one\": invalid syntax"),
        "{error}"
    );
    let error = run("{{ humanizeTimestamp 1.8446744073709552e+19 }}", 0.0).unwrap_err();
    assert!(
        error.ends_with(
            "1.8446744073709552e+19 cannot be represented as a nanoseconds timestamp since it overflows int64"
        ),
        "{error}"
    );
}

#[test]
fn texts_and_times() {
    for (text, expected) in [
        ("{{ reReplaceAll \"(a)b\" \"x$1\" \"ab\" }}", "xa"),
        ("{{ match \"a+\" \"aa\" }} {{ match \"a+\" \"b\" }}", "true false"),
        ("{{ \"aa bb CC\" | title }} {{ \"aB\" | toUpper }} {{ \"aB\" | toLower }}", "Aa Bb CC AB ab"),
        (
            "{{ graphLink \"up\" }} {{ tableLink \"a b\" }}",
            "/graph?g0.expr=up&g0.tab=0 /graph?g0.expr=a+b&g0.tab=1",
        ),
        ("{{ pathPrefix }} {{ externalURL }}", "/path/prefix http://testhost:9090/path/prefix"),
        (
            "{{ now }} {{ (now | toTime).Format \"Mon Jan 2 15:04:05 2006\" }}",
            "1.353755652e+09 Sat Nov 24 11:14:12 2012",
        ),
        ("{{ (\"-30m\" | parseDuration | toDuration | (now | toTime).Add).UnixMilli }}", "1353753852000"),
        ("{{ (1800 | toDuration).String }} {{ (\"1800\" | toDuration).String }}", "30m0s 30m0s"),
        ("{{ printf \"%0.2f\" (parseDuration \"1h2m10ms\") }}", "3720.01"),
        ("{{ urlQueryEscape \"a b/c\" }}{{ safeHtml \"<b>\" }}", "a+b%2Fc<b>"),
    ] {
        assert_eq!(run(text, 0.0).as_deref(), Ok(expected), "{text}");
    }
    for (address, port, domain) in [
        ("foo.example.com", "foo.example.com", "foo"),
        ("foo.example.com:12345", "foo.example.com", "foo:12345"),
        ("192.0.2.1:12345", "192.0.2.1", "192.0.2.1:12345"),
        ("2001:0DB8::1", "2001:0DB8::1", "2001:0DB8::1"),
        ("[2001:0DB8::1]:12345", "2001:0DB8::1", "[2001:0DB8::1]:12345"),
        ("[2001:0DB8::1]::12345", "[2001:0DB8::1]::12345", "[2001:0DB8::1]::12345"),
    ] {
        let found =
            run(&format!("{{{{ \"{address}\" | stripPort }}}} {{{{ \"{address}\" | stripDomain }}}}"), 0.0);
        assert_eq!(found, Ok(format!("{port} {domain}")));
    }
    let error = run("{{ reReplaceAll \"(\" \"\" \"\" }}", 0.0).unwrap_err();
    assert!(
        error.ends_with(
            "error calling reReplaceAll: regexp: Compile(`(`): error parsing regexp: missing closing ): `(`"
        ),
        "{error}"
    );
}

#[test]
fn whole_numbers_and_texts_are_numbers_as_well() {
    for (function, cases) in [
        (
            "humanize",
            &[("-1", "-1"), ("1234567", "1.235M"), ("9223372036854775807", "9.223E"), ("\".12\"", "120m")][..],
        ),
        (
            "humanize1024",
            &[("-1", "-1"), ("1234567", "1.177Mi"), ("9223372036854775807", "8Ei"), ("\"0.0\"", "0")],
        ),
        (
            "humanizeDuration",
            &[
                ("-1", "-1s"),
                ("1234567", "14d 6h 56m 7s"),
                ("899.99", "14m 59s"),
                ("86400", "1d 0h 0m 0s"),
                (".1", "100ms"),
                (".12345", "123.5ms"),
                ("60.5", "1m 0s"),
                ("1.2345", "1.234s"),
                ("\"12.345\"", "12.35s"),
                ("\"3600\"", "1h 0m 0s"),
            ],
        ),
        (
            "humanizePercentage",
            &[
                ("-0.22222", "-22.22%"),
                ("0.0", "0%"),
                ("-1", "-100%"),
                ("1234567", "1.235e+08%"),
                ("9223372036854775807", "9.223e+20%"),
                ("\"1.23456\"", "123.5%"),
            ],
        ),
        (
            "humanizeTimestamp",
            &[
                ("0", "1970-01-01 00:00:00 +0000 UTC"),
                ("1234567", "1970-01-15 06:56:07 +0000 UTC"),
                ("9223372036", "2262-04-11 23:47:16 +0000 UTC"),
                ("\"1435065584.128\"", "2015-06-23 13:19:44.128 +0000 UTC"),
            ],
        ),
        (
            "toTime",
            &[
                ("1657155181", "2022-07-07 00:53:01 +0000 UTC"),
                ("\"1657155181\"", "2022-07-07 00:53:01 +0000 UTC"),
            ],
        ),
    ] {
        for (number, expected) in cases {
            assert_eq!(
                run(&format!("{{{{ {function} {number} }}}}"), 0.0).as_deref(),
                Ok(*expected),
                "{function} {number}"
            );
        }
        for number in ["+Inf", "-Inf", "NaN"] {
            if function != "toTime" && function != "humanizePercentage" {
                let found = run(&format!("{{{{ {function} \"{number}\" }}}}"), 0.0);
                assert_eq!(found.as_deref(), Ok(number), "{function}");
            }
        }
        let error = run(&format!("{{{{ \"one\" | {function} }}}}"), 0.0).unwrap_err();
        let end = format!(
            "at <{function}>: error calling {function}: strconv.ParseFloat: parsing \"one\": invalid syntax"
        );
        assert!(error.ends_with(&end), "{error}");
    }
    for number in ["9223372036854775807", "-9223372036854775808", "1.8e300", "-1.8e300"] {
        for function in ["toTime", "humanizeTimestamp"] {
            let error = run(&format!("{{{{ {function} {number} }}}}"), 0.0).unwrap_err();
            assert!(error.ends_with("since it overflows int64"), "{function} {number}: {error}");
        }
    }
}

#[test]
fn values_that_are_histograms_and_labels_that_are_not_there() {
    let histogram =
        std::sync::Arc::new(model::Histogram { count: 3.0, sum: 10.0, ..model::Histogram::default() });
    let found = vec![(labels(&[("instance", "a"), ("__value__", "v")]), PointValue::Histogram(histogram))];
    let data = AlertData {
        labels: &labels(&[]),
        value: &found[0].1.clone(),
        external_labels: &labels(&[]),
        external_url: "",
        time_ms: 0,
        query: &|_| Ok(found.clone()),
    };
    for (text, expected) in [
        ("{{ $value }}", "{count:3, sum:10}"),
        ("{{ query \"m\" | first | value }}", "{count:3, sum:10}"),
        ("{{ query \"m\" | first | strvalue }}", "v"),
        ("{{ query \"m\" | first | label \"none\" }}|", "|"),
        ("{{ $x := query \"m\" | first }}{{ $x.Labels.none }}|{{ $x.Labels.instance }}", "|a"),
        ("{{ 1 }} plain {{ \"<b>\" }} {{ \"aA bB CC\" | toLower }}", "1 plain <b> aa bb cc"),
        ("{{ printf \"%0.2f\" (parseDuration \"-1h2m10ms\") }}", "-3720.01"),
    ] {
        assert_eq!(expand("Test", text, &data).as_deref(), Ok(expected), "{text}");
    }
    for (text, end) in [
        ("{{\u{a0}}}", "__alert_Test:1: unrecognized character in action: U+00A0"),
        ("{{", "__alert_Test:1: unclosed action"),
        (
            "{{ (query \"m\").banana }}",
            "at <\"m\">: can't evaluate field banana in type template.queryResult",
        ),
    ] {
        let error = expand("Test", text, &data).unwrap_err();
        assert!(error.ends_with(end), "{text}: {error}");
    }
}

#[test]
fn a_template_is_checked_without_data() {
    assert_eq!(check("Test", "{{ $labels.x | humanize }} {{ $value }}"), Ok(()));
    assert_eq!(check("Test", "{{ $labels.x"), Err("template: __alert_Test:1: unclosed action".to_owned()));
    assert_eq!(
        check("Test", "{{ $lables }}"),
        Err("template: __alert_Test:1: undefined variable \"$lables\"".to_owned())
    );
}

#[test]
fn each_function_that_is_named_is_there() {
    for name in FUNCTIONS {
        assert_eq!(check("Test", &format!("{{{{ {name} }}}}")), Ok(()));
    }
}
