//! Tokens to nodes, with Go's messages.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use model::labels::Quoted;
use model::literal::unquote;

use crate::lex::{Kind, Token, tokens};
use crate::node::{Branch, BranchKind, Command, Node, Number, Operand, Pipe, Term};

/// How deep parentheses and blocks may be put into each other.
const MAX_DEPTH: usize = 200;

/// Reads a template; what it defines is added to `trees`, itself under its name. `is_function` knows the functions.
pub(crate) fn parse(
    name: &str,
    text: &str,
    is_function: &dyn Fn(&str) -> bool,
    trees: &mut HashMap<String, Arc<Tree>>,
) -> Result<()> {
    let mut parser = Parser {
        name,
        text: Arc::from(text),
        tokens: tokens(text).into(),
        line: 1,
        action_line: 0,
        variables: vec!["$".to_owned()],
        range_depth: 0,
        depth: 0,
        is_function,
        trees,
    };
    let root = parser.top()?;
    parser.add(name, root)
}

/// A template that can be executed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    /// The name of the text that it stands in.
    pub(crate) parse_name: String,
    pub(crate) text: Arc<str>,
    pub(crate) root: Vec<Node>,
}

struct Parser<'a> {
    name: &'a str,
    text: Arc<str>,
    tokens: VecDeque<Token>,
    /// Line of the token that was read last.
    line: usize,
    action_line: usize,
    variables: Vec<String>,
    range_depth: usize,
    depth: usize,
    is_function: &'a dyn Fn(&str) -> bool,
    trees: &'a mut HashMap<String, Arc<Tree>>,
}

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    End,
    Else,
}

