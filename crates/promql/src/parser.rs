//! Tokens to expressions: the grammar of Prometheus 3.14, with its errors and their places.
//!
//! - here: how a query begins and ends, and what is said of a token that may not stand where it does;
//! - `expr`: operators by their precedence, calls, aggregations, literals;
//! - `selector`: series and their modifiers;
//! - `duration`: arithmetic in ranges and offsets;
//! - `series`: series with their points, as tests have them.
//!
//! What has the wrong type is told by `check`, once all is read.

mod duration;
mod expr;
mod selector;
mod series;

use model::Matcher;

use crate::ast::Expr;
use crate::check::check;
use crate::error::{Limit, ParseError, Span};
use crate::lexer::{self, Keyword, Kind, Token};
pub use series::parse_metric;
pub(crate) use series::parse_series;

/// Longest query, in bytes. Prometheus has no limit but that of a request.
const MAX_QUERY_BYTES: usize = 1 << 20;

/// Deepest nesting of expressions. Prometheus has no limit; a stack has one.
const MAX_DEPTH: usize = 100;

/// Most operators and subqueries of a query: each makes the tree deeper, even without parentheses.
const MAX_OPERATORS: usize = 2000;

/// Most bytes that the regular expressions of a query take together, as [`Matcher::regex_bytes`] counts them.
const MAX_REGEX_BYTES: usize = 64 << 20;

type Result<T> = std::result::Result<T, ParseError>;

/// Reads a query. All that Prometheus calls experimental is allowed.
pub fn parse(query: &str) -> Result<Expr> {
    let mut parser = Parser::new(query)?;
    if parser.peek().kind == Kind::Eof {
        return Err(ParseError::new(query, Span::default(), "no expression found in input"));
    }
    let expr = parser.expr(0, 0)?;
    match parser.peek().kind {
        Kind::Eof => {}
        _ => return Err(parser.unexpected("", "")),
    }
    check(query, &expr)?;
    Ok(expr)
}

/// Reads a series selector alone, as in `match[]`: matchers, the one on the metric's name among them. It may select
/// everything; where it must not, that is the caller's to check.
pub fn parse_selector(selector: &str) -> Result<Vec<Matcher>> {
    let mut parser = Parser::new(selector)?;
    let token = parser.peek();
    if token.kind != Kind::LeftBrace && !selector::may_name_a_metric(token.kind) {
        return Err(parser.unexpected("", ""));
    }
    let vector = parser.vector_selector()?;
    match parser.peek().kind {
        Kind::Eof => return Ok(vector.matchers),
        // Of one that closes nothing the lexer has said more.
        Kind::RightParen if parser.peek_second() == Kind::Error => _ = parser.advance(),
        _ => {}
    }
    Err(parser.unexpected("", ""))
}

#[derive(Debug)]
struct Parser<'a> {
    query: &'a str,
    tokens: Vec<Token>,
    lex_error: String,
    at: usize,
    operators: usize,
    regex_bytes: usize,
    /// Aggregations whose arguments are being read.
    aggregates: usize,
}

