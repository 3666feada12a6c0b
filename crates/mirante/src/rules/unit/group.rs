//! One test group: rules evaluated over its series, alerts and answers compared.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::go::Nanos;
use promql::engine::{self, Options, Value};
use ruler::{GroupView, Load, Offline, StoreBackend};

use super::file::{AlertTest, TestGroup};
use super::store::{Store, Waiting};
use super::{alerts, exprs, show};
use crate::rules::Streams;
use crate::rules::cli::Test;

/// As promtool has it.
const MAX_SAMPLES: usize = 10_000;
const SECOND_NS: i64 = 1_000_000_000;

/// What a file says to all its groups, and the command line to all files.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) rule_files: &'a [PathBuf],
    pub(super) interval: Duration,
    /// Names of rule groups in the order in which they are evaluated.
    pub(super) order: &'a [String],
    pub(super) is_fuzzy: bool,
    pub(super) arguments: &'a Test,
}

/// Runs a group; what is wrong.
pub(super) fn run(group: &TestGroup, name: &str, plan: &Plan<'_>, to: &mut impl Streams) -> Vec<String> {
    if !plan.arguments.debug {
        return test(group, plan, to);
    }
    let began = Instant::now();
    to.err(&format!("DEBUG: Starting test {name}\n"));
    let errors = test(group, plan, to);
    let took = Nanos(i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX));
    to.err(&format!("DEBUG: Test {name} finished, took {took}\n"));
    errors
}

fn test(group: &TestGroup, plan: &Plan<'_>, to: &mut impl Streams) -> Vec<String> {
    let interval = if group.interval.is_zero() { plan.interval } else { group.interval };
    let mut waiting =
        match Waiting::read(&group.input_series, millis(group.start_ns), millis(nanos(interval))) {
            Ok(waiting) => waiting,
            Err(error) => return vec![error],
        };
    let store = Arc::new(Store::default());
    let options = Options {
        max_samples: MAX_SAMPLES,
        subquery_step_ms: millis(nanos(plan.interval)),
        ..Options::default()
    };
    let mut offline = match load(group, interval, plan, &store, options) {
        Ok(offline) => offline,
        Err(errors) => return errors,
    };
    // A group that the order does not name comes with the first one.
    offline.sort_by_key(|name| plan.order.iter().position(|known| known == name).unwrap_or(0));
    let nameless = group.alert_rule_tests.iter().find(|test| test.alertname.is_empty());
    if let Some(AlertTest { eval_time, .. }) = nameless {
        let time = promql::format_duration(*eval_time);
        let of =
            if group.name.is_empty() { String::new() } else { format!(" (in TestGroup {})", group.name) };
        return vec![format!(
            "an item under alert_rule_test misses required attribute alertname at eval_time {time}{of}"
        )];
    }
    let mut errors = Vec::new();
    if !evaluate(group, plan, &offline, &mut waiting, &store, &mut errors) {
        return errors;
    }
    for test in &group.promql_expr_tests {
        let time_ms = millis(group.start_ns.saturating_add(nanos(test.eval_time)));
        errors.extend(exprs::check(test, &store, options, time_ms, plan.is_fuzzy));
    }
    if plan.arguments.debug {
        dump(group, &store, options, to);
    }
    errors
}

fn load(
    group: &TestGroup,
    interval: Duration,
    plan: &Plan<'_>,
    store: &Arc<Store>,
    options: Options,
) -> Result<Offline, Vec<String>> {
    let external_labels = group.external_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let load = Load {
        files: plan.rule_files.to_vec(),
        interval,
        query_offset: Duration::ZERO,
        external_labels: external_labels.collect(),
        external_url: group.external_url.clone(),
        options: promrules::Options {
            ignore_unknown_fields: plan.arguments.ignore_unknown_fields,
            ..promrules::Options::default()
        },
    };
    Offline::load(load, Arc::new(StoreBackend::new(Arc::clone(store), options))).map_err(|error| error.0)
}

/// Evaluates the rules from the start to the last time that a test is about, and compares alerts; whether all rules
/// could be evaluated.
fn evaluate(
    group: &TestGroup,
    plan: &Plan<'_>,
    offline: &Offline,
    waiting: &mut Waiting,
    store: &Store,
    errors: &mut Vec<String>,
) -> bool {
    let prefix = if group.name.is_empty() { String::new() } else { format!("    name: {},\n", group.name) };
    let by_time = alerts::by_time(&group.alert_rule_tests);
    let mut left = by_time.iter().peekable();
    let mut since_start = Duration::ZERO;
    while since_start <= last_time(group) {
        let time_ns = group.start_ns.saturating_add(nanos(since_start));
        match waiting.move_until(millis(time_ns), store) {
            Ok(()) => {
                let failed = evaluate_once(offline, time_ns);
                if !failed.is_empty() {
                    errors.extend(failed);
                    return false;
                }
            }
            Err(error) => errors.push(error),
        }
        let next = since_start.saturating_add(plan.interval);
        // Alerts stay as they are until the next evaluation.
        while let Some((_, tests)) = left.next_if(|(time, _)| (since_start..next).contains(*time)) {
            let groups: Vec<GroupView> =
                (0..offline.len()).filter_map(|index| offline.group(index)).collect();
            let wrong =
                tests.iter().filter_map(|test| alerts::check(test, &groups, &prefix, plan.arguments.diff));
            errors.extend(wrong);
        }
        since_start = next;
    }
    true
}

/// Evaluates all groups at a time; what rules complain about.
fn evaluate_once(offline: &Offline, time_ns: i64) -> Vec<String> {
    let mut failed = Vec::new();
    for index in 0..offline.len() {
        offline.evaluate(index, time_ns);
        for rule in offline.group(index).into_iter().flat_map(|group| group.rules) {
            if let Some(error) = rule.status.last_error {
                failed.push(format!("    rule: {}, time: {}, err: {error}", rule.name, Nanos(time_ns)));
            }
        }
    }
    failed
}

/// The last time that a test is about, from the start.
fn last_time(group: &TestGroup) -> Duration {
    let alerts = group.alert_rule_tests.iter().map(|test| test.eval_time);
    alerts.chain(group.promql_expr_tests.iter().map(|test| test.eval_time)).max().unwrap_or_default()
}

/// Shows all that is in the store.
fn dump(group: &TestGroup, store: &Store, options: Options, to: &mut impl Streams) {
    // A range has whole seconds, so the fraction goes and a second comes.
    let range_ns = (nanos(last_time(group)).saturating_add(SECOND_NS) / SECOND_NS).saturating_mul(SECOND_NS);
    let range = Nanos(range_ns);
    let text = format!("{{__name__=~\".+\"}}[{range}]");
    let quoted = api::go::quote(&text);
    let expr = match promql::parse(&text) {
        Ok(expr) => expr,
        Err(error) => return to.err(&format!("DEBUG: Failed querying, expr: {quoted}, err: {error}\n")),
    };
    let time_ms = millis(group.start_ns.saturating_add(range_ns));
    match engine::instant(store, &expr, time_ms, options, &|| None) {
        Ok(engine::Outcome { value: Value::Matrix(series), .. }) => {
            to.err(&format!("DEBUG: Dump of all data (input_series and rules) at {range}:\n"));
            to.err(&format!("{}\n", show::matrix(&series)));
        }
        Ok(_) => {}
        Err(error) => to.err(&format!("DEBUG: Failed query exec, expr: {quoted}, err: {error}\n")),
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn millis(time_ns: i64) -> i64 {
    time_ns.div_euclid(1_000_000)
}
