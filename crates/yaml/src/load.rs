//! From the parser's events to the tree, within bounds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::error::{Error, Result};
use crate::node::{Entry, Node, Position, Scalar, Value};

/// What a document may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// Lists and mappings inside each other.
    pub depth: usize,
    /// Values and keys, those made by aliases included.
    pub nodes: usize,
    /// Values and keys made by aliases and merge keys.
    pub aliased_nodes: usize,
}

impl Default for Limits {
    /// 16 MiB, 100 levels, a million values, of which aliases may make a tenth.
    fn default() -> Self {
        Self { bytes: 16 << 20, depth: 100, nodes: 1_000_000, aliased_nodes: 100_000 }
    }
}

/// Parses the first document of `text`; nothing at all is a null.
///
/// # Errors
/// [`Error::Syntax`] with the line, [`Error::Limit`].
pub fn parse(text: &str, limits: Limits) -> Result<Node> {
    if text.len() > limits.bytes {
        return Err(limit(format!("document is larger than {} bytes", limits.bytes), None));
    }
    let options = granit_parser::options! {
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    let loader = Loader {
        parser: Parser::new_from_str_with_options(text, options),
        lines: text.lines().collect(),
        limits,
        nodes: 0,
        aliased: 0,
        anchors: HashMap::new(),
    };
    loader.document()
}

fn limit(message: String, line: Option<u32>) -> Error {
    Error::Limit { message, line }
}

struct Loader<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    lines: Vec<&'t str>,
    limits: Limits,
    nodes: usize,
    aliased: usize,
    /// By the parser's number. `None` while the anchored value is still being read.
    anchors: HashMap<usize, Option<Anchored>>,
}

#[derive(Clone)]
struct Anchored {
    node: Node,
    /// How many nodes it is made of.
    size: usize,
}

/// A list or a mapping that has been begun.
struct Open {
    node: Node,
    anchor: usize,
    /// A key that waits for its value.
    key: Option<Node>,
    /// Mappings that merge keys name.
    merges: Vec<Node>,
    /// `nodes` when it was begun.
    began: usize,
}

