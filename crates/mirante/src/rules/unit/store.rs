//! Series that a test gives, and what rules make of them.

use std::collections::VecDeque;
use std::convert::Infallible;

use model::{Labels, Matcher};
use parking_lot::RwLock;
use promql::memory::{Memory, Selected};
use promql::series_text::{self, SeriesText, StartTimes, is_start_times, parse_series, parse_start_times};
use promql::storage::{MsRange, Point, PointValue, Storage};
use ruler::{Append, Sample};

use super::file::Series;

/// What rules read and write.
#[derive(Debug, Default)]
pub(super) struct Store(RwLock<Memory>);

impl Storage for Store {
    type Series = Selected;
    type Error = Infallible;

    fn select(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<Selected>, Infallible> {
        self.0.read().select(matchers, range)
    }
}

impl Append for Store {
    fn append(&self, samples: Vec<Sample>) -> Result<Vec<(usize, String)>, String> {
        let mut memory = self.0.write();
        let mut refused = Vec::new();
        for (position, Sample { labels, time_ms, value }) in samples.into_iter().enumerate() {
            if let Err(error) = memory.append(&labels, Point { time_ms, start_ms: 0, value }) {
                refused.push((position, error.to_string()));
            }
        }
        Ok(refused)
    }
}

/// Samples that a test gives, until their time has come.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<(Labels, VecDeque<Point>)>);

impl Waiting {
    /// Reads the series, a point each `interval_ms` from `start_ms` on. A series that is there twice has the points that
    /// come last. Lines are counted as promtool counts them: its first one has the interval.
    pub(super) fn read(series: &[Series], start_ms: i64, interval_ms: i64) -> Result<Self, String> {
        let one = |Series { series, values }: &Series| format!("{series} {values}");
        let text = series.iter().map(one).collect::<Vec<_>>().join("\n");
        // What comes behind an empty line is not read, and a comment is one.
        let lines =
            text.split('\n').map(str::trim).take_while(|line| !line.is_empty() && !line.starts_with('#'));
        let mut waiting = Self::default();
        let mut starts: Option<StartTimes> = None;
        for (line, number) in lines.zip(1..) {
            if is_start_times(line) {
                if starts.is_some() {
                    return Err(unplaced("@st line has no following sample line"));
                }
                starts = Some(parse_start_times(line).map_err(|error| unplaced(&error))?);
                continue;
            }
            let SeriesText { labels, points } =
                parse_series(line).map_err(|error| error.below(number).to_string())?;
            let offsets_ms = match starts.take() {
                Some(starts) if starts.labels != labels => {
                    return Err(unplaced("@st metric does not match the following sample line metric"));
                }
                Some(StartTimes { offsets_ms, .. }) if offsets_ms.len() != points.len() => {
                    let (found, expected) = (offsets_ms.len(), points.len());
                    return Err(unplaced(&format!(
                        "@st line has {found} values but sample line has {expected}"
                    )));
                }
                Some(starts) => starts.offsets_ms,
                None => Vec::new(),
            };
            let point = |(step, point): (usize, series_text::Point)| {
                let value = match point {
                    series_text::Point::None => return None,
                    series_text::Point::Float(value) => PointValue::Float(value),
                    series_text::Point::Histogram { histogram, .. } => PointValue::Histogram(histogram),
                };
                let steps = i64::try_from(step).unwrap_or(i64::MAX);
                let time_ms = start_ms.saturating_add(interval_ms.saturating_mul(steps));
                let offset_ms = offsets_ms.get(step).copied().flatten();
                let start_ms = offset_ms.map_or(0, |offset_ms| time_ms.saturating_add(offset_ms));
                Some(Point { time_ms, start_ms, value })
            };
            let points = points.into_iter().enumerate().filter_map(point).collect();
            waiting.0.retain(|(known, _)| *known != labels);
            waiting.0.push((labels, points));
        }
        match starts {
            Some(_) => Err(unplaced("@st line has no following sample line")),
            None => Ok(waiting),
        }
    }

    /// Moves what is not later than a time into the store.
    pub(super) fn move_until(&mut self, time_ms: i64, store: &Store) -> Result<(), String> {
        let mut memory = store.0.write();
        for (labels, points) in &mut self.0 {
            while let Some(point) = points.front().filter(|point| point.time_ms <= time_ms) {
                memory.append(labels, point.clone()).map_err(|error| error.to_string())?;
                points.pop_front();
            }
        }
        Ok(())
    }
}

/// What is wrong with a line whose place promtool does not tell.
fn unplaced(error: &str) -> String {
    format!("unknown position: parse error: {error}")
}
