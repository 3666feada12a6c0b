//! Series by their labels, and the modifiers behind them: ranges, subqueries, `offset`, `@`, `anchored`, `smoothed`.

use model::labels::METRIC_NAME;
use model::{MatchOp, Matcher};

use super::{MAX_REGEX_BYTES, Parser, Result};
use crate::ast::{At, DurationExpr, Expr, Extension, MatrixSelector, Subquery, VectorSelector};
use crate::error::{Limit, Span};
use crate::lexer::{Keyword, Kind};
use crate::text;

const BEFORE_OFFSET: &str =
    "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
const BEFORE_AT: &str =
    "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";

impl Parser<'_> {
    pub(super) fn vector_selector(&mut self) -> Result<VectorSelector> {
        let begin = self.peek().span.start;
        let name =
            may_name_a_metric(self.peek().kind).then(|| self.advance()).map(|it| self.text(it).to_owned());
        let mut matchers =
            if self.peek().kind == Kind::LeftBrace { self.label_matchers()? } else { Vec::new() };
        let span = self.span_from(begin);
        if let Some(name) = &name {
            matchers.push(self.matcher(METRIC_NAME, MatchOp::Equal, name.clone(), span)?);
        }
        Ok(VectorSelector {
            matchers,
            offset_ms: 0,
            offset_expr: None,
            at: None,
            extension: None,
            span,
            name,
        })
    }

    fn label_matchers(&mut self) -> Result<Vec<Matcher>> {
        self.advance();
        let mut matchers = Vec::new();
        loop {
            if self.peek().kind == Kind::RightBrace {
                self.advance();
                return Ok(matchers);
            }
            matchers.push(self.label_matcher()?);
            match self.peek().kind {
                Kind::Comma => _ = self.advance(),
                Kind::RightBrace => {}
                _ => return Err(self.unexpected("label matching", "\",\" or \"}\"")),
            }
        }
    }

    fn label_matcher(&mut self) -> Result<Matcher> {
        let label = self.peek();
        let name = match label.kind {
            Kind::Identifier => self.text(label).to_owned(),
            Kind::String => text::unquote(self.text(label)),
            _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
        };
        self.advance();
        let op = match self.peek().kind {
            Kind::Equal => MatchOp::Equal,
            Kind::NotEqual => MatchOp::NotEqual,
            Kind::MatchRegex => MatchOp::Regex,
            Kind::NotRegex => MatchOp::NotRegex,
            // A text alone is the metric's name.
            Kind::Comma | Kind::RightBrace if label.kind == Kind::String => {
                return self.matcher(METRIC_NAME, MatchOp::Equal, name, label.span);
            }
            _ if label.kind == Kind::String => {
                return Err(self.unexpected("label matching", "\",\" or \"}\""));
            }
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.advance();
        let value = self.peek();
        if value.kind != Kind::String {
            return Err(self.unexpected("label matching", "string"));
        }
        self.advance();
        let span = Span { start: label.span.start, end: value.span.end };
        self.matcher(&name, op, text::unquote(self.text(value)), span)
    }

    fn matcher(&mut self, name: &str, op: MatchOp, value: String, span: Span) -> Result<Matcher> {
        let matcher = Matcher::new(name, op, value).map_err(|error| {
            let wrong = self.error(span, error.to_string());
            if error.is_too_large() { wrong.of(Limit::Regex) } else { wrong }
        })?;
        self.regex_bytes += matcher.regex_bytes();
        if self.regex_bytes > MAX_REGEX_BYTES {
            let message =
                format!("the regular expressions of the query take more than {MAX_REGEX_BYTES} bytes");
            return Err(self.error(span, message).of(Limit::Regex));
        }
        Ok(matcher)
    }

    /// A range, or a subquery, behind an expression.
    pub(super) fn range(&mut self, expr: Expr) -> Result<Expr> {
        let begin = expr.span().start;
        let bracket = self.advance();
        let (range_ms, range_expr) =
            self.positive_duration("subquery or range selector", "number, duration, step(), or range()")?;
        match self.peek().kind {
            Kind::RightBracket => _ = self.advance(),
            Kind::Colon => {
                self.advance();
                return self.subquery(expr, range_ms, range_expr);
            }
            _ => return Err(self.unexpected("subquery or range", "\":\" or \"]\"")),
        }
        let brackets = self.span_from(bracket.span.start);
        let Expr::Vector(vector) = expr else {
            return Err(self.error(brackets, "ranges only allowed for vector selectors"));
        };
        if vector.offset_ms != 0 || vector.offset_expr.is_some() {
            return Err(self.error(brackets, "no offset modifiers allowed before range"));
        }
        if vector.at.is_some() {
            return Err(self.error(brackets, "no @ modifiers allowed before range"));
        }
        Ok(Expr::Matrix(MatrixSelector { vector, range_ms, range_expr, span: self.span_from(begin) }))
    }

    fn subquery(&mut self, expr: Expr, range_ms: i64, range_expr: Option<DurationExpr>) -> Result<Expr> {
        self.count_operator()?;
        let begin = expr.span().start;
        let (step_ms, step_expr) = if self.peek().kind == Kind::RightBracket {
            (0, None)
        } else {
            self.positive_duration("subquery selector", "number, duration, step(), range(), or \"]\"")?
        };
        self.expect(Kind::RightBracket, "subquery selector", "\"]\"")?;
        Ok(Expr::Subquery(Box::new(Subquery {
            expr,
            range_ms,
            range_expr,
            step_ms,
            step_expr,
            offset_ms: 0,
            offset_expr: None,
            at: None,
            span: self.span_from(begin),
        })))
    }

    pub(super) fn offset(&mut self, expr: &mut Expr) -> Result<()> {
        let whole = expr.span();
        self.advance();
        let (offset_ms, offset_expr) = self.offset_duration()?;
        let end = self.span_from(whole.start).end;
        let places = modifiers(expr).ok_or_else(|| self.error(whole, BEFORE_OFFSET))?;
        if *places.offset_ms != 0 || places.offset_expr.is_some() {
            return Err(self.error(whole, "offset may not be set multiple times"));
        }
        *places.offset_ms = offset_ms;
        *places.offset_expr = offset_expr;
        places.span.end = end;
        Ok(())
    }

    pub(super) fn at_modifier(&mut self, expr: &mut Expr) -> Result<()> {
        let whole = expr.span();
        self.advance();
        let token = self.peek();
        let at = if token.kind == Kind::Keyword(Keyword::StartOrEnd) {
            self.advance();
            self.expect(Kind::LeftParen, "@", "timestamp")?;
            self.expect(Kind::RightParen, "@", "timestamp")?;
            if self.text(token).eq_ignore_ascii_case("start") { At::Start } else { At::End }
        } else {
            let is_negative = self.is_operator("-");
            if is_negative || self.is_operator("+") {
                self.advance();
            }
            if !matches!(self.peek().kind, Kind::Number | Kind::Duration) {
                return Err(self.unexpected("@", "timestamp"));
            }
            let number = self.number_or_duration()?.value;
            let seconds = if is_negative { -number } else { number };
            if seconds.is_nan() || seconds.abs() >= i64::MAX as f64 {
                let shown = if seconds.is_finite() {
                    format!("{seconds:.6}")
                } else {
                    model::number::Fixed(seconds).to_string()
                };
                return Err(self.error(whole, format!("timestamp out of bounds for @ modifier: {shown}")));
            }
            At::Time((seconds * 1000.0).round() as i64)
        };
        let end = self.span_from(whole.start).end;
        let places = modifiers(expr).ok_or_else(|| self.error(whole, BEFORE_AT))?;
        if places.at.is_some() {
            return Err(self.error(whole, "@ <timestamp> may not be set multiple times"));
        }
        *places.at = Some(at);
        places.span.end = end;
        Ok(())
    }

    pub(super) fn extension(&mut self, expr: &mut Expr) -> Result<()> {
        let whole = expr.span();
        let token = self.advance();
        let extension = if token.kind == Kind::Keyword(Keyword::Anchored) {
            Extension::Anchored
        } else {
            Extension::Smoothed
        };
        let vector = match expr {
            Expr::Vector(vector) => vector,
            Expr::Matrix(matrix) => &mut matrix.vector,
            Expr::Subquery(_) => {
                let message = format!("{} modifier is not supported for subqueries", extension.as_str());
                return Err(self.error(whole, message));
            }
            _ => return Err(self.error(whole, format!("{} modifier not implemented", extension.as_str()))),
        };
        if vector.extension.is_some_and(|other| other != extension) {
            return Err(self.error(whole, "anchored and smoothed modifiers cannot be used together"));
        }
        vector.extension = Some(extension);
        Ok(())
    }
}

