//! Which selectors can do without the buckets of histograms: where nothing but counts and sums is asked for.

use super::{Kind, Node};
use crate::ast::BinaryOp;
use crate::deep::deeper;

/// Marks the selectors of which only the totals are needed.
pub(super) fn mark(node: &mut Node) {
    visit(node, false);
}

/// `is_enough` says that the totals are enough for what is around a part of a query.
fn visit(node: &mut Node, is_enough: bool) {
    deeper(|| level(node, is_enough));
}

fn level(node: &mut Node, is_enough: bool) {
    match &mut node.kind {
        Kind::Number(_) | Kind::Text(_) => {}
        Kind::Vector(selector) | Kind::Matrix(selector, _) => selector.only_totals = is_enough,
        // Resets are looked for among the points of a subquery, which need their buckets for that.
        Kind::Subquery(subquery) => never(&mut subquery.expr),
        Kind::Negative(inner) | Kind::Invariant(inner) => visit(inner, is_enough),
        Kind::Binary(binary) if matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower) => {
            never(&mut binary.left);
            never(&mut binary.right);
        }
        Kind::Binary(binary) => {
            visit(&mut binary.left, is_enough);
            visit(&mut binary.right, is_enough);
        }
        Kind::Aggregate(aggregate) => {
            visit(&mut aggregate.expr, is_enough);
            if let Some(param) = &mut aggregate.param {
                visit(param, is_enough);
            }
        }
        Kind::Call(call) => match call.function.name {
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => {
                call.args.iter_mut().for_each(never);
            }
            "histogram_count" | "histogram_sum" | "histogram_avg" => {
                call.args.iter_mut().for_each(|arg| visit(arg, true));
            }
            _ => call.args.iter_mut().for_each(|arg| visit(arg, is_enough)),
        },
    }
}

/// Marks nothing, whatever is within.
fn never(_: &mut Node) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::lower;
    use crate::engine::steps::Steps;
    use crate::parse;

    /// For each selector of a query, from left to right, whether its totals are enough.
    fn marks(query: &str) -> Vec<bool> {
        fn collect(node: &Node, found: &mut Vec<bool>) {
            match &node.kind {
                Kind::Number(_) | Kind::Text(_) => {}
                Kind::Vector(selector) | Kind::Matrix(selector, _) => found.push(selector.only_totals),
                Kind::Subquery(subquery) => collect(&subquery.expr, found),
                Kind::Negative(inner) | Kind::Invariant(inner) => collect(inner, found),
                Kind::Binary(binary) => {
                    collect(&binary.left, found);
                    collect(&binary.right, found);
                }
                Kind::Aggregate(aggregate) => collect(&aggregate.expr, found),
                Kind::Call(call) => call.args.iter().for_each(|arg| collect(arg, found)),
            }
        }
        let mut found = Vec::new();
        collect(&lower(&parse(query).unwrap(), Steps::at(0)).unwrap(), &mut found);
        found
    }

    #[test]
    fn counts_and_sums_need_no_buckets() {
        assert_eq!(marks("histogram_count(a) + histogram_sum(sum(rate(b[5m] @ 1)))"), [true, true]);
        assert_eq!(marks("-histogram_avg(-a)"), [true]);
    }

    #[test]
    fn what_needs_them() {
        assert_eq!(marks("a + rate(b[5m])"), [false, false]);
        assert_eq!(marks("histogram_quantile(0.5, histogram_count(a))"), [false]);
        assert_eq!(marks("histogram_count(a >/ 2)"), [false]);
        assert_eq!(marks("histogram_count(increase(a[5m:1m]))"), [false]);
    }
}
