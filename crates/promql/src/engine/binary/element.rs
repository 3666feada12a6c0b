//! Operators between two numbers and between two samples.

use std::sync::Arc;

use model::histogram::Keep;
use model::sample::ResetHint;
use model::{Histogram, go_math};

use crate::ast::BinaryOp;
use crate::engine::annotations::HistogramOperation;
use crate::storage::PointValue;

/// What an operator makes of two samples.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Element {
    /// The value; the left one of a comparison.
    pub(super) value: PointValue,
    /// Whether there is one: a comparison holds.
    pub(super) keeps: bool,
    /// What is to be told. There is no value then, unless only bounds of buckets were brought together.
    pub(super) remark: Option<Remark>,
}

/// What was noticed of two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remark {
    /// The operator has no meaning between these types.
    Types(&'static str, &'static str),
    /// Their buckets do not fit together.
    Layout,
    /// One comes after a reset, the other does not.
    Collision(HistogramOperation),
    /// Custom buckets with different bounds were brought together.
    Bounds(HistogramOperation),
}

impl Remark {
    /// Whether there is no value.
    pub(super) fn is_fatal(self) -> bool {
        !matches!(self, Self::Bounds(_))
    }
}

impl Element {
    fn float(value: f64) -> Self {
        Self { value: PointValue::Float(value), keeps: true, remark: None }
    }

    fn histogram(histogram: Histogram) -> Self {
        Self { value: PointValue::Histogram(Arc::new(histogram)), keeps: true, remark: None }
    }

    fn none(remark: Remark) -> Self {
        Self { value: PointValue::Float(0.0), keeps: false, remark: Some(remark) }
    }
}

/// An operator between two numbers; comparisons give 1 or 0.
pub(super) fn numbers(op: BinaryOp, left: f64, right: f64) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => go_math::pow(left, right),
        BinaryOp::Atan2 => left.atan2(right),
        op => compare(op, left, right).map_or(f64::NAN, truth),
    }
}

fn compare(op: BinaryOp, left: f64, right: f64) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Greater => left > right,
        BinaryOp::Less => left < right,
        BinaryOp::GreaterEqual => left >= right,
        BinaryOp::LessEqual => left <= right,
        _ => return None,
    })
}

/// An operator between two samples.
pub(super) fn evaluate(op: BinaryOp, left: &PointValue, right: &PointValue) -> Element {
    match (left, right) {
        (PointValue::Float(left), PointValue::Float(right)) => floats(op, *left, *right),
        (PointValue::Float(left), PointValue::Histogram(right)) => match op {
            BinaryOp::Mul => Element::histogram(scaled(right, *left)),
            _ => Element::none(Remark::Types("float", "histogram")),
        },
        (PointValue::Histogram(left), PointValue::Float(right)) => match op {
            BinaryOp::Mul => Element::histogram(scaled(left, *right)),
            BinaryOp::Div => {
                let mut result = Histogram::clone(left);
                result.divide(*right);
                result.compact(0);
                Element::histogram(result)
            }
            BinaryOp::TrimUpper | BinaryOp::TrimLower => {
                let mut result = Histogram::clone(left);
                let keep = if op == BinaryOp::TrimUpper { Keep::Below } else { Keep::Above };
                result.trim(keep, *right);
                Element::histogram(result)
            }
            _ => Element::none(Remark::Types("histogram", "float")),
        },
        (PointValue::Histogram(left), PointValue::Histogram(right)) => histograms(op, left, right),
    }
}

fn floats(op: BinaryOp, left: f64, right: f64) -> Element {
    if let Some(keeps) = compare(op, left, right) {
        return Element { value: PointValue::Float(left), keeps, remark: None };
    }
    match op {
        BinaryOp::TrimUpper | BinaryOp::TrimLower => Element::none(Remark::Types("float", "float")),
        op => Element::float(numbers(op, left, right)),
    }
}

fn scaled(histogram: &Histogram, factor: f64) -> Histogram {
    let mut result = histogram.clone();
    result.scale(factor);
    result.compact(0);
    result
}

fn histograms(op: BinaryOp, left: &Arc<Histogram>, right: &Arc<Histogram>) -> Element {
    let (operation, is_sum) = match op {
        BinaryOp::Add => (HistogramOperation::Addition, true),
        BinaryOp::Sub => (HistogramOperation::Subtraction, false),
        BinaryOp::Equal | BinaryOp::NotEqual => {
            let keeps = left.equals(right) == (op == BinaryOp::Equal);
            return Element { value: PointValue::Histogram(Arc::clone(left)), keeps, remark: None };
        }
        _ => return Element::none(Remark::Types("histogram", "histogram")),
    };
    let mut result = Histogram::clone(left);
    let reconciled = if is_sum { result.add(right) } else { result.sub(right) };
    let Ok(reconciled) = reconciled else { return Element::none(Remark::Layout) };
    if reconciled.reset_collision {
        return Element::none(Remark::Collision(operation));
    }
    if !is_sum {
        // A difference may go down.
        result.reset_hint = ResetHint::Gauge;
    }
    result.compact(0);
    let remark = reconciled.bounds.then_some(Remark::Bounds(operation));
    Element { remark, ..Element::histogram(result) }
}