impl Loader<'_> {
    fn document(mut self) -> Result<Node> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let (event, span) = match self.parser.next_event() {
                None => return Ok(Node::nothing()),
                Some(Err(error)) => return Err(syntax(&error)),
                Some(Ok(next)) => next,
            };
            let position = position(&span);
            let finished = match event {
                Event::StreamEnd | Event::DocumentEnd => return Ok(Node::nothing()),
                Event::Scalar(text, style, anchor, tag) => {
                    self.count(1, position)?;
                    let position = match style {
                        ScalarStyle::Literal | ScalarStyle::Folded => self.indicator(position),
                        _ => position,
                    };
                    let tag = short_tag(tag.as_deref());
                    let scalar = if tag.as_deref() == Some("!!binary") {
                        binary(&text, position)?
                    } else {
                        Scalar { text: Arc::from(&*text), plain: style == ScalarStyle::Plain, bytes: None }
                    };
                    let node = Node { position, tag, value: Value::Scalar(scalar) };
                    self.keep(anchor, &node, 1);
                    node
                }
                Event::Alias(anchor) => self.alias(anchor, position)?,
                Event::SequenceStart(_, anchor, tag) => {
                    self.begin(&mut open, position, anchor, tag.as_deref(), Value::Sequence(Vec::new()))?;
                    continue;
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.begin(&mut open, position, anchor, tag.as_deref(), Value::Mapping(Vec::new()))?;
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let Some(closed) = open.pop() else { continue };
                    self.close(closed)?
                }
                _ => continue,
            };
            match open.last_mut() {
                None => return Ok(finished),
                Some(parent) => place(parent, finished)?,
            }
        }
    }

    /// Where a block of text begins: at its `|` or `>`, as in Go, and not at its first line, which the parser tells.
    fn indicator(&self, first: Position) -> Position {
        let above = self.lines.iter().enumerate().take(first.line as usize - 1).rev();
        let Some((index, line)) = above.into_iter().find(|(_, line)| !line.trim().is_empty()) else {
            return first;
        };
        let head = line.split_once(" #").map_or(*line, |(head, _)| head).trim_end();
        let head =
            head.trim_end_matches(|character: char| character.is_ascii_digit() || "+-".contains(character));
        match head.strip_suffix(['|', '>']) {
            Some(before) => Position { line: index as u32 + 1, column: before.chars().count() as u32 + 1 },
            None => first,
        }
    }

    fn count(&mut self, nodes: usize, position: Position) -> Result<()> {
        self.nodes += nodes;
        if self.nodes > self.limits.nodes {
            let message = format!("document has more than {} values", self.limits.nodes);
            return Err(limit(message, Some(position.line)));
        }
        Ok(())
    }

    fn count_aliased(&mut self, nodes: usize, position: Position) -> Result<()> {
        self.aliased += nodes;
        if self.aliased > self.limits.aliased_nodes {
            return Err(limit("document contains excessive aliasing".to_owned(), Some(position.line)));
        }
        self.count(nodes, position)
    }

    fn begin(
        &mut self,
        open: &mut Vec<Open>,
        position: Position,
        anchor: usize,
        tag: Option<&Tag>,
        value: Value,
    ) -> Result<()> {
        if open.len() >= self.limits.depth {
            let message = format!("exceeded max depth of {}", self.limits.depth);
            return Err(limit(message, Some(position.line)));
        }
        let began = self.nodes;
        self.count(1, position)?;
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        let node = Node { position, tag: short_tag(tag), value };
        open.push(Open { node, anchor, key: None, merges: Vec::new(), began });
        Ok(())
    }

    fn close(&mut self, closed: Open) -> Result<Node> {
        let Open { mut node, anchor, merges, began, .. } = closed;
        if let Value::Mapping(entries) = &mut node.value {
            for merge in merges {
                self.merge(entries, merge)?;
            }
        }
        self.keep(anchor, &node, self.nodes - began);
        Ok(node)
    }

    /// Adds what a merge key names, except for keys that the mapping has.
    fn merge(&mut self, entries: &mut Vec<Entry>, from: Node) -> Result<()> {
        let position = from.position;
        let sources = match from.value {
            Value::Mapping(_) => vec![from],
            Value::Sequence(items) if items.iter().all(|item| matches!(item.value, Value::Mapping(_))) => {
                items
            }
            _ => {
                return Err(Error::Refused {
                    message: "yaml: map merge requires map or sequence of maps as the value".to_owned(),
                    position: Some(position),
                });
            }
        };
        let mut present: HashSet<Arc<str>> =
            entries.iter().filter_map(|entry| entry.key.text().cloned()).collect();
        for source in sources {
            let Value::Mapping(added) = source.value else { continue };
            self.count_aliased(added.len(), position)?;
            for entry in added {
                if entry.key.text().is_none_or(|text| present.insert(text.clone())) {
                    entries.push(Entry { merged: true, ..entry });
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, anchor: usize, node: &Node, size: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, Some(Anchored { node: node.clone(), size }));
        }
    }

    fn alias(&mut self, anchor: usize, position: Position) -> Result<Node> {
        let refused =
            |message: &str| Error::Refused { message: message.to_owned(), position: Some(position) };
        let size = match self.anchors.get(&anchor) {
            None => return Err(refused("yaml: unknown anchor referenced")),
            Some(None) => return Err(refused("yaml: anchor value contains itself")),
            Some(Some(anchored)) => anchored.size,
        };
        // Counted before it is copied.
        self.count_aliased(size, position)?;
        match self.anchors.get(&anchor) {
            Some(Some(anchored)) => Ok(anchored.node.clone()),
            _ => Err(refused("yaml: unknown anchor referenced")),
        }
    }
}

