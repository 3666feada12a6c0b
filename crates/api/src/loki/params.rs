//! Parameters, from the address or from a form, as Loki reads and refuses them.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header;
use logstore::Direction;
use model::{Matcher, TimeRange};

use super::{LokiError, Result, bad_request};
use crate::Context;
use crate::go::{self, Query};

/// Entries that are given back if no limit is given.
const DEFAULT_LIMIT: usize = 100;
/// Most entries that may be asked for.
const MAX_LIMIT: i64 = 5000;
/// How far back a range goes if no start is given, in nanoseconds.
const DEFAULT_SINCE_NS: i64 = 3_600_000_000_000;
/// Most points that a range may have.
const MAX_POINTS: i64 = 11_000;

/// The parameters of a request; those of a form come before those of the address.
#[derive(Debug)]
pub(super) struct Params {
    form: Query,
    address: Query,
    now_ns: i64,
}

/// Start and end of a range, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
}

impl Bounds {
    /// As queries for entries understand it: the end is not part of it.
    pub(super) fn range(self) -> TimeRange {
        TimeRange { start_ns: self.start_ns.max(0) as u64, end_ns: self.end_ns.max(0) as u64 }
    }

    /// As lists of labels and streams understand it: the end is part of it.
    pub(super) fn closed_range(self) -> TimeRange {
        TimeRange { end_ns: (self.end_ns.max(0) as u64).saturating_add(1), ..self.range() }
    }
}

impl FromRequest<Context> for Params {
    type Rejection = LokiError;

    async fn from_request(request: Request, context: &Context) -> Result<Self> {
        let raw = request.uri().query().unwrap_or_default().to_owned();
        let is_form =
            request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(
                |kind| kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"),
            );
        let posted = if is_form && request.method() == http::Method::POST {
            let body = Bytes::from_request(request, context).await.map_err(bad_request)?;
            String::from_utf8_lossy(&body).into_owned()
        } else {
            String::new()
        };
        Self::new(&posted, &raw, context.clock.now_ns() as i64)
    }
}

impl Params {
    fn new(posted: &str, address: &str, now_ns: i64) -> Result<Self> {
        for pair in posted.split('&').chain(address.split('&')) {
            check_pair(pair)?;
        }
        Ok(Self { form: Query::parse(Some(posted)), address: Query::parse(Some(address)), now_ns })
    }

    /// A parameter; the empty text if it is not given.
    pub(super) fn get(&self, name: &str) -> &str {
        // A parameter of the form hides that of the address, even if it is empty.
        let posted = self.form.iter().find(|(key, _)| *key == name);
        posted.map_or_else(|| self.address.get(name), |(_, value)| value)
    }

    fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.form.all(name).chain(self.address.all(name))
    }

    pub(super) fn bounds(&self) -> Result<Bounds> {
        let wrapped =
            |name: &str, error: String| bad_request(format!("could not parse '{name}' parameter: {error}"));
        let since_ns = match self.given("since") {
            None => DEFAULT_SINCE_NS,
            Some(text) => logql::units::prometheus_duration(text).map_err(|error| wrapped("since", error))?,
        };
        let time = |name: &str, default_ns: i64| match self.given(name) {
            None => Ok(default_ns),
            Some(text) => time_ns(text).map_err(|error| wrapped(name, error)),
        };
        let end_ns = time("end", self.now_ns)?;
        let start_ns = time("start", end_ns.min(self.now_ns).saturating_sub(since_ns))?;
        Ok(Bounds { start_ns, end_ns })
    }

    /// The bounds of a range that must not be turned round.
    pub(super) fn ordered_bounds(&self) -> Result<Bounds> {
        let bounds = self.bounds()?;
        if bounds.end_ns < bounds.start_ns {
            return Err(bad_request("end timestamp must not be before or equal to start time"));
        }
        Ok(bounds)
    }

    /// The time of an instant query.
    pub(super) fn instant_ns(&self) -> Result<i64> {
        self.given("time").map_or(Ok(self.now_ns), |text| time_ns(text).map_err(bad_request))
    }

    pub(super) fn limit(&self) -> Result<usize> {
        let Some(text) = self.given("limit") else { return Ok(DEFAULT_LIMIT) };
        let limit = go::atoi(text).map_err(bad_request)?;
        if limit <= 0 {
            return Err(bad_request("limit must be a positive value"));
        }
        if limit > i64::from(u32::MAX) {
            return Err(bad_request(format!("limit value {limit} is out of range [0, {}]", u32::MAX)));
        }
        Ok(limit as usize)
    }

    /// Refuses more entries than may be asked for. Loki does so after it has read the query.
    pub(super) fn check_limit(limit: usize) -> Result<()> {
        if limit as i64 > MAX_LIMIT {
            return Err(bad_request(format!(
                "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {MAX_LIMIT})"
            )));
        }
        Ok(())
    }

    pub(super) fn direction(&self) -> Result<Direction> {
        let Some(text) = self.given("direction") else { return Ok(Direction::Backward) };
        match text.to_ascii_uppercase().as_str() {
            "FORWARD" => Ok(Direction::Forward),
            "BACKWARD" => Ok(Direction::Backward),
            _ => Err(bad_request(format!("invalid direction '{text}'"))),
        }
    }

    /// Checks the step, which means nothing to a query for entries but is refused all the same where it is wrong.
    pub(super) fn check_step(&self, bounds: Bounds) -> Result<()> {
        let length_ns = bounds.end_ns.saturating_sub(bounds.start_ns);
        let step_ns = match self.given("step") {
            None => (length_ns / 1_000_000_000 / 250).max(1) * 1_000_000_000,
            Some(text) => seconds_or_duration_ns(text)?,
        };
        if step_ns <= 0 {
            return Err(bad_request(
                "zero or negative query resolution step widths are not accepted. Try a positive integer",
            ));
        }
        if length_ns / step_ns > MAX_POINTS {
            return Err(bad_request(
                "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter",
            ));
        }
        Ok(())
    }

    /// The least time between two entries that are given back, in nanoseconds; 0 for every entry.
    pub(super) fn interval_ns(&self) -> Result<i64> {
        let Some(text) = self.given("interval") else { return Ok(0) };
        let interval_ns = seconds_or_duration_ns(text)?;
        if interval_ns < 0 {
            return Err(bad_request("interval must be >= 0"));
        }
        Ok(interval_ns)
    }

    /// The selector of a request that takes nothing more than matchers; none if it is not given.
    pub(super) fn matchers(&self) -> Result<Vec<Matcher>> {
        self.given("query")
            .map_or(Ok(Vec::new()), |query| logql::parse_matchers(query, true).map_err(bad_request))
    }

    /// The selectors of a request for series, each an alternative; none for all series.
    pub(super) fn selectors(&self) -> Result<Vec<Vec<Matcher>>> {
        let mut given: Vec<&str> = self.all("match").chain(self.all("match[]")).collect();
        given.sort_unstable();
        given.dedup();
        if let [only] = given[..]
            && only.replace(' ', "") == "{}"
        {
            given.clear();
        }
        given
            .into_iter()
            .map(|selector| match logql::parse_matchers(selector, false) {
                Ok(matchers) if matchers.is_empty() => {
                    Err(bad_request(format!("0 matchers in group: {selector}")))
                }
                Ok(matchers) => Ok(matchers),
                Err(error) => Err(bad_request(error)),
            })
            .collect()
    }
}

/// What `ParseForm` refuses.
fn check_pair(pair: &str) -> Result<()> {
    if pair.contains(';') {
        return Err(bad_request("invalid semicolon separator in query"));
    }
    let mut rest = pair;
    while let Some(at) = rest.find('%') {
        let escape: String = rest[at..].chars().take(3).collect();
        if escape.len() != 3 || !escape[1..].bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(bad_request(format!("invalid URL escape {}", go::quote(&escape))));
        }
        rest = &rest[at + 3..];
    }
    Ok(())
}

/// A time: seconds with a fraction, seconds in at most ten digits, nanoseconds, or RFC 3339.
fn time_ns(text: &str) -> std::result::Result<i64, String> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        // Loki keeps three digits of the fraction.
        let millis = (seconds.fract() * 1000.0).round();
        return Ok((seconds.trunc() as i64)
            .saturating_mul(1_000_000_000)
            .saturating_add(millis as i64 * 1_000_000));
    }
    match go::parse_int(text, 64) {
        Ok(seconds) if text.len() <= 10 => Ok(seconds * 1_000_000_000),
        Ok(ns) => Ok(ns),
        Err(error) => go::parse_rfc3339(text)
            .map(|ns| i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX }))
            .map_err(|_| error.to_string()),
    }
}

