//! PromQL: syntax.
