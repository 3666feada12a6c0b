//! Parameters of requests, from the address and from a form in the body, and what is said of wrong ones.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http::{Method, header};
use http_body_util::{BodyExt, Limited};
use model::Matcher;
use promql::storage::MsRange;

use super::answer::ApiError;
use crate::go::{self, Query};

/// Most bytes of a form: what Go reads of one.
const MAX_FORM_BYTES: usize = 10 << 20;

/// The earliest and the latest time that Prometheus knows, in its own writing and in milliseconds since the Unix epoch.
const BOUNDARIES: [(&str, i64); 2] = [
    ("-292273086-05-16T16:47:06Z", i64::MIN / 1000 * 1000 + 62_135_596_801_000),
    ("292277025-08-18T07:12:54.999999999Z", i64::MAX / 1000 * 1000 - 62_135_596_801_000 + 999),
];

/// Parameters; those of the form come before those of the address.
#[derive(Debug, Clone, Default)]
pub(super) struct Params {
    form: Query,
    address: Query,
    /// What Go finds wrong with the form or the address, of which it takes the rest.
    malformed: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let address = Query::of(request.uri());
        let in_address = Query::complaint(request.uri().query());
        let has_form = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let (Some(content_type), true) = (content_type, has_form) else {
            return Ok(Self { form: Query::default(), address, malformed: in_address });
        };
        let in_type = media_parameters_complaint(content_type);
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(Self { form: Query::default(), address, malformed: in_type.or(in_address) });
        }
        let body = read(request.into_body()).await?;
        let malformed = in_type.or_else(|| Query::complaint(Some(&body))).or(in_address);
        Ok(Self { form: Query::parse(Some(&body)), address, malformed })
    }
}

/// What Go's `mime` says of parameters behind a media type that are not `name=value`.
fn media_parameters_complaint(content_type: &str) -> Option<String> {
    let (_, parameters) = content_type.split_once(';')?;
    // One semicolon at the end is nothing.
    let parameters = parameters.trim();
    let parameters = parameters.strip_suffix(';').filter(|rest| !rest.is_empty()).unwrap_or(parameters);
    let is_pair =
        |text: &str| text.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
    let wrong = !parameters.is_empty() && !parameters.split(';').all(|parameter| is_pair(parameter.trim()));
    wrong.then(|| "mime: invalid media parameter".to_owned())
}

async fn read(body: Body) -> Result<String, ApiError> {
    let bytes = Limited::new(body, MAX_FORM_BYTES)
        .collect()
        .await
        .map_err(|error| ApiError::bad_data(format!("error parsing form values: {error}")))?
        .to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Params {
    /// What is wrong with the form or the address, where a route cares: most take what can be read.
    pub(super) fn well_formed(&self) -> Result<(), String> {
        let complaint = self.malformed.as_ref();
        complaint.map_or(Ok(()), |complaint| Err(format!("error parsing form values: {complaint}")))
    }

    /// The first value of a parameter; the empty text where it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        // As Go does it: the form's value counts even if it is empty, where the form has one.
        let in_form = self.form.iter().any(|(known, _)| known == name);
        if in_form { self.form.get(name) } else { self.address.get(name) }
    }

    /// The first value of a parameter in the address, whatever a form says; the empty text where it is missing.
    pub(super) fn in_address(&self, name: &str) -> &str {
        self.address.get(name)
    }

    /// All values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.form.all(name).chain(self.address.all(name))
    }

    fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    /// A time that has to be there, in milliseconds since the Unix epoch.
    pub(super) fn time(&self, name: &str) -> Result<i64, ApiError> {
        parse_time(self.get(name)).map_err(|reason| ApiError::parameter(name, reason))
    }

    /// A time, or the default.
    pub(super) fn time_or(&self, name: &str, default: i64) -> Result<i64, ApiError> {
        let Some(text) = self.given(name) else { return Ok(default) };
        parse_time(text)
            .map_err(|reason| ApiError::parameter(name, format!("invalid time value for '{name}': {reason}")))
    }

    /// From `start` to `end`, everything where they are missing.
    pub(super) fn range(&self) -> Result<MsRange, ApiError> {
        let [(_, first), (_, last)] = BOUNDARIES;
        Ok(MsRange { start_ms: self.time_or("start", first)?, end_ms: self.time_or("end", last)? })
    }

    /// A duration that has to be there, in nanoseconds.
    pub(super) fn duration(&self, name: &str) -> Result<i64, ApiError> {
        parse_duration(self.get(name)).map_err(|reason| ApiError::parameter(name, reason))
    }

    /// A duration in nanoseconds, if it is given.
    pub(super) fn given_duration(&self, name: &str) -> Result<Option<i64>, String> {
        self.given(name).map(parse_duration).transpose()
    }

    /// Most items; 0 is no limit.
    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = self.given("limit") else { return Ok(0) };
        let limit = go::atoi(text).map_err(|error| ApiError::parameter("limit", error))?;
        usize::try_from(limit).map_err(|_| ApiError::parameter("limit", "limit must be non-negative"))
    }

    /// How often `match[]` comes.
    pub(super) fn has_matches(&self) -> bool {
        self.all("match[]").next().is_some()
    }

    fn parse_selectors(&self) -> Result<Vec<Vec<Matcher>>, String> {
        self.all("match[]")
            .map(|text| promql::parse_selector(text).map_err(|error| error.to_string()))
            .collect()
    }

    /// The selectors of `match[]`, whatever they match; the error says what is wrong with the first that cannot be used.
    /// `{}` is left out: without a condition, nothing is selected.
    pub(super) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, String> {
        let mut sets = self.parse_selectors()?;
        sets.retain(|set| !set.is_empty());
        Ok(sets)
    }

    /// The selectors of `match[]` that match something; the error says what is wrong with the first that cannot be used.
    pub(super) fn matches(&self) -> Result<Vec<Vec<Matcher>>, String> {
        let sets = self.parse_selectors()?;
        if sets.iter().any(|set| set.iter().all(Matcher::matches_empty)) {
            return Err("match[] must contain at least one non-empty matcher".to_owned());
        }
        Ok(sets)
    }
}

