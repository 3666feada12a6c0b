//! Relabelling: rules that choose, change, add and drop labels.
//!
//! A rule is read with its block and checked once more when the validation scheme of its job is known
//! ([`Rule::validate`]). [`apply`] runs rules over labels.

mod apply;
mod template;

use model::literal::Quoted;
use regex::Regex;
use yaml::{Context, Fields, Node, Outcome, Output, Position};

use crate::names::ValidationScheme;
use crate::print::Block;
use crate::read::label_names;

pub use apply::apply;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Writes the replacement to the target label where the expression matches.
    Replace,
    /// Drops all where the expression does not match.
    Keep,
    /// Drops all where the expression matches.
    Drop,
    /// Drops all where the source is not the target label's value.
    KeepEqual,
    /// Drops all where the source is the target label's value.
    DropEqual,
    /// Writes the hash of the source, modulo a number, to the target label.
    HashMod,
    /// Copies labels whose name matches to the name that the replacement makes.
    LabelMap,
    /// Removes labels whose name matches.
    LabelDrop,
    /// Removes labels whose name does not match.
    LabelKeep,
    /// Writes the source in lower case to the target label.
    Lowercase,
    /// Writes the source in upper case to the target label.
    Uppercase,
}

impl Action {
    const ALL: [(&'static str, Self); 11] = [
        ("replace", Self::Replace),
        ("keep", Self::Keep),
        ("drop", Self::Drop),
        ("keepequal", Self::KeepEqual),
        ("dropequal", Self::DropEqual),
        ("hashmod", Self::HashMod),
        ("labelmap", Self::LabelMap),
        ("labeldrop", Self::LabelDrop),
        ("labelkeep", Self::LabelKeep),
        ("lowercase", Self::Lowercase),
        ("uppercase", Self::Uppercase),
    ];

    /// Its name in the file.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }

    fn parse(text: &str) -> Option<Self> {
        let lower = text.to_lowercase();
        Self::ALL.iter().find(|(name, _)| *name == lower).map(|(_, action)| *action)
    }

    /// Takes the two labels as they are, and no expression or replacement.
    fn writes_plainly(self) -> bool {
        matches!(self, Self::Lowercase | Self::Uppercase | Self::KeepEqual | Self::DropEqual)
    }
}

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Labels whose values are joined to the source; `None` where the file does not say any.
    pub source_labels: Option<Vec<String>>,
    /// What stands between the values.
    pub separator: String,
    /// What the whole source has to match; `.` matches newlines.
    pub regex: Regex,
    /// The expression as it was written; `None` where the file does not say any.
    pub pattern: Option<String>,
    /// For [`Action::HashMod`].
    pub modulus: u64,
    /// The label that is written. May have `$1` in it for [`Action::Replace`].
    pub target_label: String,
    /// What is written. `$1` and `${name}` stand for groups of the expression.
    pub replacement: String,
    /// What the rule does.
    pub action: Action,
    /// Which labels may be written.
    pub scheme: ValidationScheme,
    /// Where the rule stands in the file.
    pub position: Position,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.source_labels == other.source_labels
            && self.separator == other.separator
            && self.regex.as_str() == other.regex.as_str()
            && self.modulus == other.modulus
            && self.target_label == other.target_label
            && self.replacement == other.replacement
            && self.action == other.action
            && self.scheme == other.scheme
    }
}

impl Rule {
    /// The expression as it was written, or the one that holds where nothing is.
    pub fn pattern(&self) -> &str {
        self.pattern.as_deref().unwrap_or(DEFAULT_REGEX)
    }

    /// Reads the rules of a list; `missing` is the text for one that is null.
    pub(crate) fn list(missing: &'static str) -> impl Fn(&Node, &mut Context) -> Outcome<Vec<Self>> {
        move |node, context| {
            yaml::list(node, context, "[]*relabel.Config", |node, context| {
                if node.is_null() {
                    return Err(context.refuse_later(node.position, missing));
                }
                Self::read(node, context)
            })
        }
    }

