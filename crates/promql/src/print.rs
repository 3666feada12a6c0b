//! Expressions as Prometheus writes them: what is printed is read back as the same.

use std::fmt::{self, Display, Formatter, Write};
use std::time::Duration;

use model::MatchOp;
use model::labels::{METRIC_NAME, Quoted};
use model::number::{Fixed, General};

use crate::ast::{
    Aggregate, At, Binary, Cardinality, DurationExpr, Expr, Matching, NumberLiteral, StringLiteral, Subquery,
    VectorSelector,
};
use crate::deep::deeper;
use crate::duration::format_duration;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        deeper(|| level(self, f))
    }
}

fn level(expr: &Expr, f: &mut Formatter<'_>) -> fmt::Result {
    match expr {
        Expr::Number(number) => number.fmt(f),
        Expr::String(StringLiteral { bytes: Some(bytes), .. }) => f.write_str(bytes),
        Expr::String(text) => quoted(&text.value, f),
        Expr::Vector(vector) => {
            selector(vector, f)?;
            at(vector.at, f)?;
            extension(vector, f)?;
            offset(vector.offset_ms, vector.offset_expr.as_ref(), f)
        }
        Expr::Matrix(matrix) => {
            selector(&matrix.vector, f)?;
            f.write_char('[')?;
            duration(matrix.range_ms, matrix.range_expr.as_ref(), f)?;
            f.write_char(']')?;
            extension(&matrix.vector, f)?;
            at(matrix.vector.at, f)?;
            offset(matrix.vector.offset_ms, matrix.vector.offset_expr.as_ref(), f)
        }
        Expr::Subquery(subquery) => subquery.fmt(f),
        Expr::Unary(unary) => write!(f, "{}{}", if unary.is_negative { '-' } else { '+' }, unary.expr),
        Expr::Binary(binary) => binary.fmt(f),
        Expr::Aggregate(aggregate) => aggregate.fmt(f),
        Expr::Call(call) => {
            write!(f, "{}(", call.function.name)?;
            for (index, arg) in call.args.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { ", " })?;
                arg.fmt(f)?;
            }
            f.write_char(')')
        }
        Expr::Paren(paren) => write!(f, "({})", paren.expr),
    }
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.is_duration {
            return Fixed(self.value).fmt(f);
        }
        if self.value < 0.0 {
            f.write_char('-')?;
        }
        f.write_str(&format_duration(Duration::from_secs_f64(self.value.abs())))
    }
}

/// An aggregation up to its parenthesis.
pub(crate) struct Head<'a>(pub(crate) &'a Aggregate);

impl Display for Head<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Aggregate { op, grouping, is_without, .. } = self.0;
        f.write_str(op.as_str())?;
        if *is_without {
            f.write_str(" without ")?;
        } else if !grouping.is_empty() {
            f.write_str(" by ")?;
        }
        if *is_without || !grouping.is_empty() {
            labels(grouping, f)?;
            f.write_char(' ')?;
        }
        Ok(())
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", Head(self))?;
        if let Some(param) = &self.param {
            write!(f, "{param}, ")?;
        }
        write!(f, "{})", self.expr)
    }
}

/// An operator with what belongs to it.
pub(crate) struct Operator<'a>(pub(crate) &'a Binary);

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.as_str())?;
        if self.0.returns_bool {
            f.write_str(" bool")?;
        }
        self.0.matching.as_ref().map_or(Ok(()), |matching| matching.fmt(f))
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (first, operators) = self.row();
        first.fmt(f)?;
        operators.iter().rev().try_for_each(|binary| write!(f, " {} {}", Operator(binary), binary.right))
    }
}

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let group = match self.cardinality {
            Cardinality::ManyToOne => Some("group_left"),
            Cardinality::OneToMany => Some("group_right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if !self.labels.is_empty() || self.is_on || group.is_some() {
            f.write_str(if self.is_on { " on " } else { " ignoring " })?;
            labels(&self.labels, f)?;
        }
        if let Some(group) = group {
            write!(f, " {group} ")?;
            labels(&self.include, f)?;
        }
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left == right => write!(f, " fill ({})", General(left)),
            (left, right) => {
                if let Some(left) = left {
                    write!(f, " fill_left ({})", General(left))?;
                }
                if let Some(right) = right {
                    write!(f, " fill_right ({})", General(right))?;
                }
                Ok(())
            }
        }
    }
}

/// A subquery from its bracket on.
pub(crate) struct Brackets<'a>(pub(crate) &'a Subquery);