/// A time in seconds or as RFC 3339, in milliseconds since the Unix epoch.
fn parse_time(text: &str) -> Result<i64, String> {
    let unreadable = || format!("cannot parse {} to a valid timestamp", go::quote(text));
    if let Some(seconds) = go::parse_float(text) {
        let whole = seconds.trunc();
        let millis = whole * 1000.0 + ((seconds - whole) * 1000.0).round();
        // What a clock never shows is no time: Go would take it for some time or other.
        return if millis.abs() < 9.2e18 { Ok(millis as i64) } else { Err(unreadable()) };
    }
    if let Some((_, millis)) = BOUNDARIES.into_iter().find(|(written, _)| *written == text) {
        return Ok(millis);
    }
    let nanos = go::parse_rfc3339(text).map_err(|_| unreadable())?;
    i64::try_from(nanos.div_euclid(1_000_000)).map_err(|_| unreadable())
}

/// A duration in seconds or with units, in nanoseconds.
fn parse_duration(text: &str) -> Result<i64, String> {
    if let Some(seconds) = go::parse_float(text) {
        let nanos = seconds * 1e9;
        if nanos.is_nan() {
            // What Go makes of it.
            return Ok(i64::MIN);
        }
        if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
            return Err(format!("cannot parse {} to a valid duration. It overflows int64", go::quote(text)));
        }
        return Ok(nanos as i64);
    }
    match promql::parse_duration(text) {
        Ok(duration) => Ok(nanos(duration)),
        Err(_) => Err(format!("cannot parse {} to a valid duration", go::quote(text))),
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(parse_time("1435781451.781"), Ok(1_435_781_451_781));
        assert_eq!(parse_time("-1.5"), Ok(-1500));
        assert_eq!(parse_time("1.23456"), Ok(1235));
        assert_eq!(parse_time("2015-07-01T20:10:51.781Z"), Ok(1_435_781_451_781));
        assert_eq!(parse_time("2015-07-01T22:10:51+02:00"), Ok(1_435_781_451_000));
        let [first, last] = BOUNDARIES;
        assert_eq!((parse_time(first.0), parse_time(last.0)), (Ok(first.1), Ok(last.1)));
        assert_eq!(parse_time("1_000"), Ok(1_000_000));
        for wrong in ["", "x", "NaN", "1e30", "1e400", "2015-07-01"] {
            assert_eq!(parse_time(wrong), Err(format!("cannot parse \"{wrong}\" to a valid timestamp")));
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("15"), Ok(15_000_000_000));
        assert_eq!(parse_duration("0.5"), Ok(500_000_000));
        assert_eq!(parse_duration("1m30s"), Ok(90_000_000_000));
        assert_eq!(parse_duration("NaN"), Ok(i64::MIN));
        assert_eq!(
            parse_duration("1e20"),
            Err("cannot parse \"1e20\" to a valid duration. It overflows int64".to_owned())
        );
        assert_eq!(parse_duration("1x"), Err("cannot parse \"1x\" to a valid duration".to_owned()));
    }

    #[test]
    fn media_types_with_odd_parameters() {
        for (content_type, is_odd) in [
            ("text/plain", false),
            ("text/plain; charset=utf-8", false),
            ("text/plain; charset=utf-8;", false),
            ("text/plain;", false),
            ("text/plain;;", true),
            ("text/plain; charset", true),
        ] {
            assert_eq!(media_parameters_complaint(content_type).is_some(), is_odd, "{content_type}");
        }
    }
}
