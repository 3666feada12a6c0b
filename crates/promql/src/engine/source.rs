//! A store as the evaluator sees it, whatever its type.

use model::{Labels, Matcher};

use crate::storage::{FloatPoint, HistogramPoint};
use crate::storage::{MsRange, Needed, Series, Storage};

/// Why a store could not answer.
pub(crate) type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A store.
pub(crate) trait Source: Sync {
    /// Series that satisfy every matcher and have a sample in the range, in any order.
    fn select(
        &self,
        matchers: &[Matcher],
        range: MsRange,
        needed: Needed,
    ) -> Result<Box<dyn Selection + '_>, SourceError>;
}

/// Series that were selected.
pub(crate) trait Selection: Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// The labels of one of them.
    fn labels(&self, series: usize) -> &Labels;

    /// Adds the samples of one of them in the range that was selected.
    fn read(&self, series: usize, floats: &mut Vec<FloatPoint>, histograms: &mut Vec<HistogramPoint>);
}

impl<S: Storage> Source for S {
    fn select(
        &self,
        matchers: &[Matcher],
        range: MsRange,
        needed: Needed,
    ) -> Result<Box<dyn Selection + '_>, SourceError> {
        Ok(Box::new(self.select_needed(matchers, range, needed)?))
    }
}

impl<S: Series> Selection for Vec<S> {
    fn len(&self) -> usize {
        self.len()
    }

    fn labels(&self, series: usize) -> &Labels {
        self[series].labels()
    }

    fn read(&self, series: usize, floats: &mut Vec<FloatPoint>, histograms: &mut Vec<HistogramPoint>) {
        self[series].read(floats, histograms);
    }
}
