//! LogQL: syntax and the log pipeline.
//!
//! The whole language is read, checked and printed ([`parse`], [`ast`]), with Loki's messages for what is wrong. Of
//! what is read, stream selectors with line filters and label filters are evaluated ([`Pipeline`]); the rest says that
//! it is [`Unsupported`]. Storage is not here: a store asks a pipeline about each entry.
//!
//! Fact source: `pkg/logql` of grafana/loki.

pub mod ast;
mod error;
mod lexer;
mod parser;
mod pattern;
mod pipeline;
pub mod regex;
pub mod units;

pub use ast::{Expr, LogExpr};
pub use error::{ParseError, PipelineError, Unsupported};
pub use parser::{MatchersError, parse, parse_log, parse_matchers};
pub use pipeline::{EntryError, Fields, Pipeline, Verdict, metadata_name};
