//! What a query says.

use model::Matcher;
use model::labels::METRIC_NAME;

use crate::deep::deeper;
use crate::error::Span;
use crate::functions::Function;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A number.
    Number(NumberLiteral),
    /// A text.
    String(StringLiteral),
    /// The newest sample of each series.
    Vector(VectorSelector),
    /// The samples of each series within a range.
    Matrix(MatrixSelector),
    /// An expression evaluated at every step within a range.
    Subquery(Box<Subquery>),
    /// A sign before an expression.
    Unary(Box<Unary>),
    /// An operator between two expressions.
    Binary(Box<Binary>),
    /// Series put together.
    Aggregate(Box<Aggregate>),
    /// A function of expressions.
    Call(Call),
    /// An expression in parentheses.
    Paren(Box<Paren>),
}

/// The type of an expression's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// A number at each time.
    Scalar,
    /// A text.
    String,
    /// A sample of each series at each time.
    Vector,
    /// Samples of each series at each time.
    Matrix,
}

impl ValueType {
    /// The name that the API gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
        }
    }

    /// The name that errors give it.
    pub fn documented(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

/// A number as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberLiteral {
    /// Its value; of a duration, in seconds.
    pub value: f64,
    /// Whether it is written as a duration.
    pub is_duration: bool,
    /// Where it stands.
    pub span: Span,
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringLiteral {
    /// What it says, escapes resolved; what is not UTF-8 is a replacement character.
    pub value: String,
    /// Where that is not all that it says: its bytes, quoted with Go's escapes.
    pub bytes: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// Series by their labels, at a time that may be moved.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSelector {
    /// All conditions, the one on the metric's name among them.
    pub matchers: Vec<Matcher>,
    /// How far back in time, in milliseconds; negative is forward. It is the offset as written, unless `offset_expr` is
    /// there.
    pub offset_ms: i64,
    /// An offset that is reckoned when the query is evaluated.
    pub offset_expr: Option<DurationExpr>,
    /// The time that it is fixed to.
    pub at: Option<At>,
    /// What happens between samples and at the range's ends.
    pub extension: Option<Extension>,
    /// Where it stands.
    pub span: Span,
    /// The metric's name, where it stands before the braces.
    pub name: Option<String>,
}

/// A modifier of a range: values at its very ends, as they were or as they would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// The last value before the range stands at its beginning.
    Anchored,
    /// Values at both ends are interpolated.
    Smoothed,
}

impl Extension {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anchored => "anchored",
            Self::Smoothed => "smoothed",
        }
    }
}

/// Series with the samples of a range that ends at the evaluation's time.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSelector {
    /// Which series.
    pub vector: VectorSelector,
    /// How long the range is, in milliseconds; its older end is not included. It is the range as written, unless
    /// `range_expr` is there.
    pub range_ms: i64,
    /// A range that is reckoned when the query is evaluated.
    pub range_expr: Option<DurationExpr>,
    /// Where it stands.
    pub span: Span,
}

/// An expression evaluated at every step within a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// How long the range is, in milliseconds, unless `range_expr` is there.
    pub range_ms: i64,
    /// A range that is reckoned when the query is evaluated.
    pub range_expr: Option<DurationExpr>,
    /// From one evaluation to the next, in milliseconds; 0 is the default of the engine.
    pub step_ms: i64,
    /// A step that is reckoned when the query is evaluated.
    pub step_expr: Option<DurationExpr>,
    /// How far back in time, in milliseconds; negative is forward.
    pub offset_ms: i64,
    /// An offset that is reckoned when the query is evaluated.
    pub offset_expr: Option<DurationExpr>,
    /// The time that it is fixed to.
    pub at: Option<At>,
    /// Where it stands.
    pub span: Span,
}

/// A time that does not move with the evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Milliseconds since the Unix epoch.
    Time(i64),
    /// The first time of a range query, or the time of an instant query.
    Start,
    /// The last time of a range query, or the time of an instant query.
    End,
}

/// A sign before an expression that is not a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Unary {
    /// Whether it is `-`.
    pub is_negative: bool,
    /// What follows it.
    pub expr: Expr,
    /// Where both stand.
    pub span: Span,
}

/// An operator between two expressions.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// Left of it.
    pub left: Expr,
    /// Right of it.
    pub right: Expr,
    /// Which series of both sides belong together; only between vectors.
    pub matching: Option<Matching>,
    /// Whether a comparison answers with 0 or 1 rather than to drop what does not hold.
    pub returns_bool: bool,
}