    /// Reads a rule. [`Rule::validate`] has to follow.
    ///
    /// # Errors
    /// Unknown fields, an unknown action, an expression that is none.
    pub fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "relabel.plain")?;
        let mut separator = DEFAULT_SEPARATOR.to_owned();
        let mut replacement = DEFAULT_REPLACEMENT.to_owned();
        let mut target_label = String::new();
        let mut modulus = 0;
        let source_labels = fields.optional("source_labels", context, label_names)?;
        fields.set("separator", &mut separator, context, yaml::string)?;
        let null_regex = node.get("regex").is_some_and(Node::is_null);
        let pattern = fields.optional("regex", context, |node, context| {
            let text = yaml::string(node, context)?;
            compile(&text).map_err(|message| node.refuse(message))?;
            Ok(text)
        })?;
        let pattern = if null_regex { Some(String::new()) } else { pattern };
        fields
            .set("modulus", &mut modulus, context, |node, context| yaml::unsigned(node, context, "uint64"))?;
        fields.set("target_label", &mut target_label, context, yaml::string)?;
        fields.set("replacement", &mut replacement, context, yaml::string)?;
        let action = fields.optional("action", context, |node, context| {
            let text = yaml::string(node, context)?;
            let unknown = || node.refuse(format!("unknown relabel action {}", Quoted(&text)));
            Action::parse(&text).ok_or_else(unknown)
        })?;
        if node.get("action").is_some_and(Node::is_null) {
            return Err(fields.refuse("action", "relabel action cannot be empty"));
        }
        fields.close(context)?;
        let regex =
            compile(pattern.as_deref().unwrap_or(DEFAULT_REGEX)).map_err(|message| node.refuse(message))?;
        Ok(Self {
            source_labels,
            separator,
            regex,
            pattern,
            modulus,
            target_label,
            replacement,
            action: action.unwrap_or(Action::Replace),
            scheme: ValidationScheme::default(),
            position: node.position,
        })
    }

    /// Checks what keys say together, and sets the scheme by which label names are judged.
    ///
    /// # Errors
    /// Prometheus' text.
    pub fn validate(&mut self, scheme: ValidationScheme) -> Result<(), String> {
        self.scheme = scheme;
        let action = self.action;
        let name = action.as_str();
        let quoted_target = || Quoted(&self.target_label);
        if self.modulus == 0 && action == Action::HashMod {
            return Err("relabel configuration for hashmod requires non-zero modulus".to_owned());
        }
        let writes = action.writes_plainly() || matches!(action, Action::Replace | Action::HashMod);
        if writes && self.target_label.is_empty() {
            return Err(format!("relabel configuration for {name} action requires 'target_label' value"));
        }
        let target_is_name = scheme.is_label_name(&self.target_label);
        let target_fits = match action {
            Action::Replace if template::has_variables(&self.target_label) => {
                self.is_name_template(&self.target_label)
            }
            _ => !writes || target_is_name,
        };
        if !target_fits && action != Action::HashMod {
            return Err(format!("{} is invalid 'target_label' for {name} action", quoted_target()));
        }
        if action.writes_plainly() && self.replacement != DEFAULT_REPLACEMENT {
            return Err(format!("'replacement' can not be set for {name} action"));
        }
        if action == Action::LabelMap && !self.is_name_template(&self.replacement) {
            let replacement = Quoted(&self.replacement);
            return Err(format!("{replacement} is invalid 'replacement' for {name} action"));
        }
        if !target_fits {
            return Err(format!("{} is invalid 'target_label' for {name} action", quoted_target()));
        }
        let others_default = self.modulus == 0
            && self.separator == DEFAULT_SEPARATOR
            && self.replacement == DEFAULT_REPLACEMENT;
        if matches!(action, Action::DropEqual | Action::KeepEqual)
            && (self.pattern.is_some() || !others_default)
        {
            return Err(format!(
                "{name} action requires only 'source_labels' and `target_label`, and no other fields"
            ));
        }
        let names_only = self.source_labels.is_none() && self.target_label.is_empty() && others_default;
        if matches!(action, Action::LabelDrop | Action::LabelKeep) && !names_only {
            return Err(format!("{name} action requires only 'regex', and no other fields"));
        }
        Ok(())
    }

    /// A label name in which groups may stand.
    fn is_name_template(&self, text: &str) -> bool {
        match self.scheme {
            ValidationScheme::Utf8 => !text.is_empty(),
            ValidationScheme::Legacy => template::is_legacy_name(text),
        }
    }

    pub(crate) fn print(&self) -> Output {
        let mut block = Block::default();
        if let Some(labels) = self.source_labels.as_ref().filter(|labels| !labels.is_empty()) {
            block.always("source_labels", Output::FlowList(labels.iter().map(Output::text).collect()));
        }
        block.always("separator", Output::text(&self.separator));
        if let Some(pattern) = &self.pattern {
            block.always("regex", Output::text(pattern));
        }
        block.number("modulus", self.modulus).text("target_label", &self.target_label);
        block.always("replacement", Output::text(&self.replacement));
        block.text("action", self.action.as_str());
        block.into()
    }
}

/// An expression that has to match the whole text. Put in brackets before it is read, as Prometheus does it: refusals
/// show the brackets.
fn compile(pattern: &str) -> Result<Regex, String> {
    model::regex::compile(&format!("^(?s:{pattern})$"))
}