impl<'a> Parser<'a> {
    fn new(query: &'a str) -> Result<Self> {
        if query.len() > MAX_QUERY_BYTES {
            let message = format!("the query is longer than {MAX_QUERY_BYTES} bytes");
            return Err(ParseError::new(query, Span::default(), message).of(Limit::Bytes));
        }
        let (tokens, lex_error) = lexer::lex(query);
        Ok(Self { query, tokens, lex_error, at: 0, operators: 0, regex_bytes: 0, aggregates: 0 })
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
        let context = if context.is_empty() && self.aggregates > 0 { "aggregation" } else { context };
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
            Kind::Keyword(Keyword::Operator | Keyword::Atan2)
            | Kind::Operator
            | Kind::At
            | Kind::NotEqual => {
                format!("<op:{text}>")
            }
            Kind::MatchRegex | Kind::NotRegex => format!("<op:{text}>"),
            Kind::Keyword(Keyword::StartOrEnd | Keyword::Preprocessor) => format!("{text:?}"),
            Kind::Keyword(_) => format!("<{text}>"),
            Kind::Descriptor | Kind::ResetHint => {
                format!("\"<Item {}>\" {}", series::item_number(text), short(text))
            }
            _ => format!("{text:?}"),
        }
    }

    /// From a byte to the end of the last token that was read.
    fn span_from(&self, begin: usize) -> Span {
        let end = self.at.checked_sub(1).map_or(begin, |before| self.tokens[before].span.end);
        Span { start: begin, end }
    }

    /// Counts an operator or a subquery.
    fn count_operator(&mut self) -> Result<()> {
        self.operators += 1;
        if self.operators <= MAX_OPERATORS {
            return Ok(());
        }
        let message = format!("the query has more than {MAX_OPERATORS} operators");
        Err(self.error(self.peek().span, message).of(Limit::Operators))
    }

    /// Whether the next token is an operator written so.
    fn is_operator(&self, text: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Operator && self.text(token) == text
    }

    /// Steps over a token of that kind, or says what stands there instead.
    fn expect(&mut self, kind: Kind, context: &str, expected: &str) -> Result<Token> {
        if self.peek().kind == kind { Ok(self.advance()) } else { Err(self.unexpected(context, expected)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::{At, VectorSelector};

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
        assert_eq!(matrix.span, Span { start: 0, end: 27 });
        assert_eq!(
            message("up offset 1m offset 2m"),
            "1:1: parse error: offset may not be set multiple times"
        );
        assert_eq!(message("up @ 1 @ 2"), "1:1: parse error: @ <timestamp> may not be set multiple times");
    }

    #[test]
    fn literals() {
        let number = |query| match parse(query) {
            Ok(Expr::Number(number)) => number.value,
            other => panic!("{query}: {other:?}"),
        };
        assert_eq!(
            (number("1"), number("-0x10"), number("+-+5.5e-3"), number("1h")),
            (1.0, -16.0, -0.0055, 3600.0)
        );
        assert!(number("NaN").is_nan() && number("-Inf") == f64::NEG_INFINITY);
        assert!(matches!(parse("'a\\tb'"), Ok(Expr::String(text)) if text.value == "a\tb"));
        assert_eq!(parse("((1))").unwrap().inner().to_string(), "1");
    }

    #[test]
    fn operators_bind_as_in_prometheus() {
        for (query, grouped) in [
            ("1 + 2 * 3", "1 + (2 * 3)"),
            ("a or b and c", "a or (b and c)"),
            ("a unless b and c", "(a unless b) and c"),
            ("-a ^ b", "-(a ^ b)"),
            ("-a * b", "(-a) * b"),
            ("a ^ b ^ c", "a ^ (b ^ c)"),
            ("a - b - c", "(a - b) - c"),
            ("a == bool b + c", "a == bool (b + c)"),
            ("a atan2 b % c", "(a atan2 b) % c"),
            ("a </ b + 1", "a </ (b + 1)"),
            ("-a[5m:]", "-(a[5m:])"),
            ("a offset -2^2", "(a offset -2)^2"),
        ] {
            let without = |query: &str| format!("{:?}", grouping(&parse_unchecked(query)));
            assert_eq!(without(query), without(grouped), "{query}");
        }
    }

    fn parse_unchecked(query: &str) -> Expr {
        Parser::new(query).unwrap().expr(0, 0).unwrap()
    }

    /// The shape of an expression, parentheses left out.
    fn grouping(expr: &Expr) -> String {
        match expr.inner() {
            Expr::Binary(binary) => {
                format!("[{} {} {}]", grouping(&binary.left), binary.op.as_str(), grouping(&binary.right))
            }
            Expr::Unary(unary) => format!("[neg {}]", grouping(&unary.expr)),
            Expr::Subquery(subquery) => format!("[sub {}]", grouping(&subquery.expr)),
            other => other.to_string(),
        }
    }

    #[test]
    fn what_may_not_stand_where_it_does() {
        for (query, expected) in [
            // Within an aggregation whatever has no name of its own is in that.
            ("sum(a b)", "1:7: parse error: unexpected identifier \"b\" in aggregation"),
            (
                "sum by (x) ((a - on (y) group_right (z)))",
                "1:40: parse error: unexpected \")\" in aggregation",
            ),
            ("a)", "1:3: parse error: unexpected right parenthesis ')'"),
            ("sum(a, b))", "1:11: parse error: unexpected right parenthesis ')'"),
            ("a[:1m]", "1:4: parse error: unexpected colon before duration in duration expression"),
            ("abs(a,,b)", "1:6: parse error: trailing commas not allowed in function call args"),
            (
                "sum by (without) (a)",
                "1:9: parse error: unexpected <without> in grouping opts, expected label",
            ),
            (
                "a * on(b) group_left @ c",
                "1:22: parse error: unexpected <op:@> in grouping opts, expected \"(\"",
            ),
            ("atan2", "1:1: parse error: unexpected <op:atan2>"),
            ("a fill", "1:3: parse error: unexpected identifier \"fill\""),
            (
                "1e309",
                "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"1e309\": value out of range",
            ),
        ] {
            assert_eq!(message(query), expected, "{query}");
        }
        assert_eq!(vector("a offset - -2m").offset_ms, 120_000);
        assert_eq!(vector("fill").name.as_deref(), Some("fill"));
    }

    #[test]
    fn deep_and_long_queries_are_refused() {
        assert!(message(&"(".repeat(100_000)).contains("nested too deeply"));
        assert!(message(&"-".repeat(100_000)).contains("nested too deeply"));
        assert!(message(&format!("a[{}", "(".repeat(100_000))).contains("nested too deeply"));
        assert!(message(&format!("a{}", "[1m:]".repeat(100_000))).contains("operators"));
        assert!(message(&format!("a{}", "+a".repeat(100_000))).contains("operators"));
        assert!(message(&"a".repeat(MAX_QUERY_BYTES + 1)).contains("longer than"));
    }
}
