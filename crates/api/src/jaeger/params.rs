//! What a request asks for, read as Jaeger reads it and refused in its words.

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use model::TraceId;

use super::answer::JaegerError;
use crate::go::{self, Query};

const MICROSECOND_NS: i64 = 1_000;
const MILLISECOND_NS: i64 = 1_000_000;
/// How far back a search looks that does not say from when.
const DEFAULT_LOOKBACK_NS: i64 = 2 * 24 * 3600 * 1_000_000_000;
/// How far back the dependencies go that do not say how far.
const DEFAULT_DEPENDENCY_LOOKBACK_NS: i64 = 24 * 3600 * 1_000_000_000;
/// Traces that a search gives back unless it says how many.
const DEFAULT_LIMIT: i64 = 100;

/// A search for traces. Times and durations are signed, as Go's are; a duration of zero is not asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TraceQuery {
    pub service: String,
    pub operation: String,
    /// Earliest start of a span, in nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Latest start of a span, inclusive.
    pub end_ns: i64,
    /// Attributes, each key once.
    pub tags: Vec<(String, String)>,
    pub min_duration_ns: i64,
    pub max_duration_ns: i64,
    pub limit: i64,
    /// Whether traces are shown as they are stored.
    pub raw: bool,
}

/// What `/api/traces` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TracesRequest {
    /// These traces.
    Ids(Vec<TraceId>, bool),
    /// Those that a search finds.
    Search(TraceQuery),
}

fn bad<T>(message: impl Into<String>) -> Result<T, JaegerError> {
    Err(JaegerError::BadRequest(message.into()))
}

fn unparsable<T>(key: &str, error: impl std::fmt::Display) -> Result<T, JaegerError> {
    bad(format!("unable to parse param '{key}': {error}"))
}

/// A time in so many nanoseconds a unit; `None` where it is not given. Wraps as Go's multiplication does.
fn time(query: &Query, key: &str, unit_ns: i64) -> Result<Option<i64>, JaegerError> {
    let parse = |text| go::parse_int(text, 64).map(|number| number.wrapping_mul(unit_ns));
    query.given(key).map(parse).transpose().or_else(|error| unparsable(key, error))
}

fn duration(query: &Query, key: &str) -> Result<i64, JaegerError> {
    let parse = |text| go::parse_duration(text).map(|nanos| nanos.0);
    query.given(key).map_or(Ok(0), parse).or_else(|error| unparsable(key, error))
}

fn truth(query: &Query, key: &str) -> Result<bool, JaegerError> {
    query.given(key).map_or(Ok(false), go::parse_bool).or_else(|error| unparsable(key, error))
}

impl TracesRequest {
    pub(super) fn parse(query: &Query, now_ns: u64) -> Result<Self, JaegerError> {
        let now_ns = now_ns as i64;
        let start_ns = time(query, "start", MICROSECOND_NS)?.unwrap_or(now_ns - DEFAULT_LOOKBACK_NS);
        let end_ns = time(query, "end", MICROSECOND_NS)?.unwrap_or(now_ns);
        let tags = tags(query)?;
        let limit = query
            .given("limit")
            .map_or(Ok(DEFAULT_LIMIT), |text| go::parse_int(text, 32))
            .or_else(|error| bad(error.to_string()))?;
        let min_duration_ns = duration(query, "minDuration")?;
        let max_duration_ns = duration(query, "maxDuration")?;
        let ids = query
            .all("traceID")
            .map(|text| trace_id(text).or_else(|error| bad(format!("cannot parse traceID param: {error}"))))
            .collect::<Result<Vec<_>, _>>()?;
        let raw = truth(query, "raw")?;
        let service = query.get("service").to_owned();
        if ids.is_empty() && service.is_empty() {
            return bad("parameter 'service' is required");
        }
        if min_duration_ns != 0 && max_duration_ns != 0 && max_duration_ns < min_duration_ns {
            return bad("'maxDuration' should be greater than 'minDuration'");
        }
        if !ids.is_empty() {
            return Ok(Self::Ids(ids, raw));
        }
        let operation = query.get("operation").to_owned();
        Ok(Self::Search(TraceQuery {
            service,
            operation,
            start_ns,
            end_ns,
            tags,
            min_duration_ns,
            max_duration_ns,
            limit,
            raw,
        }))
    }
}

