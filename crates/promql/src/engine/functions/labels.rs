//! `label_replace` and `label_join`: labels made of other labels.

use model::labels::METRIC_NAME;
use model::{Labels, regex};

use crate::engine::Error;
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::{Call, Node};
use crate::engine::value::{Operand, Series, merge_same};

/// `label_replace(v, destination, replacement, source, regex)`
pub(super) fn label_replace(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    let [vector, destination, replacement, source, pattern] = &*call.args else { return Ok(nothing()) };
    let [destination, replacement, source, pattern] =
        [destination, replacement, source, pattern].map(Node::text);
    let Ok(regex) = regex::compile_anchored(pattern) else {
        return Err(Error::Execution(format!("invalid regular expression in label_replace(): {pattern}")));
    };
    check_name(destination, "destination", "label_replace")?;
    let mut series = evaluator.vector(vector)?;
    let mut value = String::new();
    for one in &mut series {
        let Some(captures) = regex.captures(one.labels.get(source)) else { continue };
        value.clear();
        regex::expand(replacement, &captures, &mut value);
        drop(captures);
        set(one, destination, &value);
    }
    merge_same(series).map(Operand::Vector)
}

/// `label_join(v, destination, separator, source, ...)`
pub(super) fn label_join(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    let [vector, destination, separator, sources @ ..] = &*call.args else { return Ok(nothing()) };
    let (destination, separator) = (destination.text(), separator.text());
    for source in sources {
        check_name(source.text(), "source", "label_join")?;
    }
    check_name(destination, "destination", "label_join")?;
    let mut series = evaluator.vector(vector)?;
    for one in &mut series {
        let values: Vec<&str> = sources.iter().map(|source| one.labels.get(source.text())).collect();
        let value = values.join(separator);
        set(one, destination, &value);
    }
    merge_same(series).map(Operand::Vector)
}

fn nothing() -> Operand {
    Operand::Vector(Vec::new())
}

/// Any text is a label's name, but the empty one. What was no text at all has replacement characters by now.
fn check_name(name: &str, role: &str, function: &str) -> Result<(), Error> {
    if name.is_empty() || name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Error::Execution(format!("invalid {role} label name in {function}(): {name}")));
    }
    Ok(())
}

/// Sets a label, or takes it away if the value is empty. A metric's name that was set is kept.
fn set(series: &mut Series, name: &str, value: &str) {
    series.labels = with(&series.labels, name, value);
    if name == METRIC_NAME {
        series.drops_name = false;
    }
}

/// Labels with one more, or with another value of it; an empty value takes it away.
pub(super) fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    labels.iter().chain([(name, value)]).collect()
}
