//! The functions of the language: their names and types, as Prometheus 3.14 has them.

use crate::ast::ValueType;
use ValueType::{Matrix, Scalar, String, Vector};

/// A function's signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments; those of a variable number have the last one's.
    pub args: &'static [ValueType],
    /// How many arguments may be there beyond all but the last.
    pub variadic: Variadic,
    /// The type of its value.
    pub returns: ValueType,
    /// Whether Prometheus needs to be told to allow it.
    pub is_experimental: bool,
}

/// How many of a function's last argument there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variadic {
    /// Exactly one.
    No,
    /// None up to so many.
    UpTo(usize),
    /// None or more.
    Any,
}

impl Function {
    /// The function of that name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok().map(|at| &FUNCTIONS[at])
    }
}

const fn plain(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Function {
    Function { name, args, variadic: Variadic::No, returns, is_experimental: false }
}

const fn vector(name: &'static str) -> Function {
    plain(name, &[Vector], Vector)
}

const fn over_time(name: &'static str) -> Function {
    plain(name, &[Matrix], Vector)
}

const fn date(name: &'static str) -> Function {
    Function { variadic: Variadic::UpTo(1), ..plain(name, &[Vector], Vector) }
}

const fn experimental(mut function: Function) -> Function {
    function.is_experimental = true;
    function
}

/// All of them, by name.
pub const FUNCTIONS: &[Function] = &[
    vector("abs"),
    vector("absent"),
    over_time("absent_over_time"),
    vector("acos"),
    vector("acosh"),
    vector("asin"),
    vector("asinh"),
    vector("atan"),
    vector("atanh"),
    over_time("avg_over_time"),
    vector("ceil"),
    over_time("changes"),
    plain("clamp", &[Vector, Scalar, Scalar], Vector),
    plain("clamp_max", &[Vector, Scalar], Vector),
    plain("clamp_min", &[Vector, Scalar], Vector),
    vector("cos"),
    vector("cosh"),
    over_time("count_over_time"),
    date("day_of_month"),
    date("day_of_week"),
    date("day_of_year"),
    date("days_in_month"),
    vector("deg"),
    over_time("delta"),
    over_time("deriv"),
    experimental(plain("double_exponential_smoothing", &[Matrix, Scalar, Scalar], Vector)),
    experimental(plain("end", &[], Scalar)),
    vector("exp"),
    over_time("first_over_time"),
    vector("floor"),
    vector("histogram_avg"),
    vector("histogram_count"),
    plain("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    plain("histogram_quantile", &[Scalar, Vector], Vector),
    experimental(Function {
        variadic: Variadic::UpTo(9),
        ..plain("histogram_quantiles", &[Vector, String, Scalar, Scalar], Vector)
    }),
    vector("histogram_stddev"),
    vector("histogram_stdvar"),
    vector("histogram_sum"),
    date("hour"),
    over_time("idelta"),
    over_time("increase"),
    experimental(Function { variadic: Variadic::UpTo(1), ..plain("info", &[Vector, Vector], Vector) }),
    over_time("irate"),
    Function { variadic: Variadic::Any, ..plain("label_join", &[Vector, String, String, String], Vector) },
    plain("label_replace", &[Vector, String, String, String, String], Vector),
    over_time("last_over_time"),
    vector("ln"),
    vector("log10"),
    vector("log2"),
    experimental(over_time("mad_over_time")),
    experimental(plain("max_of", &[Scalar, Scalar], Scalar)),
    over_time("max_over_time"),
    experimental(plain("min_of", &[Scalar, Scalar], Scalar)),
    over_time("min_over_time"),
    date("minute"),
    date("month"),
    plain("pi", &[], Scalar),
    plain("predict_linear", &[Matrix, Scalar], Vector),
    over_time("present_over_time"),
    plain("quantile_over_time", &[Scalar, Matrix], Vector),
    vector("rad"),
    experimental(plain("range", &[], Scalar)),
    over_time("rate"),
    over_time("resets"),
    Function { variadic: Variadic::UpTo(1), ..plain("round", &[Vector, Scalar], Vector) },
    plain("scalar", &[Vector], Scalar),
    vector("sgn"),
    vector("sin"),
    vector("sinh"),
    vector("sort"),
    experimental(Function { variadic: Variadic::Any, ..plain("sort_by_label", &[Vector, String], Vector) }),
    experimental(Function {
        variadic: Variadic::Any,
        ..plain("sort_by_label_desc", &[Vector, String], Vector)
    }),
    vector("sort_desc"),
    vector("sqrt"),
    experimental(plain("start", &[], Scalar)),
    experimental(vector("start_timestamp")),
    over_time("stddev_over_time"),
    over_time("stdvar_over_time"),
    experimental(plain("step", &[], Scalar)),
    over_time("sum_over_time"),
    vector("tan"),
    vector("tanh"),
    plain("time", &[], Scalar),
    vector("timestamp"),
    experimental(over_time("ts_of_first_over_time")),
    experimental(over_time("ts_of_last_over_time")),
    experimental(over_time("ts_of_max_over_time")),
    experimental(over_time("ts_of_min_over_time")),
    plain("vector", &[Scalar], Vector),
    date("year"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name() {
        for function in FUNCTIONS {
            assert_eq!(Function::by_name(function.name), Some(function));
        }
        assert_eq!(Function::by_name("Rate"), None, "names are as they are written");
        assert_eq!(Function::by_name(""), None);
    }
}