/// What `offset` and `@` change.
struct Modifiers<'a> {
    offset_ms: &'a mut i64,
    offset_expr: &'a mut Option<DurationExpr>,
    at: &'a mut Option<At>,
    span: &'a mut Span,
}

fn modifiers(expr: &mut Expr) -> Option<Modifiers<'_>> {
    match expr {
        Expr::Vector(VectorSelector { offset_ms, offset_expr, at, span, .. }) => {
            Some(Modifiers { offset_ms, offset_expr, at, span })
        }
        Expr::Matrix(matrix) => {
            let VectorSelector { offset_ms, offset_expr, at, .. } = &mut matrix.vector;
            Some(Modifiers { offset_ms, offset_expr, at, span: &mut matrix.span })
        }
        Expr::Subquery(subquery) => {
            let Subquery { offset_ms, offset_expr, at, span, .. } = subquery.as_mut();
            Some(Modifiers { offset_ms, offset_expr, at, span })
        }
        _ => None,
    }
}

/// Whether a token may be the name of a metric: names, and the keywords that stand elsewhere in an expression.
pub(super) fn may_name_a_metric(kind: Kind) -> bool {
    match kind {
        Kind::Identifier | Kind::MetricIdentifier => true,
        Kind::Keyword(keyword) => !matches!(keyword, Keyword::BinaryModifier | Keyword::Atan2),
        _ => false,
    }
}
