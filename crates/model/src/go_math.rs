//! Logarithms and powers to the last digit of Go's `math`.
//!
//! Such functions are no exact ones: two libraries differ in the last of sixteen digits, and then two servers that are
//! compared do. Prometheus computes as Go does on x86-64: by the methods of FreeBSD's `msun` for logarithms and powers of
//! two, by repeated squaring for powers, and by a Taylor series on a sixteenth of the argument, squared four times, with
//! fused multiplication and addition, for powers of e.

use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E, LOG10_E};

/// The logarithm of 2 in two parts: multiples of the first are exact.
const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);

/// The natural logarithm.
///
/// ```
/// assert_eq!(model::go_math::ln(3.0), 1.0986122886681096);
/// ```
pub fn ln(x: f64) -> f64 {
    const L: [f64; 7] = [
        6.666_666_666_666_735e-1,
        3.999_999_999_940_942e-1,
        2.857_142_874_366_239e-1,
        2.222_219_843_214_978_4e-1,
        1.818_357_216_161_805e-1,
        1.531_383_769_920_937_3e-1,
        1.479_819_860_511_658_6e-1,
    ];
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    let (mut part, mut exponent) = split(x);
    if part < FRAC_1_SQRT_2 {
        part *= 2.0;
        exponent -= 1;
    }
    let (f, k) = (part - 1.0, f64::from(exponent));
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2 * (L[0] + s4 * (L[2] + s4 * (L[4] + s4 * L[6])));
    let even = s4 * (L[1] + s4 * (L[3] + s4 * L[5]));
    let half = 0.5 * f * f;
    k * LN_2.0 - ((half - (s * (half + (odd + even)) + k * LN_2.1)) - f)
}

/// The logarithm to base 2, exact for powers of 2.
pub fn log2(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 || x.is_infinite() {
        return ln(x);
    }
    let (part, exponent) = split(x);
    if part == 0.5 { f64::from(exponent - 1) } else { ln(part) * LOG2_E + f64::from(exponent) }
}

/// The logarithm to base 10.
pub fn log10(x: f64) -> f64 {
    ln(x) * LOG10_E
}

/// A power of 2.
pub fn exp2(x: f64) -> f64 {
    const P: [f64; 5] = [
        1.666_666_666_666_666_6e-1,
        -2.777_777_777_701_559_3e-3,
        6.613_756_321_437_934e-5,
        -1.653_390_220_546_525_2e-6,
        4.138_136_797_057_238_5e-8,
    ];
    if x.is_nan() {
        return x;
    }
    if x > 1.023_999_999_999_999_9e3 {
        return f64::INFINITY;
    }
    if x < -1.074e3 {
        return 0.0;
    }
    // To the nearest, halves away from zero.
    let whole = if x < 0.0 { (x - 0.5).trunc() } else { (x + 0.5).trunc() };
    let rest = x - whole;
    let (high, low) = (rest * LN_2.0, -rest * LN_2.1);
    let sum = high - low;
    let square = sum * sum;
    let series = P[0] + square * (P[1] + square * (P[2] + square * (P[3] + square * P[4])));
    let c = sum - square * series;
    scale(1.0 - ((low - (sum * c) / (2.0 - c)) - high), whole as i64)
}

/// A power of e. Of the largest numbers, from 1.3e308 on, Go makes infinity; here they are what they are.
pub fn exp(x: f64) -> f64 {
    const HIGH: f64 = 0.693_147_180_559_662_956_511_601_805_686_950_683_593_75;
    const LOW: f64 = 0.282_352_905_630_315_771_225_884_481_750_134_360_255_254_120_68e-12;
    /// One divided by the factorials from 8 down to 1.
    const TAYLOR: [f64; 8] = [
        2.480_158_730_158_73e-5,
        1.984_126_984_126_984e-4,
        1.388_888_888_888_889e-3,
        8.333_333_333_333_333e-3,
        4.166_666_666_666_666_4e-2,
        1.666_666_666_666_666_6e-1,
        0.5,
        1.0,
    ];
    if x.is_nan() {
        return x;
    }
    if x > 7.097_827_128_933_84e2 {
        return f64::INFINITY;
    }
    if x < -750.0 {
        return 0.0;
    }
    let k = (x * LOG2_E).round_ties_even();
    let r = (-k).mul_add(LOW, (-k).mul_add(HIGH, x)) * 0.0625;
    let series = TAYLOR.into_iter().reduce(|sum, term| r.mul_add(sum, term)).unwrap_or_default();
    let mut less_one = r * series;
    for _ in 0..3 {
        less_one *= less_one + 2.0;
    }
    scale((less_one + 2.0).mul_add(less_one, 1.0), k as i64)
}

/// A power: `x` to the `y`.
pub fn pow(x: f64, y: f64) -> f64 {
    let (whole, part) = (y.abs().trunc(), y.abs().fract());
    // Where nothing is rounded, or too much; such cases are the same everywhere.
    let is_special = y == 0.0 || x == 1.0 || x == 0.0 || !x.is_finite() || !y.is_finite() || whole >= 9.2e18;
    if is_special || (part != 0.0 && x < 0.0) {
        return x.powf(y);
    }
    if y == 1.0 {
        return x;
    }
    if y.abs() == 0.5 {
        return if y > 0.0 { x.sqrt() } else { 1.0 / x.sqrt() };
    }
    let (mut whole, mut value, mut exponent) = (whole as i64, 1.0, 0_i64);
    if part != 0.0 {
        let rest = if part > 0.5 {
            whole += 1;
            part - 1.0
        } else {
            part
        };
        value = exp(rest * ln(x));
    }
    let (mut square, square_exponent) = split(x);
    let mut square_exponent = i64::from(square_exponent);
    while whole != 0 {
        if square_exponent.abs() > 1 << 12 {
            // Beyond all numbers already.
            exponent += square_exponent;
            break;
        }
        if whole & 1 == 1 {
            value *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent <<= 1;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        whole >>= 1;
    }
    if y < 0.0 { scale(1.0 / value, -exponent) } else { scale(value, exponent) }
}

/// A finite number that is not zero as a part from 0.5 up to 1 (with its sign) and a power of two.
fn split(x: f64) -> (f64, i32) {
    const SUBNORMAL: f64 = (1_u64 << 52) as f64;
    let (x, less) = if x.abs() < f64::MIN_POSITIVE { (x * SUBNORMAL, 52) } else { (x, 0) };
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1022;
    (f64::from_bits(bits & !(0x7ff << 52) | (1022 << 52)), exponent - less)
}

/// A number times a power of two, rounded once.
fn scale(x: f64, exponent: i64) -> f64 {
    let power = |exponent: i64| f64::from_bits(((exponent + 1023) as u64) << 52);
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let (part, own) = split(x);
    let exponent = exponent.saturating_add(i64::from(own));
    if exponent > 1024 {
        return f64::INFINITY.copysign(x);
    }
    if exponent < -1075 {
        return 0.0_f64.copysign(x);
    }
    // In two steps, of which only the last one can round.
    let first = exponent.clamp(-1021, 1023);
    part * power(first) * power(exponent - first)
}

#[cfg(test)]
mod tests;