/// `tag=key:value`, any number of times, and `tags={"key":"value"}`; of a key the last value counts.
fn tags(query: &Query) -> Result<Vec<(String, String)>, JaegerError> {
    let mut tags = Vec::new();
    for tag in query.all("tag") {
        let Some((key, value)) = tag.split_once(':') else {
            return bad(format!("malformed 'tag' parameter, expecting key:value, received: {tag}"));
        };
        set(&mut tags, key.to_owned(), value.to_owned());
    }
    for text in query.all("tags") {
        let pairs = go::string_map(text)
            .or_else(|error| bad(format!("malformed 'tags' parameter, cannot unmarshal JSON: {error}")))?;
        for (key, value) in pairs {
            set(&mut tags, key, value);
        }
    }
    Ok(tags)
}

fn set(tags: &mut Vec<(String, String)>, key: String, value: String) {
    tags.retain(|(known, _)| *known != key);
    tags.push((key, value));
}

/// The identifier of a request for one trace, and whether it is wanted raw.
pub(super) fn get_trace(id: &str, query: &Query) -> Result<(TraceId, bool), JaegerError> {
    let id = path_trace_id(id).or_else(bad)?;
    // Hints for stores that are cut by time; here they are checked only.
    time(query, "start", MICROSECOND_NS)?;
    time(query, "end", MICROSECOND_NS)?;
    Ok((id, truth(query, "raw")?))
}

/// From when to when the dependencies are wanted, in nanoseconds since the Unix epoch.
pub(super) fn dependencies(query: &Query, now_ns: u64) -> Result<(i64, i64), JaegerError> {
    let end_ns = time(query, "endTs", MILLISECOND_NS)?.unwrap_or(now_ns as i64);
    let lookback_ns = time(query, "lookback", MILLISECOND_NS)?.unwrap_or(DEFAULT_DEPENDENCY_LOOKBACK_NS);
    Ok((end_ns.saturating_sub(lookback_ns), end_ns))
}

/// An identifier of at most 32 hex digits.
pub(super) fn trace_id(text: &str) -> Result<TraceId, String> {
    if text.len() > 32 {
        return Err(format!("TraceID cannot be longer than 32 hex characters: {text}"));
    }
    // Two numbers of 64 bits, so that an error names the half that is wrong.
    let split = text.len().saturating_sub(16);
    let half = |text: &str| go::parse_uint(text, 16, 64).map_err(|error| error.to_string());
    let (high, low) = match (text.get(..split), text.get(split..)) {
        (Some(""), Some(low)) => (0, half(low)?),
        (Some(high), Some(low)) => (half(high)?, half(low)?),
        // Cut within a character that is no digit.
        _ => (0, half(text)?),
    };
    Ok(TraceId(((u128::from(high) << 64) | u128::from(low)).to_be_bytes()))
}

/// An identifier in a path, which may also be base64 of either alphabet, padded or not.
pub(super) fn path_trace_id(text: &str) -> Result<TraceId, String> {
    let error = match trace_id(text) {
        Ok(id) => return Ok(id),
        Err(error) => error,
    };
    // 16 bytes are 24 characters.
    if text.len() > 24 {
        return Err(error);
    }
    let engine = |alphabet: &Alphabet, padding| {
        let config = GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(padding);
        GeneralPurpose::new(alphabet, config)
    };
    for padding in [DecodePaddingMode::RequireCanonical, DecodePaddingMode::RequireNone] {
        for alphabet in [&STANDARD, &URL_SAFE] {
            if let Ok(bytes) = engine(alphabet, padding).decode(text) {
                return from_bytes(&bytes).ok_or_else(|| "invalid length for TraceID".to_owned());
            }
        }
    }
    Err(error)
}

fn from_bytes(bytes: &[u8]) -> Option<TraceId> {
    if bytes.len() == 8 {
        let mut id = [0; 16];
        id[8..].copy_from_slice(bytes);
        return Some(TraceId(id));
    }
    TraceId::from_slice(bytes)
}

/// A parameter of API v3 by its name, or by the name that it had before; with the name under which it came.
fn renamed<'a>(query: &'a Query, name: &'static str, old: &'static str) -> Option<(&'a str, &'static str)> {
    query.given(name).map(|value| (value, name)).or_else(|| query.given(old).map(|value| (value, old)))
}

