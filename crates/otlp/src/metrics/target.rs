//! `target_info`: the resource's attributes as labels of a series that is 1 as long as the resource sends.

use model::{Family, Metadata, MetricType, Temporality};
use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::labels::{self, ScopeLabels};
use super::points::{Points, millis};

const NAME: &str = "target_info";

/// Attributes that `job` and `instance` already say.
const IDENTIFYING: [&str; 3] = ["service.namespace", "service.name", "service.instance.id"];

/// Most samples of one resource in one request. A range longer than this many intervals has its newest part only: the
/// times are the sender's word, and two data points an age apart would make millions.
const MAX_SAMPLES: i64 = 1024;

/// Adds the samples of a resource: from its first data point to its last, one every half of the lookback, so that a
/// query within that time always finds one.
pub(super) fn add(attributes: &[KeyValue], out: &mut Points<'_>) {
    let Some((first_ns, last_ns)) = out.times() else { return };
    let has = |key: &&str| attributes.iter().any(|pair| pair.key == *key);
    if attributes.len() <= IDENTIFYING.iter().filter(|key| has(key)).count() || !out.resource().identifies() {
        // Nothing that `job` and `instance` do not say, or no target to say it of.
        return;
    }
    let ignored: &[&str] =
        if out.config.keep_identifying_resource_attributes { &[] } else { IDENTIFYING.as_slice() };
    let resource = out.resource().identifying();
    let built = labels::of_point(attributes, ignored, &resource, &ScopeLabels::default(), out.config);
    let mut labels = match built {
        Ok((labels, collisions)) => {
            out.note_collisions("resource", collisions);
            labels
        }
        Err(reason) => {
            out.warn(|| format!("no target_info: {reason}"));
            return;
        }
    };
    labels.set("__name__", NAME);
    let labels = labels.build();
    let metadata =
        Metadata { kind: MetricType::Gauge, help: "Target metadata".to_owned(), unit: String::new() };
    out.begin_family(Family { name: NAME.to_owned(), metadata }, Temporality::Cumulative);

    let interval_ns = (out.config.lookback_delta_ms.max(2) / 2) as u64 * 1_000_000;
    let intervals = (last_ns - first_ns) / interval_ns;
    let skipped = intervals.saturating_sub(MAX_SAMPLES as u64);
    for step in skipped..=intervals {
        let time_ns = first_ns + step * interval_ns;
        if time_ns < last_ns {
            out.push_target(&labels, millis(time_ns));
        }
    }
    out.push_target(&labels, millis(last_ns));
}
