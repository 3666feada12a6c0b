//! Functions of one number, and the smallest and largest of two as the language has them.

use std::f64::consts::PI;

use model::go_math;

/// A function of a sample's value alone.
pub(super) type Elementwise = fn(f64) -> f64;

/// The function of that name; `round`, `clamp` and dates take more than a number.
pub(super) fn by_name(name: &str) -> Option<Elementwise> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => |value| value * 180.0 / PI,
        "exp" => go_math::exp,
        "floor" => f64::floor,
        "ln" => go_math::ln,
        "log10" => go_math::log10,
        "log2" => go_math::log2,
        "rad" => |value| value * PI / 180.0,
        "sgn" => sign,
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}

/// -1, 1, or what is neither below nor above zero as it is.
fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// The nearest multiple, halves upwards. One divides by the inverse, which is kinder to numbers such as 0.1.
pub(super) fn round(value: f64, to_nearest: f64) -> f64 {
    let inverse = 1.0 / to_nearest;
    (value * inverse + 0.5).floor() / inverse
}

/// A value held between two others; `None` if no value can be.
pub(super) fn clamp(value: f64, min: f64, max: f64) -> Option<f64> {
    // Bounds that are NaN leave NaN.
    if max < min { None } else { Some(larger(min, smaller(max, value))) }
}

/// The larger of two: infinity before NaN, NaN before a number, 0 before -0.
pub(super) fn larger(left: f64, right: f64) -> f64 {
    if left == f64::INFINITY || right == f64::INFINITY {
        f64::INFINITY
    } else if left.is_nan() || right.is_nan() {
        f64::NAN
    } else if left == 0.0 && right == 0.0 {
        if left.is_sign_negative() { right } else { left }
    } else if left > right {
        left
    } else {
        right
    }
}

/// The smaller of two: negative infinity before NaN, NaN before a number, -0 before 0.
pub(super) fn smaller(left: f64, right: f64) -> f64 {
    -larger(-left, -right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_infinite_or_no_number() {
        assert_eq!(larger(f64::NAN, f64::INFINITY), f64::INFINITY);
        assert_eq!(smaller(f64::NEG_INFINITY, f64::NAN), f64::NEG_INFINITY);
        assert!(larger(f64::NAN, 1.0).is_nan() && smaller(1.0, f64::NAN).is_nan());
        assert!(larger(f64::NAN, f64::NEG_INFINITY).is_nan());
        assert_eq!((larger(2.0, 1.0), smaller(2.0, 1.0)), (2.0, 1.0));
    }

    #[test]
    fn zeros_have_signs() {
        assert!(larger(-0.0, 0.0).is_sign_positive() && larger(0.0, -0.0).is_sign_positive());
        assert!(larger(-0.0, -0.0).is_sign_negative());
        assert!(smaller(-0.0, 0.0).is_sign_negative() && smaller(0.0, 0.0).is_sign_positive());
        assert!(sign(-0.0).is_sign_negative() && sign(-0.0) == 0.0);
        assert!(sign(f64::NAN).is_nan());
    }

    #[test]
    fn halves_are_rounded_upwards() {
        assert_eq!((round(2.5, 1.0), round(-2.5, 1.0), round(-0.5, 1.0)), (3.0, -2.0, 0.0));
        assert_eq!((round(1.25, 0.1), round(7.0, 5.0), round(8.0, 5.0)), (1.3, 5.0, 10.0));
        assert!(round(1.0, 0.0).is_nan());
    }

    #[test]
    fn bounds_that_leave_nothing() {
        assert_eq!(clamp(3.0, 5.0, 1.0), None);
        assert_eq!((clamp(3.0, 1.0, 2.0), clamp(0.0, 1.0, 2.0)), (Some(2.0), Some(1.0)));
        assert!(clamp(3.0, f64::NAN, 2.0).unwrap().is_nan());
        assert_eq!(clamp(f64::INFINITY, f64::NEG_INFINITY, 7.0), Some(7.0));
    }

    #[test]
    fn names() {
        for function in crate::functions::FUNCTIONS {
            if let Some(call) = by_name(function.name) {
                assert_eq!(function.args.len(), 1, "{}", function.name);
                assert!(call(f64::NAN).is_nan(), "{}", function.name);
            }
        }
        assert!(by_name("rate").is_none());
        assert_eq!((by_name("deg").unwrap()(PI), by_name("rad").unwrap()(180.0)), (180.0, PI));
    }
}
