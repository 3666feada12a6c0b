//! Aggregations.

use super::Error;
use super::evaluator::Evaluator;
use super::plan::Aggregate;
use super::value::Series;

impl Evaluator<'_> {
    pub(super) fn aggregate(&mut self, _aggregate: &Aggregate) -> Result<Vec<Series>, Error> {
        self.check_stop()?;
        Err(Error::Execution("aggregations are not supported yet".to_owned()))
    }
}