fn seconds_or_duration_ns(text: &str) -> Result<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ns = seconds * 1e9;
        if ns.is_nan() || ns.abs() > i64::MAX as f64 {
            let quoted = go::quote(text);
            return Err(bad_request(format!(
                "cannot parse {quoted} to a valid duration. It overflows int64"
            )));
        }
        return Ok(ns as i64);
    }
    logql::units::prometheus_duration(text)
        .map_err(|_| bad_request(format!("cannot parse {} to a valid duration", go::quote(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_NS: i64 = 1_700_000_000_000_000_000;

    fn params(query: &str) -> Params {
        Params::new("", query, NOW_NS).unwrap()
    }

    fn error<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn times_have_four_forms() {
        for (text, ns) in [
            ("1700000000", 1_700_000_000_000_000_000),
            ("1700000000123456789", 1_700_000_000_123_456_789),
            ("1700000000.5", 1_700_000_000_500_000_000),
            ("1700000000.1234", 1_700_000_000_123_000_000),
            ("2023-11-14T22:13:20.5Z", 1_700_000_000_500_000_000),
        ] {
            assert_eq!(time_ns(text), Ok(ns), "{text}");
        }
        assert_eq!(time_ns("abc"), Err(r#"strconv.ParseInt: parsing "abc": invalid syntax"#.to_owned()));
    }

    #[test]
    fn bounds_have_defaults() {
        let hour = 3_600_000_000_000;
        let bounds = |query: &str| params(query).bounds().unwrap();
        assert_eq!(bounds(""), Bounds { start_ns: NOW_NS - hour, end_ns: NOW_NS });
        assert_eq!(bounds("since=2h"), Bounds { start_ns: NOW_NS - 2 * hour, end_ns: NOW_NS });
        assert_eq!(bounds("end=1600000000").start_ns, 1_600_000_000_000_000_000 - hour);
        assert_eq!(bounds("end=1800000000").start_ns, NOW_NS - hour, "the future does not count");
        assert_eq!(
            error(params("start=x").bounds()),
            r#"could not parse 'start' parameter: strconv.ParseInt: parsing "x": invalid syntax"#
        );
        assert_eq!(
            error(params("since=5").bounds()),
            r#"could not parse 'since' parameter: not a valid duration string: "5""#
        );
        assert_eq!(
            error(params("start=1700000001&end=1700000000").ordered_bounds()),
            "end timestamp must not be before or equal to start time"
        );
    }

    #[test]
    fn numbers_are_refused_in_lokis_words() {
        assert_eq!(params("").limit().unwrap(), 100);
        assert_eq!(error(params("limit=x").limit()), r#"strconv.Atoi: parsing "x": invalid syntax"#);
        assert_eq!(error(params("limit=0").limit()), "limit must be a positive value");
        assert_eq!(
            error(params("limit=4294967296").limit()),
            "limit value 4294967296 is out of range [0, 4294967295]"
        );
        assert_eq!(
            error(Params::check_limit(5001)),
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)"
        );
        assert_eq!(error(params("direction=up").direction()), "invalid direction 'up'");
        assert_eq!(params("direction=forward").direction().unwrap(), Direction::Forward);
        let bounds = params("").bounds().unwrap();
        assert!(error(params("step=0").check_step(bounds)).starts_with("zero or negative"));
        assert!(error(params("step=1ms").check_step(bounds)).starts_with("exceeded maximum resolution"));
        assert_eq!(error(params("step=x").check_step(bounds)), r#"cannot parse "x" to a valid duration"#);
        assert_eq!(error(params("interval=-1").interval_ns()), "interval must be >= 0");
        assert_eq!(params("interval=5s").interval_ns().unwrap(), 5_000_000_000);
    }

    #[test]
    fn forms_come_before_the_address_and_broken_ones_are_refused() {
        let params = Params::new("query=a", "query=b&limit=7", NOW_NS).unwrap();
        assert_eq!((params.get("query"), params.limit().unwrap()), ("a", 7));
        let refused = |query: &str| error(Params::new("", query, NOW_NS));
        assert_eq!(refused("a=%zz"), r#"invalid URL escape "%zz""#);
        assert_eq!(refused("a=1;b"), "invalid semicolon separator in query");
    }

    #[test]
    fn selectors_are_alternatives() {
        assert!(params("match[]={}").selectors().unwrap().is_empty());
        assert_eq!(
            params("match[]={a%3D\"b\"}&match={c%3D\"d\"}&match[]={a%3D\"b\"}").selectors().unwrap().len(),
            2
        );
        assert_eq!(error(params("match={}&match={a%3D\"b\"}").selectors()), "0 matchers in group: {}");
        assert!(
            error(params("match={").selectors()).starts_with("parse error at line 1, col 2: syntax error")
        );
        assert_eq!(
            error(params("match={a%3D\"b\"}|%3D\"x\"").selectors()),
            "only label matchers are supported"
        );
    }
}
