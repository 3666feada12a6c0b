//! PromQL over a storage trait: no I/O, no clock, no store.
//!
//! For now selectors with their modifiers, numbers and texts; what the language has more is recognised and refused.
//!
//! - [`parse`] and [`parse_selector`]: text to [`Expr`].
//! - [`storage`]: what a query needs of a store.
//! - [`engine`]: an expression at one time, or at many.

mod ast;
mod duration;
pub mod engine;
mod error;
mod lexer;
mod parser;
pub mod storage;
mod text;

pub use ast::{At, Expr, MatrixSelector, VectorSelector};
pub use duration::{format_duration, parse_duration};
pub use error::{ParseError, Span};
pub use parser::{parse, parse_selector};
