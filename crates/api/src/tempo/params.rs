//! What a request asks for, read as Tempo reads it and refused in its words.

use model::{TimeRange, TraceId};

use super::TempoError;
use super::logfmt;
use crate::go::{self, Query};

/// Traces that a search gives back unless it says how many.
const DEFAULT_LIMIT: u32 = 20;
/// Most traces that a search may ask for.
const MAX_LIMIT: u32 = 262_144;
/// Spans that TraceQL gives back with each trace unless it says how many.
const DEFAULT_SPANS: u32 = 3;

const SECOND_NS: u64 = 1_000_000_000;

fn refuse<T>(message: impl Into<String>) -> Result<T, TempoError> {
    Err(TempoError::BadRequest(message.into()))
}

/// Reads a trace identifier of the path: hex digits, padded with zeros on the left.
pub(super) fn trace_id(text: &str) -> Result<TraceId, TempoError> {
    // The position counts bytes.
    if let Some((index, digit)) = text.char_indices().find(|(_, digit)| !digit.is_ascii_hexdigit()) {
        let position = index + 1;
        return refuse(format!(
            "trace IDs can only contain hex characters: invalid character '{digit}' at position {position}"
        ));
    }
    text.parse().or_else(|_| refuse("trace IDs can't be larger than 128 bits"))
}

/// Checks the parameters of a request for one trace. They tell Tempo where to look; here every place is looked at.
pub(super) fn check_trace_by_id(query: &Query) -> Result<(), TempoError> {
    match query.get("mode") {
        "" | "all" | "blocks" | "external" => {}
        "ingesters" => return Ok(()),
        other => return refuse(format!("invalid value for mode {other}")),
    }
    let mut times = [0_i64; 2];
    for (time, key) in times.iter_mut().zip(["start", "end"]) {
        if let Some(text) = query.given(key) {
            *time = go::parse_int(text, 64).or_else(|error| refuse(format!("invalid {key}: {error}")))?;
        }
    }
    let [start, end] = times;
    if start != 0 && end != 0 && end <= start {
        return refuse(format!("http parameter start must be before end. received start={start} end={end}"));
    }
    Ok(())
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SearchRequest {
    /// Attributes that the trace has to have, in the order in which they came.
    pub tags: Vec<(String, String)>,
    /// TraceQL, where it is asked for.
    pub query: Option<String>,
    /// Shortest duration of the trace in milliseconds; zero if not asked for.
    pub min_duration_ms: u32,
    /// Longest duration of the trace in milliseconds; zero if not asked for.
    pub max_duration_ms: u32,
    /// Most traces to give back.
    pub limit: u32,
    /// Most spans to give back with each trace.
    pub spans: u32,
    /// When the trace has to have been under way.
    pub range: Option<TimeRange>,
}

impl SearchRequest {
    pub(super) fn parse(query: &Query, now_ns: u64) -> Result<Self, TempoError> {
        let number = |key: &str| -> Result<Option<u32>, TempoError> {
            let parse = |text| go::parse_uint(text, 10, 32).map(|number| number as u32);
            query.given(key).map(parse).transpose().or_else(|error| refuse(format!("invalid {key}: {error}")))
        };
        let start = number("start")?.unwrap_or(0);
        let end = number("end")?.unwrap_or(0);

        let traceql = query.given("q").map(str::to_owned);
        let mut tags = Vec::new();
        if let Some(text) = query.given("tags") {
            if traceql.is_some() {
                return refuse("invalid request: can't specify tags and q in the same query");
            }
            tags = logfmt::parse(text).or_else(|error| refuse(format!("invalid tags: {error}")))?;
        }

        let duration = |key: &str| -> Result<Option<u32>, TempoError> {
            let parse = |text| go::parse_duration(text).map(|nanos| (nanos.0 / 1_000_000) as u32);
            query.given(key).map(parse).transpose().or_else(|error| refuse(format!("invalid {key}: {error}")))
        };
        let min_duration_ms = duration("minDuration")?.unwrap_or(0);
        let max_duration_ms = duration("maxDuration")?.unwrap_or(0);
        if query.given("maxDuration").is_some() && min_duration_ms != 0 && min_duration_ms > max_duration_ms {
            return refuse("invalid maxDuration: must be greater than minDuration");
        }

        let limit = match number("limit")? {
            Some(0) => return refuse("invalid limit: must be a positive number"),
            limit => limit.unwrap_or(DEFAULT_LIMIT),
        };
        let spans = number("spss")?.filter(|spans| *spans != 0).unwrap_or(DEFAULT_SPANS);
        if (start != 0 || end != 0) && end <= start {
            return refuse(format!(
                "http parameter start must be before end. received start={start} end={end}"
            ));
        }
        if limit > MAX_LIMIT {
            return refuse(format!("limit {limit} exceeds max limit {MAX_LIMIT}"));
        }
        let range = time_range(query, now_ns)?;
        Ok(Self { tags, query: traceql, min_duration_ms, max_duration_ms, limit, spans, range })
    }
}

/// The times that a search or a look at tags is about: `since`, or both of `start` and `end`, or none.
pub(super) fn time_range(query: &Query, now_ns: u64) -> Result<Option<TimeRange>, TempoError> {
    let wrong = |reason: String| TempoError::BadRequest(format!("error parsing date range: {reason}"));
    if let Some(since) = query.given("since") {
        let since_ns = prometheus_duration_ns(since).ok_or_else(|| {
            let since = go::quote(since);
            wrong(format!("could not parse 'since' parameter: not a valid duration string: {since}"))
        })?;
        let range = TimeRange { start_ns: now_ns.saturating_sub(since_ns), end_ns: now_ns.saturating_add(1) };
        return Ok(Some(range));
    }
    let (start, end) = match (query.given("start"), query.given("end")) {
        (None, None) => return Ok(None),
        (Some(start), Some(end)) => (start, end),
        _ => {
            return Err(wrong("only one of start and end provided: must provide both or neither".to_owned()));
        }
    };
    let time = |key: &str, text: &str| {
        timestamp_ns(text).map_err(|error| wrong(format!("could not parse '{key}' parameter: {error}")))
    };
    let start_ns = time("start", start)?;
    let end_ns = time("end", end)?;
    // Tempo includes both ends.
    Ok(Some(TimeRange { start_ns, end_ns: end_ns.saturating_add(1) }))
}

/// Seconds, seconds with a fraction, nanoseconds (from eleven digits on), or RFC 3339.
fn timestamp_ns(text: &str) -> Result<u64, String> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        return Ok((seconds.max(0.0) * 1000.0).round() as u64 * 1_000_000);
    }
    match go::parse_int(text, 64) {
        Ok(number) if text.len() <= 10 => Ok((number.max(0) as u64).saturating_mul(SECOND_NS)),
        Ok(number) => Ok(number.max(0) as u64),
        Err(error) => go::parse_rfc3339(text)
            .map(|nanos| u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
            .map_err(|_| error.to_string()),
    }
}

