//! Running a template. What Go does by reflection is done on [`Value`]s here; the place that an error names is that of
//! the node that was looked at last, as in Go.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use model::labels::Quoted;

use crate::node::{Branch, BranchKind, Command, Node, Number, Operand, Pipe, Term};
use crate::parse::Tree;
use crate::value::{Signature, Type, Value};
use crate::{MissingKey, Templates, builtin, format};

/// How deep templates may call each other.
const MAX_DEPTH: usize = 100;

/// Most nodes that are executed: loops over loops come to an end.
const MAX_STEPS: usize = 1_000_000;

/// Most bytes that come out.
const MAX_BYTES: usize = 16 << 20;

pub(crate) fn execute(templates: &Templates<'_>, name: &str, data: &Value) -> Result<String, String> {
    let Some(tree) = templates.trees.get(name) else {
        return Err(format!("template: {name}: {} is an incomplete or empty template", Quoted(name)));
    };
    let mut out = Output { text: String::new(), steps: 0 };
    let mut state = State {
        templates,
        name,
        tree,
        out: &mut out,
        variables: vec![("$", data.clone())],
        place: Place::Start,
        depth: 0,
    };
    match state.list(data, &tree.root) {
        Ok(()) | Err(Stop::Break | Stop::Continue) => Ok(out.text),
        Err(Stop::Failed(message)) => Err(message),
    }
}

struct Output {
    text: String,
    steps: usize,
}

/// Why the execution does not go on with the next node.
enum Stop {
    Break,
    Continue,
    Failed(String),
}

type Result<T, E = Stop> = std::result::Result<T, E>;

