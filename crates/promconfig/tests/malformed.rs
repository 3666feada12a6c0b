//! Files that are almost right: whatever is done to one, it is read or refused, and a refusal names a line that there is.

use std::path::Path;

use promconfig::{Config, TargetGroup};

/// Right files: ours, and upstream's where they are at hand.
fn texts() -> Vec<String> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/prometheus/prometheus.yml");
    let mut texts = vec![std::fs::read_to_string(own).expect("our own file is there")];
    if let Some(dir) = std::env::var_os("MIRANTE_CONFORMANCE_DIR") {
        let files = std::fs::read_dir(Path::new(&dir).join("prometheus/config")).into_iter().flatten();
        texts.extend(files.flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok()));
    }
    texts
}

fn check(text: &str) {
    if let Err(error) = Config::parse(text, |_| None) {
        let lines = text.lines().count() as u32 + 1;
        assert!(error.line().is_none_or(|line| (1..=lines).contains(&line)), "{error}\n{text}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn lines_that_are_missing_twice_moved_or_broken() {
    for text in texts() {
        let lines: Vec<&str> = text.lines().collect();
        // Of a long file some lines are enough.
        for at in (0..lines.len()).step_by(1 + lines.len() / 40) {
            let with = |line: &[String]| {
                let own = line.iter().map(String::as_str);
                let all: Vec<&str> =
                    lines[..at].iter().copied().chain(own).chain(lines[at + 1..].iter().copied()).collect();
                all.join("\n")
            };
            let line = lines[at];
            let key = line.split(':').next().unwrap_or_default();
            check(&lines[..at].join("\n"));
            for replaced in [
                vec![],
                vec![line.to_owned(), line.to_owned()],
                vec![format!("  {line}")],
                vec![line.trim_start().to_owned()],
                vec![format!("{key}:")],
                vec![format!("{key}: [a, {{b: 1}}]")],
                vec![format!("{key}: {{a: b}}")],
                vec![format!("{key}: -9223372036854775809")],
                vec![format!("{key}: \"\\xff\"")],
                vec![format!("{key}: !!binary /w==")],
                vec![format!("{key}: &a [*a]")],
                vec![format!("{line}\u{0}")],
            ] {
                check(&with(&replaced));
            }
        }
    }
}

#[test]
fn target_groups_that_are_cut_off() {
    let json = r#"[{"targets": ["a:1", "é:2"], "labels": {"x": "y\u00e9"}}, {"targets": []}]"#;
    let yaml = "- targets: [a:1, 'é:2']\n  labels: {x: \"y\\u00e9\"}\n- targets: []\n";
    for end in 0..json.len() {
        assert!(
            TargetGroup::list_from_json(&json.as_bytes()[..end]).is_err(),
            "the first {end} bytes are read"
        );
    }
    for (end, _) in yaml.char_indices() {
        // Some beginnings are right; none may do harm.
        let _ = TargetGroup::list_from_yaml(&yaml[..end]);
    }
}
