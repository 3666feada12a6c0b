//! A log query made ready to be asked of entries.
//!
//! No stage that is supported changes a line or a label, so the conditions may be asked in any order. Those on the
//! line come first, the cheap ones before the regular expressions, because lines are at hand where labels and
//! structured metadata have to be looked up.

mod label;
mod line;

use model::{MatchOp, Matcher};

use crate::ast::{Expr, LabelFilter, LogExpr, Stage};
use crate::error::{PipelineError, Unsupported};
use label::Condition;
use line::LineCondition;

/// What label filters look at.
pub trait Fields {
    /// A label of the stream.
    fn label(&self, name: &str) -> Option<&str>;
    /// A value of the structured metadata.
    fn metadata(&self, name: &str) -> Option<&str>;
}

/// What is appended to the name of structured metadata that the stream has a label of.
const DUPLICATE_SUFFIX: &str = "_extracted";

/// The value that a query sees under a name. A label of the stream hides structured metadata of the same name, which
/// is then seen under the name with `_extracted` behind it.
fn field<'a>(fields: &'a impl Fields, name: &str) -> Option<&'a str> {
    let of_stream = |name: &str| fields.label(name).filter(|value| !value.is_empty());
    if let Some(value) = of_stream(name) {
        return Some(value);
    }
    fields.metadata(name).or_else(|| {
        let hidden = name.strip_suffix(DUPLICATE_SUFFIX)?;
        of_stream(hidden).and_then(|_| fields.metadata(hidden))
    })
}

/// The name under which structured metadata appears among the labels of a result.
pub fn metadata_name(name: &str, stream_has_label: bool) -> std::borrow::Cow<'_, str> {
    if stream_has_label { format!("{name}{DUPLICATE_SUFFIX}").into() } else { name.into() }
}

/// A value that could not be compared. The entry is kept and carries this as labels of its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryError {
    /// The label `__error__`.
    pub error: &'static str,
    /// The label `__error_details__`.
    pub details: String,
}

/// Whether an entry is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is not.
    Drop,
    /// It is, perhaps with an error.
    Keep(Option<EntryError>),
}

/// A log query made ready.
#[derive(Debug)]
pub struct Pipeline {
    lines: Vec<LineCondition>,
    labels: Vec<Condition>,
    equalities: Vec<(String, String)>,
}

impl Pipeline {
    /// Makes a query ready; refuses what is not supported yet.
    pub fn new(log: &LogExpr) -> Result<Self, PipelineError> {
        let mut pipeline = Self { lines: Vec::new(), labels: Vec::new(), equalities: Vec::new() };
        for stage in &log.stages {
            let unsupported = |what| Unsupported { what, text: stage.to_string() };
            match stage {
                Stage::Line(filter) => {
                    pipeline.lines.push(LineCondition::new(filter)?);
                }
                Stage::Label(filter) => {
                    let condition = Condition::new(filter).ok_or_else(|| unsupported("ip() filters are"))?;
                    pipeline.labels.push(condition);
                    equalities(filter, &mut pipeline.equalities);
                }
                Stage::Json(_)
                | Stage::Logfmt { .. }
                | Stage::Regexp(_)
                | Stage::Pattern(_)
                | Stage::Unpack => {
                    return Err(unsupported("parser stages are").into());
                }
                Stage::LineFormat(_) | Stage::LabelFormat(_) | Stage::Decolorize => {
                    return Err(unsupported("formatting stages are").into());
                }
                Stage::Drop(_) | Stage::Keep(_) => return Err(unsupported("drop and keep are").into()),
            }
        }
        pipeline.lines.sort_by_key(LineCondition::cost);
        Ok(pipeline)
    }

    /// Whether a line passes all conditions on lines.
    pub fn keeps_line(&self, line: &str) -> bool {
        self.lines.iter().all(|condition| condition.holds(line))
    }

    /// Whether there are conditions on lines.
    pub fn has_line_conditions(&self) -> bool {
        !self.lines.is_empty()
    }

    /// What the conditions on labels say.
    pub fn judge_fields(&self, fields: &impl Fields) -> Verdict {
        let mut error = None;
        if self.labels.iter().all(|condition| condition.holds(fields, &mut error)) {
            Verdict::Keep(error)
        } else {
            Verdict::Drop
        }
    }

    /// Whether there are conditions on labels.
    pub fn has_field_conditions(&self) -> bool {
        !self.labels.is_empty()
    }

    /// All values that every entry of the result has, with the names under which it has them.
    pub fn required_values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.equalities.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A value that every entry of the result has under a name, if the query says so by `| name="value"`: what an
    /// index can be asked for before anything is read.
    pub fn required_value(&self, name: &str) -> Option<&str> {
        self.equalities.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The conditions of the form `name="value"` that have to hold.
fn equalities(filter: &LabelFilter, into: &mut Vec<(String, String)>) {
    match filter {
        LabelFilter::Text(matcher) if is_equality(matcher) => {
            into.push((matcher.name().to_owned(), matcher.value().to_owned()));
        }
        LabelFilter::And(left, right) => {
            equalities(left, into);
            equalities(right, into);
        }
        _ => {}
    }
}

fn is_equality(matcher: &Matcher) -> bool {
    matcher.op() == MatchOp::Equal && !matcher.value().is_empty()
}

impl Expr {
    /// The log query, or a refusal: metric queries are not supported yet.
    pub fn into_log(self) -> Result<LogExpr, Unsupported> {
        match self {
            Self::Log(log) => Ok(log),
            Self::Metric(metric) => Err(Unsupported { what: "metric queries are", text: metric.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests;
