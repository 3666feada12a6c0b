//! Tokens to expressions.
//!
//! Selectors, ranges, offsets, `@`, numbers and texts are read; operators, functions, aggregations, subqueries and
//! arithmetic in durations are recognised and refused as not supported yet.

use model::labels::METRIC_NAME;
use model::{MatchOp, Matcher};

use crate::ast::{At, Expr, MatrixSelector, VectorSelector};
use crate::duration::parse_duration;
use crate::error::{ParseError, Span};
use crate::lexer::{self, Keyword, Kind, Token};
use crate::text;

/// Longest query, in bytes. Prometheus has no limit but that of a request.
const MAX_QUERY_BYTES: usize = 1 << 20;

/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 200;

type Result<T> = std::result::Result<T, ParseError>;

/// Reads a query.
pub fn parse(query: &str) -> Result<Expr> {
    let mut parser = Parser::new(query)?;
    if parser.peek().kind == Kind::Eof {
        return Err(ParseError::new(query, Span::default(), "no expression found in input"));
    }
    let expr = parser.expr(0)?;
    match parser.peek().kind {
        Kind::Eof => Ok(expr),
        // One too many: the lexer counts parentheses, and its error comes behind the token.
        Kind::RightParen if parser.peek_second() == Kind::Error => {
            parser.advance();
            Err(parser.unexpected("", ""))
        }
        _ => Err(parser.unexpected("", "")),
    }
}

/// Reads a series selector alone, as in `match[]`: matchers, the one on the metric's name among them. It may select
/// everything; where it must not, that is the caller's to check.
pub fn parse_selector(selector: &str) -> Result<Vec<Matcher>> {
    let mut parser = Parser::new(selector)?;
    let token = parser.peek();
    if token.kind != Kind::LeftBrace && !may_name_a_metric(token.kind) {
        return Err(parser.unexpected("", ""));
    }
    let vector = parser.vector_selector()?;
    match parser.peek().kind {
        Kind::Eof => Ok(vector.matchers),
        _ => Err(parser.unexpected("", "")),
    }
}

