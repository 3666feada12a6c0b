//! What queries ask: series with samples, label names and values, metadata, exemplars, figures of the index.

use std::collections::{BTreeMap, BTreeSet};

use model::{Exemplar, Labels, Matcher, Metadata, SampleValue};
use promql::storage::{MsRange, Point, PointValue, Series as _, Storage};

use crate::chunk::Chunk;
use crate::{Error, Tsdb};

/// A series as it was when it was selected.
#[derive(Debug, Clone)]
pub struct SelectedSeries {
    labels: Labels,
    chunks: Vec<Chunk>,
    starts: Vec<(i64, i64)>,
    range: MsRange,
}

impl promql::storage::Series for SelectedSeries {
    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let mut start = 0;
        let mut next_start = 0;
        self.chunks
            .iter()
            .flat_map(Chunk::iter)
            .skip_while(|(time_ms, _)| *time_ms < self.range.start_ms)
            .take_while(|(time_ms, _)| *time_ms <= self.range.end_ms)
            .map(move |(time_ms, value)| {
                while let Some((since_ms, start_ms)) = self.starts.get(next_start) {
                    if *since_ms > time_ms {
                        break;
                    }
                    start = *start_ms;
                    next_start += 1;
                }
                let value = match value {
                    SampleValue::Float(value) => PointValue::Float(value),
                    SampleValue::Histogram(histogram) => PointValue::Histogram(histogram),
                };
                Point { time_ms, start_ms: start, value }
            })
    }
}

/// How many series or values have a name, for the status page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexStats {
    /// Pairs of a label with a value.
    pub label_pairs: u64,
    /// Metric names by how many series they have.
    pub series_by_name: Vec<(String, u64)>,
    /// Label names by how many values they have.
    pub values_by_label: Vec<(String, u64)>,
    /// Label names by bytes of their values, each counted as often as a series has it.
    pub bytes_by_label: Vec<(String, u64)>,
    /// `name=value` by how many series have it.
    pub series_by_pair: Vec<(String, u64)>,
}

impl Storage for Tsdb {
    type Series = SelectedSeries;
    type Error = Error;

    fn select(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<SelectedSeries>, Error> {
        let found = self.head().with_index(|index| index.select(matchers));
        let mut selected: Vec<SelectedSeries> = found
            .iter()
            .filter_map(|series| {
                let data = series.data.lock();
                let chunks = data.chunks(range.start_ms, range.end_ms);
                if chunks.is_empty() {
                    return None;
                }
                let starts = data.starts();
                drop(data);
                let selected = SelectedSeries { labels: series.to_labels(), chunks, starts, range };
                // A chunk may reach over the range without a sample in it.
                let has_points = selected.points().next().is_some();
                has_points.then_some(selected)
            })
            .collect();
        selected.sort_unstable_by(|left, right| left.labels.cmp(&right.labels));
        Ok(selected)
    }
}

impl Tsdb {
    /// Labels of the series that satisfy every matcher of one of the sets and have samples around the range, sorted,
    /// each once.
    pub fn series(&self, sets: &[Vec<Matcher>], range: MsRange) -> Vec<Labels> {
        let mut found = BTreeSet::new();
        for matchers in sets {
            let selected = self.head().with_index(|index| index.select(matchers));
            found.extend(selected.iter().filter(|it| in_range(it, range)).map(|it| it.to_labels()));
        }
        found.into_iter().collect()
    }

    /// Label names of the series that satisfy one of the sets (all series if there is no set), sorted.
    pub fn label_names(&self, sets: &[Vec<Matcher>], range: MsRange) -> Vec<String> {
        if sets.is_empty() && self.covers(range) {
            return self.head().with_index(|index| index.names().map(|(name, _)| name.to_owned()).collect());
        }
        let mut found = BTreeSet::new();
        self.each(sets, range, |series| {
            for (name, _) in &series.labels {
                if !found.contains(&**name) {
                    found.insert(name.to_string());
                }
            }
        });
        found.into_iter().collect()
    }

    /// Values of a label in the series that satisfy one of the sets (all series if there is no set), sorted.
    pub fn label_values(&self, name: &str, sets: &[Vec<Matcher>], range: MsRange) -> Vec<String> {
        if sets.is_empty() && self.covers(range) {
            return self
                .head()
                .with_index(|index| index.values(name).map(|(value, _)| value.to_owned()).collect());
        }
        let mut found = BTreeSet::new();
        self.each(sets, range, |series| {
            let value = series.label(name);
            if !value.is_empty() && !found.contains(value) {
                found.insert(value.to_owned());
            }
        });
        found.into_iter().collect()
    }

    /// Whether a range holds every sample.
    fn covers(&self, range: MsRange) -> bool {
        let head = self.head();
        range.start_ms <= head.min_time_ms() && range.end_ms >= head.max_time_ms()
    }

    fn each(&self, sets: &[Vec<Matcher>], range: MsRange, mut visit: impl FnMut(&crate::series::Series)) {
        let all = [Vec::new()];
        let sets = if sets.is_empty() { all.as_slice() } else { sets };
        for matchers in sets {
            let found = self.head().with_index(|index| index.select(matchers));
            found.iter().filter(|it| in_range(it, range)).for_each(|it| visit(it));
        }
    }

    /// Metadata by family name; of one family if a name is given.
    pub fn metadata(&self, name: Option<&str>) -> BTreeMap<String, Vec<Metadata>> {
        match name {
            None => self.head().metadata(),
            Some(name) => {
                let variants = self.head().metadata_of(name);
                if variants.is_empty() {
                    BTreeMap::new()
                } else {
                    BTreeMap::from([(name.to_owned(), variants)])
                }
            }
        }
    }

    /// Exemplars in a range of the series that satisfy one of the sets, by series; series without one are left out.
    pub fn exemplars(&self, sets: &[Vec<Matcher>], range: MsRange) -> Vec<(Labels, Vec<Exemplar>)> {
        let mut found = BTreeMap::new();
        for matchers in sets {
            for series in self.head().with_index(|index| index.select(matchers)) {
                let exemplars = self.head().exemplars_of(series.id, range.start_ms, range.end_ms);
                if !exemplars.is_empty() {
                    found.insert(series.to_labels(), exemplars);
                }
            }
        }
        found.into_iter().collect()
    }

    /// The largest names and pairs of the index, at most `limit` of each, the largest first.
    pub fn index_stats(&self, limit: usize) -> IndexStats {
        self.head().with_index(|index| {
            let mut stats = IndexStats::default();
            for (name, values) in index.names() {
                stats.label_pairs += values.len() as u64;
                stats.values_by_label.push((name.to_owned(), values.len() as u64));
                let bytes: usize = values.iter().map(|(value, ids)| value.len() * ids.len()).sum();
                stats.bytes_by_label.push((name.to_owned(), bytes as u64));
                for (value, ids) in values {
                    if name == model::labels::METRIC_NAME {
                        stats.series_by_name.push((value.to_string(), ids.len() as u64));
                    }
                    stats.series_by_pair.push((format!("{name}={value}"), ids.len() as u64));
                }
                largest(&mut stats.series_by_pair, limit);
            }
            for list in [&mut stats.series_by_name, &mut stats.values_by_label, &mut stats.bytes_by_label] {
                largest(list, limit);
            }
            stats
        })
    }
}

fn largest(list: &mut Vec<(String, u64)>, limit: usize) {
    list.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    list.truncate(limit);
}

fn in_range(series: &crate::series::Series, range: MsRange) -> bool {
    series.data.lock().span().is_some_and(|(first_ms, last_ms)| range.overlaps(first_ms, last_ms))
}
