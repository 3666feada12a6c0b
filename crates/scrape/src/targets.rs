//! Groups of addresses to targets: labels that the job gives, relabelling, checks.

use model::Labels;
use promconfig::{ScrapeConfig, relabel};

use crate::discovery::Group;
use crate::job::Job;
use crate::pool::Dropped;
use crate::target::Target;

/// What became of the addresses that were found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// To be scraped.
    pub(crate) targets: Vec<Target>,
    /// Dropped by the job's rules, or because their host does not run.
    pub(crate) dropped: Vec<Dropped>,
    /// Why some are no targets, in Prometheus' words.
    pub(crate) failures: Vec<String>,
}

/// Makes targets of groups. `is_absent` says of a `host:port` that it belongs to something that does not run.
pub(crate) fn of_groups(
    config: &ScrapeConfig,
    job: &Job,
    groups: &[Group],
    is_absent: impl Fn(&str) -> bool,
) -> Found {
    let mut found = Found::default();
    for group in groups {
        for (index, own) in group.targets.iter().enumerate() {
            let discovered = discovered(config, own, &group.labels);
            let mut labels = discovered.clone();
            if !relabel::apply(&config.relabel_configs, &mut labels) {
                found.dropped.push(Dropped { discovered: Labels::new(discovered) });
                continue;
            }
            match complete(labels) {
                Ok(labels) if is_absent(labels.get("__address__")) => {
                    found.dropped.push(Dropped { discovered: Labels::new(discovered) });
                }
                Ok(labels) => found.targets.push(Target::new(job, labels, Labels::new(discovered))),
                Err(reason) => {
                    found.failures.push(format!("instance {index} in group {}: {reason}", group.source));
                }
            }
        }
    }
    found
}

/// The labels before relabelling: those of the target, then those of its group, then those of the job.
fn discovered(
    config: &ScrapeConfig,
    own: &[(String, String)],
    group: &[(String, String)],
) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = own.to_vec();
    for (name, value) in group {
        if !labels.iter().any(|(known, _)| known == name) {
            labels.push((name.clone(), value.clone()));
        }
    }
    labels.retain(|(_, value)| !value.is_empty());
    let job = [
        ("job", config.job_name.clone()),
        ("__scrape_interval__", model::duration::print(config.scrape_interval)),
        ("__scrape_timeout__", model::duration::print(config.scrape_timeout)),
        ("__metrics_path__", config.metrics_path.clone()),
        ("__scheme__", config.scheme.clone()),
        ("__convert_classic_histograms_to_nhcb__", config.convert_classic_histograms_to_nhcb.to_string()),
        ("__always_scrape_classic_histograms__", config.always_scrape_classic_histograms.to_string()),
        ("__scrape_native_histograms__", config.scrape_native_histograms.to_string()),
    ];
    let params = config
        .params
        .iter()
        .filter_map(|(name, values)| values.first().map(|value| (format!("__param_{name}"), value.clone())));
    for (name, value) in job.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(params) {
        if !value.is_empty() && !labels.iter().any(|(known, _)| *known == name) {
            labels.push((name, value));
        }
    }
    labels
}

/// Checks the labels after relabelling, and adds `instance`.
fn complete(mut labels: Vec<(String, String)>) -> Result<Labels, String> {
    let get =
        |name: &str| labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let address = get("__address__").to_owned();
    if address.is_empty() {
        return Err("no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{} is not a valid hostname", model::labels::Quoted(&address)));
    }
    let duration = |what: &str| {
        let text = get(&format!("__scrape_{what}__"));
        let parsed = model::duration::parse(text);
        let parsed = parsed.map_err(|error| format!("error parsing scrape {what}: {error}"))?;
        if parsed.is_zero() { Err(format!("scrape {what} cannot be 0")) } else { Ok((parsed, text)) }
    };
    let (interval, interval_text) = duration("interval")?;
    let (timeout, timeout_text) = duration("timeout")?;
    if timeout > interval {
        return Err(format!(
            "scrape timeout cannot be greater than scrape interval (\"{timeout_text}\" > \"{interval_text}\")"
        ));
    }
    for (name, what) in [
        ("__convert_classic_histograms_to_nhcb__", "convert classic histograms to nhcb"),
        ("__always_scrape_classic_histograms__", "always scrape classic histograms"),
        ("__scrape_native_histograms__", "scrape native histograms"),
    ] {
        let value = get(name);
        let flags = ["", "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
        if !flags.contains(&value) {
            let quoted = model::labels::Quoted(value);
            return Err(format!("error parsing {what}: strconv.ParseBool: parsing {quoted}: invalid syntax"));
        }
    }
    if get("instance").is_empty() {
        labels.push(("instance".to_owned(), address));
    }
    labels.retain(|(name, _)| !name.starts_with("__meta_"));
    Ok(Labels::new(labels))
}