#[derive(Debug)]
struct Parser<'a> {
    query: &'a str,
    tokens: Vec<Token>,
    lex_error: String,
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(query: &'a str) -> Result<Self> {
        if query.len() > MAX_QUERY_BYTES {
            let message = format!("the query is longer than {MAX_QUERY_BYTES} bytes");
            return Err(ParseError::new(query, Span::default(), message));
        }
        let (tokens, lex_error) = lexer::lex(query);
        Ok(Self { query, tokens, lex_error, at: 0 })
    }

    fn peek(&self) -> Token {
        // The last token is the end or an error, and nothing steps over it.
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek_second(&self) -> Kind {
        self.tokens.get(self.at + 1).map_or(Kind::Eof, |token| token.kind)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn text(&self, token: Token) -> &'a str {
        &self.query[token.span.start..token.span.end]
    }

    fn error(&self, span: Span, message: impl Into<String>) -> ParseError {
        ParseError::new(self.query, span, message)
    }

    /// The next token is not what may stand here; or the lexer could not read it, and says why.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.peek();
        if token.kind == Kind::Error {
            return self.error(token.span, self.lex_error.clone());
        }
        let mut message = format!("unexpected {}", self.describe(token));
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.error(token.span, message)
    }

    fn describe(&self, token: Token) -> String {
        let text = self.text(token);
        let short = |text: &str| match text.char_indices().nth(10) {
            Some((end, _)) => format!("{:?}...", &text[..end]),
            None => format!("{text:?}"),
        };
        match token.kind {
            Kind::Eof => "end of input".to_owned(),
            Kind::Identifier => format!("identifier {text:?}"),
            Kind::MetricIdentifier => format!("metric identifier {text:?}"),
            Kind::Number => format!("number {}", short(text)),
            Kind::Duration => format!("duration {}", short(text)),
            Kind::String => format!("string {}", short(text)),
            Kind::Keyword(Keyword::Aggregator) => format!("<aggr:{text}>"),
            Kind::Keyword(Keyword::Operator) | Kind::Operator | Kind::At | Kind::NotEqual => {
                format!("<op:{text}>")
            }
            Kind::MatchRegex | Kind::NotRegex => format!("<op:{text}>"),
            Kind::Keyword(_) => format!("<{text}>"),
            _ => format!("{text:?}"),
        }
    }

    /// What is not there yet; but what cannot be read at all is told first.
    fn unsupported(&self, span: Span, what: &str) -> ParseError {
        if let Some(last) = self.tokens.last().filter(|token| token.kind == Kind::Error) {
            return self.error(last.span, self.lex_error.clone());
        }
        let mut error = self.error(span, format!("{what} not supported yet: selectors only"));
        error.unsupported = true;
        error
    }

    fn expr(&mut self, depth: usize) -> Result<Expr> {
        let begin = self.peek().span.start;
        let mut expr = self.primary(depth)?;
        loop {
            let token = self.peek();
            match token.kind {
                Kind::LeftBracket => expr = self.range(expr, begin)?,
                Kind::Keyword(Keyword::Offset) => self.offset(&mut expr, begin)?,
                Kind::At => self.at_modifier(&mut expr, begin)?,
                Kind::Keyword(Keyword::Anchored | Keyword::Smoothed) => {
                    let word = self.text(token).to_ascii_lowercase();
                    let span = self.span_from(begin);
                    return Err(self.error(span, format!("{word} modifier is experimental and not enabled")));
                }
                Kind::Operator | Kind::NotEqual | Kind::Keyword(Keyword::Operator) => {
                    return Err(self.unsupported(token.span, "binary operators are"));
                }
                _ => return Ok(expr),
            }
        }
    }

    fn span_from(&self, begin: usize) -> Span {
        let end = self.at.checked_sub(1).map_or(begin, |before| self.tokens[before].span.end);
        Span { start: begin, end }
    }

    fn primary(&mut self, depth: usize) -> Result<Expr> {
        let token = self.peek();
        let begin = token.span.start;
        match token.kind {
            Kind::Number | Kind::Duration => Ok(Expr::Number(self.number_or_duration()?)),
            Kind::String => {
                self.advance();
                Ok(Expr::String(text::unquote(self.text(token))))
            }
            Kind::Operator if matches!(self.text(token), "+" | "-") => self.signed(),
            Kind::LeftParen => {
                if depth == MAX_DEPTH {
                    return Err(self.error(token.span, "parentheses are nested too deeply"));
                }
                self.advance();
                let inner = self.expr(depth + 1)?;
                if self.peek().kind != Kind::RightParen {
                    return Err(self.unexpected("", ""));
                }
                self.advance();
                Ok(Expr::Paren(Box::new(inner)))
            }
            Kind::Keyword(Keyword::Aggregator)
                if matches!(
                    self.peek_second(),
                    Kind::LeftParen | Kind::Keyword(Keyword::By | Keyword::Without)
                ) =>
            {
                Err(self.unsupported(token.span, "aggregations are"))
            }
            Kind::Identifier | Kind::Keyword(Keyword::StartOrEnd | Keyword::Preprocessor)
                if self.peek_second() == Kind::LeftParen =>
            {
                Err(self.unsupported(token.span, "functions are"))
            }
            Kind::LeftBrace => self.checked_selector(begin),
            kind if may_name_a_metric(kind) => self.checked_selector(begin),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// A number with signs before it.
    fn signed(&mut self) -> Result<Expr> {
        let first = self.peek();
        let mut negative = false;
        while self.peek().kind == Kind::Operator && matches!(self.text(self.peek()), "+" | "-") {
            let sign = self.advance();
            negative ^= self.text(sign) == "-";
        }
        match self.peek().kind {
            // A power binds more strongly than the sign, and everything else is refused after the number.
            Kind::Number | Kind::Duration => {
                let number = self.number_or_duration()?;
                Ok(Expr::Number(if negative { -number } else { number }))
            }
            Kind::Eof | Kind::Error | Kind::Operator | Kind::Equal | Kind::Comma | Kind::RightParen => {
                Err(self.unexpected("", ""))
            }
            _ => Err(self.unsupported(first.span, "unary operators are")),
        }
    }

    /// A number; a duration is one in seconds.
    fn number_or_duration(&mut self) -> Result<f64> {
        let token = self.advance();
        let text = self.text(token);
        if token.kind == Kind::Duration {
            let duration = parse_duration(text).map_err(|reason| self.error(token.span, reason))?;
            return Ok(duration.as_secs_f64());
        }
        text::number(text).ok_or_else(|| {
            self.error(
                token.span,
                format!("error parsing number: strconv.ParseFloat: parsing {text:?}: invalid syntax"),
            )
        })
    }

    fn checked_selector(&mut self, begin: usize) -> Result<Expr> {
        let vector = self.vector_selector()?;
        let names: Vec<&str> = vector
            .matchers
            .iter()
            .filter(|matcher| matcher.name() == METRIC_NAME)
            .map(Matcher::value)
            .collect();
        let span = self.span_from(begin);
        if let (Some(name), [first, _, ..]) = (&vector.name, names.as_slice()) {
            let message = format!("metric name must not be set twice: {name:?} or {first:?}");
            return Err(self.error(span, message));
        }
        if vector.matchers.iter().all(Matcher::matches_empty) {
            let message = "vector selector must contain at least one non-empty matcher";
            return Err(self.error(span, message));
        }
        Ok(Expr::Vector(vector))
    }

    fn vector_selector(&mut self) -> Result<VectorSelector> {
        let begin = self.peek().span.start;
        let name =
            may_name_a_metric(self.peek().kind).then(|| self.advance()).map(|it| self.text(it).to_owned());
        let mut matchers =
            if self.peek().kind == Kind::LeftBrace { self.label_matchers()? } else { Vec::new() };
        let span = self.span_from(begin);
        if let Some(name) = &name {
            matchers.push(self.matcher(METRIC_NAME, MatchOp::Equal, name.clone(), span)?);
        }
        Ok(VectorSelector { matchers, offset_ms: 0, at: None, span, name })
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

    fn matcher(&self, name: &str, op: MatchOp, value: String, span: Span) -> Result<Matcher> {
        Matcher::new(name, op, value).map_err(|error| self.error(span, error.to_string()))
    }

    fn range(&mut self, expr: Expr, begin: usize) -> Result<Expr> {
        let bracket = self.advance();
        let first = self.peek();
        let (negative, seconds) = self.signed_duration("subquery or range selector")?;
        let literal = self.span_from(first.span.start);
        if !matches!(self.peek().kind, Kind::Operator | Kind::Comma) && (negative || seconds <= 0.0) {
            return Err(self.error(literal, "duration must be greater than 0"));
        }
        match self.peek().kind {
            Kind::RightBracket => _ = self.advance(),
            Kind::Colon => return Err(self.unsupported(bracket.span, "subqueries are")),
            Kind::Operator | Kind::Comma => {
                return Err(self.unsupported(self.peek().span, "arithmetic in durations is"));
            }
            _ => return Err(self.unexpected("subquery or range", "\":\" or \"]\"")),
        }
        let brackets = self.span_from(bracket.span.start);
        let vector = match expr {
            Expr::Vector(vector) if vector.offset_ms != 0 => {
                return Err(self.error(brackets, "no offset modifiers allowed before range"));
            }
            Expr::Vector(vector) if vector.at.is_some() => {
                return Err(self.error(brackets, "no @ modifiers allowed before range"));
            }
            Expr::Vector(vector) => vector,
            _ => return Err(self.error(brackets, "ranges only allowed for vector selectors")),
        };
        let range_ms = self.millis(seconds, literal)?;
        Ok(Expr::Matrix(MatrixSelector { vector, range_ms, span: self.span_from(begin) }))
    }

    /// A number of seconds or a duration, with a sign perhaps.
    fn signed_duration(&mut self, context: &str) -> Result<(bool, f64)> {
        let mut negative = false;
        while self.peek().kind == Kind::Operator && matches!(self.text(self.peek()), "+" | "-") {
            let sign = self.advance();
            negative ^= self.text(sign) == "-";
        }
        match self.peek().kind {
            Kind::Number | Kind::Duration => Ok((negative, self.number_or_duration()?)),
            Kind::LeftParen => Err(self.unsupported(self.peek().span, "arithmetic in durations is")),
            Kind::Keyword(Keyword::Preprocessor) if self.peek_second() == Kind::LeftParen => {
                Err(self.unsupported(self.peek().span, "step() and range() in durations are"))
            }
            Kind::Keyword(Keyword::Preprocessor) => {
                self.advance();
                Err(self.unexpected(context, "number, duration, step(), or range()"))
            }
            _ => Err(self.unexpected(context, "number, duration, step(), or range()")),
        }
    }

    fn millis(&self, seconds: f64, span: Span) -> Result<i64> {
        let nanos = (seconds * 1e9).round();
        // 2^63 nanoseconds are the longest duration.
        if nanos.is_nan() || nanos.abs() >= i64::MAX as f64 {
            return Err(self.error(span, "duration out of range"));
        }
        Ok(nanos as i64 / 1_000_000)
    }

    fn offset(&mut self, expr: &mut Expr, begin: usize) -> Result<()> {
        let whole = self.span_from(begin);
        self.advance();
        let first = self.peek();
        let (negative, seconds) = self.signed_duration("offset")?;
        let millis = self.millis(seconds, self.span_from(first.span.start))?;
        let vector = selector_of(expr).ok_or_else(|| {
            let message = "offset modifier must be preceded by an instant vector selector or range vector selector \
                           or a subquery";
            self.error(whole, message)
        })?;
        if vector.offset_ms != 0 {
            return Err(self.error(whole, "offset may not be set multiple times"));
        }
        vector.offset_ms = if negative { -millis } else { millis };
        Ok(())
    }

    fn at_modifier(&mut self, expr: &mut Expr, begin: usize) -> Result<()> {
        let whole = self.span_from(begin);
        self.advance();
        let token = self.peek();
        let at = if token.kind == Kind::Keyword(Keyword::StartOrEnd) {
            self.advance();
            for paren in [Kind::LeftParen, Kind::RightParen] {
                if self.peek().kind != paren {
                    return Err(self.unexpected("@", "timestamp"));
                }
                self.advance();
            }
            if self.text(token).eq_ignore_ascii_case("start") { At::Start } else { At::End }
        } else {
            let sign = match token.kind {
                Kind::Operator if self.text(token) == "-" => -1.0,
                Kind::Operator if self.text(token) == "+" => 1.0,
                _ => 0.0,
            };
            if sign != 0.0 {
                self.advance();
            }
            if !matches!(self.peek().kind, Kind::Number | Kind::Duration) {
                return Err(self.unexpected("@", "timestamp"));
            }
            let number = self.number_or_duration()?;
            let seconds = if sign < 0.0 { -number } else { number };
            if seconds.is_nan() || seconds.abs() >= i64::MAX as f64 {
                let shown = if seconds.is_finite() { format!("{seconds:.6}") } else { infinite(seconds) };
                let message = format!("timestamp out of bounds for @ modifier: {shown}");
                return Err(self.error(whole, message));
            }
            At::Time((seconds * 1000.0).round() as i64)
        };
        let vector = selector_of(expr).ok_or_else(|| {
            let message =
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            self.error(whole, message)
        })?;
        if vector.at.is_some() {
            return Err(self.error(whole, "@ <timestamp> may not be set multiple times"));
        }
        vector.at = Some(at);
        Ok(())
    }
}

fn selector_of(expr: &mut Expr) -> Option<&mut VectorSelector> {
    match expr {
        Expr::Vector(vector) => Some(vector),
        Expr::Matrix(matrix) => Some(&mut matrix.vector),
        _ => None,
    }
}

/// Whether a token may be the name of a metric: names, and the keywords that stand elsewhere in an expression.
fn may_name_a_metric(kind: Kind) -> bool {
    match kind {
        Kind::Identifier | Kind::MetricIdentifier => true,
        Kind::Keyword(keyword) => keyword != Keyword::BinaryModifier,
        _ => false,
    }
}

fn infinite(number: f64) -> String {
    model::number::Fixed(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(query: &str) -> VectorSelector {
        match parse(query) {
            Ok(Expr::Vector(vector)) => vector,
            other => panic!("{query}: {other:?}"),
        }
    }

    fn matchers(query: &str) -> String {
        vector(query).matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    fn message(query: &str) -> String {
        parse(query).unwrap_err().to_string()
    }

    #[test]
    fn selectors() {
        assert_eq!(matchers("up"), r#"__name__="up""#);
        assert_eq!(
            matchers("ns:up:sum{a='1', b!=\"2\",c=~`x.*`,d!~\"\",}"),
            "a=\"1\" b!=\"2\" c=~\"x.*\" d!~\"\" __name__=\"ns:up:sum\""
        );
        assert_eq!(matchers(r#"{"my.metric", "a b"="c"}"#), r#"__name__="my.metric" a b="c""#);
        assert_eq!(matchers("sum{by=\"x\"}"), r#"by="x" __name__="sum""#);
        assert_eq!(matchers("# comment\nup # more\n{a=\"1\"}"), r#"a="1" __name__="up""#);
        assert_eq!(parse_selector("{}").unwrap(), []);
        assert!(
            parse_selector("up[5m]").is_err() && parse_selector("1").is_err() && parse_selector("").is_err()
        );
    }

    #[test]
    fn modifiers() {
        let selector = vector("up offset 5m @ 10.5");
        assert_eq!((selector.offset_ms, selector.at), (300_000, Some(At::Time(10_500))));
        assert_eq!(vector("up @ end() offset -1h").offset_ms, -3_600_000);
        let Ok(Expr::Matrix(matrix)) = parse("up{a=\"b\"}[1h30m] offset 10s") else { panic!("no matrix") };
        assert_eq!((matrix.range_ms, matrix.vector.offset_ms), (5_400_000, 10_000));
        assert_eq!(matrix.span, Span { start: 0, end: 16 });
        assert_eq!(
            message("up offset 1m offset 2m"),
            "1:1: parse error: offset may not be set multiple times"
        );
        assert_eq!(message("up @ 1 @ 2"), "1:1: parse error: @ <timestamp> may not be set multiple times");
    }

    #[test]
    fn literals() {
        let number = |query| match parse(query) {
            Ok(Expr::Number(number)) => number,
            other => panic!("{query}: {other:?}"),
        };
        assert_eq!(
            (number("1"), number("-0x10"), number("+-+5.5e-3"), number("1h")),
            (1.0, -16.0, -0.0055, 3600.0)
        );
        assert!(number("NaN").is_nan() && number("-Inf") == f64::NEG_INFINITY);
        assert_eq!(parse("'a\\tb'"), Ok(Expr::String("a\tb".to_owned())));
        assert_eq!(parse("((1))").unwrap().inner(), &Expr::Number(1.0));
    }

    #[test]
    fn what_is_not_there_yet_is_named() {
        for (query, expected) in [
            ("1 + up", "1:3: parse error: binary operators are not supported yet: selectors only"),
            ("rate(up[5m])", "1:1: parse error: functions are not supported yet: selectors only"),
            ("sum by (a) (up)", "1:1: parse error: aggregations are not supported yet: selectors only"),
            ("up[5m:1m]", "1:3: parse error: subqueries are not supported yet: selectors only"),
            ("-up", "1:1: parse error: unary operators are not supported yet: selectors only"),
        ] {
            assert_eq!(message(query), expected);
            assert!(parse(query).unwrap_err().unsupported);
        }
        assert_eq!(message("rate(up{)"), "1:9: parse error: unexpected character inside braces: ')'");
    }

    #[test]
    fn deep_and_long_queries_are_refused() {
        assert!(message(&"(".repeat(100_000)).contains("nested too deeply"));
        assert!(message(&"a".repeat(MAX_QUERY_BYTES + 1)).contains("longer than"));
    }
}
