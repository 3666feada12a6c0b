use super::*;

const NOW_NS: u64 = 1_795_217_953_000_000_000;

fn traces(query: &str) -> Result<TracesRequest, String> {
    TracesRequest::parse(&Query::parse(Some(query)), NOW_NS).map_err(|error| error.to_string())
}

/// The words are those of a Jaeger 2.20 that was asked the same.
#[test]
fn a_wrong_search_is_refused_in_jaegers_words() {
    for (query, error) in [
        ("", "parameter 'service' is required"),
        (
            "service=s&start=abc",
            r#"unable to parse param 'start': strconv.ParseInt: parsing "abc": invalid syntax"#,
        ),
        (
            "service=s&end=abc",
            r#"unable to parse param 'end': strconv.ParseInt: parsing "abc": invalid syntax"#,
        ),
        ("service=s&limit=abc", r#"strconv.ParseInt: parsing "abc": invalid syntax"#),
        ("service=s&limit=99999999999", r#"strconv.ParseInt: parsing "99999999999": value out of range"#),
        (
            "service=s&minDuration=5",
            r#"unable to parse param 'minDuration': time: missing unit in duration "5""#,
        ),
        ("service=s&maxDuration=abc", r#"unable to parse param 'maxDuration': time: invalid duration "abc""#),
        ("service=s&minDuration=5s&maxDuration=1s", "'maxDuration' should be greater than 'minDuration'"),
        ("service=s&tag=abc", "malformed 'tag' parameter, expecting key:value, received: abc"),
        (
            "service=s&tags=abc",
            "malformed 'tags' parameter, cannot unmarshal JSON: invalid character 'a' looking for beginning of value",
        ),
        (
            "service=s&tags=",
            "malformed 'tags' parameter, cannot unmarshal JSON: unexpected end of JSON input",
        ),
        ("service=s&raw=x", r#"unable to parse param 'raw': strconv.ParseBool: parsing "x": invalid syntax"#),
        ("traceID=xyz", r#"cannot parse traceID param: strconv.ParseUint: parsing "xyz": invalid syntax"#),
    ] {
        assert_eq!(traces(query), Err(error.to_owned()), "{query}");
    }
}

#[test]
fn a_search_has_jaegers_defaults() {
    let TracesRequest::Search(query) = traces("service=s").unwrap() else { panic!("a search") };
    let expected = TraceQuery {
        service: "s".to_owned(),
        start_ns: NOW_NS as i64 - DEFAULT_LOOKBACK_NS,
        end_ns: NOW_NS as i64,
        limit: 100,
        ..TraceQuery::default()
    };
    assert_eq!(query, expected);
    let text = "service=s&operation=o&start=1&end=2&tag=a:b:c&tag=d:1&tags={\"d\":\"2\"}&minDuration=1ms&limit=5&raw=1";
    let TracesRequest::Search(query) = traces(text).unwrap() else { panic!("a search") };
    assert_eq!((query.start_ns, query.end_ns, query.min_duration_ns), (1_000, 2_000, 1_000_000));
    assert_eq!(query.tags, [("a".into(), "b:c".into()), ("d".into(), "2".into())]);
    assert!(query.raw);
    let ids = [TraceId(0xab_u128.to_be_bytes()), TraceId(0xcd_u128.to_be_bytes())];
    assert_eq!(traces("traceID=ab&traceID=cd"), Ok(TracesRequest::Ids(ids.to_vec(), false)));
}

#[test]
fn identifiers_of_a_path_are_hex_or_base64() {
    let id = TraceId(*b"\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c");
    for text in [
        "0af7651916cd43dd8448eb211c80319c",
        "af7651916cd43dd8448eb211c80319c",
        "CvdlGRbNQ92ESOshHIAxnA==",
        "CvdlGRbNQ92ESOshHIAxnA",
    ] {
        assert_eq!(path_trace_id(text), Ok(id), "{text}");
    }
    assert_eq!(path_trace_id("AAAAAAAAAAE="), Ok(TraceId(1_u128.to_be_bytes())));
    for (text, error) in [
        ("xyz", "invalid length for TraceID"),
        (
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "TraceID cannot be longer than 32 hex characters: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        ("!", r#"strconv.ParseUint: parsing "!": invalid syntax"#),
        ("zaaaaaaaaaaaaaaaaaaaaaaaaa", r#"strconv.ParseUint: parsing "zaaaaaaaaa": invalid syntax"#),
    ] {
        assert_eq!(path_trace_id(text), Err(error.to_owned()), "{text}");
    }
}

#[test]
fn a_wrong_search_of_v3_is_refused_in_jaegers_words() {
    let times = "query.startTimeMin=2020-01-01T00:00:00Z&query.start_time_max=2020-01-02T00:00:00Z";
    let say = |query: &str| search_v3(&Query::parse(Some(query))).map_err(|error| error.to_string());
    assert_eq!(
        say("query.startTimeMin=2020-01-01T00:00:00Z"),
        Err("query.startTimeMin and query.startTimeMax are required".to_owned())
    );
    assert_eq!(
        say("query.startTimeMin=2020-01-02T00:00:00Z&query.startTimeMax=2020-01-01T00:00:00Z"),
        Err("query.startTimeMin must be before query.startTimeMax".to_owned())
    );
    for (query, error) in [
        (
            "query.searchDepth=x",
            r#"malformed parameter query.searchDepth: strconv.Atoi: parsing "x": invalid syntax"#,
        ),
        (
            "query.num_traces=x",
            r#"malformed parameter query.num_traces: strconv.Atoi: parsing "x": invalid syntax"#,
        ),
        ("query.durationMin=x", r#"malformed parameter query.durationMin: time: invalid duration "x""#),
        (
            "query.duration_max=5",
            r#"malformed parameter query.duration_max: time: missing unit in duration "5""#,
        ),
        (
            "query.rawTraces=5x",
            r#"malformed parameter query.rawTraces: strconv.ParseBool: parsing "5x": invalid syntax"#,
        ),
        (
            "query.attributes=x",
            "malformed parameter query.attributes: invalid character 'x' looking for beginning of value",
        ),
    ] {
        assert_eq!(say(&format!("{times}&{query}")), Err(error.to_owned()), "{query}");
    }
    let query = say(&format!("{times}&query.service_name=s&query.searchDepth=7")).unwrap();
    assert_eq!((query.service.as_str(), query.limit), ("s", 7));
}

#[test]
fn dependencies_have_jaegers_defaults() {
    let range =
        |query: &str| dependencies(&Query::parse(Some(query)), NOW_NS).map_err(|error| error.to_string());
    assert_eq!(range(""), Ok((NOW_NS as i64 - DEFAULT_DEPENDENCY_LOOKBACK_NS, NOW_NS as i64)));
    assert_eq!(range("endTs=10&lookback=4"), Ok((6_000_000, 10_000_000)));
    assert_eq!(
        range("endTs=abc"),
        Err(r#"unable to parse param 'endTs': strconv.ParseInt: parsing "abc": invalid syntax"#.to_owned())
    );
}
