//! Writing YAML as Go's `yaml/v2` writes it: block style, lists not indented below their key, quotes only where needed.

use std::fmt::Write as _;

use crate::scalar::{Resolved, resolve};

/// What can be written.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// `null`.
    Null,
    /// A text, quoted where it would be taken for something else.
    Text(String),
    /// A number or a boolean, as it is.
    Raw(String),
    /// A list, an item a line.
    List(Vec<Output>),
    /// A list in brackets.
    FlowList(Vec<Output>),
    /// Keys and values in this order.
    Map(Vec<(String, Output)>),
}

impl Output {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number or a boolean.
    pub fn raw<T: std::fmt::Display>(value: T) -> Self {
        Self::Raw(format!("{value}"))
    }

    /// A list of texts.
    pub fn texts<T: AsRef<str>>(texts: &[T]) -> Self {
        Self::List(texts.iter().map(|text| Self::text(text.as_ref())).collect())
    }

    /// The document, with a newline at its end.
    pub fn document(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0, Place::Document);
        if !out.ends_with('\n') {
            out.push('\n');
        }
        out
    }

    fn write(&self, out: &mut String, indent: usize, place: Place) {
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                if place == Place::Value {
                    out.push('\n');
                }
                for (index, (key, value)) in entries.iter().enumerate() {
                    // The first key of a mapping in a list stands behind the dash.
                    if index > 0 || place != Place::Item {
                        pad(out, indent);
                    }
                    scalar(out, key, indent, Style::Key);
                    out.push(':');
                    let below = if matches!(value, Self::List(_)) { indent } else { indent + 2 };
                    value.write(out, below, Place::Value);
                    end_line(out);
                }
            }
            Self::List(items) if !items.is_empty() => {
                if place == Place::Value {
                    out.push('\n');
                }
                for (index, item) in items.iter().enumerate() {
                    if index > 0 || place != Place::Item {
                        pad(out, indent);
                    }
                    out.push('-');
                    if !matches!(item, Self::Map(entries) if entries.is_empty()) {
                        out.push(' ');
                    }
                    item.write(out, indent + 2, Place::Item);
                    end_line(out);
                }
            }
            leaf => {
                if place == Place::Value || out.ends_with('-') {
                    out.push(' ');
                }
                leaf.write_leaf(out, indent, Style::Block);
            }
        }
    }

    fn write_leaf(&self, out: &mut String, indent: usize, style: Style) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Raw(value) => out.push_str(value),
            Self::Text(text) => scalar(out, text, indent, style),
            Self::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    scalar(out, key, indent, Style::Flow);
                    out.push_str(": ");
                    value.write_leaf(out, indent, Style::Flow);
                }
                out.push('}');
            }
            Self::List(items) | Self::FlowList(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    item.write_leaf(out, indent, Style::Flow);
                }
                out.push(']');
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Document,
    Value,
    Item,
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn end_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

/// Column from which on a line is broken at the next space.
const WIDTH: usize = 80;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// A key in a block: on one line.
    Key,
    /// A value in a block.
    Block,
    /// Between brackets.
    Flow,
}

fn scalar(out: &mut String, text: &str, indent: usize, style: Style) {
    let flow = style == Style::Flow;
    let printable = text.chars().all(|character| character == '\n' || !is_special(character));
    if printable && text.contains('\n') && style == Style::Block && literal_fits(text) {
        return literal(out, text, indent);
    }
    if !printable || text.contains('\n') || resolve(text) != Resolved::Text || is_base_60(text) {
        return double_quoted(out, text);
    }
    if plain_fits(text, flow) {
        return folded(out, text, indent, style);
    }
    out.push('\'');
    folded(out, &text.replace('\'', "''"), indent, style);
    out.push('\'');
}

/// A text without line breaks, broken at spaces where it is long.
fn folded(out: &mut String, text: &str, indent: usize, style: Style) {
    if style != Style::Block {
        return out.push_str(text);
    }
    let mut column = out.len() - out.rfind('\n').map_or(0, |at| at + 1);
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let alone =
            before.is_some_and(|before| before != ' ') && characters.peek().is_some_and(|next| *next != ' ');
        if character == ' ' && alone && column > WIDTH {
            out.push('\n');
            pad(out, indent);
            column = indent;
        } else {
            out.push(character);
            column += 1;
        }
        before = Some(character);
    }
}

fn is_special(character: char) -> bool {
    character.is_control() && character != '\n' || matches!(character, '\u{feff}' | '\u{2028}' | '\u{2029}')
}

/// `1:30` was a number of minutes once, so others may still read it as one.
fn is_base_60(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = digits.split(':');
    let first = parts.next().is_some_and(|part| {
        part.starts_with(|c: char| c.is_ascii_digit())
            && part.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    });
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    let sixty = |part: &str| {
        (1..=2).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse::<u8>().is_ok_and(|value| value < 60)
    };
    let (whole, fraction) = last.split_once('.').unwrap_or((last, ""));
    first
        && middle.iter().all(|part| sixty(part))
        && sixty(whole)
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// Whether a text needs no quotes.
fn plain_fits(text: &str, flow: bool) -> bool {
    if text.starts_with(' ') || text.ends_with(' ') || text.starts_with("---") || text.starts_with("...") {
        return false;
    }
    let mut before: Option<char> = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let spaced = characters.peek().is_none_or(|next| next.is_whitespace());
        let fits = match (before, character) {
            (
                None,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                | '`',
            ) => false,
            (None, '-') => !spaced,
            (None, '?') | (_, ':') => !spaced && !flow,
            (Some(_), ',' | '?' | '[' | ']' | '{' | '}') => !flow,
            (Some(before), '#') => !before.is_whitespace(),
            _ => true,
        };
        if !fits {
            return false;
        }
        before = Some(character);
    }
    true
}

