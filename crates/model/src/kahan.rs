//! Sums that lose little: Kahan's summation in Neumaier's form, step by step as Prometheus does it, so that results agree
//! to the last bit.

/// Adds to a running sum with its compensation; gives both anew. Once the sum is infinite nothing is left to compensate.
pub fn add(increment: f64, sum: f64, compensation: f64) -> (f64, f64) {
    let total = sum + increment;
    let compensation = if total.is_infinite() {
        0.0
    } else if sum.abs() >= increment.abs() {
        compensation + ((sum - total) + increment)
    } else {
        compensation + ((increment - total) + sum)
    };
    (total, compensation)
}

/// A running sum and what rounding took from it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Kahan {
    /// The sum as rounded.
    pub sum: f64,
    /// What has to be added to it in the end.
    pub compensation: f64,
}

impl Kahan {
    /// Adds a number.
    pub fn add(&mut self, increment: f64) {
        (self.sum, self.compensation) = add(increment, self.sum, self.compensation);
    }

    /// The sum with its compensation.
    pub fn total(self) -> f64 {
        self.sum + self.compensation
    }
}

impl Extend<f64> for Kahan {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, numbers: I) {
        numbers.into_iter().for_each(|number| self.add(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(numbers: &[f64]) -> f64 {
        let mut kahan = Kahan::default();
        kahan.extend(numbers.iter().copied());
        kahan.total()
    }

    #[test]
    fn small_numbers_between_large_ones_are_not_lost() {
        assert_eq!(total(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(total(&[5e30, 1.0, -5e30]), 1.0);
    }

    #[test]
    fn infinity_stays_infinity() {
        assert_eq!(total(&[f64::MAX, f64::MAX, 1.0]), f64::INFINITY);
        assert_eq!(total(&[f64::NEG_INFINITY, 1.0]), f64::NEG_INFINITY);
        assert!(total(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }
}
