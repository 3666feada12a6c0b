//! Metric queries, with the checks that Loki makes once their syntax is read.

use super::log::parse_float;
use super::{Parser, Result};
use crate::ast::{
    Binary, Cardinality, Expr, Grouping, LogExpr, LogRange, Metric, RangeAggregation, Unwrap,
    VectorAggregation,
};
use crate::error::ParseError;
use crate::lexer::Kind;
use crate::regex;

/// What stands between an operator and its right side.
#[derive(Default)]
struct Modifier {
    return_bool: bool,
    matching: Option<(bool, Vec<String>)>,
    cardinality: Option<(Cardinality, Vec<String>)>,
}

impl Parser {
    /// A query whose operators bind tighter than this.
    pub(super) fn expr(&mut self, binding: u8) -> Result<Expr> {
        self.nested(|parser| parser.expr_above(binding))
    }

    fn expr_above(&mut self, binding: u8) -> Result<Expr> {
        let mut left = self.operand()?;
        let mut chain = 0;
        while let Some((op, own_binding, right_associative)) = binary_op(self.peek()) {
            if own_binding <= binding {
                break;
            }
            Self::chained(&mut chain)?;
            self.next();
            let modifier = self.modifier()?;
            let right = self.expr(if right_associative { own_binding - 1 } else { own_binding })?;
            left = Expr::Metric(binary(op, modifier, left, right));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expr> {
        match self.peek().clone() {
            Kind::OpenBrace => self.log().map(Expr::Log),
            Kind::OpenParenthesis => {
                self.next();
                let inner = self.expr(0)?;
                self.expect(&Kind::CloseParenthesis).map_err(|_| self.unexpected(&[]))?;
                Ok(inner)
            }
            Kind::Number(_) | Kind::Add | Kind::Subtract => {
                Ok(Expr::Metric(self.literal()?.map_or_else(Metric::Invalid, Metric::Literal)))
            }
            Kind::RangeFunction(function) => {
                self.next();
                self.range_aggregation(function).map(Expr::Metric)
            }
            Kind::VectorFunction(function) => {
                self.next();
                self.vector_aggregation(function).map(Expr::Metric)
            }
            Kind::Word("vector") => {
                self.next();
                self.expect(&Kind::OpenParenthesis)?;
                let number = self.number()?;
                self.expect(&Kind::CloseParenthesis)?;
                Ok(Expr::Metric(parse_float(&number).map_or_else(
                    |error| {
                        let message = format!("unable to parse vectorExpr as a float: {error}");
                        Metric::Invalid(ParseError::nowhere(message))
                    },
                    Metric::Vector,
                )))
            }
            Kind::Word("label_replace") => {
                self.next();
                self.label_replace().map(Expr::Metric)
            }
            _ => Err(self.unexpected(&[])),
        }
    }

    fn metric(&mut self) -> Result<Metric> {
        match self.expr(0)? {
            Expr::Metric(metric) => Ok(metric),
            // Only an operator could have made a metric of it.
            Expr::Log(_) => Err(self.unexpected(&[])),
        }
    }

    fn range_aggregation(&mut self, function: &'static str) -> Result<Metric> {
        self.expect(&Kind::OpenParenthesis)?;
        let parameter = if matches!(self.peek(), Kind::Number(_)) {
            let number = self.number()?;
            self.expect(&Kind::Comma)?;
            Some(number)
        } else {
            None
        };
        if !matches!(self.peek(), Kind::OpenBrace | Kind::OpenParenthesis) {
            let expected: &[&str] = if parameter.is_some() { &["{", "("] } else { &["NUMBER", "{", "("] };
            return Err(self.unexpected(expected));
        }
        let range = self.log_range()?;
        self.expect(&Kind::CloseParenthesis).map_err(|_| self.unexpected(&[]))?;
        let grouping = self.grouping()?;
        Ok(range_aggregation(function, parameter.as_deref(), range, grouping)
            .unwrap_or_else(|message| Metric::Invalid(ParseError::nowhere(message))))
    }

    /// Entries with the stretch of time: the stretch stands behind the selector, behind the pipeline or behind
    /// parentheses around either.
    fn log_range(&mut self) -> Result<LogRange> {
        self.nested(|parser| {
            let mut open = OpenRange::default();
            parser.open_range(&mut open)?;
            match (open.log, open.interval_ns) {
                (Some(log), Some(interval_ns)) => {
                    Ok(LogRange { log, interval_ns, offset_ns: open.offset_ns, unwrap: open.unwrap })
                }
                _ => Err(parser.unexpected(&[])),
            }
        })
    }

    fn open_range(&mut self, open: &mut OpenRange) -> Result<()> {
        if self.accept(&Kind::OpenParenthesis) {
            self.nested(|parser| parser.open_range(open))?;
            self.expect(&Kind::CloseParenthesis).map_err(|_| self.unexpected(&[]))?;
            if open.interval_ns.is_none() {
                self.interval(open)?;
                // Only without a pipeline inside may the number follow the stretch.
                let bare =
                    open.unwrap.is_none() && open.log.as_ref().is_some_and(|log| log.stages.is_empty());
                if bare && *self.peek() == Kind::Pipe {
                    open.unwrap = Some(self.unwrap()?);
                }
            }
            return Ok(());
        }
        let mut log = LogExpr { matchers: self.selector()?, stages: Vec::new() };
        if matches!(self.peek(), Kind::Range(_)) {
            self.interval(open)?;
            self.pipeline(&mut log, open)?;
        } else {
            self.pipeline(&mut log, open)?;
            if matches!(self.peek(), Kind::Range(_)) {
                self.interval(open)?;
            }
        }
        open.log = Some(log);
        Ok(())
    }

    fn pipeline(&mut self, log: &mut LogExpr, open: &mut OpenRange) -> Result<()> {
        while self.at_stage() {
            log.stages.push(self.stage()?);
        }
        if *self.peek() == Kind::Pipe {
            open.unwrap = Some(self.unwrap()?);
        }
        Ok(())
    }

    fn interval(&mut self, open: &mut OpenRange) -> Result<()> {
        let Kind::Range(interval_ns) = *self.peek() else { return Err(self.unexpected(&["RANGE"])) };
        self.next();
        open.interval_ns = Some(interval_ns);
        if self.accept(&Kind::Word("offset")) {
            let Kind::Duration(offset_ns) = *self.peek() else { return Err(self.unexpected(&["DURATION"])) };
            self.next();
            open.offset_ns = offset_ns;
        }
        Ok(())
    }

    fn unwrap(&mut self) -> Result<Unwrap> {
        self.expect(&Kind::Pipe)?;
        self.expect(&Kind::Word("unwrap")).map_err(|_| self.unexpected(&[]))?;
        let (label, conversion) = if let Kind::Conversion(conversion) = *self.peek() {
            self.next();
            self.expect(&Kind::OpenParenthesis)?;
            let label = self.identifier(&["IDENTIFIER"])?;
            self.expect(&Kind::CloseParenthesis)?;
            (label, Some(conversion))
        } else {
            let expected = ["IDENTIFIER", "BYTES_CONV", "DURATION_CONV", "DURATION_SECONDS_CONV"];
            (self.identifier(&expected)?, None)
        };
        let mut filters = Vec::new();
        while self.accept(&Kind::Pipe) {
            filters.push(self.label_filter()?);
        }
        Ok(Unwrap { label, conversion, filters })
    }

    fn vector_aggregation(&mut self, function: &'static str) -> Result<Metric> {
        let mut grouping = self.grouping()?;
        self.expect(&Kind::OpenParenthesis)?;
        let parameter = match (self.peek().clone(), self.peek_second()) {
            (Kind::Number(number), Kind::Comma) => {
                self.next();
                self.next();
                Some(number)
            }
            _ => None,
        };
        let inner = self.metric()?;
        self.expect(&Kind::CloseParenthesis).map_err(|_| self.unexpected(&[]))?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        Ok(vector_aggregation(function, parameter.as_deref(), grouping, inner)
            .unwrap_or_else(|message| Metric::Invalid(ParseError::nowhere(message))))
    }

    fn grouping(&mut self) -> Result<Option<Grouping>> {
        let without = match self.peek() {
            Kind::Word("by") => false,
            Kind::Word("without") => true,
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(Grouping { without, labels: self.names_in_parentheses()? }))
    }

    fn label_replace(&mut self) -> Result<Metric> {
        self.expect(&Kind::OpenParenthesis)?;
        let inner = Box::new(self.metric()?);
        let mut argument = || {
            self.expect(&Kind::Comma)?;
            self.text(&["STRING"])
        };
        let (target, replacement, source, regex) = (argument()?, argument()?, argument()?, argument()?);
        self.expect(&Kind::CloseParenthesis)?;
        if let Err(error) = regex::compile(&regex) {
            let message = format!("invalid regex in label_replace: {error}");
            return Ok(Metric::Invalid(ParseError::nowhere(message)));
        }
        Ok(Metric::LabelReplace { inner, target, replacement, source, regex })
    }

    fn modifier(&mut self) -> Result<Modifier> {
        let mut modifier = Modifier { return_bool: self.accept(&Kind::Word("bool")), ..Modifier::default() };
        let on = match self.peek() {
            Kind::Word("on") => true,
            Kind::Word("ignoring") => false,
            _ => return Ok(modifier),
        };
        self.next();
        modifier.matching = Some((on, self.names_in_parentheses()?));
        let cardinality = match self.peek() {
            Kind::Word("group_left") => Cardinality::ManyToOne,
            Kind::Word("group_right") => Cardinality::OneToMany,
            _ => return Ok(modifier),
        };
        self.next();
        let include =
            if *self.peek() == Kind::OpenParenthesis { self.names_in_parentheses()? } else { Vec::new() };
        modifier.cardinality = Some((cardinality, include));
        Ok(modifier)
    }
}

/// Entries whose stretch of time may not be known yet.
#[derive(Default)]
struct OpenRange {
    log: Option<LogExpr>,
    interval_ns: Option<i64>,
    offset_ns: i64,
    unwrap: Option<Unwrap>,
}

/// The operator, how tightly it binds, and whether it binds to the right.
fn binary_op(kind: &Kind) -> Option<(&'static str, u8, bool)> {
    Some(match kind {
        Kind::Word("or") => ("or", 1, false),
        Kind::Word("and") => ("and", 2, false),
        Kind::Word("unless") => ("unless", 2, false),
        Kind::CompareEqual => ("==", 3, false),
        Kind::NotEqual => ("!=", 3, false),
        Kind::Less => ("<", 3, false),
        Kind::LessEqual => ("<=", 3, false),
        Kind::Greater => (">", 3, false),
        Kind::GreaterEqual => (">=", 3, false),
        Kind::Add => ("+", 4, false),
        Kind::Subtract => ("-", 4, false),
        Kind::Multiply => ("*", 5, false),
        Kind::Divide => ("/", 5, false),
        Kind::Modulo => ("%", 5, false),
        Kind::Power => ("^", 6, true),
        _ => return None,
    })
}

fn binary(op: &'static str, modifier: Modifier, left: Expr, right: Expr) -> Metric {
    let invalid = |message: String| Metric::Invalid(ParseError::nowhere(message));
    let side = |expr: Expr, side: &str| match expr {
        Expr::Metric(metric) => Ok(metric),
        Expr::Log(log) => {
            // Loki names its own types here.
            let kind = if log.stages.is_empty() { "MatchersExpr" } else { "PipelineExpr" };
            Err(invalid(format!("unexpected type for {side} leg of binary operation ({op}): *syntax.{kind}")))
        }
    };
    let (left, right) = match (side(left, "left"), side(right, "right")) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    if matches!(op, "or" | "and" | "unless") {
        for (name, metric) in [("left", &left), ("right", &right)] {
            if let Metric::Literal(number) = metric {
                return invalid(format!(
                    "unexpected literal for {name} leg of logical/set binary operation ({op}): {number:.6}"
                ));
            }
        }
    }
    if let (Metric::Literal(left), Metric::Literal(right)) = (&left, &right) {
        return Metric::Literal(fold(op, *left, *right));
    }
    let Modifier { return_bool, matching, cardinality } = modifier;
    Metric::Binary(Box::new(Binary { op, return_bool, matching, cardinality, left, right }))
}

/// An operation on two numbers.
#[expect(clippy::float_cmp, reason = "the language compares numbers exactly")]
fn fold(op: &str, left: f64, right: f64) -> f64 {
    let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
    match op {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" if right == 0.0 => f64::NAN,
        "/" => left / right,
        "%" => left % right,
        "^" => left.powf(right),
        "==" => truth(left == right),
        "!=" => truth(left != right),
        "<" => truth(left < right),
        "<=" => truth(left <= right),
        ">" => truth(left > right),
        _ => truth(left >= right),
    }
}

fn range_aggregation(
    function: &'static str,
    parameter: Option<&str>,
    range: LogRange,
    grouping: Option<Grouping>,
) -> std::result::Result<Metric, String> {
    let parameter = match (function, parameter) {
        ("quantile_over_time", None) => return Err(format!("parameter required for operation {function}")),
        ("quantile_over_time", Some(text)) => Some(
            parse_float(text)
                .map_err(|error| format!("invalid parameter for operation {function}: {error}"))?,
        ),
        (_, Some(text)) => return Err(format!("parameter {text} not supported for operation {function}")),
        (_, None) => None,
    };
    let groupable = matches!(
        function,
        "avg_over_time"
            | "stddev_over_time"
            | "stdvar_over_time"
            | "quantile_over_time"
            | "max_over_time"
            | "min_over_time"
            | "first_over_time"
            | "last_over_time"
    );
    if grouping.is_some() && !groupable {
        return Err(format!("grouping not allowed for {function} aggregation"));
    }
    let counts_entries = matches!(
        function,
        "bytes_over_time" | "bytes_rate" | "count_over_time" | "rate" | "absent_over_time"
    );
    match &range.unwrap {
        Some(_) if matches!(function, "bytes_over_time" | "bytes_rate" | "count_over_time") => {
            Err(format!("invalid aggregation {function} with unwrap"))
        }
        None if !counts_entries => Err(format!("invalid aggregation {function} without unwrap")),
        _ => Ok(Metric::Range(Box::new(RangeAggregation { function, parameter, range, grouping }))),
    }
}

fn vector_aggregation(
    function: &'static str,
    parameter: Option<&str>,
    grouping: Option<Grouping>,
    inner: Metric,
) -> std::result::Result<Metric, String> {
    let parameter = match (function, parameter) {
        ("topk" | "bottomk" | "approx_topk", None) => {
            return Err(format!("parameter required for operation {function}"));
        }
        ("topk" | "bottomk" | "approx_topk", Some(text)) => {
            let number: i64 = text.parse().map_err(|_| format!("invalid parameter {function}({text},"))?;
            let number = usize::try_from(number).ok().filter(|number| *number > 0);
            Some(
                number
                    .ok_or_else(|| format!("invalid parameter (must be greater than 0) {function}({text}"))?,
            )
        }
        (_, Some(text)) => return Err(format!("unsupported parameter for operation {function}({text},")),
        (_, None) => None,
    };
    if function == "approx_topk" && grouping.is_some() {
        return Err(format!("grouping not allowed for {function} aggregation"));
    }
    Ok(Metric::Aggregation(Box::new(VectorAggregation { function, parameter, grouping, inner })))
}
