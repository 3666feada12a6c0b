//! What a query may not say though its grammar is right: types, numbers of arguments, matching that makes no sense.

use model::Matcher;

use crate::ast::{Aggregate, Binary, Call, Cardinality, Expr, ValueType, VectorSelector};
use crate::deep::deeper;
use crate::error::{ParseError, Span};
use crate::functions::Variadic;

type Result = std::result::Result<(), ParseError>;

/// Checks an expression that was read from a query, innermost first.
pub(crate) fn check(query: &str, expr: &Expr) -> Result {
    Check { query }.expr(expr)
}

struct Check<'a> {
    query: &'a str,
}

impl Check<'_> {
    fn fail(&self, span: Span, message: impl Into<String>) -> Result {
        Err(ParseError::new(self.query, span, message))
    }

    fn expr(&self, expr: &Expr) -> Result {
        deeper(|| self.level(expr))
    }

    fn level(&self, expr: &Expr) -> Result {
        match expr {
            Expr::Number(_) | Expr::String(_) => Ok(()),
            Expr::Vector(vector) => self.vector(vector, vector.span),
            Expr::Matrix(matrix) => self.vector(&matrix.vector, matrix.vector.span),
            Expr::Paren(paren) => self.expr(&paren.expr),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.row(binary),
            Expr::Call(call) => self.call(call),
            Expr::Unary(unary) => {
                self.expr(&unary.expr)?;
                match unary.expr.value_type() {
                    ValueType::Scalar | ValueType::Vector => Ok(()),
                    other => self.fail(
                        unary.span,
                        format!(
                            "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                            other.documented()
                        ),
                    ),
                }
            }
            Expr::Subquery(subquery) => {
                self.expr(&subquery.expr)?;
                match subquery.expr.value_type() {
                    ValueType::Vector => Ok(()),
                    other => self.fail(
                        subquery.span,
                        format!("subquery is only allowed on instant vector, got {} instead", other.name()),
                    ),
                }
            }
        }
    }

    fn vector(&self, vector: &VectorSelector, span: Span) -> Result {
        if let Some(name) = &vector.name {
            return match vector.second_name() {
                Some(other) => {
                    self.fail(span, format!("metric name must not be set twice: {name:?} or {other:?}"))
                }
                None => Ok(()),
            };
        }
        if vector.matchers.iter().all(Matcher::matches_empty) {
            return self.fail(span, "vector selector must contain at least one non-empty matcher");
        }
        Ok(())
    }

    fn of_type(&self, expr: &Expr, expected: ValueType, context: &str) -> Result {
        self.expr(expr)?;
        let found = expr.value_type();
        if found == expected {
            return Ok(());
        }
        let message =
            format!("expected type {} in {context}, got {}", expected.documented(), found.documented());
        self.fail(expr.span(), message)
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result {
        self.of_type(&aggregate.expr, ValueType::Vector, "aggregation expression")?;
        match (aggregate.op.param_type(), &aggregate.param) {
            (Some(expected), Some(param)) => self.of_type(param, expected, "aggregation parameter"),
            _ => Ok(()),
        }
    }

    fn call(&self, call: &Call) -> Result {
        let function = call.function;
        let (name, given) = (function.name, call.args.len());
        let at_least = function.args.len().saturating_sub(1);
        match function.variadic {
            Variadic::No if given != function.args.len() => {
                let expected = function.args.len();
                let message = format!("expected {expected} argument(s) in call to {name:?}, got {given}");
                return self.fail(call.span, message);
            }
            Variadic::UpTo(_) | Variadic::Any if given < at_least => {
                let message =
                    format!("expected at least {at_least} argument(s) in call to {name:?}, got {given}");
                return self.fail(call.span, message);
            }
            Variadic::UpTo(more) if given > at_least + more => {
                let most = at_least + more;
                let message = format!("expected at most {most} argument(s) in call to {name:?}, got {given}");
                return self.fail(call.span, message);
            }
            _ => {}
        }
        let context = format!("call to function {name:?}");
        // Before all others, as in Prometheus.
        if let ("info", Some(labels)) = (name, call.args.get(1)) {
            self.label_selectors(labels, call, &context)?;
        }
        for (at, arg) in call.args.iter().enumerate() {
            if name == "info" && at == 1 {
                continue;
            }
            let Some(expected) = function.args.get(at).or(function.args.last()) else { break };
            self.of_type(arg, *expected, &context)?;
        }
        Ok(())
    }

    /// The second argument of `info` is a selector of labels alone, which may be empty.
    fn label_selectors(&self, arg: &Expr, call: &Call, context: &str) -> Result {
        if arg.value_type() != ValueType::Vector {
            let (expected, found) = (ValueType::Vector.documented(), arg.value_type().documented());
            return self.fail(call.span, format!("expected type {expected} in {context}, got {found}"));
        }
        match arg {
            Expr::Vector(vector) if vector.name.is_some() => {
                self.fail(arg.span(), "expected label selectors only, got vector selector instead")
            }
            Expr::Vector(_) => Ok(()),
            _ => self.fail(arg.span(), "expected label selectors only"),
        }
    }

    /// A row of operators, the innermost first.
    fn row(&self, last: &Binary) -> Result {
        let (first, row) = last.row();
        self.expr(first)?;
        let (mut left, start) = (first.value_type(), first.span().start);
        for binary in row.into_iter().rev() {
            self.expr(&binary.right)?;
            let right = binary.right.value_type();
            let span = Span { start, end: binary.right.span().end };
            self.binary(binary, (left, right), span)?;
            if right != ValueType::Scalar {
                left = ValueType::Vector;
            }
        }
        Ok(())
    }

    fn binary(&self, binary: &Binary, (left, right): (ValueType, ValueType), span: Span) -> Result {
        let op = binary.op;
        if binary.returns_bool && !op.is_comparison() {
            return self.fail(self.between(binary), "bool modifier can only be used on comparison operators");
        }
        let scalars = left == ValueType::Scalar && right == ValueType::Scalar;
        if op.is_comparison() && !binary.returns_bool && scalars {
            return self.fail(self.between(binary), "comparisons between scalars must use BOOL modifier");
        }
        let given = binary.matching.as_ref();
        if let Some(matching) = given.filter(|matching| matching.is_on)
            && let Some(label) = matching.labels.iter().find(|label| matching.include.contains(label))
        {
            let message = format!("label {label:?} must not occur in ON and GROUP clause at once");
            return self.fail(self.between(binary), message);
        }
        for (side, found) in [(&binary.left, left), (&binary.right, right)] {
            if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                return self.fail(side.span(), message);
            }
        }
        let fills =
            given.is_some_and(|matching| matching.fill_left.is_some() || matching.fill_right.is_some());
        if left != ValueType::Vector || right != ValueType::Vector {
            if given.is_some_and(|matching| !matching.labels.is_empty()) {
                return self.fail(span, "vector matching only allowed between instant vectors");
            }
            if fills {
                return self.fail(span, "filling in missing series only allowed between instant vectors");
            }
            if op.is_set() {
                let message =
                    format!("set operator {:?} not allowed in binary scalar expression", op.as_str());
                return self.fail(span, message);
            }
        } else if op.is_set() {
            if given.is_some_and(|matching| matching.cardinality != Cardinality::ManyToMany) {
                return self.fail(span, format!("no grouping allowed for {:?} operation", op.as_str()));
            }
            if fills {
                return self.fail(span, "filling in missing series not allowed for set operators");
            }
        }
        Ok(())
    }

    /// From behind the left side to before the right one, without the blanks around. As in Prometheus, whose last byte
    /// counts as the end.
    fn between(&self, binary: &Binary) -> Span {
        let bytes = self.query.as_bytes();
        let is_blank = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_whitespace);
        let mut start = binary.left.span().end;
        while is_blank(start) {
            start += 1;
        }
        let mut end = binary.right.span().start.saturating_sub(1);
        while end > start && is_blank(end) {
            end -= 1;
        }
        Span { start, end }
    }
}