#[cfg(test)]
mod tests {
    use promconfig::Config;

    use super::*;

    fn job(yaml: &str) -> ScrapeConfig {
        let text = format!("scrape_configs:\n- job_name: demo\n{yaml}");
        Config::parse(&text, |_| None).unwrap().scrape_configs.remove(0)
    }

    fn group(address: &str, own: &[(&str, &str)], labels: &[(&str, &str)]) -> Group {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        let mut own = pairs(own);
        own.push(("__address__".to_owned(), address.to_owned()));
        Group { source: "0".to_owned(), targets: vec![own], labels: pairs(labels) }
    }

    fn found(config: &ScrapeConfig, group: Group) -> Found {
        of_groups(config, &Job::new(&config.job_name), &[group], |host| host == "gone:1")
    }

    #[test]
    fn labels_come_from_target_group_and_job_in_this_order() {
        let config = job("  params: {m: [x, y], e: []}\n  metrics_path: /p\n");
        let found =
            found(&config, group("h:1", &[("a", "own")], &[("a", "group"), ("job", "other"), ("e", "")]));
        let target = &found.targets[0];
        assert_eq!(target.labels().to_string(), r#"{a="own", instance="h:1", job="other"}"#);
        assert_eq!(target.address().to_string(), "http://h:1/p?m=x");
        let discovered = target.discovered_labels();
        assert_eq!(discovered.get("__scrape_interval__"), "1m");
        assert_eq!(discovered.get("__param_m"), "x");
        assert_eq!(discovered.get("__scrape_native_histograms__"), "false");
        assert_eq!(discovered.get("instance"), "");
    }

    #[test]
    fn rules_see_discovered_labels_and_meta_labels_go() {
        let rules = "  relabel_configs:\n  - {source_labels: [__meta_x], target_label: x}\n  - {source_labels: [__address__], \
                     regex: '(.*):.*', target_label: __address__, replacement: '$1:9'}\n";
        let found = found(&job(rules), group("h:1", &[("__meta_x", "y")], &[]));
        assert_eq!(found.targets[0].labels().to_string(), r#"{instance="h:9", job="demo", x="y"}"#);
        assert_eq!(found.targets[0].all_labels().get("__meta_x"), "");
    }

    #[test]
    fn dropped_and_absent_targets_are_kept_to_be_shown() {
        let dropping = job("  relabel_configs: [{action: drop}]\n");
        let found_one = found(&dropping, group("h:1", &[], &[]));
        assert_eq!((found_one.targets.len(), found_one.dropped.len()), (0, 1));
        assert_eq!(found_one.dropped[0].discovered.get("__address__"), "h:1");
        let absent = found(&job(""), group("gone:1", &[], &[]));
        assert_eq!((absent.targets.len(), absent.dropped.len()), (0, 1));
    }

    #[test]
    fn what_can_be_no_target_is_said() {
        let failure =
            |yaml: &str, own: &[(&str, &str)]| found(&job(yaml), group("h:1", own, &[])).failures.remove(0);
        let rule = |label: &str, value: &str| {
            format!("  relabel_configs: [{{target_label: {label}, replacement: '{value}'}}]\n")
        };
        assert_eq!(failure(&rule("__address__", ""), &[]), "instance 0 in group 0: no address");
        let url = failure(&rule("__address__", "http://x"), &[]);
        assert_eq!(url, "instance 0 in group 0: \"http://x\" is not a valid hostname");
        let text = failure("", &[("__scrape_interval__", "soon")]);
        assert_eq!(
            text,
            "instance 0 in group 0: error parsing scrape interval: not a valid duration string: \"soon\""
        );
        let text = failure("", &[("__scrape_timeout__", "0s")]);
        assert_eq!(text, "instance 0 in group 0: scrape timeout cannot be 0");
        let text = failure("", &[("__scrape_interval__", "5s")]);
        assert!(
            text.ends_with("scrape timeout cannot be greater than scrape interval (\"10s\" > \"5s\")"),
            "{text}"
        );
        let text = failure("", &[("__scrape_native_histograms__", "maybe")]);
        assert!(text.ends_with("strconv.ParseBool: parsing \"maybe\": invalid syntax"), "{text}");
    }
}