fn place(parent: &mut Open, node: Node) -> Result<()> {
    match (&mut parent.node.value, parent.key.take()) {
        (Value::Sequence(items), _) => items.push(node),
        (Value::Mapping(_), None) => parent.key = Some(node),
        (Value::Mapping(_), Some(key)) if is_merge(&key) => parent.merges.push(node),
        (Value::Mapping(entries), Some(key)) => entries.push(Entry { key, value: node, merged: false }),
        (Value::Scalar(_), _) => {
            return Err(Error::Syntax {
                line: node.position.line,
                said: Some(node.position.line),
                message: "value inside a scalar".to_owned(),
            });
        }
    }
    Ok(())
}

fn is_merge(key: &Node) -> bool {
    match (&key.value, key.tag.as_deref()) {
        (Value::Scalar(scalar), None) => scalar.plain && &*scalar.text == "<<",
        (Value::Scalar(scalar), Some("!!merge")) => &*scalar.text == "<<",
        _ => false,
    }
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line() as u32, column: span.start.col() as u32 + 1 }
}

/// What base64 stands for: a text, unless it is no UTF-8.
fn binary(text: &str, position: Position) -> Result<Scalar> {
    let packed: String = text.chars().filter(|character| !matches!(character, '\n' | '\r')).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| Error::Refused {
        message: "yaml: !!binary value contains invalid base64 data".to_owned(),
        position: Some(position),
    })?;
    let text = Arc::from(&*String::from_utf8_lossy(&bytes));
    let bytes = if std::str::from_utf8(&bytes).is_ok() { None } else { Some(bytes.into()) };
    Ok(Scalar { text, plain: false, bytes })
}

fn short_tag(tag: Option<&Tag>) -> Option<Arc<str>> {
    let tag = tag?;
    let full = format!("{}{}", tag.handle(), tag.suffix());
    Some(match full.strip_prefix("tag:yaml.org,2002:") {
        Some(suffix) => format!("!!{suffix}").into(),
        None => full.into(),
    })
}

