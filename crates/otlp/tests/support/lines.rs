//! A batch as text, a line a sample.

use model::number::Fixed;
use model::{Batch, SampleValue};

/// Labels, value, time, and since when the value counts where that is known.
pub(crate) fn of(batch: &Batch) -> Vec<String> {
    let mut lines = Vec::new();
    for point in &batch.points {
        for sample in &point.samples {
            let value = match &sample.value {
                value if value.is_stale() => "stale".to_owned(),
                SampleValue::Float(value) => Fixed(*value).to_string(),
                SampleValue::Histogram(it) => format!(
                    "schema {} count {} sum {} zero {} +{:?} -{:?}",
                    it.schema,
                    it.count,
                    it.sum,
                    it.zero_count,
                    it.positive().collect::<Vec<_>>(),
                    it.negative().collect::<Vec<_>>()
                ),
            };
            let start = if point.start_ms == 0 { String::new() } else { format!(" from {}", point.start_ms) };
            lines.push(format!("{} {value} @{}{start}", sample.labels, point.time_ms));
        }
    }
    lines
}