impl Ended {
    fn as_str(self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

enum Item {
    Node(Node),
    Ended(Ended),
}

type Result<T> = std::result::Result<T, String>;

impl Parser<'_> {
    fn error<T>(&self, message: impl std::fmt::Display) -> Result<T> {
        Err(format!("template: {}:{}: {message}", self.name, self.line))
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T> {
        if token.kind != Kind::Error {
            return self.error(format_args!("unexpected {} in {context}", token.describe()));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            let begin = if token.text.ends_with(" action") { "" } else { " in action" };
            extra = format!("{begin} started at {}:{}", self.name, self.action_line);
        }
        self.error(format_args!("{}{extra}", token.text))
    }

    /// The next token; at the end that of the end again and again, and so after an error.
    fn peek(&self) -> Token {
        self.tokens.front().cloned().unwrap_or(Token {
            kind: Kind::Eof,
            pos: self.text.len(),
            line: self.line,
            text: String::new(),
        })
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.line = token.line;
        if !matches!(token.kind, Kind::Eof | Kind::Error) {
            self.tokens.pop_front();
        }
        token
    }

    fn back(&mut self, token: Token) {
        if !matches!(token.kind, Kind::Eof | Kind::Error) {
            self.tokens.push_front(token);
        }
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    /// Skips space and looks at what follows. Its line is that of messages from here on.
    fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.back(token.clone());
        token
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return self.error("max expression depth exceeded");
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn add(&mut self, name: &str, root: Vec<Node>) -> Result<()> {
        let is_empty = |root: &[Node]| {
            root.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
        };
        if let Some(tree) = self.trees.get(name).filter(|tree| !is_empty(&tree.root)) {
            if is_empty(&root) {
                return Ok(());
            }
            // A later text may replace what an earlier one defined; one text may define a name once.
            if tree.text == self.text {
                return self
                    .error(format_args!("template: multiple definition of template {}", Quoted(name)));
            }
        }
        let tree = Tree { parse_name: self.name.to_owned(), text: Arc::clone(&self.text), root };
        self.trees.insert(name.to_owned(), Arc::new(tree));
        Ok(())
    }

    fn top(&mut self) -> Result<Vec<Node>> {
        let mut root = Vec::new();
        loop {
            let token = self.peek();
            if token.kind == Kind::Eof {
                return Ok(root);
            }
            if token.kind == Kind::LeftDelim {
                let delim = self.next();
                let keyword = self.next_non_space();
                if keyword.kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.back(keyword);
                self.back(delim);
            }
            match self.text_or_action()? {
                Item::Node(node) => root.push(node),
                Item::Ended(ended) => return self.error(format_args!("unexpected {}", ended.as_str())),
            }
        }
    }

    /// The body of what is defined apart, which knows no variable from outside.
    fn apart(&mut self, context: &str) -> Result<Vec<Node>> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let action_line = std::mem::take(&mut self.action_line);
        let (list, ended) = self.deeper(Self::list)?;
        if ended != Ended::End {
            return self.error(format_args!("unexpected {} in {context}", ended.as_str()));
        }
        (self.variables, self.range_depth, self.action_line) = (variables, range_depth, action_line);
        Ok(list)
    }

    fn definition(&mut self) -> Result<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let root = self.apart(CONTEXT)?;
        self.add(&name, root)
    }

    fn template_name(&self, token: &Token, context: &str) -> Result<String> {
        match token.kind {
            Kind::String | Kind::RawString => self.unquoted(token),
            _ => self.unexpected(token, context),
        }
    }

    fn unquoted(&self, token: &Token) -> Result<String> {
        match unquote(&token.text) {
            Some(text) => Ok(text),
            None => self.error("invalid syntax"),
        }
    }

    fn list(&mut self) -> Result<(Vec<Node>, Ended)> {
        let mut list = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => list.push(node),
                Item::Ended(ended) => return Ok((list, ended)),
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text))),
            Kind::LeftDelim => {
                self.action_line = token.line;
                let item = self.action();
                if item.is_ok() {
                    self.action_line = 0;
                }
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Result<Item> {
        let token = self.next_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break | Kind::Continue => self.leave(&token)?,
            Kind::Else => {
                // `else if` and `else with`: the keyword is left for whoever reads the branch.
                if !matches!(self.peek_non_space().kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                return Ok(Item::Ended(Ended::Else));
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::Ended(Ended::End));
            }
            Kind::If => self.branch(BranchKind::If)?,
            Kind::Range => self.branch(BranchKind::Range)?,
            Kind::With => self.branch(BranchKind::With)?,
            Kind::Template => self.template()?,
            _ => {
                let pos = token.pos;
                self.back(token);
                Node::Action { pos, pipe: self.pipe("command", Kind::RightDelim)? }
            }
        };
        Ok(Item::Node(node))
    }

    fn leave(&mut self, keyword: &Token) -> Result<Node> {
        let context = format!("{{{{{}}}}}", keyword.text);
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return self.unexpected(&token, &context);
        }
        if self.range_depth == 0 {
            return self.error(format_args!("{context} outside {{{{range}}}}"));
        }
        let pos = keyword.pos;
        Ok(if keyword.kind == Kind::Break { Node::Break { pos } } else { Node::Continue { pos } })
    }

    fn branch(&mut self, kind: BranchKind) -> Result<Node> {
        self.deeper(|parser| {
            let known = parser.variables.len();
            let pipe = parser.pipe(kind.as_str(), Kind::RightDelim)?;
            parser.range_depth += usize::from(kind == BranchKind::Range);
            let (list, ended) = parser.list()?;
            parser.range_depth -= usize::from(kind == BranchKind::Range);
            let other = match ended {
                Ended::End => None,
                Ended::Else => Some(parser.otherwise(kind)?),
            };
            parser.variables.truncate(known);
            Ok(Node::Branch(Box::new(Branch { kind, pos: pipe.pos, pipe, list, other })))
        })
    }

    fn otherwise(&mut self, kind: BranchKind) -> Result<Vec<Node>> {
        let same = match kind {
            BranchKind::If => Some(Kind::If),
            BranchKind::With => Some(Kind::With),
            BranchKind::Range => None,
        };
        if same == Some(self.peek().kind) {
            self.next();
            return Ok(vec![self.branch(kind)?]);
        }
        let (other, ended) = self.list()?;
        if ended != Ended::End {
            return self.error(format_args!("expected end; found {}", ended.as_str()));
        }
        Ok(other)
    }

    fn block(&mut self) -> Result<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipe(CONTEXT, Kind::RightDelim)?;
        let root = self.apart(CONTEXT)?;
        self.add(&name, root)?;
        Ok(Node::Template { pos: token.pos, name, pipe: Some(pipe) })
    }

    fn template(&mut self) -> Result<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let next = self.next_non_space();
        let pipe = if next.kind == Kind::RightDelim {
            None
        } else {
            self.back(next);
            Some(self.pipe(CONTEXT, Kind::RightDelim)?)
        };
        Ok(Node::Template { pos: token.pos, name, pipe })
    }

    fn pipe(&mut self, context: &str, end: Kind) -> Result<Pipe> {
        let mut pipe = Pipe { pos: self.peek_non_space().pos, ..Pipe::default() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back(token);
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
        if pipe.commands.is_empty() {
            return self.error(format_args!("missing value for {context}"));
        }
        let constant = |command: &Command| {
            matches!(
                command.args[0].term,
                Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::String(..)
            )
        };
        if let Some(stage) = pipe.commands.iter().skip(1).position(constant) {
            return self.error(format_args!("non executable command in pipeline stage {}", stage + 2));
        }
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, and before `range` `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<()> {
        while self.peek_non_space().kind == Kind::Variable {
            let variable = self.next();
            let behind = self.peek();
            let next = self.peek_non_space();
            let is_comma = next.kind == Kind::Char && next.text == ",";
            if !is_comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
                // A space that stood there has been skipped; a field must not come next to the variable by that.
                if behind.kind == Kind::Space {
                    self.back(behind);
                }
                self.back(variable);
                return Ok(());
            }
            self.next_non_space();
            pipe.declared.push(variable.text.clone());
            self.variables.push(variable.text);
            if !is_comma {
                pipe.is_assign = next.kind == Kind::Assign;
                return Ok(());
            }
            if context != "range" || pipe.declared.len() >= 2 {
                return self.error(format_args!("too many declarations in {context}"));
            }
            if !matches!(self.peek_non_space().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                return self.error("range can only initialize variables");
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command> {
        let mut command = Command { pos: self.peek_non_space().pos, args: Vec::new() };
        loop {
            self.peek_non_space();
            command.args.extend(self.operand()?);
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.back(token),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.args.is_empty() {
            return self.error("empty command");
        }
        Ok(command)
    }

    fn operand(&mut self) -> Result<Option<Operand>> {
        let Some(operand) = self.term()? else { return Ok(None) };
        let pos = self.peek().pos;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.next().text[1..].to_owned());
        }
        if fields.is_empty() {
            return Ok(Some(operand));
        }
        let term = match operand.term {
            Term::Field(mut names) => {
                names.append(&mut fields);
                Term::Field(names)
            }
            Term::Variable(name, mut names) => {
                names.append(&mut fields);
                Term::Variable(name, names)
            }
            Term::Bool(_) | Term::String(..) | Term::Number(_) | Term::Nil | Term::Dot => {
                let text = operand.to_string();
                return self.error(format_args!("unexpected . after term {}", Quoted(&text)));
            }
            _ => Term::Chain(Box::new(operand), fields),
        };
        Ok(Some(Operand { pos, term }))
    }

    fn term(&mut self) -> Result<Option<Operand>> {
        let token = self.next_non_space();
        let pos = token.pos;
        let term = match token.kind {
            Kind::Identifier => {
                if !(self.is_function)(&token.text) {
                    return self.error(format_args!("function {} not defined", Quoted(&token.text)));
                }
                Term::Identifier(token.text)
            }
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Variable => {
                if !self.variables.contains(&token.text) {
                    return self.error(format_args!("undefined variable {}", Quoted(&token.text)));
                }
                Term::Variable(token.text, Vec::new())
            }
            Kind::Field => Term::Field(vec![token.text[1..].to_owned()]),
            Kind::Bool => Term::Bool(token.text == "true"),
            Kind::Number | Kind::CharConstant => match number(&token) {
                Ok(number) => Term::Number(number),
                Err(message) => return self.error(message),
            },
            Kind::LeftParen => {
                let pipe = self.deeper(|parser| parser.pipe("parenthesized pipeline", Kind::RightParen))?;
                // Where a pipe in parentheses stands is where its first command does.
                return Ok(Some(Operand { pos: pipe.pos, term: Term::Pipe(Box::new(pipe)) }));
            }
            Kind::String | Kind::RawString => {
                let text = self.unquoted(&token)?;
                Term::String(token.text, text.into())
            }
            _ => {
                self.back(token);
                return Ok(None);
            }
        };
        Ok(Some(Operand { pos, term }))
    }
}

/// A number or a character, as Go's untyped constants are read.
fn number(token: &Token) -> Result<Number> {
    let text = &token.text;
    if token.kind == Kind::CharConstant {
        let malformed = || format!("malformed character constant: {text}");
        let inner = &text[1..text.len() - 1];
        let character = match inner {
            "\\'" => '\'',
            "\"" => '"',
            "\\\"" => return Err("invalid syntax".to_owned()),
            inner => {
                let read = unquote(&format!("\"{inner}\"")).ok_or("invalid syntax")?;
                let mut characters = read.chars();
                let first = characters.next().ok_or_else(malformed)?;
                if characters.next().is_some() {
                    return Err(malformed());
                }
                first
            }
        };
        let code = i64::from(character as u32);
        return Ok(Number { text: text.clone(), int: Some(code), float: Some(code as f64), is_float: false });
    }
    let looks_float = !is_prefixed(text) && text.contains(['.', 'e', 'E']);
    if let Some(int) = integer(text) {
        return Ok(Number {
            text: text.clone(),
            int: Some(int),
            float: Some(int as f64),
            is_float: looks_float,
        });
    }
    let float = float(text).ok_or_else(|| format!("illegal number syntax: {}", Quoted(text)))?;
    if !text.contains(['.', 'e', 'E', 'p', 'P']) {
        return Err(format!("integer overflow: {}", Quoted(text)));
    }
    let as_int = float as i64;
    let int = ((as_int as f64).to_bits() == float.to_bits()).then_some(as_int);
    Ok(Number { text: text.clone(), int, float: Some(float), is_float: true })
}

fn is_prefixed(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.len() > 1 && digits.starts_with('0') && digits[1..].starts_with(['x', 'X', 'b', 'B', 'o', 'O'])
}

/// `strconv.ParseInt` with base 0.
fn integer(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (&digits[2..], 16),
        Some("0b") => (&digits[2..], 2),
        Some("0o") => (&digits[2..], 8),
        _ if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        _ => (digits, 10),
    };
    let plain = digits.replace('_', "");
    if plain.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(&plain, radix).ok()?;
    i64::try_from(if is_negative { -number } else { number }).ok()
}

fn float(text: &str) -> Option<f64> {
    if is_prefixed(text) || text.contains('_') {
        return None;
    }
    text.parse().ok()
}