/// libyaml's texts, which Go's packages give on, for what users meet; the parser's own for the rest.
fn syntax(error: &ScanError) -> Error {
    use ErrorKind as Kind;
    let message = match error.kind() {
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => "could not find expected ':'",
        Kind::ExpectedBlockMappingKey => "did not find expected key",
        Kind::ExpectedBlockSequenceEntry => "did not find expected '-' indicator",
        Kind::ExpectedFlowSequenceSeparator | Kind::UnclosedFlowCollection { open: '[' } => {
            "did not find expected ',' or ']'"
        }
        Kind::ExpectedFlowMappingSeparator | Kind::UnclosedFlowCollection { .. } => {
            "did not find expected ',' or '}'"
        }
        Kind::ExpectedNodeContent => "did not find expected node content",
        Kind::ExpectedDocumentStart => "did not find expected <document start>",
        Kind::UnclosedQuotedScalar => "found unexpected end of stream",
        Kind::TabNotAllowed
        | Kind::TabInBlockIndentation
        | Kind::TabInIndentation
        | Kind::UnexpectedCharacter { .. } => "found character that cannot start any token",
        Kind::UnknownQuotedScalarEscape => "found unknown escape character",
        Kind::MappingValueNotAllowed => "mapping values are not allowed in this context",
        Kind::UnknownAnchor => "unknown anchor referenced",
        Kind::RecursionLimitExceeded => {
            return limit("exceeded max depth".to_owned(), Some(error.marker().line() as u32));
        }
        _ => "",
    };
    let message = if message.is_empty() { error.info() } else { message.to_owned() };
    let line = error.marker().line() as u32;
    Error::Syntax { line, said: Some(line), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Node {
        parse(text, Limits::default()).unwrap()
    }

    fn refused(text: &str) -> String {
        parse(text, Limits::default()).unwrap_err().to_string()
    }

    #[test]
    fn keys_and_values_know_their_places() {
        let node = tree("# head\na: 1\nlist:\n  - x\n  - {b: \"é\", c: d}\n");
        let list = &node.entries()[1];
        assert_eq!((list.key.position.line, list.key.position.column), (3, 1));
        assert_eq!((list.value.items()[0].position.line, list.value.items()[0].position.column), (4, 5));
        let c = &list.value.items()[1].entries()[1];
        assert_eq!((c.key.position.line, c.key.position.column), (5, 14));
        assert_eq!(c.value.text().map(|text| &**text), Some("d"));
    }

    #[test]
    fn nothing_is_null_and_only_the_first_document_counts() {
        assert!(tree("").is_null());
        assert!(tree("# only a comment\n").is_null());
        assert_eq!(tree("a: 1\n---\nb: [\n").entries().len(), 1);
    }

    #[test]
    fn quoted_and_tagged_scalars_are_texts() {
        assert!(!tree("''").is_null());
        assert!(tree("~").is_null());
        assert!(!tree("!!str ~").is_null());
    }

    #[test]
    fn aliases_and_merge_keys_are_followed() {
        let node =
            tree("base: &b {x: 1, y: 2}\nmore: &m {z: 3, x: 9}\nuse: {y: 7, <<: [*b, *m]}\ncopy: *b\n");
        let used = node.get("use").unwrap();
        let pairs: Vec<(&str, &str)> = used
            .entries()
            .iter()
            .map(|entry| (&**entry.key.text().unwrap(), &**entry.value.text().unwrap()))
            .collect();
        assert_eq!(pairs, [("y", "7"), ("x", "1"), ("z", "3")]);
        assert!(used.entries()[1].merged && !used.entries()[0].merged);
        assert_eq!(node.get("copy"), node.get("base"));
    }

    #[test]
    fn aliases_cannot_grow_without_end() {
        let level = |level: usize| match level {
            0 => "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(),
            _ => format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")),
        };
        let text: String = (0..12).map(level).collect();
        assert_eq!(refused(&text), "yaml: document contains excessive aliasing");
        assert_eq!(refused("a: &a [*a]\n"), "yaml: anchor value contains itself");
        assert!(refused("a: *nobody\n").contains("unknown anchor"));
        assert!(refused("<<: 1\n").contains("map merge requires"));
    }

    #[test]
    fn bounds_hold() {
        let deep = "[".repeat(200);
        assert!(refused(&deep).contains("max depth"), "{}", refused(&deep));
        let small = Limits { bytes: 10, ..Limits::default() };
        assert!(parse("aaaaaaaaaaaaaaa", small).unwrap_err().to_string().contains("larger than 10 bytes"));
        let few = Limits { nodes: 3, ..Limits::default() };
        assert!(parse("[a, b, c, d]", few).unwrap_err().to_string().contains("more than 3 values"));
    }

    #[test]
    fn syntax_errors_name_the_line() {
        for (text, line) in [("a: b: c\n", 1), ("a:\n\t- x\n", 2), ("a: [1, 2\nb: 3\n", 2), ("a: 'x\n", 2)] {
            let error = parse(text, Limits::default()).unwrap_err();
            assert!(error.to_string().starts_with("yaml: line "), "{text:?}: {error}");
            assert!(error.line().unwrap().abs_diff(line) <= 1, "{text:?}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-a-c:\\[\\]{},&*<|>'\"#!% \n\t?~1]{0,60}") {
            let _ = parse(&text, Limits::default());
        }
    }

    #[test]
    fn blocks_of_text_begin_at_their_indicator() {
        let text = "a: |\n  x |\n  y\nb:\n  - >-2 # why\n\n     z\n  - |+\n    w\nd: 'e'\n";
        let node = parse(text, Limits::default()).unwrap();
        let at = |node: &Node| (node.position.line, node.position.column);
        let list = node.get("b").unwrap().items();
        assert_eq!(at(node.get("a").unwrap()), (1, 4));
        assert_eq!((at(&list[0]), at(&list[1])), ((5, 5), (8, 5)));
        assert_eq!(at(node.get("d").unwrap()), (10, 4));
    }
}