/// What was looked at last.
#[derive(Clone, Copy)]
enum Place<'a> {
    Start,
    Node(&'a Node, usize),
    Branch(&'a Branch),
    Pipe(&'a Pipe),
    Command(&'a Command),
    Operand(&'a Operand),
}

impl<'a> Place<'a> {
    fn of(node: &'a Node) -> Self {
        match node {
            Node::Text(_) => Self::Start,
            Node::Branch(branch) => Self::Branch(branch),
            Node::Action { pos, .. }
            | Node::Template { pos, .. }
            | Node::Break { pos }
            | Node::Continue { pos } => Self::Node(node, *pos),
        }
    }

    fn pos_and_text(self) -> Option<(usize, String)> {
        match self {
            Self::Start => None,
            Self::Node(node, pos) => Some((pos, node.to_string())),
            Self::Branch(branch) => Some((branch.pos, branch.to_string())),
            Self::Pipe(pipe) => Some((pipe.pos, pipe.to_string())),
            Self::Command(command) => Some((command.pos, command.to_string())),
            Self::Operand(operand) => Some((operand.pos, operand.to_string())),
        }
    }
}

struct State<'a, 'o> {
    templates: &'a Templates<'a>,
    name: &'a str,
    tree: &'a Tree,
    out: &'o mut Output,
    variables: Vec<(&'a str, Value)>,
    place: Place<'a>,
    depth: usize,
}

impl<'a> State<'a, '_> {
    fn error(&self, message: impl Display) -> Stop {
        let Some((pos, context)) = self.place.pos_and_text() else {
            return Stop::Failed(format!("template: {}: {message}", self.name));
        };
        let before = &self.tree.text[..pos];
        let line = 1 + before.matches('\n').count();
        let column = before.rfind('\n').map_or(pos, |newline| pos - newline - 1);
        let (file, name) = (&self.tree.parse_name, Quoted(self.name));
        Stop::Failed(format!("template: {file}:{line}:{column}: executing {name} at <{context}>: {message}"))
    }

    fn fail<T>(&self, message: impl Display) -> Result<T> {
        Err(self.error(message))
    }

    fn write(&mut self, text: &str) -> Result<()> {
        if self.out.text.len() + text.len() > MAX_BYTES {
            return self.fail(format_args!("the text is longer than {MAX_BYTES} bytes"));
        }
        self.out.text.push_str(text);
        Ok(())
    }

    fn list(&mut self, dot: &Value, list: &'a [Node]) -> Result<()> {
        list.iter().try_for_each(|node| self.walk(dot, node))
    }

    fn walk(&mut self, dot: &Value, node: &'a Node) -> Result<()> {
        self.place = Place::of(node);
        self.step()?;
        match node {
            Node::Text(text) => self.write(text),
            Node::Action { pipe, .. } => {
                let value = self.pipe(dot, pipe)?;
                if !pipe.declared.is_empty() {
                    return Ok(());
                }
                self.place = Place::of(node);
                self.write(&format::printed(&value))
            }
            Node::Break { .. } => Err(Stop::Break),
            Node::Continue { .. } => Err(Stop::Continue),
            Node::Template { name, pipe, .. } => self.template(dot, name, pipe.as_ref()),
            Node::Branch(branch) => {
                let known = self.variables.len();
                let done = match branch.kind {
                    BranchKind::Range => self.range(dot, branch),
                    BranchKind::If | BranchKind::With => self.choose(dot, branch),
                };
                self.variables.truncate(known);
                done
            }
        }
    }

    fn step(&mut self) -> Result<()> {
        self.out.steps += 1;
        if self.out.steps > MAX_STEPS {
            return self.fail(format_args!("more than {MAX_STEPS} steps"));
        }
        Ok(())
    }

    fn choose(&mut self, dot: &Value, branch: &'a Branch) -> Result<()> {
        let value = self.pipe(dot, &branch.pipe)?;
        if value.is_true() {
            let dot = if branch.kind == BranchKind::With { &value } else { dot };
            return self.list(dot, &branch.list);
        }
        branch.other.as_ref().map_or(Ok(()), |other| self.list(dot, other))
    }

    fn range(&mut self, dot: &Value, branch: &'a Branch) -> Result<()> {
        let value = self.pipe(dot, &branch.pipe)?;
        let declared = &branch.pipe.declared;
        let mut ran = false;
        match &value {
            Value::Int(number) => {
                if declared.len() > 1 {
                    let shown = format::printed(&value);
                    return self
                        .fail(format_args!("can't use {shown} to iterate over more than one variable"));
                }
                for index in 0..*number {
                    ran = true;
                    if !self.once(branch, Value::Missing, &Value::Int(index))? {
                        break;
                    }
                }
            }
            Value::List(list) => {
                for (index, item) in list.items.iter().enumerate() {
                    ran = true;
                    if !self.once(branch, Value::Int(index as i64), item)? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for (key, item) in &map.entries {
                    ran = true;
                    if !self.once(branch, Value::string(key.as_str()), item)? {
                        break;
                    }
                }
            }
            Value::Missing | Value::Nil => {}
            other => {
                let shown = format::printed(other);
                return self.fail(format_args!("range can't iterate over {shown}"));
            }
        }
        match &branch.other {
            Some(other) if !ran => self.list(dot, other),
            _ => Ok(()),
        }
    }

    /// One round of a loop; false after a `break`.
    fn once(&mut self, branch: &'a Branch, index: Value, item: &Value) -> Result<bool> {
        self.step()?;
        let mark = self.variables.len();
        match (branch.pipe.declared.as_slice(), branch.pipe.is_assign) {
            ([], _) => {}
            ([element], true) => self.assign(element, item.clone())?,
            ([key, element, ..], true) => {
                self.assign(key, index)?;
                self.assign(element, item.clone())?;
            }
            ([.., _], false) => {
                // They stand on top, where the pipeline has put them.
                self.variables[mark - 1].1 = item.clone();
                if branch.pipe.declared.len() > 1 {
                    self.variables[mark - 2].1 = index;
                }
            }
        }
        let done = self.list(item, &branch.list);
        self.variables.truncate(mark);
        match done {
            Ok(()) | Err(Stop::Continue) => Ok(true),
            Err(Stop::Break) => Ok(false),
            Err(failed) => Err(failed),
        }
    }

    fn template(&mut self, dot: &Value, name: &'a str, pipe: Option<&'a Pipe>) -> Result<()> {
        let Some(tree) = self.templates.trees.get(name) else {
            return self.fail(format_args!("template {} not defined", Quoted(name)));
        };
        if self.depth == MAX_DEPTH {
            return self.fail(format_args!("exceeded maximum template depth ({MAX_DEPTH})"));
        }
        let dot = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Missing,
        };
        let mut inner = State {
            templates: self.templates,
            name,
            tree,
            out: self.out,
            variables: vec![("$", dot.clone())],
            place: self.place,
            depth: self.depth + 1,
        };
        inner.list(&dot, &tree.root)
    }

    fn assign(&mut self, name: &str, value: Value) -> Result<()> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, variable)) => *variable = value,
            None => return self.fail(format_args!("undefined variable: {name}")),
        }
        Ok(())
    }

    fn pipe(&mut self, dot: &Value, pipe: &'a Pipe) -> Result<Value> {
        self.place = Place::Pipe(pipe);
        let mut last = None;
        for command in &pipe.commands {
            let value = self.command(dot, command, last)?;
            // Nothing in an interface is nothing.
            last = Some(if matches!(value, Value::Nil) { Value::Missing } else { value });
        }
        let value = last.unwrap_or_default();
        for name in &pipe.declared {
            if pipe.is_assign {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// A command; what the one before gave is its last argument.
    fn command(&mut self, dot: &Value, command: &'a Command, last: Option<Value>) -> Result<Value> {
        let (first, args) = (&command.args[0], &command.args[1..]);
        match &first.term {
            Term::Field(names) => {
                self.place = Place::Operand(first);
                return self.fields(dot, dot.clone(), names, args, last);
            }
            Term::Chain(operand, names) => return self.chain(dot, first, operand, names, args, last),
            Term::Variable(name, names) => return self.variable(dot, first, name, names, args, last),
            Term::Identifier(name) => {
                self.place = Place::Operand(first);
                return self.function(dot, name, Place::Command(command), args, last);
            }
            Term::Pipe(pipe) => {
                self.no_arguments(first, args, last.as_ref())?;
                return self.pipe(dot, pipe);
            }
            _ => {}
        }
        self.place = Place::Operand(first);
        self.no_arguments(first, args, last.as_ref())?;
        match &first.term {
            Term::Dot => Ok(dot.clone()),
            Term::Bool(truth) => Ok(Value::Bool(*truth)),
            Term::Number(number) => self.constant(number),
            Term::String(_, text) => Ok(Value::String(Arc::clone(text))),
            _ => self.fail("nil is not a command"),
        }
    }

    fn no_arguments(&self, first: &Operand, args: &[Operand], last: Option<&Value>) -> Result<()> {
        if args.is_empty() && last.is_none() {
            return Ok(());
        }
        self.fail(format_args!("can't give argument to non-function {first}"))
    }

    /// A number of which nothing says what type it should have.
    fn constant(&self, number: &Number) -> Result<Value> {
        match number {
            Number { is_float: true, float: Some(float), .. } => Ok(Value::Float(*float)),
            Number { int: Some(int), .. } => Ok(Value::Int(*int)),
            Number { text, .. } => self.fail(format_args!("{text} overflows int")),
        }
    }

    fn chain(
        &mut self,
        dot: &Value,
        place: &'a Operand,
        operand: &'a Operand,
        names: &'a [String],
        args: &'a [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        self.place = Place::Operand(place);
        if operand.term == Term::Nil {
            return self.fail(format_args!("indirection through explicit nil in {place}"));
        }
        let receiver = self.argument(dot, Type::Value, operand)?;
        self.fields(dot, receiver, names, args, last)
    }

    fn variable(
        &mut self,
        dot: &Value,
        place: &'a Operand,
        name: &str,
        names: &'a [String],
        args: &'a [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        self.place = Place::Operand(place);
        let Some((_, value)) = self.variables.iter().rev().find(|(known, _)| *known == name) else {
            return self.fail(format_args!("undefined variable: {name}"));
        };
        let value = value.clone();
        if names.is_empty() {
            self.no_arguments(place, args, last.as_ref())?;
            return Ok(value);
        }
        self.fields(dot, value, names, args, last)
    }

    fn fields(
        &mut self,
        dot: &Value,
        mut receiver: Value,
        names: &'a [String],
        args: &'a [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        let Some((method, fields)) = names.split_last() else { return Ok(receiver) };
        // Go names the type that it knows beforehand: of what a map of anything holds, that it is anything.
        let mut type_name: Option<&str> = None;
        for name in fields {
            let found = self.field(dot, &receiver, type_name, name, &[], None)?;
            let holds_anything =
                matches!(&receiver, Value::Map(map) if map.type_name.ends_with("interface {}"));
            type_name = holds_anything.then_some("interface {}");
            receiver = found;
        }
        self.field(dot, &receiver, type_name, method, args, last)
    }

    fn field(
        &mut self,
        dot: &Value,
        receiver: &Value,
        type_name: Option<&str>,
        name: &'a str,
        args: &'a [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        let has_arguments = !args.is_empty() || last.is_some();
        match receiver {
            Value::Missing => {
                if self.templates.missing_key == MissingKey::Error {
                    return self.fail(format_args!("nil data; no entry for key {}", Quoted(name)));
                }
                return Ok(Value::Missing);
            }
            Value::Nil => {
                return self.fail(format_args!("nil pointer evaluating interface {{}}.{name}"));
            }
            Value::Map(map) => {
                if has_arguments {
                    return self.fail(format_args!("{name} is not a method but has arguments"));
                }
                return match (map.entries.get(name), self.templates.missing_key) {
                    (Some(value), _) => Ok(value.clone()),
                    (None, MissingKey::Invalid) => Ok(Value::Missing),
                    (None, MissingKey::Zero) => Ok(map.zero.clone()),
                    (None, MissingKey::Error) => {
                        self.fail(format_args!("map has no entry for key {}", Quoted(name)))
                    }
                };
            }
            _ => {}
        }
        if let Some(signature) = builtin::method(receiver, name) {
            let place = self.place;
            let args = self.arguments(dot, name, &signature, args, last)?;
            return self.called(place, name, builtin::call_method(receiver, name, &args));
        }
        if let Value::Object(object) = receiver
            && let Some(value) = object.field(name)
        {
            if has_arguments {
                return self.fail(format_args!("{name} has arguments but cannot be invoked as function"));
            }
            return Ok(value);
        }
        let type_name = type_name.unwrap_or(receiver.type_name());
        self.fail(format_args!("can't evaluate field {name} in type {type_name}"))
    }

    fn called(
        &mut self,
        place: Place<'a>,
        name: &str,
        result: std::result::Result<Value, String>,
    ) -> Result<Value> {
        result.map_err(|reason| {
            self.place = place;
            self.error(format_args!("error calling {name}: {reason}"))
        })
    }

    fn function(
        &mut self,
        dot: &Value,
        name: &'a str,
        place: Place<'a>,
        args: &'a [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        if let Some(function) = self.templates.functions.get(name) {
            let args = self.arguments(dot, name, &function.signature, args, last)?;
            return self.called(place, name, (function.body)(&args));
        }
        let Some(signature) = builtin::signature(name) else {
            return self.fail(format_args!("{} is not a defined function", Quoted(name)));
        };
        if matches!(name, "and" | "or") {
            self.count(name, &signature, args.len(), last.is_some())?;
            let mut value = Value::Missing;
            for arg in args {
                value = self.argument(dot, Type::Value, arg)?;
                if value.is_true() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let callee = args.first();
        let args = self.arguments(dot, name, &signature, args, last)?;
        if name == "call" {
            let (shown, value) = (callee.map(ToString::to_string), args.first());
            let type_name = value.map_or("<nil>", Value::type_name);
            let shown = shown.unwrap_or_else(|| value.map(format::printed).unwrap_or_default());
            return self.called(place, name, Err(format!("non-function {shown} of type {type_name}")));
        }
        self.called(place, name, builtin::call(name, &args))
    }

    fn count(&self, name: &str, signature: &Signature, written: usize, has_last: bool) -> Result<()> {
        let (wanted, given) = (signature.params.len(), written + usize::from(has_last));
        if signature.is_variadic && given + 1 < wanted {
            let least = wanted - 1;
            return self
                .fail(format_args!("wrong number of args for {name}: want at least {least} got {written}"));
        }
        if !signature.is_variadic && given != wanted {
            return self.fail(format_args!("wrong number of args for {name}: want {wanted} got {given}"));
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        dot: &Value,
        name: &str,
        signature: &Signature,
        args: &'a [Operand],
        last: Option<Value>,
    ) -> Result<Vec<Value>> {
        self.count(name, signature, args.len(), last.is_some())?;
        let wanted = |index: usize| {
            let at = index.min(signature.params.len().saturating_sub(1));
            signature.params.get(at).copied().unwrap_or(Type::Any)
        };
        let mut values = Vec::with_capacity(args.len() + 1);
        for (index, arg) in args.iter().enumerate() {
            values.push(self.argument(dot, wanted(index), arg)?);
        }
        if let Some(last) = last {
            values.push(self.of_type(last, wanted(args.len()))?);
        }
        Ok(values)
    }

    fn argument(&mut self, dot: &Value, wanted: Type, operand: &'a Operand) -> Result<Value> {
        self.place = Place::Operand(operand);
        let value = match &operand.term {
            Term::Dot => dot.clone(),
            Term::Nil => {
                if wanted.has_nil() {
                    return Ok(Value::Nil);
                }
                return self.fail(format_args!("cannot assign nil to {}", wanted.name()));
            }
            Term::Field(names) => self.fields(dot, dot.clone(), names, &[], None)?,
            Term::Variable(name, names) => self.variable(dot, operand, name, names, &[], None)?,
            Term::Pipe(pipe) => self.pipe(dot, pipe)?,
            Term::Identifier(name) => self.function(dot, name, Place::Operand(operand), &[], None)?,
            Term::Chain(inner, names) => self.chain(dot, operand, inner, names, &[], None)?,
            Term::Bool(_) | Term::Number(_) | Term::String(..) => return self.literal(wanted, operand),
        };
        self.of_type(value, wanted)
    }

    /// A literal, which takes the type that is asked for if it can.
    fn literal(&self, wanted: Type, operand: &Operand) -> Result<Value> {
        let expected = match (wanted, &operand.term) {
            (Type::Any | Type::Value | Type::Bool, Term::Bool(truth)) => return Ok(Value::Bool(*truth)),
            (Type::Any | Type::Value | Type::String, Term::String(_, text)) => {
                return Ok(Value::String(Arc::clone(text)));
            }
            (Type::Any | Type::Value, Term::Number(number)) => return self.constant(number),
            (Type::Float, Term::Number(Number { float: Some(float), .. })) => {
                return Ok(Value::Float(*float));
            }
            (Type::Int, Term::Number(Number { int: Some(int), .. })) => return Ok(Value::Int(*int)),
            (Type::Bool, _) => "bool",
            (Type::String, _) => "string",
            (Type::Float, _) => "float",
            (Type::Int, _) => "integer",
            (wanted, _) => {
                let name = wanted.name();
                return self.fail(format_args!("can't handle {operand} for arg of type {name}"));
            }
        };
        self.fail(format_args!("expected {expected}; found {operand}"))
    }

    /// A value where a type is asked for.
    fn of_type(&self, value: Value, wanted: Type) -> Result<Value> {
        match value {
            Value::Missing if wanted == Type::Value => Ok(value),
            Value::Missing | Value::Nil if wanted.has_nil() => Ok(Value::Nil),
            Value::Missing | Value::Nil => {
                self.fail(format_args!("invalid value; expected {}", wanted.name()))
            }
            value if wanted.takes(&value) => Ok(value),
            value => {
                let is: Cow<'_, str> = value.type_name().into();
                self.fail(format_args!("wrong type for value; expected {}; got {is}", wanted.name()))
            }
        }
    }
}
