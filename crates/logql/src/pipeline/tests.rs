use super::*;
use crate::parse;

struct Entry<'a> {
    labels: &'a [(&'a str, &'a str)],
    metadata: &'a [(&'a str, &'a str)],
}

impl Fields for Entry<'_> {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

fn pipeline(stages: &str) -> Pipeline {
    Pipeline::new(&parse(&format!("{{a=\"b\"}} {stages}")).unwrap().into_log().unwrap()).unwrap()
}

fn keeps(stages: &str, line: &str) -> bool {
    pipeline(stages).keeps_line(line)
}

fn judge(stages: &str, labels: &[(&str, &str)], metadata: &[(&str, &str)]) -> Verdict {
    pipeline(stages).judge_fields(&Entry { labels, metadata })
}

const KEEP: Verdict = Verdict::Keep(None);

#[test]
fn line_filters_hold_together_and_their_alternatives_singly() {
    assert!(keeps("|= `a` |= `b`", "b a") && !keeps("|= `a` |= `b`", "a"));
    assert!(keeps("|= `a` or `b`", "xb") && !keeps("|= `a` or `b`", "x"));
    assert!(keeps("!= `a` or `b`", "x") && !keeps("!= `a` or `b`", "b"));
    assert!(keeps("|~ `a+b` !~ `c$`", "aab c d") && !keeps("|~ `a+b` !~ `c$`", "aab c"));
    assert!(keeps("|> `<_> x` !> `y <_>`", "a x") && !keeps("|> `<_> x` !> `y <_>`", "y x"));
    assert!(keeps("|= ``", "") && keeps("", "anything"));
}

#[test]
fn label_filters_see_labels_and_metadata() {
    assert_eq!(judge("| trace_id=`1` | app=~`x|y`", &[("app", "x")], &[("trace_id", "1")]), KEEP);
    assert_eq!(judge("| trace_id=`1`", &[], &[]), Verdict::Drop);
    assert_eq!(judge("| missing=``", &[], &[]), KEEP);
    assert_eq!(judge("| app=`s` | app_extracted=`m`", &[("app", "s")], &[("app", "m")]), KEEP);
    assert_eq!(judge("| a=`1` or b=`1` and c=`1`", &[], &[("b", "1"), ("c", "1")]), KEEP);
    assert_eq!(judge("| (a=`1` or b=`1`) and c=`1`", &[], &[("a", "1")]), Verdict::Drop);
}

#[test]
fn quantities_are_compared_by_what_they_measure() {
    let metadata = [("took", "1.5s"), ("size", "2KiB"), ("status", "404"), ("odd", "x")];
    for (stages, expected) in [
        ("| took>1s", KEEP),
        ("| took<=1500ms", KEEP),
        ("| took>2s", Verdict::Drop),
        ("| size==2048B", KEEP),
        ("| size<2KB", Verdict::Drop),
        ("| status>=400 status<500", KEEP),
        ("| status!=404", Verdict::Drop),
        ("| missing>1", Verdict::Drop),
        ("| odd>1 | __error__=``", Verdict::Drop),
        (
            "| odd>1s | __error__=~`.+`",
            Verdict::Keep(Some(EntryError {
                error: FILTER_ERROR,
                details: "time: invalid duration \"x\"".to_owned(),
            })),
        ),
        (
            "| odd>1",
            Verdict::Keep(Some(EntryError {
                error: FILTER_ERROR,
                details: "strconv.ParseFloat: parsing \"x\": invalid syntax".to_owned(),
            })),
        ),
    ] {
        assert_eq!(judge(stages, &[], &metadata), expected, "{stages}");
    }
}

const FILTER_ERROR: &str = "LabelFilterErr";

#[test]
fn required_values_are_those_that_every_result_has() {
    let of = |stages: &str| pipeline(stages).required_value("trace_id").map(str::to_owned);
    assert_eq!(of("| trace_id=`1`").as_deref(), Some("1"));
    assert_eq!(of("| (x=`2` and trace_id=`1`)").as_deref(), Some("1"));
    assert_eq!(of("| trace_id=`1` or x=`2`"), None);
    assert_eq!(of("| trace_id!=`1`"), None);
    assert_eq!(of("| trace_id=``"), None);
}

#[test]
fn what_is_not_supported_yet_says_so() {
    for (query, text) in [
        ("{a=\"b\"} | json", "parser stages are not supported yet: | json"),
        ("{a=\"b\"} | logfmt --strict x", "parser stages are not supported yet: | logfmt --strict x=\"x\""),
        ("{a=\"b\"} | line_format `x`", "formatting stages are not supported yet: | line_format \"x\""),
        ("{a=\"b\"} |= ip(`::1`)", "ip() filters are not supported yet: |= ip(\"::1\")"),
        ("{a=\"b\"} | drop x", "drop and keep are not supported yet: | drop x"),
        ("rate({a=\"b\"}[5m])", "metric queries are not supported yet: rate({a=\"b\"} [300000ms])"),
    ] {
        let refused = match parse(query).unwrap().into_log() {
            Ok(log) => Pipeline::new(&log).unwrap_err().to_string(),
            Err(refused) => refused.to_string(),
        };
        assert_eq!(refused, text);
    }
}
