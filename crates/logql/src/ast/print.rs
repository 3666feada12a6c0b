//! Queries back to text.

use std::fmt::{self, Display, Formatter, Result};

use model::labels::Quoted;

use super::{
    Binary, Cardinality, Compare, Expr, Extraction, Grouping, LabelFilter, LabelFormat, LineFilter,
    LineMatch, LineOp, LogExpr, LogRange, Metric, NamedMatcher, Quantity, RangeAggregation, Stage,
    VectorAggregation,
};
use crate::units::print_duration;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Log(log) => log.fmt(f),
            Self::Metric(metric) => metric.fmt(f),
        }
    }
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("{")?;
        list(f, &self.matchers, ", ")?;
        f.write_str("}")?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Line(filter) => filter.fmt(f),
            Self::Label(filter) => write!(f, "| {filter}"),
            Self::Json(wanted) => {
                f.write_str("| json")?;
                extractions(f, wanted)
            }
            Self::Logfmt { strict, keep_empty, wanted } => {
                f.write_str("| logfmt")?;
                if *strict {
                    f.write_str(" --strict")?;
                }
                if *keep_empty {
                    f.write_str(" --keep-empty")?;
                }
                extractions(f, wanted)
            }
            Self::Regexp(pattern) => write!(f, "| regexp {}", Quoted(pattern)),
            Self::Pattern(pattern) => write!(f, "| pattern {}", Quoted(pattern)),
            Self::Unpack => f.write_str("| unpack"),
            Self::LineFormat(template) => write!(f, "| line_format {}", Quoted(template)),
            Self::LabelFormat(formats) => {
                f.write_str("| label_format ")?;
                list(f, formats, ",")
            }
            Self::Decolorize => f.write_str("| decolorize"),
            Self::Drop(names) => {
                f.write_str("| drop ")?;
                list(f, names, ",")
            }
            Self::Keep(names) => {
                f.write_str("| keep ")?;
                list(f, names, ",")
            }
        }
    }
}

impl Display for LineOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Matches => "|~",
            Self::NotMatches => "!~",
            Self::Pattern => "|>",
            Self::NotPattern => "!>",
        })
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} ", self.op)?;
        list(f, &self.alternatives, " or ")
    }
}

impl Display for LineMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) => Quoted(text).fmt(f),
            Self::Ip(pattern) => write!(f, "ip({})", Quoted(pattern)),
        }
    }
}

impl Display for Compare {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
        })
    }
}

impl Display for Quantity {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Duration(ns) => f.write_str(&print_duration(*ns)),
            Self::Bytes(bytes) => write!(f, "{bytes}B"),
        }
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(matcher) => matcher.fmt(f),
            Self::Ip { name, equal, pattern } => {
                write!(f, "{name}{}ip({})", if *equal { "=" } else { "!=" }, Quoted(pattern))
            }
            Self::Quantity { name, op, value } => write!(f, "{name}{op}{value}"),
            Self::And(left, right) => write!(f, "( {left} , {right} )"),
            Self::Or(left, right) => write!(f, "( {left} or {right} )"),
        }
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Rename { to, from } => write!(f, "{to}={from}"),
            Self::Template { name, template } => write!(f, "{name}={}", Quoted(template)),
        }
    }
}

impl Display for NamedMatcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Matcher(matcher) => matcher.fmt(f),
        }
    }
}

impl Display for Metric {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Literal(number) => number.fmt(f),
            Self::Vector(number) => write!(f, "vector({number})"),
            Self::Range(range) => range.fmt(f),
            Self::Aggregation(aggregation) => aggregation.fmt(f),
            Self::Binary(binary) => binary.fmt(f),
            Self::LabelReplace { inner, target, replacement, source, regex } => {
                let [target, replacement, source, regex] = [target, replacement, source, regex].map(Quoted);
                write!(f, "label_replace({inner},{target},{replacement},{source},{regex})")
            }
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}(", self.function)?;
        if let Some(parameter) = self.parameter {
            write!(f, "{parameter},")?;
        }
        write!(f, "{})", self.range)?;
        self.grouping.as_ref().map_or(Ok(()), |grouping| grouping.fmt(f))
    }
}

impl Display for LogRange {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.log.fmt(f)?;
        if let Some(unwrap) = &self.unwrap {
            match unwrap.conversion {
                Some(conversion) => write!(f, " | unwrap {conversion}({})", unwrap.label)?,
                None => write!(f, " | unwrap {}", unwrap.label)?,
            }
            unwrap.filters.iter().try_for_each(|filter| write!(f, " | {filter}"))?;
        }
        // Ranges are read in whole milliseconds, and with Prometheus' units only.
        write!(f, " [{}ms]", self.interval_ns / 1_000_000)?;
        if self.offset_ns != 0 {
            write!(f, " offset {}", print_duration(self.offset_ns))?;
        }
        Ok(())
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.without { " without (" } else { " by (" })?;
        list(f, &self.labels, ",")?;
        f.write_str(")")
    }
}

impl Display for VectorAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.function)?;
        if let Some(grouping) = &self.grouping {
            grouping.fmt(f)?;
        }
        f.write_str("(")?;
        if let Some(parameter) = self.parameter {
            write!(f, "{parameter},")?;
        }
        write!(f, "{})", self.inner)
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "({} {}", self.left, self.op)?;
        if self.return_bool {
            f.write_str(" bool")?;
        }
        if let Some((on, labels)) = &self.matching {
            f.write_str(if *on { " on (" } else { " ignoring (" })?;
            list(f, labels, ",")?;
            f.write_str(")")?;
        }
        if let Some((cardinality, labels)) = &self.cardinality {
            f.write_str(match cardinality {
                Cardinality::ManyToOne => " group_left (",
                Cardinality::OneToMany => " group_right (",
            })?;
            list(f, labels, ",")?;
            f.write_str(")")?;
        }
        write!(f, " {})", self.right)
    }
}

fn extractions(f: &mut Formatter<'_>, wanted: &[Extraction]) -> Result {
    for (index, extraction) in wanted.iter().enumerate() {
        let separator = if index == 0 { " " } else { "," };
        write!(f, "{separator}{}={}", extraction.name, Quoted(&extraction.path))?;
    }
    Ok(())
}

fn list<T: fmt::Display>(f: &mut Formatter<'_>, items: &[T], separator: &str) -> Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        item.fmt(f)?;
    }
    Ok(())
}
