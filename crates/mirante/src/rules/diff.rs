//! Two documents as one text: what only the first has in red, what only the second has in green, what differs in yellow.

use serde_json::Value;

const INDENT: &str = "    ";

/// How a piece of the text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Plain,
    Removed,
    Added,
    Changed,
}

impl Colour {
    fn begin(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Removed => "\x1b[0;31m",
            Self::Added => "\x1b[0;32m",
            Self::Changed => "\x1b[0;33m",
        }
    }

    fn end(self) -> &'static str {
        if self == Self::Plain { "" } else { "\x1b[0m" }
    }
}

/// The text; lines below the first are indented by four spaces for each level.
pub(super) fn diff(left: &Value, right: &Value) -> String {
    let mut text = Text { out: String::new(), level: 0, colour: Colour::Plain };
    text.compare(left, right);
    text.colour(Colour::Plain);
    text.out
}

/// A value of one document and the one in its place in the other.
struct Item<'v> {
    key: Option<&'v str>,
    left: Option<&'v Value>,
    right: Option<&'v Value>,
}

struct Text {
    out: String,
    level: usize,
    colour: Colour,
}

impl Text {
    fn colour(&mut self, colour: Colour) {
        if self.colour != colour {
            self.out += self.colour.end();
            self.out += colour.begin();
            self.colour = colour;
        }
    }

    /// Colours do not go over the end of a line.
    fn line(&mut self) {
        self.out += self.colour.end();
        self.out.push('\n');
        self.out += &INDENT.repeat(self.level);
        self.out += self.colour.begin();
    }

    fn compare<'v>(&mut self, left: &'v Value, right: &'v Value) {
        let items: Vec<Item<'_>> = match (left, right) {
            (Value::Object(left), Value::Object(right)) => {
                let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
                keys.sort();
                keys.dedup();
                let item =
                    |key: &'v String| Item { key: Some(key), left: left.get(key), right: right.get(key) };
                keys.into_iter().map(item).collect()
            }
            (Value::Array(left), Value::Array(right)) => (0..left.len().max(right.len()))
                .map(|index| Item { key: None, left: left.get(index), right: right.get(index) })
                .collect(),
            _ if left == right => {
                self.colour(Colour::Plain);
                return self.whole(left);
            }
            _ => {
                self.colour(Colour::Changed);
                self.short(left);
                self.out += " => ";
                return self.short(right);
            }
        };
        let (open, close) = brackets(left);
        self.collection(open, close, items, |text, Item { key, left, right }| {
            text.colour(match (left, right) {
                (Some(_), Some(_)) => Colour::Plain,
                (Some(_), None) => Colour::Removed,
                (None, _) => Colour::Added,
            });
            text.key(key);
            match (left, right) {
                (Some(left), Some(right)) => text.compare(left, right),
                (only, other) => only.or(other).into_iter().for_each(|value| text.whole(value)),
            }
        });
    }

    /// Brackets with items between them, each on a line of its own; brackets and commas are plain.
    fn collection<T>(&mut self, open: char, close: char, items: Vec<T>, mut write: impl FnMut(&mut Self, T)) {
        let colour = self.colour;
        self.out.push(open);
        let count = items.len();
        self.level += usize::from(count > 0);
        for (index, item) in items.into_iter().enumerate() {
            self.line();
            write(self, item);
            self.colour(colour);
            if index + 1 < count {
                self.out.push(',');
            } else {
                self.level -= 1;
                self.line();
            }
        }
        self.out.push(close);
    }

    fn key(&mut self, key: Option<&str>) {
        if let Some(key) = key {
            self.out += &format!("{}: ", quoted(key));
        }
    }

    /// A value with all that is in it, in the colour that it is in.
    fn whole(&mut self, value: &Value) {
        let (open, close) = brackets(value);
        match value {
            Value::Object(entries) => {
                self.collection(open, close, entries.iter().collect(), |text, (key, value)| {
                    text.key(Some(key));
                    text.whole(value);
                });
            }
            Value::Array(items) => {
                self.collection(open, close, items.iter().collect(), Self::whole);
            }
            scalar => self.short(scalar),
        }
    }

    /// A value without what is in it.
    fn short(&mut self, value: &Value) {
        self.out += &match value {
            Value::String(text) => quoted(text),
            Value::Object(_) => "{}".to_owned(),
            Value::Array(_) => "[]".to_owned(),
            other => other.to_string(),
        };
    }
}

fn brackets(value: &Value) -> (char, char) {
    if value.is_object() { ('{', '}') } else { ('[', ']') }
}

/// A text as Go quotes it.
fn quoted(text: &str) -> String {
    model::labels::Quoted(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_coloured_line_by_line() {
        let left = json!([{"a": "1", "b": "2", "c": {}}, {"x": "y"}]);
        let right = json!([{"a": "1", "b": "3", "c": {"d": "4"}}]);
        let text = diff(&left, &right);
        let marked = text.replace("\x1b[0;31m", "<-").replace("\x1b[0;32m", "<+").replace("\x1b[0;33m", "<~");
        let expected = r#"[
    {
        "a": "1",
        "b": <~"2" => "3">,
        "c": {
            <+"d": "4">
        }
    },
    <-{>
        <-"x": "y">
    <-}>
]"#;
        assert_eq!(marked.replace("\x1b[0m", ">"), expected);
    }

    #[test]
    fn what_is_the_same_is_plain() {
        let value = json!({"a": ["b", 1], "c": {}});
        assert_eq!(
            diff(&value, &value),
            "{\n    \"a\": [\n        \"b\",\n        1\n    ],\n    \"c\": {}\n}"
        );
        assert_eq!(diff(&json!("a"), &json!([])), "\x1b[0;33m\"a\" => []\x1b[0m");
    }
}
