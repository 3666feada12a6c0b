//! A store as the evaluator sees it, whatever its type.

use model::{Labels, Matcher};

use crate::storage::{FloatPoint, HistogramPoint};
use crate::storage::{MsRange, Series, Storage};

/// Why a store could not answer.
pub(crate) type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Which samples of a series are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// All of the range.
    All,
    /// The newest.
    Newest,
}

/// A store.
pub(crate) trait Source: Sync {
    /// Series that satisfy every matcher and have a sample in the range, sorted by labels if all samples are needed.
    fn select(
        &self,
        matchers: &[Matcher],
        range: MsRange,
        needed: Needed,
    ) -> Result<Box<dyn Selection + '_>, SourceError>;
}

/// Series that were selected.
pub(crate) trait Selection {
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
        Ok(Box::new(match needed {
            Needed::All => Storage::select(self, matchers, range)?,
            Needed::Newest => Storage::select_newest(self, matchers, range)?,
        }))
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
