//! LogQL: syntax and the log pipeline.
