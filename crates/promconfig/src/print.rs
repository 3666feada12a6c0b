//! Printing blocks: what is empty is left out, as in Prometheus' own output.

use std::time::Duration;

use yaml::Output;

use crate::secret::Secret;
use crate::url::Url;

/// The fields of a block, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Block(Vec<(String, Output)>);

impl Block {
    pub(crate) fn always(&mut self, name: &str, value: Output) -> &mut Self {
        self.0.push((name.to_owned(), value));
        self
    }

    fn unless(&mut self, empty: bool, name: &str, value: impl FnOnce() -> Output) -> &mut Self {
        if !empty {
            self.always(name, value());
        }
        self
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.unless(text.is_empty(), name, || Output::text(text))
    }

    pub(crate) fn texts(&mut self, name: &str, texts: &[String]) -> &mut Self {
        self.unless(texts.is_empty(), name, || Output::texts(texts))
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.unless(!value, name, || Output::raw(true))
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.unless(value == 0, name, || Output::raw(value))
    }

    pub(crate) fn signed(&mut self, name: &str, value: i64) -> &mut Self {
        self.unless(value == 0, name, || Output::raw(value))
    }

    pub(crate) fn float(&mut self, name: &str, value: f64) -> &mut Self {
        self.unless(value == 0.0, name, || Output::raw(value))
    }

    pub(crate) fn duration(&mut self, name: &str, value: Duration) -> &mut Self {
        self.unless(value.is_zero(), name, || Output::text(model::duration::print(value)))
    }

    pub(crate) fn size(&mut self, name: &str, value: i64) -> &mut Self {
        self.unless(value == 0, name, || Output::text(crate::size::print(value)))
    }

    pub(crate) fn secret(&mut self, name: &str, value: &Secret) -> &mut Self {
        self.unless(value.is_empty(), name, || Output::text("<secret>"))
    }

    pub(crate) fn url(&mut self, name: &str, value: Option<&Url>) -> &mut Self {
        match value {
            Some(url) => self.always(name, Output::text(url.redacted())),
            None => self,
        }
    }

    pub(crate) fn pairs(&mut self, name: &str, pairs: &[(String, String)]) -> &mut Self {
        self.unless(pairs.is_empty(), name, || map(pairs))
    }

    pub(crate) fn list<T>(&mut self, name: &str, items: &[T], print: impl Fn(&T) -> Output) -> &mut Self {
        self.unless(items.is_empty(), name, || Output::List(items.iter().map(print).collect()))
    }

    /// A block in the block, if it has fields.
    pub(crate) fn block(&mut self, name: &str, block: Self) -> &mut Self {
        self.unless(block.0.is_empty(), name, || block.into())
    }

    /// The fields of another block, beside these.
    pub(crate) fn inline(&mut self, block: Self) -> &mut Self {
        self.0.extend(block.0);
        self
    }
}

impl From<Block> for Output {
    fn from(block: Block) -> Self {
        Self::Map(block.0)
    }
}

/// Names with values.
pub(crate) fn map(pairs: &[(String, String)]) -> Output {
    Output::Map(pairs.iter().map(|(name, value)| (name.clone(), Output::text(value))).collect())
}