impl Display for Brackets<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let subquery = self.0;
        f.write_char('[')?;
        duration(subquery.range_ms, subquery.range_expr.as_ref(), f)?;
        f.write_char(':')?;
        if subquery.step_ms != 0 || subquery.step_expr.is_some() {
            duration(subquery.step_ms, subquery.step_expr.as_ref(), f)?;
        }
        f.write_char(']')?;
        at(subquery.at, f)?;
        offset(subquery.offset_ms, subquery.offset_expr.as_ref(), f)
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.expr, Brackets(self))
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(number) => number.fmt(f),
            Self::Step(_) => f.write_str("step()"),
            Self::Range(_) => f.write_str("range()"),
            Self::MinOf(left, right) => write!(f, "min_of({left}, {right})"),
            Self::MaxOf(left, right) => write!(f, "max_of({left}, {right})"),
            Self::Negative(inner, _) => write!(f, "-{inner}"),
            Self::Positive(inner) => inner.fmt(f),
            Self::Binary(op, left, right) => write!(f, "{left} {} {right}", op.as_str()),
            Self::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

/// Name and braces, the matchers by their text.
fn selector(vector: &VectorSelector, f: &mut Formatter<'_>) -> fmt::Result {
    let name = vector.name.as_deref().unwrap_or_default();
    f.write_str(name)?;
    let is_name = |matcher: &&model::Matcher| {
        matcher.name() == METRIC_NAME
            && matcher.op() == MatchOp::Equal
            && matcher.value() == name
            && !name.is_empty()
    };
    let written = |matcher: &model::Matcher| {
        let (name, value) = (matcher.name(), Quoted(matcher.value()));
        let op = matcher.op().as_str();
        if is_plain(name) { format!("{name}{op}{value}") } else { format!("{}{op}{value}", Quoted(name)) }
    };
    let mut matchers: Vec<String> =
        vector.matchers.iter().filter(|matcher| !is_name(matcher)).map(written).collect();
    matchers.sort_unstable();
    if matchers.is_empty() && vector.name.is_some() {
        return Ok(());
    }
    write!(f, "{{{}}}", matchers.join(","))
}

fn extension(vector: &VectorSelector, f: &mut Formatter<'_>) -> fmt::Result {
    vector.extension.map_or(Ok(()), |extension| write!(f, " {}", extension.as_str()))
}

fn at(at: Option<At>, f: &mut Formatter<'_>) -> fmt::Result {
    match at {
        None => Ok(()),
        Some(At::Time(time_ms)) => write!(f, " @ {:.3}", time_ms as f64 / 1000.0),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
    }
}

fn offset(offset_ms: i64, expr: Option<&DurationExpr>, f: &mut Formatter<'_>) -> fmt::Result {
    if offset_ms == 0 && expr.is_none() {
        return Ok(());
    }
    f.write_str(" offset ")?;
    duration(offset_ms, expr, f)
}

fn duration(millis: i64, expr: Option<&DurationExpr>, f: &mut Formatter<'_>) -> fmt::Result {
    if let Some(expr) = expr {
        return expr.fmt(f);
    }
    if millis < 0 {
        f.write_char('-')?;
    }
    f.write_str(&format_duration(Duration::from_millis(millis.unsigned_abs())))
}

/// Labels in parentheses, those that are no plain names in quotes.
fn labels(labels: &[String], f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('(')?;
    for (index, label) in labels.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        if is_plain(label) {
            f.write_str(label)?;
        } else {
            Quoted(label).fmt(f)?;
        }
    }
    f.write_char(')')
}

/// A text in quotes. What stands for bytes that were no UTF-8 is written as an escape, since the lexer takes it for such
/// bytes.
fn quoted(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(&Quoted(text).to_string().replace(char::REPLACEMENT_CHARACTER, "\\ufffd"))
}

fn is_plain(label: &str) -> bool {
    let mut bytes = label.bytes();
    bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn printed_as_prometheus_does() {
        for (query, printed) in [
            ("sum(task:errors:rate10s{job=\"s\"})BY()", "sum(task:errors:rate10s{job=\"s\"})"),
            ("sum by(code) (a)", "sum by (code) (a)"),
            ("sum without() (a)", "sum without () (a)"),
            ("topk by (\"a.b\") (5, a)", "topk by (\"a.b\") (5, a)"),
            ("a - ON(b) group_left() c", "a - on (b) group_left () c"),
            ("a - ignoring() c", "a - c"),
            ("up > BOOL 0", "up > bool 0"),
            ("a{b=\"c\",a='d'}[5m] OFFSET 1d @ 10", "a{a=\"d\",b=\"c\"}[5m] @ 10.000 offset 1d"),
            ("a[1h:] offset -5m", "a[1h:] offset -5m"),
            ("rate(a[1h:5m] @ start())", "rate(a[1h:5m] @ start())"),
            ("a[min_of(5m, step()*2)] smoothed", "a[min_of(5m, step() * 2)] smoothed"),
            ("{\"a b\"}", "{__name__=\"a b\"}"),
            ("-a^2", "-a ^ 2"),
            ("1h", "1h"),
            ("1e3 + NaN", "1000 + NaN"),
            ("a + fill(0) b", "a + fill (0) b"),
            ("a + fill_right(-1) b", "a + fill_right (-1) b"),
            ("a + fill(2e7) b", "a + fill (2e+07) b"),
        ] {
            let expr = parse(query).unwrap();
            assert_eq!(expr.to_string(), printed, "{query}");
            assert_eq!(parse(printed).unwrap().to_string(), printed);
        }
    }
}
