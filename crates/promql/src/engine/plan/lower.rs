//! From what is written to what is evaluated, as Prometheus prepares a query.

use super::duration::milliseconds;
use super::{Aggregate, Binary, Call, Kind, Moved, Node, Selector, Subquery, totals};
use crate::ast::{self, At, DurationExpr, Expr};
use crate::deep::deeper;
use crate::engine::Error;
use crate::engine::steps::Steps;

/// Functions whose value depends on the time of the step, whatever their arguments.
const TIMELY: [&str; 11] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "time",
    "timestamp",
    "year",
];

/// An expression of a query over some steps.
pub(in crate::engine) fn lower(expr: &Expr, query: Steps) -> Result<Node, Error> {
    let mut node = Lower { query }.expr(expr)?.marked();
    totals::mark(&mut node);
    Ok(node)
}

struct Lower {
    query: Steps,
}

/// A part and what is known of it.
struct Lowered {
    node: Node,
    /// Whether it is the same at every step.
    is_invariant: bool,
    /// Whether it is worth a mark then.
    wants_mark: bool,
}

impl Lowered {
    fn new(node: Node, is_invariant: bool, wants_mark: bool) -> Self {
        Self { node, is_invariant, wants_mark }
    }

    /// With the mark, if it wants one.
    fn marked(self) -> Node {
        if self.wants_mark { mark(self.node) } else { self.node }
    }
}

fn mark(node: Node) -> Node {
    Node { span: node.span, kind: Kind::Invariant(Box::new(node)) }
}

impl Lower {
    fn expr(&self, expr: &Expr) -> Result<Lowered, Error> {
        deeper(|| self.level(expr))
    }

    fn level(&self, expr: &Expr) -> Result<Lowered, Error> {
        let node = |kind| Node { span: expr.span(), kind };
        Ok(match expr {
            Expr::Number(number) => Lowered::new(node(Kind::Number(number.value)), true, false),
            Expr::String(text) => Lowered::new(node(Kind::Text(text.clone())), true, false),
            Expr::Paren(paren) => self.expr(&paren.expr)?,
            Expr::Vector(vector) => {
                let selector = self.selector(vector)?;
                let is_fixed = selector.moved.at_ms.is_some();
                Lowered::new(node(Kind::Vector(selector)), is_fixed, is_fixed)
            }
            Expr::Matrix(matrix) => {
                let selector = self.selector(&matrix.vector)?;
                let range_ms = self.duration(matrix.range_ms, matrix.range_expr.as_ref(), false)?;
                let is_fixed = selector.moved.at_ms.is_some();
                Lowered::new(node(Kind::Matrix(selector, range_ms)), is_fixed, false)
            }
            Expr::Subquery(subquery) => {
                let inner = self.expr(&subquery.expr)?;
                // What is the same within a subquery is evaluated once for it.
                let expr = if inner.is_invariant { mark(inner.node) } else { inner.node };
                let moved = self.moved(subquery.offset_ms, subquery.offset_expr.as_ref(), subquery.at)?;
                let range_ms = self.duration(subquery.range_ms, subquery.range_expr.as_ref(), false)?;
                let step_ms = self.duration(subquery.step_ms, subquery.step_expr.as_ref(), false)?;
                let subquery = Subquery { expr, range_ms, step_ms, moved };
                Lowered::new(node(Kind::Subquery(Box::new(subquery))), moved.at_ms.is_some(), false)
            }
            Expr::Unary(unary) => {
                let inner = self.expr(&unary.expr)?;
                let kind =
                    if unary.is_negative { Kind::Negative(Box::new(inner.node)) } else { inner.node.kind };
                Lowered::new(node(kind), inner.is_invariant, inner.wants_mark)
            }
            Expr::Binary(binary) => self.binary(binary, expr)?,
            Expr::Aggregate(aggregate) => {
                let inner = self.expr(&aggregate.expr)?;
                let param = aggregate.param.as_ref().map(|param| self.expr(param)).transpose()?;
                let mut grouping = aggregate.grouping.clone();
                grouping.sort_unstable();
                let kind = Kind::Aggregate(Box::new(Aggregate {
                    op: aggregate.op,
                    expr: inner.node,
                    param: param.map(|param| param.node),
                    grouping,
                    is_without: aggregate.is_without,
                    span: aggregate.span,
                }));
                // The parameter has no say: Prometheus takes its first value.
                Lowered::new(node(kind), inner.is_invariant, inner.wants_mark)
            }
            Expr::Call(call) => self.call(call, expr)?,
        })
    }

    fn binary(&self, binary: &ast::Binary, expr: &Expr) -> Result<Lowered, Error> {
        let (left, right) = (self.expr(&binary.left)?, self.expr(&binary.right)?);
        let is_invariant = left.is_invariant && right.is_invariant;
        let (left, right) =
            if is_invariant { (left.node, right.node) } else { (left.marked(), right.marked()) };
        let kind = Kind::Binary(Box::new(Binary {
            op: binary.op,
            left,
            right,
            matching: binary.matching.clone().unwrap_or_default(),
            returns_bool: binary.returns_bool,
        }));
        Ok(Lowered::new(Node { span: expr.span(), kind }, is_invariant, is_invariant))
    }

    fn call(&self, call: &ast::Call, expr: &Expr) -> Result<Lowered, Error> {
        let name = call.function.name;
        if let Some(number) = self.known(name) {
            return Ok(Lowered::new(Node { span: expr.span(), kind: Kind::Number(number) }, true, false));
        }
        let args = call.args.iter().map(|arg| self.expr(arg)).collect::<Result<Vec<_>, _>>()?;
        let all_invariant = args.iter().all(|arg| arg.is_invariant);
        let of_selectors = args.iter().all(|arg| matches!(arg.node.kind, Kind::Vector(_)));
        let is_invariant =
            all_invariant && (!TIMELY.contains(&name) || (name == "timestamp" && of_selectors));
        let args = args.into_iter().map(|arg| if is_invariant { arg.node } else { arg.marked() }).collect();
        let kind = Kind::Call(Call { function: call.function, args, span: call.span });
        Ok(Lowered::new(Node { span: expr.span(), kind }, is_invariant, is_invariant))
    }

    /// The number that a function of the query's times is.
    fn known(&self, function: &str) -> Option<f64> {
        let query = self.query;
        let ms = match function {
            "start" => query.start_ms,
            "end" => query.end_ms,
            "range" => query.end_ms.saturating_sub(query.start_ms),
            "step" if query.is_single() => 0,
            "step" => query.step_ms,
            _ => return None,
        };
        Some(ms as f64 / 1000.0)
    }

    fn selector(&self, vector: &ast::VectorSelector) -> Result<Selector, Error> {
        Ok(Selector {
            matchers: vector.matchers.clone(),
            moved: self.moved(vector.offset_ms, vector.offset_expr.as_ref(), vector.at)?,
            extension: vector.extension,
            only_totals: false,
        })
    }

    fn moved(
        &self,
        offset_ms: i64,
        offset_expr: Option<&DurationExpr>,
        at: Option<At>,
    ) -> Result<Moved, Error> {
        Ok(Moved {
            offset_ms: self.duration(offset_ms, offset_expr, true)?,
            at_ms: at.map(|at| self.query.resolve(at)),
        })
    }

    fn duration(
        &self,
        literal_ms: i64,
        expr: Option<&DurationExpr>,
        may_be_negative: bool,
    ) -> Result<i64, Error> {
        expr.map_or(Ok(literal_ms), |expr| milliseconds(expr, self.query, may_be_negative))
    }
}
