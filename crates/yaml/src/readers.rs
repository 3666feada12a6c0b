//! Typed values out of nodes, with Go's complaints.

use model::literal::Quoted;
use std::collections::{HashMap, HashSet, hash_map};

use crate::error::{Context, Dialect, Failure, Outcome};
use crate::node::{Node, Value};
use crate::scalar::Resolved;

fn mismatch(node: &Node, context: &mut Context, type_name: &str) -> Failure {
    context.complain(node.position, format!("cannot unmarshal {} into {type_name}", node.described()))
}

/// A text. Numbers and booleans are taken as they are written; null is the empty text.
///
/// # Errors
/// A complaint for lists and mappings.
pub fn string(node: &Node, context: &mut Context) -> Outcome<String> {
    named_string(node, context, "string")
}

/// The same where Go has a type of its own for the text, which the complaint names.
///
/// # Errors
/// As [`string`].
pub fn named_string(node: &Node, context: &mut Context, type_name: &str) -> Outcome<String> {
    match node.text() {
        Some(_) if node.is_null() => Ok(String::new()),
        Some(text) => Ok(text.to_string()),
        None => Err(mismatch(node, context, type_name)),
    }
}

/// `true` or `false`; also `yes`, `on`, `y` and their opposites. Null is false.
///
/// # Errors
/// A complaint for everything else.
pub fn boolean(node: &Node, context: &mut Context) -> Outcome<bool> {
    match node.resolved() {
        Some(Resolved::Bool(value) | Resolved::OldBool(value)) => Ok(value),
        Some(Resolved::Null) => Ok(false),
        _ => Err(mismatch(node, context, "bool")),
    }
}

/// A whole number. A fraction is cut off, as Go does it. Null is 0.
///
/// # Errors
/// A complaint for everything else, and for what does not fit. `type_name` is Go's: `int`, `int64`.
pub fn integer(node: &Node, context: &mut Context, type_name: &str) -> Outcome<i64> {
    match node.resolved() {
        Some(Resolved::Int(value)) => Ok(value),
        Some(Resolved::Float(value)) if value.abs() < 9.2e18 => Ok(value as i64),
        Some(Resolved::Null) => Ok(0),
        _ => Err(mismatch(node, context, type_name)),
    }
}

/// A whole number that is not negative. Null is 0.
///
/// # Errors
/// A complaint for everything else. `type_name` is Go's: `uint`, `uint64`.
pub fn unsigned(node: &Node, context: &mut Context, type_name: &str) -> Outcome<u64> {
    match node.resolved() {
        Some(Resolved::Unsigned(value)) => Ok(value),
        Some(Resolved::Int(value)) if value >= 0 => Ok(value as u64),
        Some(Resolved::Float(value)) if (0.0..1.8e19).contains(&value) => Ok(value as u64),
        Some(Resolved::Null) => Ok(0),
        _ => Err(mismatch(node, context, type_name)),
    }
}

/// A number. Null is 0.
///
/// # Errors
/// A complaint for everything else.
pub fn float(node: &Node, context: &mut Context) -> Outcome<f64> {
    match node.resolved() {
        Some(Resolved::Float(value)) => Ok(value),
        Some(Resolved::Int(value)) => Ok(value as f64),
        Some(Resolved::Unsigned(value)) => Ok(value as f64),
        Some(Resolved::Null) => Ok(0.0),
        _ => Err(mismatch(node, context, "float64")),
    }
}

/// A list, each item read by `item` (nulls too). Null is the empty list. `type_name` is Go's: `[]string`.
///
/// # Errors
/// A complaint for everything that is not a list. Items that complain are left out.
pub fn list<T>(
    node: &Node,
    context: &mut Context,
    type_name: &str,
    mut item: impl FnMut(&Node, &mut Context) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let Value::Sequence(items) = &node.value else {
        return if node.is_null() { Ok(Vec::new()) } else { Err(mismatch(node, context, type_name)) };
    };
    let mut values = Vec::with_capacity(items.len());
    for node in items {
        match item(node, context) {
            Ok(value) => values.push(value),
            Err(Failure::Noted) => {}
            Err(fatal) => return Err(fatal),
        }
    }
    Ok(values)
}

