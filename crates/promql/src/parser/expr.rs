//! Operators by their precedence, calls, aggregations, literals.

use super::selector::may_name_a_metric;
use super::{MAX_DEPTH, Parser, Result};
use crate::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, Matching, NumberLiteral, Paren,
    StringLiteral, Unary, ValueType,
};
use crate::deep::deeper;
use crate::duration::parse_duration;
use crate::error::{Limit, Span};
use crate::functions::Function;
use crate::lexer::{Keyword, Kind};
use crate::text;

/// A sign binds as multiplication does: `-a^b` is `-(a^b)`, `-a*b` is `(-a)*b`.
const UNARY: u8 = 5;

impl Parser<'_> {
    /// An expression whose operators bind at least as strongly as `least`.
    pub(super) fn expr(&mut self, least: u8, depth: usize) -> Result<Expr> {
        if depth >= MAX_DEPTH {
            return Err(self.error(self.peek().span, "expressions are nested too deeply").of(Limit::Depth));
        }
        let mut left = deeper(|| self.operand(depth))?;
        while let Some(op) = self.binary_op() {
            let precedence = op.precedence();
            if precedence < least {
                break;
            }
            self.count_operator()?;
            self.advance();
            let (matching, returns_bool) = self.binary_modifiers()?;
            // Only powers associate to the right.
            let right = if op == BinaryOp::Pow { precedence } else { precedence + 1 };
            let right = deeper(|| self.expr(right, depth + 1))?;
            left = Expr::Binary(Box::new(binary(op, left, right, matching, returns_bool)));
        }
        Ok(left)
    }

    /// Whether the next token may begin an expression.
    fn is_before_expr(&self) -> bool {
        match self.peek().kind {
            Kind::Number | Kind::Duration | Kind::String | Kind::LeftParen | Kind::LeftBrace => true,
            Kind::Operator => self.is_operator("+") || self.is_operator("-"),
            kind => may_name_a_metric(kind),
        }
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        let token = self.peek();
        match token.kind {
            Kind::Operator | Kind::NotEqual | Kind::Keyword(Keyword::Operator | Keyword::Atan2) => {
                BinaryOp::from_text(self.text(token))
            }
            _ => None,
        }
    }

    /// What is between two operators: a sign before it, modifiers behind it.
    fn operand(&mut self, depth: usize) -> Result<Expr> {
        let token = self.peek();
        if self.is_operator("+") || self.is_operator("-") {
            self.advance();
            let is_negative = self.text(token) == "-";
            let expr = self.expr(UNARY + 1, depth + 1)?;
            let begin = token.span.start;
            return Ok(match expr {
                Expr::Number(number) => Expr::Number(NumberLiteral {
                    value: if is_negative { -number.value } else { number.value },
                    span: Span { start: begin, end: number.span.end },
                    ..number
                }),
                expr => {
                    let span = Span { start: begin, end: expr.span().end };
                    Expr::Unary(Box::new(Unary { is_negative, expr, span }))
                }
            });
        }
        let mut expr = self.primary(depth)?;
        loop {
            match self.peek().kind {
                Kind::LeftBracket => expr = self.range(expr)?,
                Kind::Keyword(Keyword::Offset) => self.offset(&mut expr)?,
                Kind::At => self.at_modifier(&mut expr)?,
                Kind::Keyword(Keyword::Anchored | Keyword::Smoothed) => self.extension(&mut expr)?,
                _ => return Ok(expr),
            }
        }
    }

    fn primary(&mut self, depth: usize) -> Result<Expr> {
        let token = self.peek();
        let begin = token.span.start;
        match token.kind {
            Kind::Number | Kind::Duration => Ok(Expr::Number(self.number_or_duration()?)),
            Kind::String => {
                self.advance();
                let (value, bytes) = text::unquote_bytes(self.text(token));
                Ok(Expr::String(StringLiteral { value, bytes, span: token.span }))
            }
            Kind::LeftParen => {
                self.advance();
                let expr = self.expr(0, depth + 1)?;
                self.expect(Kind::RightParen, "", "")?;
                Ok(Expr::Paren(Box::new(Paren { expr, span: self.span_from(begin) })))
            }
            Kind::Keyword(Keyword::Aggregator)
                if matches!(
                    self.peek_second(),
                    Kind::LeftParen | Kind::Keyword(Keyword::By | Keyword::Without)
                ) =>
            {
                self.aggregate(depth)
            }
            Kind::Identifier | Kind::Keyword(Keyword::StartOrEnd | Keyword::Preprocessor)
                if self.peek_second() == Kind::LeftParen =>
            {
                self.call(depth)
            }
            Kind::LeftBrace => Ok(Expr::Vector(self.vector_selector()?)),
            kind if may_name_a_metric(kind) => Ok(Expr::Vector(self.vector_selector()?)),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// A number; a duration is one in seconds.
    pub(super) fn number_or_duration(&mut self) -> Result<NumberLiteral> {
        let token = self.advance();
        let text = self.text(token);
        if token.kind == Kind::Duration {
            let duration = parse_duration(text).map_err(|reason| self.error(token.span, reason))?;
            return Ok(NumberLiteral { value: duration.as_secs_f64(), is_duration: true, span: token.span });
        }
        let value = text::number(text).map_err(|reason| {
            let message = format!("error parsing number: strconv.ParseFloat: parsing {text:?}: {reason}");
            self.error(token.span, message)
        })?;
        Ok(NumberLiteral { value, is_duration: false, span: token.span })
    }

    fn call(&mut self, depth: usize) -> Result<Expr> {
        let token = self.advance();
        let name = self.text(token);
        let args = self.arguments(depth)?;
        let function = Function::by_name(name)
            .ok_or_else(|| self.error(token.span, format!("unknown function with name {name:?}")))?;
        Ok(Expr::Call(Call { function, args, span: self.span_from(token.span.start) }))
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Expr>> {
        self.expect(Kind::LeftParen, "", "")?;
        let mut args = Vec::new();
        if self.peek().kind == Kind::RightParen {
            self.advance();
            return Ok(args);
        }
        loop {
            args.push(self.expr(0, depth + 1)?);
            match self.peek().kind {
                Kind::Comma => {
                    let comma = self.advance();
                    if self.peek().kind != Kind::Error && !self.is_before_expr() {
                        let message = "trailing commas not allowed in function call args";
                        return Err(self.error(comma.span, message));
                    }
                }
                Kind::RightParen => {
                    self.advance();
                    return Ok(args);
                }
                _ => return Err(self.unexpected("", "")),
            }
        }
    }

    fn aggregate(&mut self, depth: usize) -> Result<Expr> {
        let token = self.advance();
        let Some(op) = AggregateOp::from_text(self.text(token)) else {
            return Err(self.unexpected("aggregation", ""));
        };
        let before = self.grouping()?;
        if self.peek().kind != Kind::LeftParen {
            return Err(self.unexpected("aggregation", ""));
        }
        self.aggregates += 1;
        let mut args = self.arguments(depth)?.into_iter();
        self.aggregates -= 1;
        let grouping = if before.is_some() {
            before
        } else if self.peek().kind == Kind::Error {
            return Err(self.unexpected("", ""));
        } else {
            self.grouping()?
        };
        let span = self.span_from(token.span.start);
        let wanted = if op.param_type().is_some() { 2 } else { 1 };
        if args.len() == 0 {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        }
        if args.len() != wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
                args.len()
            );
            return Err(self.error(span, message));
        }
        let param = if wanted == 2 { args.next() } else { None };
        let Some(expr) = args.next() else {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        };
        let (is_without, grouping) = grouping.unwrap_or_default();
        Ok(Expr::Aggregate(Box::new(Aggregate { op, expr, param, grouping, is_without, span })))
    }

    /// `by (…)` or `without (…)`.
    fn grouping(&mut self) -> Result<Option<(bool, Vec<String>)>> {
        let is_without = match self.peek().kind {
            Kind::Keyword(Keyword::By) => false,
            Kind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((is_without, self.grouping_labels()?)))
    }

    fn grouping_labels(&mut self) -> Result<Vec<String>> {
        self.expect(Kind::LeftParen, "grouping opts", "\"(\"")?;
        let mut labels = Vec::new();
        if self.peek().kind == Kind::RightParen {
            self.advance();
            return Ok(labels);
        }
        loop {
            labels.push(self.grouping_label()?);
            match self.peek().kind {
                Kind::RightParen => {
                    self.advance();
                    return Ok(labels);
                }
                Kind::Comma => {
                    self.advance();
                    if self.peek().kind == Kind::RightParen {
                        self.advance();
                        return Ok(labels);
                    }
                }
                _ => return Err(self.unexpected("grouping opts", "\",\" or \")\"")),
            }
        }
    }

    fn grouping_label(&mut self) -> Result<String> {
        let token = self.peek();
        let label = match token.kind {
            Kind::String => text::unquote(self.text(token)),
            // Here every word is a label, those with a meaning elsewhere too; but for `without`, `inf` and `nan`.
            Kind::Keyword(Keyword::Without) => return Err(self.unexpected("grouping opts", "label")),
            Kind::Identifier | Kind::MetricIdentifier | Kind::Keyword(_) => self.text(token).to_owned(),
            _ => return Err(self.unexpected("grouping opts", "label")),
        };
        self.advance();
        if label.is_empty() {
            let message = format!("invalid label name for grouping: {label:?}");
            return Err(self.error(token.span, message));
        }
        Ok(label)
    }

    /// What stands behind an operator: `bool`, which labels match, how many of either side, what fills a gap.
    fn binary_modifiers(&mut self) -> Result<(Matching, bool)> {
        let mut matching = Matching::default();
        let word = |parser: &Self| {
            let token = parser.peek();
            matches!(token.kind, Kind::Keyword(Keyword::BinaryModifier | Keyword::Fill))
                .then(|| parser.text(token).to_ascii_lowercase())
        };
        let returns_bool = word(self).as_deref() == Some("bool");
        if returns_bool {
            self.advance();
        }
        if let Some(which @ ("on" | "ignoring")) = word(self).as_deref() {
            self.advance();
            matching.is_on = which == "on";
            matching.labels = self.grouping_labels()?;
            if let Some(which @ ("group_left" | "group_right")) = word(self).as_deref() {
                self.advance();
                matching.cardinality =
                    if which == "group_left" { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                let word = self.peek().kind;
                if word == Kind::LeftParen || (word != Kind::Keyword(Keyword::Fill) && !self.is_before_expr())
                {
                    matching.include = self.grouping_labels()?;
                }
            }
        }
        while let Some(which @ ("fill" | "fill_left" | "fill_right")) = word(self).as_deref() {
            let is_again = match which {
                "fill_left" => matching.fill_left.is_some(),
                "fill_right" => matching.fill_right.is_some(),
                _ => matching.fill_left.is_some() || matching.fill_right.is_some(),
            };
            if is_again {
                break;
            }
            self.advance();
            let value = self.fill_value()?;
            if which != "fill_right" {
                matching.fill_left = Some(value);
            }
            if which != "fill_left" {
                matching.fill_right = Some(value);
            }
        }
        Ok((matching, returns_bool))
    }

    fn fill_value(&mut self) -> Result<f64> {
        self.expect(Kind::LeftParen, "", "")?;
        let is_negative = self.is_operator("-");
        if is_negative || self.is_operator("+") {
            self.advance();
        }
        if !matches!(self.peek().kind, Kind::Number | Kind::Duration) {
            return Err(self.unexpected("", ""));
        }
        let number = self.number_or_duration()?.value;
        self.expect(Kind::RightParen, "", "")?;
        Ok(if is_negative { -number } else { number })
    }
}

/// Set operators match many to many unless they say otherwise, which `check` complains of.
fn binary(op: BinaryOp, left: Expr, right: Expr, mut matching: Matching, returns_bool: bool) -> Binary {
    if op.is_set() && matching.cardinality == Cardinality::OneToOne {
        matching.cardinality = Cardinality::ManyToMany;
    }
    // Between others it means nothing, unless it says what only vectors can do: then it is told.
    let vectors = [&left, &right].iter().all(|side| side.value_type() == ValueType::Vector);
    let is_meant =
        !matching.labels.is_empty() || matching.fill_left.is_some() || matching.fill_right.is_some();
    Binary { op, left, right, matching: (vectors || is_meant).then_some(matching), returns_bool }
}