impl Binary {
    /// What stands left of all in a row of operators such as `a + b - c`, and the operators from this one, the last, to
    /// the first. A row may be as long as a query; who goes through it does not need as many frames of its stack.
    pub fn row(&self) -> (&Expr, Vec<&Self>) {
        let mut row = vec![self];
        let mut first = &self.left;
        while let Expr::Binary(binary) = first {
            row.push(binary);
            first = &binary.left;
        }
        (first, row)
    }
}

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `atan2`
    Atan2,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `<`
    Less,
    /// `>=`
    GreaterEqual,
    /// `<=`
    LessEqual,
    /// `</`: keeps what a histogram has below a number
    TrimUpper,
    /// `>/`: keeps what a histogram has above a number
    TrimLower,
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
}

impl BinaryOp {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::GreaterEqual => ">=",
            Self::LessEqual => "<=",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }

    /// The operator that a token is; words in any case.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        const ALL: [BinaryOp; 18] = [
            BinaryOp::Add,
            BinaryOp::Sub,
            BinaryOp::Mul,
            BinaryOp::Div,
            BinaryOp::Mod,
            BinaryOp::Pow,
            BinaryOp::Atan2,
            BinaryOp::Equal,
            BinaryOp::NotEqual,
            BinaryOp::Greater,
            BinaryOp::Less,
            BinaryOp::GreaterEqual,
            BinaryOp::LessEqual,
            BinaryOp::TrimUpper,
            BinaryOp::TrimLower,
            BinaryOp::And,
            BinaryOp::Or,
            BinaryOp::Unless,
        ];
        ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(text))
    }

    /// How strongly it binds: a higher number binds before a lower one.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Greater
            | Self::Less
            | Self::GreaterEqual
            | Self::LessEqual
            | Self::TrimUpper
            | Self::TrimLower => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod | Self::Atan2 => 5,
            Self::Pow => 6,
        }
    }

    /// `==` and its like.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::NotEqual | Self::Greater | Self::Less | Self::GreaterEqual | Self::LessEqual
        )
    }

    /// `and`, `or`, `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

/// Which series of two vectors belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    /// How many on either side.
    pub cardinality: Cardinality,
    /// The labels of `on` or of `ignoring`.
    pub labels: Vec<String>,
    /// Whether they are those that have to be equal, rather than those that need not be.
    pub is_on: bool,
    /// Labels of the side with one that the result takes over.
    pub include: Vec<String>,
    /// What stands for a missing series of the left side.
    pub fill_left: Option<f64>,
    /// What stands for a missing series of the right side.
    pub fill_right: Option<f64>,
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            cardinality: Cardinality::OneToOne,
            labels: Vec::new(),
            is_on: false,
            include: Vec::new(),
            fill_left: None,
            fill_right: None,
        }
    }
}

/// How many series of either side belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// One of each.
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
    /// Set operators.
    ManyToMany,
}

impl Cardinality {
    /// The name that the API gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneToOne => "one-to-one",
            Self::ManyToOne => "many-to-one",
            Self::OneToMany => "one-to-many",
            Self::ManyToMany => "many-to-many",
        }
    }
}

/// Series put together.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// How.
    pub op: AggregateOp,
    /// Which.
    pub expr: Expr,
    /// `k` of `topk`, the quantile, the label of `count_values`.
    pub param: Option<Expr>,
    /// Labels that make a group, or that do not.
    pub grouping: Vec<String>,
    /// Whether the labels are those that do not.
    pub is_without: bool,
    /// Where it stands.
    pub span: Span,
}

/// How series are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `count`
    Count,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `group`
    Group,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `topk`
    TopK,
    /// `bottomk`
    BottomK,
    /// `count_values`
    CountValues,
    /// `quantile`
    Quantile,
    /// `limitk`
    LimitK,
    /// `limit_ratio`
    LimitRatio,
}

impl AggregateOp {
    const ALL: [Self; 14] = [
        Self::Sum,
        Self::Avg,
        Self::Count,
        Self::Min,
        Self::Max,
        Self::Group,
        Self::Stddev,
        Self::Stdvar,
        Self::TopK,
        Self::BottomK,
        Self::CountValues,
        Self::Quantile,
        Self::LimitK,
        Self::LimitRatio,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::TopK => "topk",
            Self::BottomK => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
            Self::LimitK => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(text))
    }

    /// The type of its parameter, if it has one.
    pub fn param_type(self) -> Option<ValueType> {
        match self {
            Self::TopK | Self::BottomK | Self::Quantile | Self::LimitK | Self::LimitRatio => {
                Some(ValueType::Scalar)
            }
            Self::CountValues => Some(ValueType::String),
            _ => None,
        }
    }
}

/// A function of expressions.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which.
    pub function: &'static Function,
    /// Of what.
    pub args: Vec<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// An expression in parentheses.
