//! What a template is made of. `Display` gives the text that errors show as their place.

use std::fmt;
use std::sync::Arc;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Text(String),
    Action { pos: usize, pipe: Pipe },
    Branch(Box<Branch>),
    Template { pos: usize, name: String, pipe: Option<Pipe> },
    Break { pos: usize },
    Continue { pos: usize },
}

/// `if`, `range` or `with`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Branch {
    pub(crate) kind: BranchKind,
    pub(crate) pos: usize,
    pub(crate) pipe: Pipe,
    pub(crate) list: Vec<Node>,
    pub(crate) other: Option<Vec<Node>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BranchKind {
    If,
    Range,
    With,
}

impl BranchKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::Range => "range",
            Self::With => "with",
        }
    }
}

/// Commands, each the last argument of the next.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Pipe {
    pub(crate) pos: usize,
    pub(crate) is_assign: bool,
    pub(crate) declared: Vec<String>,
    pub(crate) commands: Vec<Command>,
}

/// A function or a value with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Command {
    pub(crate) pos: usize,
    pub(crate) args: Vec<Operand>,
}

/// An operand with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operand {
    pub(crate) pos: usize,
    pub(crate) term: Term,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Identifier(String),
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    /// As it is written, and what it means.
    String(String, Arc<str>),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`
    Variable(String, Vec<String>),
    Pipe(Box<Pipe>),
    /// `(…).a.b`
    Chain(Box<Operand>, Vec<String>),
}

/// A number, as each of the types that can hold it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) text: String,
    pub(crate) int: Option<i64>,
    pub(crate) float: Option<f64>,
    /// Whether it is a floating-point number where nothing says which type it should have.
    pub(crate) is_float: bool,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Action { pipe, .. } => write!(f, "{{{{{pipe}}}}}"),
            Self::Branch(branch) => branch.fmt(f),
            Self::Template { name, pipe, .. } => {
                write!(f, "{{{{template {}", model::labels::Quoted(name))?;
                if let Some(pipe) = pipe {
                    write!(f, " {pipe}")?;
                }
                f.write_str("}}")
            }
            Self::Break { .. } => f.write_str("{{break}}"),
            Self::Continue { .. } => f.write_str("{{continue}}"),
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{} {}}}}}", self.kind.as_str(), self.pipe)?;
        self.list.iter().try_for_each(|node| node.fmt(f))?;
        if let Some(other) = &self.other {
            f.write_str("{{else}}")?;
            other.iter().try_for_each(|node| node.fmt(f))?;
        }
        f.write_str("{{end}}")
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.declared.is_empty() {
            write!(f, "{} {} ", self.declared.join(", "), if self.is_assign { "=" } else { ":=" })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if index == 0 { "" } else { " | " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, arg) in self.args.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " " })?;
            match &arg.term {
                Term::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => arg.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields: &[String] = &[];
        match &self.term {
            Term::Identifier(name) => f.write_str(name)?,
            Term::Dot => f.write_str(".")?,
            Term::Nil => f.write_str("nil")?,
            Term::Bool(truth) => truth.fmt(f)?,
            Term::Number(number) => f.write_str(&number.text)?,
            Term::String(quoted, _) => f.write_str(quoted)?,
            Term::Field(names) => fields = names,
            Term::Variable(name, names) => {
                f.write_str(name)?;
                fields = names;
            }
            Term::Pipe(pipe) => pipe.fmt(f)?,
            Term::Chain(operand, names) => {
                match &operand.term {
                    Term::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => operand.fmt(f)?,
                }
                fields = names;
            }
        }
        fields.iter().try_for_each(|name| write!(f, ".{name}"))
    }
}
