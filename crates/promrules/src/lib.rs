//! Rule files as Prometheus 3.14 reads them (`model/rulefmt`): groups of recording and alerting rules, with its verdicts,
//! its words and the places of what is wrong. No I/O, no clock.
//!
//! - [`parse`]: text to [`RuleFile`], or everything that is wrong with it.
//! - [`lint`]: what `promtool check rules --lint` finds.
//! - [`template`]: the templates of labels and annotations.
//!
//! What evaluates rules is `ruler`.

mod decode;
mod error;
pub mod lint;
mod rule;
pub mod template;
mod validate;
mod written;

pub use decode::parse;
pub use error::{Error, Place};
pub use rule::{Alerting, Group, Kind, Rule, RuleFile};
pub use validate::{NameScheme, Options, Parsed};
