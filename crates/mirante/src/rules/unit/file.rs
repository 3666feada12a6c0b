//! Test files, with the complaints of Go's `yaml/v2` that promtool gives.

use std::collections::BTreeMap;
use std::time::Duration;

use yaml::{Context, Dialect, Fields, Limits, Node, Outcome};

/// One file.
#[derive(Debug, Default)]
pub(super) struct TestFile {
    /// Patterns.
    pub(super) rule_files: Vec<String>,
    /// Zero if the file says none.
    pub(super) evaluation_interval: Duration,
    pub(super) group_eval_order: Vec<String>,
    pub(super) tests: Vec<TestGroup>,
    /// Whether numbers may differ in their last bit.
    pub(super) fuzzy_compare: bool,
}

/// Series with what is expected of them.
#[derive(Debug, Default)]
pub(super) struct TestGroup {
    /// Time from one point of the series to the next; zero for the interval of evaluation.
    pub(super) interval: Duration,
    pub(super) input_series: Vec<Series>,
    pub(super) alert_rule_tests: Vec<AlertTest>,
    pub(super) promql_expr_tests: Vec<ExprTest>,
    pub(super) external_labels: BTreeMap<String, String>,
    pub(super) external_url: String,
    pub(super) name: String,
    /// Nanoseconds since the Unix epoch.
    pub(super) start_ns: i64,
}

#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) series: String,
    pub(super) values: String,
}

