//! What tokens there are, and how Loki names them in its messages.

/// A token with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Counted from 1; 0 where Loki has forgotten it.
    pub(crate) line: usize,
    /// Counted from 1, in characters.
    pub(crate) column: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The end of the query.
    End,
    /// A name, or any character that means nothing else.
    Identifier(String),
    /// A quoted text, without its quotes and escapes.
    Text(String),
    /// A number as it is written.
    Number(String),
    /// A size in bytes.
    Bytes(u64),
    /// A duration in nanoseconds.
    Duration(i64),
    /// A duration in brackets, in nanoseconds.
    Range(i64),
    /// An option of a parser stage.
    Flag(String),
    /// A function over a range of entries.
    RangeFunction(&'static str),
    /// An aggregation over series.
    VectorFunction(&'static str),
    /// A conversion of what is unwrapped.
    Conversion(&'static str),
    /// A word of the language.
    Word(&'static str),
    OpenBrace,
    CloseBrace,
    OpenParenthesis,
    CloseParenthesis,
    OpenBracket,
    CloseBracket,
    Comma,
    Dot,
    Pipe,
    PipeExact,
    PipeMatch,
    PipePattern,
    NotPattern,
    Equal,
    NotEqual,
    Regex,
    NotRegex,
    CompareEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

/// A token of punctuation.
pub(super) fn operator(text: &str) -> Option<Kind> {
    Some(match text {
        "," => Kind::Comma,
        "." => Kind::Dot,
        "{" => Kind::OpenBrace,
        "}" => Kind::CloseBrace,
        "(" => Kind::OpenParenthesis,
        ")" => Kind::CloseParenthesis,
        "[" => Kind::OpenBracket,
        "]" => Kind::CloseBracket,
        "=" => Kind::Equal,
        "!=" => Kind::NotEqual,
        "=~" => Kind::Regex,
        "!~" => Kind::NotRegex,
        "!>" => Kind::NotPattern,
        "|=" => Kind::PipeExact,
        "|~" => Kind::PipeMatch,
        "|>" => Kind::PipePattern,
        "|" => Kind::Pipe,
        "==" => Kind::CompareEqual,
        ">" => Kind::Greater,
        ">=" => Kind::GreaterEqual,
        "<" => Kind::Less,
        "<=" => Kind::LessEqual,
        "+" => Kind::Add,
        "-" => Kind::Subtract,
        "*" => Kind::Multiply,
        "/" => Kind::Divide,
        "%" => Kind::Modulo,
        "^" => Kind::Power,
        _ => return None,
    })
}

/// A word of the language, in lower case.
pub(super) fn keyword(text: &str) -> Option<Kind> {
    const WORDS: [&str; 23] = [
        "by",
        "without",
        "bool",
        "offset",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "or",
        "and",
        "unless",
        "json",
        "regexp",
        "logfmt",
        "unpack",
        "pattern",
        "label_format",
        "line_format",
        "decolorize",
        "drop",
        "keep",
        "unwrap",
        "label_replace",
    ];
    WORDS.iter().find(|word| **word == text).map(|word| Kind::Word(word))
}

/// A word that has a meaning only where a call follows, in lower case.
pub(super) fn function(text: &str) -> Option<Kind> {
    const RANGE: [&str; 15] = [
        "rate",
        "rate_counter",
        "count_over_time",
        "bytes_rate",
        "bytes_over_time",
        "avg_over_time",
        "sum_over_time",
        "min_over_time",
        "max_over_time",
        "stdvar_over_time",
        "stddev_over_time",
        "quantile_over_time",
        "first_over_time",
        "last_over_time",
        "absent_over_time",
    ];
    const VECTOR: [&str; 12] = [
        "sum",
        "avg",
        "max",
        "min",
        "count",
        "stddev",
        "stdvar",
        "bottomk",
        "topk",
        "sort",
        "sort_desc",
        "approx_topk",
    ];
    const CONVERSIONS: [&str; 3] = ["bytes", "duration", "duration_seconds"];
    const WORDS: [&str; 3] = ["vector", "label_replace", "ip"];
    let find = |words: &[&'static str]| words.iter().find(|word| **word == text).copied();
    find(&RANGE)
        .map(Kind::RangeFunction)
        .or_else(|| find(&VECTOR).map(Kind::VectorFunction))
        .or_else(|| find(&CONVERSIONS).map(Kind::Conversion))
        .or_else(|| find(&WORDS).map(Kind::Word))
}

impl Kind {
    /// The name in `unexpected …`.
    pub(crate) fn name(&self) -> String {
        let name = match self {
            Self::End => "$end",
            Self::Identifier(_) => "IDENTIFIER",
            Self::Text(_) => "STRING",
            Self::Number(_) => "NUMBER",
            Self::Bytes(_) => "BYTES",
            Self::Duration(_) => "DURATION",
            Self::Range(_) => "RANGE",
            Self::Flag(_) => "FUNCTION_FLAG",
            Self::RangeFunction(name) | Self::VectorFunction(name) => return name.to_uppercase(),
            Self::Conversion(name) => return format!("{}_CONV", name.to_uppercase()),
            Self::Word("vector") => "VECTOR",
            Self::Word(word) => word,
            Self::OpenBrace => "{",
            Self::CloseBrace => "}",
            Self::OpenParenthesis => "(",
            Self::CloseParenthesis => ")",
            Self::OpenBracket => "[",
            Self::CloseBracket => "]",
            Self::Comma => ",",
            Self::Dot => ".",
            Self::Pipe => "|",
            Self::PipeExact => "|=",
            Self::PipeMatch => "|~",
            Self::PipePattern => "|>",
            Self::NotPattern => "!>",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
            Self::CompareEqual => "==",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "^",
        };
        name.to_owned()
    }
}