/// Prometheus' durations: `1w2d3h4m5s6ms`, units from large to small, each at most once.
fn prometheus_duration_ns(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut next_unit = 0;
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|digit: char| !digit.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let unit_end = after.find(|digit: char| digit.is_ascii_digit()).unwrap_or(after.len());
        let index = UNITS.iter().position(|(unit, _)| *unit == &after[..unit_end])?;
        if index < next_unit {
            return None;
        }
        next_unit = index + 1;
        total_ms = total_ms.checked_add(number.checked_mul(UNITS[index].1)?)?;
        rest = &after[unit_end..];
    }
    (!text.is_empty()).then(|| total_ms.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(query: &str) -> Result<SearchRequest, String> {
        SearchRequest::parse(&Query::parse(Some(query)), 100 * SECOND_NS).map_err(|error| error.to_string())
    }

    /// The words are those of a Tempo 3.0.3 that was asked the same.
    #[test]
    fn a_wrong_search_is_refused_in_tempos_words() {
        for (query, error) in [
            ("start=abc", r#"invalid start: strconv.ParseUint: parsing "abc": invalid syntax"#),
            ("end=-1", r#"invalid end: strconv.ParseUint: parsing "-1": invalid syntax"#),
            ("start=10&end=5", "http parameter start must be before end. received start=10 end=5"),
            ("start=10", "http parameter start must be before end. received start=10 end=0"),
            (
                "end=10",
                "error parsing date range: only one of start and end provided: must provide both or neither",
            ),
            ("q={}&tags=a%3Db", "invalid request: can't specify tags and q in the same query"),
            ("tags=a%3Db%20a%3Dc", "invalid tags: tag a has been set twice"),
            ("tags=a%3D%22b", "invalid tags: unterminated quoted value at pos 5"),
            ("tags=%3D", "invalid tags: unexpected '=' at pos 1"),
            ("minDuration=abc", r#"invalid minDuration: time: invalid duration "abc""#),
            ("minDuration=5", r#"invalid minDuration: time: missing unit in duration "5""#),
            ("maxDuration=1ms&minDuration=2ms", "invalid maxDuration: must be greater than minDuration"),
            ("limit=0", "invalid limit: must be a positive number"),
            ("limit=-1", r#"invalid limit: strconv.ParseUint: parsing "-1": invalid syntax"#),
            ("limit=x", r#"invalid limit: strconv.ParseUint: parsing "x": invalid syntax"#),
            ("spss=x", r#"invalid spss: strconv.ParseUint: parsing "x": invalid syntax"#),
            ("limit=100000000", "limit 100000000 exceeds max limit 262144"),
            (
                "since=x",
                r#"error parsing date range: could not parse 'since' parameter: not a valid duration string: "x""#,
            ),
        ] {
            assert_eq!(search(query), Err(error.to_owned()), "{query}");
        }
    }

    #[test]
    fn a_search_has_tempos_defaults() {
        let request = search("").unwrap();
        assert_eq!((request.limit, request.spans, request.range), (20, 3, None));
        let request =
            search("tags=a%3D1+b%3D%22x+y%22&minDuration=0.5ms&maxDuration=2s&start=1&end=2&limit=7")
                .unwrap();
        assert_eq!(request.tags, [("a".into(), "1".into()), ("b".into(), "x y".into())]);
        assert_eq!((request.min_duration_ms, request.max_duration_ms, request.limit), (0, 2000, 7));
        assert_eq!(request.range, Some(TimeRange { start_ns: SECOND_NS, end_ns: 2 * SECOND_NS + 1 }));
        let request = search("since=1m").unwrap();
        assert_eq!(request.range, Some(TimeRange { start_ns: 40 * SECOND_NS, end_ns: 100 * SECOND_NS + 1 }));
    }

    #[test]
    fn trace_identifiers_are_padded_or_refused() {
        assert_eq!(trace_id("ab").unwrap().to_hex(), "000000000000000000000000000000ab");
        let say = |text: &str| trace_id(text).unwrap_err().to_string();
        assert_eq!(
            say("xyz"),
            "trace IDs can only contain hex characters: invalid character 'x' at position 1"
        );
        assert_eq!(
            say("aé"),
            "trace IDs can only contain hex characters: invalid character 'é' at position 2"
        );
        assert_eq!(say(&"a".repeat(33)), "trace IDs can't be larger than 128 bits");
    }

    #[test]
    fn a_wrong_request_for_a_trace_is_refused_in_tempos_words() {
        let say =
            |query: &str| check_trace_by_id(&Query::parse(Some(query))).map_err(|error| error.to_string());
        assert_eq!(say("start=5&end=10&mode=blocks"), Ok(()));
        assert_eq!(say("mode=zz"), Err("invalid value for mode zz".to_owned()));
        assert_eq!(
            say("start=abc"),
            Err(r#"invalid start: strconv.ParseInt: parsing "abc": invalid syntax"#.to_owned())
        );
        assert_eq!(
            say("start=10&end=5"),
            Err("http parameter start must be before end. received start=10 end=5".to_owned())
        );
    }

    #[test]
    fn times_are_seconds_or_nanoseconds() {
        assert_eq!(timestamp_ns("12"), Ok(12 * SECOND_NS));
        assert_eq!(timestamp_ns("1.5"), Ok(1_500_000_000));
        assert_eq!(timestamp_ns("1795217953000000001"), Ok(1_795_217_953_000_000_001));
        assert_eq!(timestamp_ns("1970-01-01T00:00:01Z"), Ok(SECOND_NS));
        assert_eq!(timestamp_ns("x"), Err(r#"strconv.ParseInt: parsing "x": invalid syntax"#.to_owned()));
    }
}
