//! Durations, and arithmetic with them: in ranges, steps and offsets.

use super::{MAX_DEPTH, Parser, Result};
use crate::ast::{BinaryOp, DurationExpr, NumberLiteral};
use crate::error::{Limit, Span};
use crate::lexer::{Keyword, Kind};

/// As signs bind elsewhere.
const UNARY: u8 = 5;

/// A duration in milliseconds, and what it is reckoned from if it is no literal.
type Reckoned = (i64, Option<DurationExpr>);

impl Parser<'_> {
    /// A duration of a range or a step: a literal has to be positive.
    pub(super) fn positive_duration(&mut self, context: &str, expected: &str) -> Result<Reckoned> {
        match self.duration_expr(0, 0, (context, expected))? {
            DurationExpr::Literal(number) if number.value <= 0.0 || number.value.is_nan() => {
                if self.peek().kind == Kind::Error {
                    return Err(self.unexpected("", ""));
                }
                Err(self.error(number.span, "duration must be greater than 0"))
            }
            DurationExpr::Literal(number) => Ok((self.millis(&number)?, None)),
            other => Ok((0, Some(other))),
        }
    }

    /// A duration of an offset: a number with a sign, or a call, or what stands in parentheses. An operator behind it
    /// belongs to the query: `a offset -2^2` is `(a offset -2)^2`.
    pub(super) fn offset_duration(&mut self) -> Result<Reckoned> {
        let names = ("offset", "number, duration, step(), or range()");
        let begin = self.peek().span.start;
        let is_sign = |parser: &Self| parser.is_operator("-") || parser.is_operator("+");
        let has_two_signs = is_sign(self) && self.peek_second_is_sign();
        if self.peek().kind == Kind::LeftParen || has_two_signs {
            // Only such a beginning takes all that follows: `a offset (5m) * 2` is 10 minutes.
            return match self.duration_expr(0, 0, names)? {
                DurationExpr::Literal(number) => Ok((self.millis(&number)?, None)),
                other => Ok((0, Some(other))),
            };
        }
        let is_negative = self.is_operator("-");
        if is_sign(self) {
            self.advance();
        }
        let is_positive = !is_negative && self.peek().span.start > begin;
        let expr = self.duration_operand(0, names)?;
        match negated(expr, is_negative, begin) {
            DurationExpr::Literal(number) => Ok((self.millis(&number)?, None)),
            DurationExpr::Paren(inner) => Ok((0, Some(DurationExpr::Paren(inner)))),
            // A sign that changes nothing is kept in front of calls, and only here.
            other if is_positive => Ok((0, Some(DurationExpr::Positive(Box::new(other))))),
            other => Ok((0, Some(other))),
        }
    }

    fn peek_second_is_sign(&self) -> bool {
        let second = self.tokens.get(self.at + 1).filter(|token| token.kind == Kind::Operator);
        second.is_some_and(|token| matches!(self.text(*token), "-" | "+"))
    }

    fn duration_expr(&mut self, least: u8, depth: usize, names: (&str, &str)) -> Result<DurationExpr> {
        if depth >= MAX_DEPTH {
            return Err(self.error(self.peek().span, "durations are nested too deeply").of(Limit::Depth));
        }
        let begin = self.peek().span.start;
        let mut left = if self.is_operator("-") || self.is_operator("+") {
            let sign = self.advance();
            let is_negative = self.text(sign) == "-";
            negated(self.duration_expr(UNARY + 1, depth + 1, names)?, is_negative, begin)
        } else {
            self.duration_operand(depth, names)?
        };
        loop {
            let token = self.peek();
            let op = (token.kind == Kind::Operator).then(|| BinaryOp::from_text(self.text(token))).flatten();
            let Some(op) = op.filter(|op| op.precedence() >= least && (4..=6).contains(&op.precedence()))
            else {
                return Ok(left);
            };
            self.count_operator()?;
            self.advance();
            let right = if op == BinaryOp::Pow { op.precedence() } else { op.precedence() + 1 };
            let right = self.duration_expr(right, depth + 1, names)?;
            if let DurationExpr::Literal(number) = &right
                && number.value == 0.0
            {
                match op {
                    BinaryOp::Div => return Err(self.error(token.span, "division by zero")),
                    BinaryOp::Mod => return Err(self.error(token.span, "modulo by zero")),
                    _ => {}
                }
            }
            left = DurationExpr::Binary(op, Box::new(left), Box::new(right));
        }
    }

    fn duration_operand(&mut self, depth: usize, names: (&str, &str)) -> Result<DurationExpr> {
        let token = self.peek();
        match token.kind {
            Kind::Number | Kind::Duration => {
                let number = self.number_or_duration()?;
                self.millis(&number)?;
                Ok(DurationExpr::Literal(number))
            }
            Kind::LeftParen => {
                self.advance();
                let inner = self.duration_expr(0, depth + 1, names)?;
                self.expect(Kind::RightParen, names.0, names.1)?;
                Ok(match inner {
                    // A number stays one, and one pair is enough.
                    DurationExpr::Literal(_) | DurationExpr::Paren(_) => inner,
                    other => DurationExpr::Paren(Box::new(other)),
                })
            }
            Kind::Keyword(Keyword::Preprocessor) => {
                self.advance();
                self.expect(Kind::LeftParen, names.0, names.1)?;
                let name = self.text(token).to_ascii_lowercase();
                let mut args = None;
                if !matches!(name.as_str(), "step" | "range") {
                    let left = Box::new(self.duration_expr(0, depth + 1, names)?);
                    self.expect(Kind::Comma, names.0, names.1)?;
                    args = Some((left, Box::new(self.duration_expr(0, depth + 1, names)?)));
                }
                self.expect(Kind::RightParen, names.0, names.1)?;
                let span = self.span_from(token.span.start);
                Ok(match args {
                    None if name == "step" => DurationExpr::Step(span),
                    None => DurationExpr::Range(span),
                    Some((left, right)) if name == "min_of" => DurationExpr::MinOf(left, right),
                    Some((left, right)) => DurationExpr::MaxOf(left, right),
                })
            }
            _ => Err(self.unexpected(names.0, names.1)),
        }
    }

    fn millis(&self, number: &NumberLiteral) -> Result<i64> {
        let nanos = (number.value * 1e9).round();
        // 2^63 nanoseconds are the longest duration.
        if nanos.is_nan() || nanos.abs() >= i64::MAX as f64 {
            return Err(self.error(number.span, "duration out of range"));
        }
        Ok(nanos as i64 / 1_000_000)
    }
}

fn negated(expr: DurationExpr, is_negative: bool, begin: usize) -> DurationExpr {
    match expr {
        DurationExpr::Literal(number) => DurationExpr::Literal(NumberLiteral {
            value: if is_negative { -number.value } else { number.value },
            span: Span { start: begin, end: number.span.end },
            ..number
        }),
        other if is_negative => {
            let span = Span { start: begin, end: other.span().end };
            DurationExpr::Negative(Box::new(other), span)
        }
        other => other,
    }
}