/// A list of texts.
///
/// # Errors
/// As [`list`].
pub fn strings(node: &Node, context: &mut Context) -> Outcome<Vec<String>> {
    list(node, context, "[]string", string)
}

/// A mapping with texts for keys, in the order of the file. Null is the empty one. `type_name` is Go's:
/// `map[string]string`.
///
/// # Errors
/// A complaint for everything that is not a mapping. Values that complain, and keys given twice, are left out.
pub fn map<T>(
    node: &Node,
    context: &mut Context,
    type_name: &str,
    mut value: impl FnMut(&Node, &mut Context) -> Outcome<T>,
) -> Outcome<Vec<(String, T)>> {
    let Value::Mapping(entries) = &node.value else {
        return if node.is_null() { Ok(Vec::new()) } else { Err(mismatch(node, context, type_name)) };
    };
    if context.dialect() == Dialect::V3 && repeated_keys(node, context) {
        return Err(Failure::Noted);
    }
    let mut values: Vec<(String, T)> = Vec::with_capacity(entries.len());
    let mut seen = HashSet::with_capacity(entries.len());
    for entry in entries {
        let key = match string(&entry.key, context) {
            Ok(key) => key,
            Err(Failure::Noted) => continue,
            Err(fatal) => return Err(fatal),
        };
        match value(&entry.value, context) {
            Ok(_) if !seen.insert(key.clone()) => {
                context.complain(entry.value.position, format!("key {} already set in map", Quoted(&key)));
            }
            Ok(value) => values.push((key, value)),
            Err(Failure::Noted) => {}
            Err(fatal) => return Err(fatal),
        }
    }
    Ok(values)
}

/// Complains about keys that a mapping gives twice, with version 3's text; whether there are any.
pub(crate) fn repeated_keys(node: &Node, context: &mut Context) -> bool {
    let before = context.complaints();
    let mut lines: HashMap<&str, u32> = HashMap::new();
    // What a merge key brought is never a second one.
    for entry in node.entries().iter().filter(|entry| !entry.merged) {
        let Some(text) = entry.key.text() else { continue };
        let position = entry.key.position;
        match lines.entry(text) {
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(position.line);
            }
            hash_map::Entry::Occupied(first) => {
                let line = first.get();
                let text = format!("mapping key {} already defined at line {line}", Quoted(text.as_ref()));
                context.complain(position, text);
            }
        }
    }
    context.complaints() > before
}

