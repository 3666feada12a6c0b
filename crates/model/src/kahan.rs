//! Sums that do not lose what rounding takes (Kahan's summation as Neumaier improved it).

/// Adds a number to a sum; what rounding takes is added to `lost`. The whole sum is the two together. A sum that has
/// become infinite has lost nothing.
#[inline]
pub fn compensated_add(sum: &mut f64, lost: &mut f64, number: f64) {
    let total = *sum + number;
    if total.is_infinite() {
        *lost = 0.0;
    } else if sum.abs() >= number.abs() {
        *lost += (*sum - total) + number;
    } else {
        *lost += (number - total) + *sum;
    }
    *sum = total;
}

/// A sum with what rounding took from it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CompensatedSum {
    /// The rounded sum.
    pub sum: f64,
    /// What is missing in it.
    pub lost: f64,
}

impl CompensatedSum {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: f64) {
        compensated_add(&mut self.sum, &mut self.lost, number);
    }

    /// The whole sum.
    #[inline]
    pub fn total(self) -> f64 {
        self.sum + self.lost
    }
}

impl Extend<f64> for CompensatedSum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, numbers: I) {
        numbers.into_iter().for_each(|number| self.add(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_not_lost() {
        let mut sum = CompensatedSum::default();
        for number in [1.0, 1e100, 1.0, -1e100] {
            sum.add(number);
        }
        assert_eq!(sum.total(), 2.0);
    }

    #[test]
    fn infinity_stays() {
        let mut sum = CompensatedSum::default();
        for number in [1.0, f64::INFINITY, 1.0] {
            sum.add(number);
        }
        assert_eq!(sum.total(), f64::INFINITY);
        sum.add(f64::NEG_INFINITY);
        assert!(sum.total().is_nan());
    }
}