fn literal_fits(text: &str) -> bool {
    // A line that ends in a space, or a text that begins with one, would need quotes.
    !text.starts_with([' ', '\n']) && !text.contains(" \n") && !text.ends_with(' ')
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    let body = text.trim_end_matches('\n');
    match text.len() - body.len() {
        0 => out.push('-'),
        1 => {}
        _ => out.push('+'),
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
    out.push('\n');
}

fn double_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            special if is_special(special) => {
                let _ = match special as u32 {
                    code @ 0..=0xff => write!(out, "\\x{code:02X}"),
                    code => write!(out, "\\u{code:04X}"),
                };
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Node, Value, parse};

    fn map(pairs: &[(&str, Output)]) -> Output {
        Output::Map(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    #[test]
    fn documents_look_as_gos_do() {
        let document = map(&[
            ("global", map(&[("scrape_interval", Output::text("15s")), ("limit", Output::raw(5))])),
            ("files", Output::texts(&["a", "b c"])),
            (
                "jobs",
                Output::List(vec![
                    map(&[
                        ("name", Output::text("x")),
                        ("targets", Output::texts(&["h:1"])),
                        ("on", Output::raw(true)),
                    ]),
                    map(&[("labels", Output::FlowList(vec![Output::text("__name__"), Output::text("a,b")]))]),
                ]),
            ),
            ("none", Output::Map(Vec::new())),
            ("empty", Output::List(Vec::new())),
            ("text", Output::text("two\nlines")),
        ]);
        let expected = "global:\n  scrape_interval: 15s\n  limit: 5\nfiles:\n- a\n- b c\njobs:\n- name: x\n  targets:\n  - \
                        h:1\n  \"on\": true\n- labels: [__name__, 'a,b']\nnone: {}\nempty: []\ntext: |-\n  two\n  lines\n";
        assert_eq!(document.document(), expected);
    }

    #[test]
    fn texts_are_quoted_where_they_would_be_something_else() {
        for (text, written) in [
            ("", "\"\""),
            ("1", "\"1\""),
            ("true", "\"true\""),
            ("a: b", "'a: b'"),
            ("a#b", "a#b"),
            ("a #b", "'a #b'"),
            ("$1", "$1"),
            (";", ";"),
            ("*", "'*'"),
            ("-", "'-'"),
            ("(.*)", "(.*)"),
            ("1:30", "\"1:30\""),
            ("host:9090", "host:9090"),
            ("it's", "it's"),
            ("'x", "'''x'"),
            ("<secret>", "<secret>"),
            ("a\tb", "\"a\\tb\""),
        ] {
            assert_eq!(Output::text(text).document(), format!("{written}\n"), "{text:?}");
        }
    }

    fn back(node: &Node) -> Output {
        match &node.value {
            Value::Scalar(scalar) => Output::text(&*scalar.text),
            Value::Sequence(items) => Output::List(items.iter().map(back).collect()),
            Value::Mapping(entries) => Output::Map(
                entries
                    .iter()
                    .map(|entry| (entry.key.text().unwrap().to_string(), back(&entry.value)))
                    .collect(),
            ),
        }
    }

    #[test]
    fn long_texts_are_broken_at_spaces() {
        let words = ["0123456789"; 10].join(" ");
        let written = map(&[("key", Output::text(&words))]).document();
        assert_eq!(written, format!("key: {}\n  {}\n", &words[..76], &words[77..]));
        assert_eq!(
            parse(&written, Limits::default()).unwrap().get("key").unwrap().text().map(|t| &**t),
            Some(&*words)
        );
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(
            texts in proptest::collection::vec("[ -~\n\té]{0,12}|[a-z' ]{80,200}", 1..5),
            keys in proptest::collection::hash_set("[ -~]{1,8}", 1..4),
        ) {
            let list = Output::texts(&texts);
            let nested = Output::List(vec![list.clone(), map(&[("k", list.clone())])]);
            let flow = Output::FlowList(texts.iter().map(Output::text).collect());
            let mut pairs: Vec<(String, Output)> = keys.into_iter().map(|key| (key, nested.clone())).collect();
            pairs.push(("__flow".to_owned(), flow));
            let written = Output::Map(pairs.clone()).document();
            let read = back(&parse(&written, Limits::default()).expect(&written));
            let Output::Map(read) = read else { panic!("{written}") };
            for ((key, value), (key_again, again)) in pairs.into_iter().zip(read) {
                proptest::prop_assert_eq!(&key, &key_again, "{}", &written);
                let value = match value { Output::FlowList(items) => Output::List(items), other => other };
                proptest::prop_assert_eq!(value, again, "{}", &written);
            }
        }
    }
}
