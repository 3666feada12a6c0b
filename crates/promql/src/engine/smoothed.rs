//! Instant selectors with `smoothed`: values between samples.

use super::Error;
use super::evaluator::Evaluator;
use super::plan::Selector;
use super::value::Series;
use crate::error::Span;

impl Evaluator<'_> {
    /// Values of each series at every step, drawn between the samples around it.
    pub(super) fn smoothed_selector(
        &mut self,
        _selector: &Selector,
        _span: Span,
    ) -> Result<Vec<Series>, Error> {
        self.check_stop()?;
        Err(Error::Execution("smoothed selectors are not supported yet".to_owned()))
    }
}
