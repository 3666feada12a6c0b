use std::path::PathBuf;
use std::time::Duration;

use model::{Labels, SystemClock};
use prometheus::{Registry, TextEncoder};

use super::*;
use crate::ruler::{Load, Ruler};

fn load(dir: &std::path::Path, files: &[&str]) -> Load {
    Load {
        files: files.iter().map(|name| dir.join(name)).collect::<Vec<PathBuf>>(),
        interval: Duration::from_millis(20),
        query_offset: Duration::ZERO,
        external_labels: Labels::default(),
        external_url: String::new(),
        options: Options::default(),
    }
}

/// Waits until something is so; a test that waits too long fails.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: in vain");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_loaded_changed_and_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let hand = Arc::new(Hand::default());
    let registry = Registry::new();
    let to = Arc::new(To(Arc::clone(&hand)));
    let ruler =
        Ruler::new(Arc::<Hand>::clone(&hand), to, Arc::new(SystemClock), &registry, Config::default())
            .unwrap();
    hand.answer("a", &[(&[("x", "1")], 1.0)]);
    hand.answer("down", &[(&[("x", "1")], 1.0)]);

    write("a.yml", "groups:\n- name: a\n  rules:\n  - record: r\n    expr: a\n");
    write("b.yml", "groups:\n- name: b\n  rules:\n  - alert: Down\n    expr: down\n");
    ruler.load(load(dir.path(), &["a.yml", "b.yml"])).await.unwrap();
    until("evaluations", || ruler.groups().iter().all(|group| group.evaluated_at_ns.is_some())).await;
    until("an alert", || !hand.sent().is_empty()).await;
    until("a sample", || hand.written().iter().any(|line| line.starts_with(r#"{__name__="r""#))).await;

    // A wrong file leaves everything as it is.
    write("a.yml", "groups:\n- name: a\n  rules:\n  - record: r\n");
    let error = ruler.load(load(dir.path(), &["a.yml", "b.yml"])).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("a.yml: 0:0: group \"a\", rule 1, \"r\": field 'expr' must be set in rule")
    );
    assert_eq!(ruler.groups().len(), 2);

    // What is the same goes on, what is changed takes over, what is gone ends.
    write("a.yml", "groups:\n- name: a\n  rules:\n  - record: s\n    expr: a\n");
    let fired = ruler.groups()[1].rules[0].alerting.clone().unwrap().alerts[0].active_at_ns;
    ruler.load(load(dir.path(), &["a.yml", "b.yml"])).await.unwrap();
    let still = ruler.groups()[1].rules[0].alerting.clone().unwrap().alerts[0].active_at_ns;
    assert_eq!(fired, still, "the alert goes on");
    let ends = |name: &str| {
        hand.written()
            .iter()
            .any(|line| line.contains(&format!("__name__=\"{name}\"")) && line.ends_with("end"))
    };
    until("the end of r", || ends("r")).await;
    ruler.load(load(dir.path(), &["b.yml"])).await.unwrap();
    until("the end of s", || ends("s")).await;
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    assert!(text.contains("prometheus_rule_group_iterations_total{rule_group=\""), "{text}");
    assert!(!text.contains("a.yml;a"), "{text}");
    assert!(text.contains("prometheus_rule_evaluation_duration_seconds{quantile=\"0.99\"}"), "{text}");

    ruler.stop().await;
    hand.written();
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(hand.written().is_empty(), "after the stop nothing is evaluated");
}
