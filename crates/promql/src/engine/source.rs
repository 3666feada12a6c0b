//! A store as the evaluator sees it, whatever its type.

use model::{Labels, Matcher};

use crate::storage::{FloatPoint, HistogramPoint};
use crate::storage::{MsRange, Series, Storage};

/// Why a store could not answer.
pub(crate) type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A store.
pub(crate) trait Source: Sync {
    /// Series that satisfy every matcher and have a sample in the range, sorted by labels.
    fn select(
        &self,
        matchers: &[Matcher],
        range: MsRange,
    ) -> Result<Vec<Box<dyn Selected + '_>>, SourceError>;
}

/// A series that was selected.
pub(crate) trait Selected {
    /// Its labels.
    fn labels(&self) -> &Labels;

    /// Adds its samples in the range that was selected.
    fn read(&self, floats: &mut Vec<FloatPoint>, histograms: &mut Vec<HistogramPoint>);
}

impl<S: Storage> Source for S {
    fn select(
        &self,
        matchers: &[Matcher],
        range: MsRange,
    ) -> Result<Vec<Box<dyn Selected + '_>>, SourceError> {
        let selected = Storage::select(self, matchers, range)?;
        Ok(selected.into_iter().map(|series| -> Box<dyn Selected + '_> { Box::new(series) }).collect())
    }
}

impl<S: Series> Selected for S {
    fn labels(&self) -> &Labels {
        Series::labels(self)
    }

    fn read(&self, floats: &mut Vec<FloatPoint>, histograms: &mut Vec<HistogramPoint>) {
        Series::read(self, floats, histograms);
    }
}
