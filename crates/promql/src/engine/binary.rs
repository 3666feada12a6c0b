//! Operators between two expressions.

use super::Error;
use super::evaluator::Evaluator;
use super::plan::Binary;
use super::value::Operand;
use crate::error::Span;

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, _binary: &Binary, _span: Span) -> Result<Operand, Error> {
        self.check_stop()?;
        Err(Error::Execution("binary operators are not supported yet".to_owned()))
    }
}