/// Looks through a value that nobody reads, so that keys given twice are found in it as well.
///
/// # Errors
/// None; the outcome fits where a reader is asked for.
pub fn skip(node: &Node, context: &mut Context) -> Outcome<()> {
    match &node.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => {
            for item in items {
                skip(item, context)?;
            }
        }
        Value::Mapping(entries) => {
            if context.dialect() == Dialect::V3 {
                repeated_keys(node, context);
            }
            let mut seen = HashSet::new();
            for entry in entries {
                if let Some(key) = entry.key.text()
                    && !seen.insert(key)
                    && context.dialect() == Dialect::V2
                {
                    let text = format!("key {} already set in map", Quoted(key.as_ref()));
                    context.complain(entry.value.position, text);
                }
                skip(&entry.value, context)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Limits;
    use crate::{Fields, read};

    fn v2<T>(text: &str, reader: impl FnOnce(&Node, &mut Context) -> Outcome<T>) -> Result<T, String> {
        read(text, Dialect::V2, Limits::default(), reader).map_err(|error| error.to_string())
    }

    fn v3<T>(text: &str, reader: impl FnOnce(&Node, &mut Context) -> Outcome<T>) -> Result<T, String> {
        read(text, Dialect::V3, Limits::default(), reader).map_err(|error| error.to_string())
    }

    #[test]
    fn scalars_are_read_as_go_reads_them() {
        assert_eq!(v2("12", string), Ok("12".to_owned()));
        assert_eq!(v2("null", string), Ok(String::new()));
        assert_eq!(v2("yes", boolean), Ok(true));
        assert_eq!(v2("1.9", |node, context| integer(node, context, "int")), Ok(1));
        assert_eq!(v2("7", float), Ok(7.0));
        let complaint = "yaml: unmarshal errors:\n  line 1: cannot unmarshal ";
        assert_eq!(v2("abc", boolean), Err(format!("{complaint}!!str `abc` into bool")));
        let uint = |node: &Node, context: &mut Context| unsigned(node, context, "uint");
        assert_eq!(v2("-1", uint), Err(format!("{complaint}!!int `-1` into uint")));
        assert_eq!(v2("[a]", string), Err(format!("{complaint}!!seq into string")));
        assert_eq!(v2("{a: b}", string), Err(format!("{complaint}!!map into string")));
        assert_eq!(v2("abcdefghijk", float), Err(format!("{complaint}!!str `abcdefg...` into float64")));
        assert_eq!(v2("ééééééé", float), Err(format!("{complaint}!!str `ééé...` into float64")));
    }

    #[test]
    fn complaints_are_gathered_in_the_order_of_the_file() {
        let text = "a: [1, {}, 3]\nb: x\nzzz: 1\na: []\n";
        let read = v2(text, |node, context| {
            let mut fields = Fields::open(node, context, "config.plain")?;
            let b = fields.optional("b", context, |node, context| integer(node, context, "int"))?;
            let a = fields.optional("a", context, strings)?;
            fields.close(context)?;
            Ok((a, b))
        });
        let expected = "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!map into string\n  line 2: cannot unmarshal \
                        !!str `x` into int\n  line 3: field zzz not found in type config.plain\n  line 4: field a already \
                        set in type config.plain";
        assert_eq!(read, Err(expected.to_owned()));
    }

    #[test]
    fn a_key_stands_once() {
        let strings = |node: &Node, context: &mut Context| map(node, context, "map[string]string", string);
        let errors = "yaml: unmarshal errors:\n";
        assert_eq!(
            v2("a: b\na: c\n", strings),
            Err(format!("{errors}  line 2: key \"a\" already set in map"))
        );
        let defined = format!("{errors}  line 2: mapping key \"a\" already defined at line 1");
        assert_eq!(v3("a: b\na: c\n", strings), Err(defined.clone()));
        assert_eq!(
            v3("a: b\na: c\n", |node, context| Fields::open(node, context, "t").map(|_| ())),
            Err(defined)
        );
        assert!(v2("x: {a: b, a: c}", skip).unwrap_err().contains("already set in map"));
    }

    #[test]
    fn nulls_differ_between_the_versions() {
        let one = |node: &Node, context: &mut Context| {
            let mut fields = Fields::open(node, context, "t")?;
            let mut value = true;
            fields.set("a", &mut value, context, boolean)?;
            fields.close(context)?;
            Ok(value)
        };
        assert_eq!((v2("a:\n", one), v3("a:\n", one), v2("{}", one)), (Ok(false), Ok(true), Ok(true)));
    }

    #[test]
    fn a_fatal_check_ends_at_once_and_keeps_its_line() {
        let error = read("- ok\n- bad\n", Dialect::V2, Limits::default(), |node, context| {
            list(node, context, "[]string", |node, context| match string(node, context)?.as_str() {
                "bad" => Err(node.refuse("no such thing")),
                other => Ok(other.to_owned()),
            })
        })
        .unwrap_err();
        assert_eq!((error.to_string().as_str(), error.line()), ("no such thing", Some(2)));
    }
}