#[derive(Debug, Clone, PartialEq)]
pub struct Paren {
    /// What is in them.
    pub expr: Expr,
    /// Where they stand.
    pub span: Span,
}

/// A duration that is reckoned when the query is evaluated, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationExpr {
    /// A number or a duration.
    Literal(NumberLiteral),
    /// `step()`, and where it stands.
    Step(Span),
    /// `range()`, and where it stands.
    Range(Span),
    /// The smaller of two.
    MinOf(Box<Self>, Box<Self>),
    /// The larger of two.
    MaxOf(Box<Self>, Box<Self>),
    /// With its sign turned, and where both stand.
    Negative(Box<Self>, Span),
    /// With a sign that changes nothing, as an offset may have it; it is not printed.
    Positive(Box<Self>),
    /// Two with an operator of arithmetic between them.
    Binary(BinaryOp, Box<Self>, Box<Self>),
    /// In parentheses.
    Paren(Box<Self>),
}

impl DurationExpr {
    /// Where it stands; as in Prometheus, without parentheses and without the names of functions of two.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Literal(number) => number.span,
            Self::Step(span) | Self::Range(span) | Self::Negative(_, span) => *span,
            Self::MinOf(left, right) | Self::MaxOf(left, right) | Self::Binary(_, left, right) => {
                Span { start: left.span().start, end: right.span().end }
            }
            Self::Paren(inner) | Self::Positive(inner) => inner.span(),
        }
    }
}

impl Expr {
    /// The expression without parentheses around it.
    pub fn inner(&self) -> &Self {
        match self {
            Self::Paren(paren) => paren.expr.inner(),
            other => other,
        }
    }

    /// The type of its value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::Vector(_) | Self::Aggregate(_) => ValueType::Vector,
            Self::Matrix(_) | Self::Subquery(_) => ValueType::Matrix,
            Self::Unary(unary) => unary.expr.value_type(),
            Self::Binary(binary) => {
                let of = |side: &Self| deeper(|| side.value_type()) == ValueType::Scalar;
                if of(&binary.left) && of(&binary.right) { ValueType::Scalar } else { ValueType::Vector }
            }
            Self::Call(call) => call.function.returns,
            Self::Paren(paren) => paren.expr.value_type(),
        }
    }

    /// The type of its value, as errors of Prometheus name it.
    pub fn type_name(&self) -> &'static str {
        self.value_type().documented()
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Number(number) => number.span,
            Self::String(text) => text.span,
            Self::Vector(vector) => vector.span,
            Self::Matrix(matrix) => matrix.span,
            Self::Subquery(subquery) => subquery.span,
            Self::Unary(unary) => unary.span,
            Self::Binary(binary) => Span { start: binary.left.start(), end: binary.right.end() },
            Self::Aggregate(aggregate) => aggregate.span,
            Self::Call(call) => call.span,
            Self::Paren(paren) => paren.span,
        }
    }

    /// Where it begins. A loop, since a long chain of operators is deep.
    fn start(&self) -> usize {
        let mut expr = self;
        while let Self::Binary(binary) = expr {
            expr = &binary.left;
        }
        expr.span().start
    }

    /// Where it ends.
    fn end(&self) -> usize {
        let mut expr = self;
        while let Self::Binary(binary) = expr {
            expr = &binary.right;
        }
        expr.span().end
    }

    /// The expressions that it is made of, from left to right.
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Number(_) | Self::String(_) | Self::Vector(_) | Self::Matrix(_) => Vec::new(),
            Self::Subquery(subquery) => vec![&subquery.expr],
            Self::Unary(unary) => vec![&unary.expr],
            Self::Binary(binary) => vec![&binary.left, &binary.right],
            Self::Aggregate(aggregate) => aggregate.param.iter().chain([&aggregate.expr]).collect(),
            Self::Call(call) => call.args.iter().collect(),
            Self::Paren(paren) => vec![&paren.expr],
        }
    }

    /// The matchers of each selector in it, from left to right.
    pub fn selectors(&self) -> Vec<&[Matcher]> {
        match self {
            Self::Vector(selector) => vec![&selector.matchers],
            Self::Matrix(selector) => vec![&selector.vector.matchers],
            other => deeper(|| other.children().into_iter().flat_map(Self::selectors).collect()),
        }
    }
}

impl VectorSelector {
    /// Whether a metric's name is asked for within the braces as well as before them; the one within.
    pub(crate) fn second_name(&self) -> Option<&str> {
        let names = self.matchers.iter().filter(|matcher| matcher.name() == METRIC_NAME);
        let mut names = names.map(Matcher::value);
        let first = names.next()?;
        (self.name.is_some() && names.next().is_some()).then_some(first)
    }
}
