//! Where buckets end.

use super::CUSTOM_SCHEMA;
use super::fractions::FRACTIONS;
use crate::sample::Histogram;

/// Resolution of [`FRACTIONS`].
const TABLE_SCHEMA: i32 = 8;

impl Histogram {
    /// Upper bound of the positive bucket with an index.
    pub fn upper_bound(&self, index: i64) -> f64 {
        bound(index, self.schema, &self.custom_values)
    }

    /// Lower bound of the positive bucket with an index.
    pub fn lower_bound(&self, index: i64) -> f64 {
        self.upper_bound(index - 1)
    }
}

/// Upper bound of a positive bucket. Beyond the custom bounds is infinity.
pub(super) fn bound(index: i64, schema: i32, custom: &[f64]) -> f64 {
    if schema != CUSTOM_SCHEMA {
        return exponential(index, schema);
    }
    match usize::try_from(index) {
        Ok(index) => custom.get(index).copied().unwrap_or(f64::INFINITY),
        Err(_) => f64::NEG_INFINITY,
    }
}

/// `2^(index * 2^-schema)`. The last bucket within the range of doubles ends at the largest of them, so that only
/// infinity itself is in the bucket behind it.
pub(super) fn exponential(index: i64, schema: i32) -> f64 {
    if schema <= 0 {
        let exponent = index.saturating_mul(1 << (-schema).min(32));
        return if exponent == 1024 { f64::MAX } else { scaled(1.0, exponent) };
    }
    let shift = schema.min(32);
    let (whole, part) = (index >> shift, index & ((1 << shift) - 1));
    if part == 0 && whole == 1024 {
        return f64::MAX;
    }
    // The fractions are those of the octave below.
    if schema <= TABLE_SCHEMA {
        let fraction = FRACTIONS[(part << (TABLE_SCHEMA - schema)) as usize];
        return scaled(fraction, whole + 1);
    }
    scaled((part as f64 / (1_i64 << shift) as f64).exp2(), whole)
}

/// `number * 2^exponent`, rounded once.
fn scaled(number: f64, exponent: i64) -> f64 {
    let exponent = exponent.clamp(-2200, 2200) as i32;
    if (-1000..1000).contains(&exponent) {
        return number * power_of_two(exponent);
    }
    // In steps within the range of normal numbers; only the last one can round.
    let half = exponent.signum() * 1000;
    scaled(number * power_of_two(half), i64::from(exponent - half))
}

/// `2^exponent` for the exponents of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// Index of the bucket of a coarser schema that holds the bucket of a finer one. Buckets are `(lower, upper]`.
pub(super) fn coarser(index: i64, from: i32, to: i32) -> i64 {
    let shift = from.saturating_sub(to).clamp(0, 63);
    if shift == 0 { index } else { ((index - 1) >> shift) + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_bounds_of_all_schemas() {
        for schema in 0..=8 {
            for power in [-1022, -3, 0, 1, 5, 1023] {
                assert_eq!(
                    exponential(power << schema, schema),
                    2_f64.powi(power as i32),
                    "{schema} {power}"
                );
            }
            assert_eq!(exponential(-1074 << schema, schema), f64::from_bits(1));
            assert_eq!(exponential(1024 << schema, schema), f64::MAX);
            assert_eq!(exponential((1024 << schema) + 1, schema), f64::INFINITY);
            assert_eq!(exponential(-2000 << schema, schema), 0.0);
        }
        assert_eq!((exponential(2, -1), exponential(-1, -4)), (16.0, 2_f64.powi(-16)));
        assert_eq!((exponential(64, -4), exponential(65, -4)), (f64::MAX, f64::INFINITY));
        assert_eq!(exponential(i64::MAX, 8), f64::INFINITY);
        assert_eq!(exponential(i64::MIN, -9), 0.0);
    }

    #[test]
    fn fractions_are_those_of_prometheus() {
        // One unit below the nearest double.
        assert_eq!(exponential(1, 1).to_string(), "1.414213562373095");
        assert_eq!(exponential(3, 2), exponential(6, 3));
        assert_eq!(exponential(255, 8).to_string(), "1.9945921121709396");
    }

    #[test]
    fn custom_bounds_end_at_infinity() {
        let bounds = [1.0, 5.0];
        let all: Vec<_> = (-1..3).map(|index| bound(index, CUSTOM_SCHEMA, &bounds)).collect();
        assert_eq!(all, [f64::NEG_INFINITY, 1.0, 5.0, f64::INFINITY]);
        assert_eq!(bound(i64::MAX, CUSTOM_SCHEMA, &bounds), f64::INFINITY);
    }

    #[test]
    fn coarser_buckets_hold_finer_ones() {
        for index in -20..20_i64 {
            let wide = coarser(index, 3, 1);
            assert!(exponential(wide - 1, 1) <= exponential(index - 1, 3));
            assert!(exponential(index, 3) <= exponential(wide, 1));
        }
    }
}