fn malformed<T>(key: &str, error: impl std::fmt::Display) -> Result<T, JaegerError> {
    bad(format!("malformed parameter {key}: {error}"))
}

/// A parameter of API v3, parsed; `None` where it is not given.
fn parsed<T, E: std::fmt::Display>(
    query: &Query,
    name: &'static str,
    old: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, JaegerError> {
    renamed(query, name, old)
        .map(|(text, key)| parse(text).or_else(|error| malformed(key, error)))
        .transpose()
}

/// A time of RFC 3339, cut to what 64 bits of nanoseconds hold.
fn rfc3339(text: &str) -> Result<i64, String> {
    go::parse_rfc3339(text).map(|nanos| nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}

/// The identifier of API v3's request for one trace, and whether it is wanted raw.
pub(super) fn get_trace_v3(id: &str, query: &Query) -> Result<(TraceId, bool), JaegerError> {
    let id = path_trace_id(id).or_else(|error| malformed("trace_id", error))?;
    parsed(query, "startTime", "start_time", rfc3339)?;
    parsed(query, "endTime", "end_time", rfc3339)?;
    Ok((id, parsed(query, "rawTraces", "raw_traces", go::parse_bool)?.unwrap_or(false)))
}

/// A search of API v3.
pub(super) fn search_v3(query: &Query) -> Result<TraceQuery, JaegerError> {
    let text = |name, old| renamed(query, name, old).map_or_else(String::new, |(text, _)| text.to_owned());
    let service = text("query.serviceName", "query.service_name");
    let operation = text("query.operationName", "query.operation_name");
    let tags = parsed(query, "query.attributes", "query.attributes", go::string_map)?.unwrap_or_default();
    let start = renamed(query, "query.startTimeMin", "query.start_time_min");
    let end = renamed(query, "query.startTimeMax", "query.start_time_max");
    let (Some(start), Some(end)) = (start, end) else {
        return bad("query.startTimeMin and query.startTimeMax are required");
    };
    let time = |(text, key)| rfc3339(text).or_else(|error| malformed(key, error));
    let (start_ns, end_ns) = (time(start)?, time(end)?);
    if start_ns >= end_ns {
        return bad("query.startTimeMin must be before query.startTimeMax");
    }
    let limit = parsed(query, "query.searchDepth", "query.search_depth", go::atoi)?;
    let limit = match limit {
        Some(limit) => limit,
        None => parsed(query, "query.num_traces", "query.num_traces", go::atoi)?.unwrap_or(DEFAULT_LIMIT),
    };
    let duration = |name, old| {
        parsed(query, name, old, |text| go::parse_duration(text).map(|nanos| nanos.0))
            .map(Option::unwrap_or_default)
    };
    let min_duration_ns = duration("query.durationMin", "query.duration_min")?;
    let max_duration_ns = duration("query.durationMax", "query.duration_max")?;
    let raw = parsed(query, "query.rawTraces", "query.raw_traces", go::parse_bool)?.unwrap_or(false);
    Ok(TraceQuery {
        service,
        operation,
        start_ns,
        end_ns,
        tags,
        min_duration_ns,
        max_duration_ns,
        limit,
        raw,
    })
}

/// From when to when API v3's dependencies are wanted.
pub(super) fn dependencies_v3(query: &Query) -> Result<(i64, i64), JaegerError> {
    let start = parsed(query, "startTime", "start_time", rfc3339)?;
    let end = parsed(query, "endTime", "end_time", rfc3339)?;
    match (start, end) {
        (Some(start), Some(end)) if start < end => Ok((start, end)),
        (Some(_), Some(_)) => bad("startTime must be before endTime"),
        _ => bad("startTime and endTime are required"),
    }
}

/// Whether an answer of the older API is to be indented.
pub(super) fn is_pretty(query: &Query) -> bool {
    !matches!(query.get("prettyPrint"), "" | "false")
}

/// The kind that operations of API v3 are narrowed to.
pub(super) fn span_kind_v3(query: &Query) -> &str {
    renamed(query, "spanKind", "span_kind").map_or("", |(kind, _)| kind)
}

#[cfg(test)]
mod tests;