/// Which alerts of a name should fire at a time.
#[derive(Debug, Default, Clone)]
pub(super) struct AlertTest {
    pub(super) eval_time: Duration,
    pub(super) alertname: String,
    pub(super) exp_alerts: Vec<ExpectedAlert>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct ExpectedAlert {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// What an expression should give at a time.
#[derive(Debug, Default)]
pub(super) struct ExprTest {
    pub(super) expr: String,
    pub(super) eval_time: Duration,
    pub(super) exp_samples: Vec<ExpectedSample>,
}

#[derive(Debug, Default)]
pub(super) struct ExpectedSample {
    pub(super) labels: String,
    pub(super) value: f64,
    /// In the notation of series; if it is there, the value does not count.
    pub(super) histogram: String,
}

impl TestFile {
    /// Reads a file.
    pub(super) fn parse(text: &str) -> yaml::Result<Self> {
        yaml::read(text, Dialect::V2, Limits::default(), file)
    }
}

fn file(node: &Node, context: &mut Context) -> Outcome<TestFile> {
    let mut fields = Fields::open(node, context, "main.unitTestFile")?;
    let mut file = TestFile::default();
    fields.set("rule_files", &mut file.rule_files, context, yaml::strings)?;
    fields.set("evaluation_interval", &mut file.evaluation_interval, context, duration)?;
    fields.set("group_eval_order", &mut file.group_eval_order, context, yaml::strings)?;
    let tests = |node: &Node, context: &mut Context| yaml::list(node, context, "[]main.testGroup", group);
    fields.set("tests", &mut file.tests, context, tests)?;
    fields.set("fuzzy_compare", &mut file.fuzzy_compare, context, yaml::boolean)?;
    fields.close(context)?;
    Ok(file)
}

fn group(node: &Node, context: &mut Context) -> Outcome<TestGroup> {
    let mut fields = Fields::open(node, context, "main.testGroup")?;
    let mut group = TestGroup::default();
    fields.set("interval", &mut group.interval, context, duration)?;
    let all = |node: &Node, context: &mut Context| yaml::list(node, context, "[]main.series", series);
    fields.set("input_series", &mut group.input_series, context, all)?;
    let all =
        |node: &Node, context: &mut Context| yaml::list(node, context, "[]main.alertTestCase", alert_test);
    fields.set("alert_rule_test", &mut group.alert_rule_tests, context, all)?;
    let all =
        |node: &Node, context: &mut Context| yaml::list(node, context, "[]main.promqlTestCase", expr_test);
    fields.set("promql_expr_test", &mut group.promql_expr_tests, context, all)?;
    fields.set("external_labels", &mut group.external_labels, context, texts)?;
    fields.set("external_url", &mut group.external_url, context, yaml::string)?;
    fields.set("name", &mut group.name, context, yaml::string)?;
    fields.set("start_timestamp", &mut group.start_ns, context, time)?;
    fields.close(context)?;
    Ok(group)
}

fn series(node: &Node, context: &mut Context) -> Outcome<Series> {
    let mut fields = Fields::open(node, context, "main.series")?;
    let mut series = Series::default();
    fields.set("series", &mut series.series, context, yaml::string)?;
    fields.set("values", &mut series.values, context, yaml::string)?;
    fields.close(context)?;
    Ok(series)
}

fn alert_test(node: &Node, context: &mut Context) -> Outcome<AlertTest> {
    let mut fields = Fields::open(node, context, "main.alertTestCase")?;
    let mut test = AlertTest::default();
    fields.set("eval_time", &mut test.eval_time, context, duration)?;
    fields.set("alertname", &mut test.alertname, context, yaml::string)?;
    let alerts = |node: &Node, context: &mut Context| yaml::list(node, context, "[]main.alert", alert);
    fields.set("exp_alerts", &mut test.exp_alerts, context, alerts)?;
    fields.close(context)?;
    Ok(test)
}

fn alert(node: &Node, context: &mut Context) -> Outcome<ExpectedAlert> {
    let mut fields = Fields::open(node, context, "main.alert")?;
    let mut alert = ExpectedAlert::default();
    fields.set("exp_labels", &mut alert.labels, context, texts)?;
    fields.set("exp_annotations", &mut alert.annotations, context, texts)?;
    fields.close(context)?;
    Ok(alert)
}

fn expr_test(node: &Node, context: &mut Context) -> Outcome<ExprTest> {
    let mut fields = Fields::open(node, context, "main.promqlTestCase")?;
    let mut test = ExprTest::default();
    fields.set("expr", &mut test.expr, context, yaml::string)?;
    fields.set("eval_time", &mut test.eval_time, context, duration)?;
    let samples = |node: &Node, context: &mut Context| yaml::list(node, context, "[]main.sample", sample);
    fields.set("exp_samples", &mut test.exp_samples, context, samples)?;
    fields.close(context)?;
    Ok(test)
}

fn sample(node: &Node, context: &mut Context) -> Outcome<ExpectedSample> {
    let mut fields = Fields::open(node, context, "main.sample")?;
    let mut sample = ExpectedSample::default();
    fields.set("labels", &mut sample.labels, context, yaml::string)?;
    fields.set("value", &mut sample.value, context, yaml::float)?;
    fields.set("histogram", &mut sample.histogram, context, yaml::string)?;
    fields.close(context)?;
    Ok(sample)
}

/// A duration as Prometheus writes it; one that is wrong ends the reading, as in Go.
fn duration(node: &Node, context: &mut Context) -> Outcome<Duration> {
    let text = yaml::string(node, context)?;
    promql::parse_duration(&text).map_err(|error| node.refuse(error))
}

/// A time: seconds since the Unix epoch, or as RFC 3339 has it.
fn time(node: &Node, context: &mut Context) -> Outcome<i64> {
    const SECOND: f64 = 1e9;
    let text = yaml::string(node, context)?;
    if let Ok(seconds) = text.parse::<f64>() {
        // Whole seconds and the rest apart, so that nothing is lost of either.
        return Ok((seconds.trunc() as i64) * SECOND as i64 + (seconds.fract() * SECOND) as i64);
    }
    let time = api::go::parse_rfc3339(&text).ok().and_then(|ns| i64::try_from(ns).ok());
    time.ok_or_else(|| {
        node.refuse(format!("cannot parse {} to a valid timestamp", model::labels::Quoted(&text)))
    })
}

fn texts(node: &Node, context: &mut Context) -> Outcome<BTreeMap<String, String>> {
    Ok(yaml::map(node, context, "map[string]string", yaml::string)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says() {
        let file = TestFile::parse(
            "rule_files: [a.yml]\nevaluation_interval: 30s\ntests:\n- interval: 1m\n  start_timestamp: 2024-01-01T00:00:01.5Z\n  \
             promql_expr_test:\n  - {expr: up, eval_time: 1h, exp_samples: [{labels: up, value: 1e3}]}\n- start_timestamp: 1.25\n",
        )
        .unwrap();
        assert_eq!(file.evaluation_interval, Duration::from_secs(30));
        assert_eq!(file.tests[0].start_ns, 1_704_067_201_500_000_000);
        assert_eq!(file.tests[0].promql_expr_tests[0].exp_samples[0].value, 1000.0);
        assert_eq!(file.tests[1].start_ns, 1_250_000_000);
    }

    #[test]
    fn what_is_wrong_is_told_as_go_tells_it() {
        for (text, error) in [
            (
                "tests: 1\n",
                "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!int `1` into []main.testGroup",
            ),
            (
                "test: []\n",
                "yaml: unmarshal errors:\n  line 1: field test not found in type main.unitTestFile",
            ),
            ("evaluation_interval: 1\n", "not a valid duration string: \"1\""),
            ("tests: [{start_timestamp: soon}]\n", "cannot parse \"soon\" to a valid timestamp"),
            (
                "tests:\n- promql_expr_test:\n  - exp_samples: [{value: x, label: y}]\n",
                "yaml: unmarshal errors:\n  line 3: cannot unmarshal !!str `x` into float64\n  line 3: field label not found in \
                 type main.sample",
            ),
        ] {
            assert_eq!(TestFile::parse(text).unwrap_err().to_string(), error, "{text}");
        }
    }
}
