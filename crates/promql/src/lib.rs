//! PromQL over a storage trait: no I/O, no clock, no store.
//!
//! The whole language is read, checked, printed and evaluated.
//!
//! - [`parse`], [`parse_selector`] and [`parse_metric`]: text to [`Expr`] and its parts, with Prometheus' errors and
//!   their places; `Display` of an [`Expr`] is the way back.
//! - [`pretty`]: an expression over several lines.
//! - [`functions`]: names and types.
//! - [`series_text`]: series with points, as tests write them.
//! - [`storage`]: what a query needs of a store; [`memory`] is one, for tests.
//! - [`engine`]: an expression at one time, or at many.

mod ast;
mod check;
mod deep;
mod duration;
pub mod engine;
mod error;
pub mod functions;
mod lexer;
pub mod memory;
mod parser;
mod pretty;
mod print;
pub mod series_text;
pub mod storage;
mod text;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, DurationExpr, Expr, Extension, Matching,
    MatrixSelector, NumberLiteral, Paren, StringLiteral, Subquery, Unary, ValueType, VectorSelector,
};
pub use duration::{format_duration, parse_duration};
pub use error::{Limit, ParseError, Span};
pub use parser::{parse, parse_metric, parse_selector};
pub use pretty::pretty;
