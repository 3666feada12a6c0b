//! Rules, their alerts, and where alerts go: `/rules`, `/alerts`, `/alertmanagers`.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::extract::State;
use model::Matcher;
use model::number::Short;
use ruler::{Alert, AlertingView, GroupView, RuleView};
use sha2::{Digest, Sha256};

use super::answer::{Answer, ApiError};
use super::json;
use super::params::Params;
use crate::{Context, go};

pub(super) async fn rules(State(context): State<Context>, params: Params) -> Result<Answer, ApiError> {
    let filter = Filter::of(&params)?;
    let page = Page::of(&params)?;
    let groups = context.rules.map(|rules| rules.ruler.groups()).unwrap_or_default();
    let mut found_token = false;
    let mut shown: Vec<(GroupView, Vec<RuleView>)> = Vec::new();
    let mut next_token = None;
    for mut group in groups {
        if let Some(page) = page.as_ref().filter(|page| !page.token.is_empty() && !found_token) {
            if page.token != token(&group) {
                continue;
            }
            found_token = true;
        }
        if !filter.takes_group(&group) {
            continue;
        }
        let rules: Vec<RuleView> =
            std::mem::take(&mut group.rules).into_iter().filter(|rule| filter.takes_rule(rule)).collect();
        if rules.is_empty() {
            continue;
        }
        if page.as_ref().is_some_and(|page| shown.len() == page.groups) {
            next_token = Some(token(&group));
            break;
        }
        shown.push((group, rules));
    }
    if let Some(page) = page.filter(|page| !page.token.is_empty() && !found_token) {
        let reason = format!("invalid group_next_token '{}'. were rule groups changed?", page.token);
        return Err(ApiError::parameter("group_next_token", reason));
    }
    let mut data = String::from(r#"{"groups":"#);
    json::list(&mut data, &shown, |out, (view, rules)| group(out, view, rules, filter.exclude_alerts));
    if let Some(token) = next_token {
        _ = write!(data, r#","groupNextToken":"{token}""#);
    }
    data.push('}');
    Ok(Answer::new(data))
}

pub(super) async fn alerts(State(context): State<Context>) -> Answer {
    let groups = context.rules.map(|rules| rules.ruler.groups()).unwrap_or_default();
    let rules = groups.into_iter().flat_map(|group| group.rules);
    let alerts = rules.filter_map(|rule| rule.alerting).flat_map(|alerting| alerting.alerts);
    let mut data = String::from(r#"{"alerts":"#);
    json::list(&mut data, alerts, |out, one| alert(out, &one));
    data.push('}');
    Answer::new(data)
}

pub(super) async fn alertmanagers(State(context): State<Context>) -> Answer {
    let addresses = context.rules.map(|rules| rules.notifier.alertmanagers()).unwrap_or_default();
    let urls = |out: &mut String, urls: &[String]| {
        json::list(out, urls, |out, url| {
            out.push_str(r#"{"url":"#);
            json::text(out, url);
            out.push('}');
        });
    };
    let mut data = String::from(r#"{"activeAlertmanagers":"#);
    urls(&mut data, &addresses.active);
    data.push_str(r#","droppedAlertmanagers":"#);
    urls(&mut data, &addresses.dropped);
    data.push('}');
    Answer::new(data)
}

/// Which rules are asked for.
struct Filter {
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    sets: Vec<Vec<Matcher>>,
    alerting: bool,
    recording: bool,
    exclude_alerts: bool,
}

impl Filter {
    fn of(params: &Params) -> Result<Self, ApiError> {
        params.well_formed().map_err(ApiError::bad_data)?;
        let all = |name: &'static str| params.all(name).map(str::to_owned).collect();
        let sets = params.matches().map_err(ApiError::bad_data)?;
        let kind = params.in_address("type").to_lowercase();
        if !["", "alert", "record"].contains(&kind.as_str()) {
            let reason = format!("not supported value {}", go::quote(&kind));
            return Err(ApiError::parameter("type", reason));
        }
        let exclude_alerts = match params.in_address("exclude_alerts").to_lowercase().as_str() {
            "" => false,
            text => go::parse_bool(text).map_err(|error| {
                ApiError::parameter("exclude_alerts", format!("error converting exclude_alerts: {error}"))
            })?,
        };
        Ok(Self {
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            sets,
            alerting: kind != "record",
            recording: kind != "alert",
            exclude_alerts,
        })
    }

    fn takes_group(&self, group: &GroupView) -> bool {
        let is_among = |list: &[String], name: &String| list.is_empty() || list.contains(name);
        is_among(&self.groups, &group.name) && is_among(&self.files, &group.file)
    }

    fn takes_rule(&self, rule: &RuleView) -> bool {
        (self.names.is_empty() || self.names.contains(&rule.name))
            && (if rule.alerting.is_some() { self.alerting } else { self.recording })
            && rule.matches(&self.sets)
    }
}

/// Which of the groups are asked for, when not all are.
struct Page {
    groups: usize,
    /// The group to begin with; empty for the first.
    token: String,
}

impl Page {
    fn of(params: &Params) -> Result<Option<Self>, ApiError> {
        let (limit, token) = (params.in_address("group_limit"), params.in_address("group_next_token"));
        if limit.is_empty() {
            if token.is_empty() {
                return Ok(None);
            }
            let reason = "group_limit needs to be present in order to paginate over the groups";
            return Err(ApiError::parameter("group_next_token", reason));
        }
        let wrong = |reason: String| ApiError::parameter("group_limit", reason);
        let groups = go::parse_int(limit, 32)
            .map_err(|error| wrong(format!("group_limit needs to be a valid number: {error}")))?;
        match usize::try_from(groups) {
            Ok(groups) if groups > 0 => Ok(Some(Self { groups, token: token.to_owned() })),
            _ => Err(wrong("group_limit needs to be greater than 0".to_owned())),
        }
    }
}

/// What stands for a group in the address of the next page.
fn token(group: &GroupView) -> String {
    hex::encode(Sha256::digest(format!("{};{}", group.file, group.name)))
}

fn group(out: &mut String, group: &GroupView, rules: &[RuleView], exclude_alerts: bool) {
    out.push_str(r#"{"name":"#);
    json::text(out, &group.name);
    out.push_str(r#","file":"#);
    json::text(out, &group.file);
    out.push_str(r#","rules":"#);
    json::list(out, rules, |out, one| rule(out, one, exclude_alerts));
    _ = write!(
        out,
        r#","interval":{},"limit":{},"evaluationTime":{},"lastEvaluation":"{}"}}"#,
        Short(group.interval.as_secs_f64()),
        group.limit,
        Short(group.took.as_secs_f64()),
        json::moment(group.evaluated_at_ns)
    );
}

fn rule(out: &mut String, rule: &RuleView, exclude_alerts: bool) {
    out.push('{');
    if let Some(alerting) = &rule.alerting {
        _ = write!(out, r#""state":"{}","#, alerting.state.as_str());
    }
    out.push_str(r#""name":"#);
    json::text(out, &rule.name);
    out.push_str(r#","query":"#);
    json::text(out, &rule.query);
    if let Some(AlertingView { hold, keep_firing_for, .. }) = &rule.alerting {
        let (hold, keep) = (Short(hold.as_secs_f64()), Short(keep_firing_for.as_secs_f64()));
        _ = write!(out, r#","duration":{hold},"keepFiringFor":{keep}"#);
    }
    out.push_str(r#","labels":"#);
    texts(out, &rule.labels);
    if let Some(alerting) = &rule.alerting {
        out.push_str(r#","annotations":"#);
        texts(out, &alerting.annotations);
        out.push_str(r#","alerts":"#);
        if exclude_alerts {
            out.push_str("null");
        } else {
            json::list(out, &alerting.alerts, alert);
        }
    }
    _ = write!(out, r#","health":"{}""#, rule.status.health.as_str());
    if let Some(error) = rule.status.last_error.as_ref().filter(|error| !error.is_empty()) {
        out.push_str(r#","lastError":"#);
        json::text(out, error);
    }
    _ = write!(
        out,
        r#","evaluationTime":{},"lastEvaluation":"{}","type":"{}"}}"#,
        Short(rule.status.took.as_secs_f64()),
        json::moment(rule.status.evaluated_at_ns),
        if rule.alerting.is_some() { "alerting" } else { "recording" }
    );
}

fn alert(out: &mut String, alert: &Alert) {
    out.push_str(r#"{"labels":"#);
    json::labels(out, &alert.labels);
    out.push_str(r#","annotations":"#);
    texts(out, &alert.annotations);
    let active_at = json::moment(Some(alert.active_at_ns));
    _ = write!(out, r#","state":"{}","activeAt":"{active_at}""#, alert.state.as_str());
    if let Some(since_ns) = alert.keep_firing_since_ns {
        _ = write!(out, r#","keepFiringSince":"{}""#, json::moment(Some(since_ns)));
    }
    _ = write!(out, r#","value":"{}"}}"#, exponential(alert.value));
}

/// Names with values as an object.
fn texts(out: &mut String, texts: &BTreeMap<String, String>) {
    json::object(out, texts.iter().map(|(name, value)| (name.as_str(), value.as_str())));
}

/// A number as Go's format `e` with the shortest precision: `1e+00`.
fn exponential(value: f64) -> String {
    if !value.is_finite() {
        return Short(value).to_string();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_an_exponent() {
        for (value, text) in [
            (1.0, "1e+00"),
            (0.0, "0e+00"),
            (-0.25, "-2.5e-01"),
            (1.5e300, "1.5e+300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(exponential(value), text);
        }
    }
}
