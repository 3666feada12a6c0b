//! Regular expressions as Go reads them: LogQL's are the same as PromQL's.

pub use model::regex::compile;
