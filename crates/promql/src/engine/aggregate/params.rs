//! The parameter of an aggregation, which may differ from step to step.

use super::super::Error;
use super::super::annotations::Notice;
use super::super::evaluator::Evaluator;
use super::super::numbers::General;
use crate::error::Span;

/// From here on a number has no room in Go's whole numbers of 64 bits, as doubles go.
const TOO_LARGE: f64 = 9_223_372_036_854_774_784.0;
const TOO_SMALL: f64 = -9_223_372_036_854_775_808.0;

/// A parameter at every step.
pub(super) struct Params {
    by_step: Vec<f64>,
    smallest: f64,
    largest: f64,
    has_nan: bool,
}

impl Params {
    pub(super) fn new(by_step: Vec<f64>) -> Self {
        let has_nan = by_step.iter().any(|number| number.is_nan());
        // What is not a number makes the whole one that is not, as in Go.
        let over = |least: f64, choose: fn(f64, f64) -> f64| {
            if has_nan { f64::NAN } else { by_step.iter().copied().fold(least, choose) }
        };
        let (smallest, largest) = (over(f64::MAX, f64::min), over(-f64::MAX, f64::max));
        Self { by_step, smallest, largest, has_nan }
    }

    pub(super) fn at(&self, step: usize) -> f64 {
        self.by_step.get(step).copied().unwrap_or(0.0)
    }

    /// Checks a number of series. `false` if there is nothing to do at any step.
    pub(super) fn check_count(&self) -> Result<bool, Error> {
        if self.largest < 1.0 {
            return Ok(false);
        }
        let fail = |reason: String| Err(Error::Execution(reason));
        if self.has_nan {
            return fail("Parameter value is NaN".to_owned());
        }
        if self.smallest <= TOO_SMALL {
            return fail(format!("Scalar value {} underflows int64", General(self.smallest)));
        }
        if self.largest >= TOO_LARGE {
            return fail(format!("Scalar value {} overflows int64", General(self.largest)));
        }
        Ok(true)
    }

    /// Checks a share of series. `false` if there is nothing to do at any step.
    pub(super) fn check_ratio(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<bool, Error> {
        if self.largest == 0.0 && self.smallest == 0.0 {
            return Ok(false);
        }
        if self.has_nan {
            return Err(Error::Execution("Ratio value is NaN".to_owned()));
        }
        if self.largest > 1.0 {
            evaluator.annotations.add(Notice::InvalidRatio(self.largest, 1.0), span);
        }
        if self.smallest < -1.0 {
            evaluator.annotations.add(Notice::InvalidRatio(self.smallest, -1.0), span);
        }
        Ok(true)
    }

    /// Tells of quantiles that are none.
    pub(super) fn check_quantile(&self, evaluator: &mut Evaluator<'_>, span: Span) {
        if self.has_nan {
            evaluator.annotations.add(Notice::InvalidQuantile(f64::NAN), span);
        }
        if self.largest > 1.0 {
            evaluator.annotations.add(Notice::InvalidQuantile(self.largest), span);
        }
        if self.smallest < 0.0 {
            evaluator.annotations.add(Notice::InvalidQuantile(self.smallest), span);
        }
    }
}
