//! What a query at one time asks for: the newest sample of each series until then. The head knows the newest of all
//! without decoding anything.

use model::Matcher;
use promql::storage::{MsRange, Storage};

use crate::select::SelectedSeries;
use crate::series::Data;
use crate::{Result, Tsdb};

impl Tsdb {
    /// Series that satisfy every matcher and have a sample in a range, in any order, each at least with the newest one.
    pub(crate) fn select_newest_samples(
        &self,
        matchers: &[Matcher],
        range: MsRange,
    ) -> Result<Vec<SelectedSeries>> {
        let newest = self.newest_of_head(matchers, range);
        // The head was looked at first: what is sealed meanwhile is found in both rather than in none.
        if self.inner().blocks().iter().any(|block| block.overlaps(range)) {
            return self.select(matchers, range);
        }
        Ok(newest)
    }

    fn newest_of_head(&self, matchers: &[Matcher], range: MsRange) -> Vec<SelectedSeries> {
        let found = self.head().with_index(|index| index.select(matchers));
        let of_series = |series: &std::sync::Arc<crate::series::Series>| {
            let data = series.data.lock();
            let selected = match newest(&data, range) {
                Some(tail) => SelectedSeries::of_newest(series.labels.clone(), tail.clone()),
                None => SelectedSeries::of_head(series.labels.clone(), &data, range)?,
            };
            drop(data);
            selected.has_points().then_some(selected)
        };
        found.iter().filter_map(of_series).collect()
    }
}

/// The newest sample of all, if it is the newest of a range too.
fn newest(data: &Data, range: MsRange) -> Option<&crate::series::Tail> {
    data.tail().filter(|tail| range.contains(tail.time_ms))
}
