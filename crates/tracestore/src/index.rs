//! What some spans contain, for the lists that user interfaces ask for: services, operations, keys, values.
//!
//! Collected from segments on demand; written beside each block, so that a list does not read the block. There it keeps
//! at most [`STORED_VALUES`] values of a key, and says which keys have more.

use std::collections::{BTreeMap, BTreeSet};

use model::{KeyValue, SpanKind, Value};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::search::{Intrinsic, TagScope, TagScopes};

/// Most values of a key, texts of an intrinsic, or operations of a service that a block's index keeps.
pub(crate) const STORED_VALUES: usize = 256;
/// Longest value that an index keeps; a key with longer ones counts as having more.
const STORED_VALUE_BYTES: usize = 1024;

/// Every scope, in the order of [`TagScope`].
pub(crate) const SCOPES: [TagScope; 5] =
    [TagScope::Resource, TagScope::Instrumentation, TagScope::Span, TagScope::Event, TagScope::Link];

/// What a list is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want<'a> {
    /// Services.
    Services,
    /// Services with their operations.
    Operations,
    /// Keys by scope.
    Keys,
    /// The values of a key.
    Values(TagScopes, &'a str),
    /// The values of an intrinsic.
    Intrinsic(Intrinsic),
    /// All of it, for a block.
    Everything,
}

impl Want<'_> {
    pub(crate) fn operations(&self) -> bool {
        matches!(self, Self::Services | Self::Operations | Self::Everything)
    }

    /// Whether attributes of a scope are to be looked at.
    pub(crate) fn scope(&self, scope: TagScope) -> bool {
        match self {
            Self::Keys | Self::Everything => true,
            Self::Values(scopes, _) => scopes.has(scope),
            Self::Services | Self::Operations | Self::Intrinsic(_) => false,
        }
    }

    pub(crate) fn key(&self, key: &str) -> bool {
        match self {
            Self::Keys | Self::Everything => true,
            Self::Values(_, wanted) => *wanted == key,
            Self::Services | Self::Operations | Self::Intrinsic(_) => false,
        }
    }

    pub(crate) fn values(&self) -> bool {
        matches!(self, Self::Values(..) | Self::Everything)
    }

    pub(crate) fn intrinsic(&self, intrinsic: Intrinsic) -> bool {
        match self {
            Self::Everything => true,
            Self::Intrinsic(wanted) => *wanted == intrinsic,
            _ => false,
        }
    }
}

impl TagScopes {
    /// Whether a scope is in the set.
    pub fn has(self, scope: TagScope) -> bool {
        match scope {
            TagScope::Resource => self.resource,
            TagScope::Instrumentation => self.instrumentation,
            TagScope::Span => self.span,
            TagScope::Event => self.event,
            TagScope::Link => self.link,
        }
    }
}

/// A set that stops at a limit and remembers that it did.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Ord + Deserialize<'de>"))]
pub(crate) struct Capped<T: Ord> {
    pub(crate) values: BTreeSet<T>,
    /// Whether something was left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) more: bool,
}

impl<T: Ord> Default for Capped<T> {
    fn default() -> Self {
        Self { values: BTreeSet::new(), more: false }
    }
}

impl<T: Ord> Capped<T> {
    pub(crate) fn add(&mut self, value: T, limit: usize) {
        if self.values.len() < limit {
            self.values.insert(value);
        } else if !self.values.contains(&value) {
            self.more = true;
        }
    }

    fn merge(&mut self, other: Self, limit: usize) {
        self.more |= other.more;
        for value in other.values {
            self.add(value, limit);
        }
    }
}

/// What some spans contain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Index {
    /// Most entries of each set; not written.
    #[serde(skip)]
    limit: usize,
    /// Name and number of the kind by service.
    pub(crate) operations: BTreeMap<String, Capped<(String, u8)>>,
    /// Values by key, as JSON, for each of [`SCOPES`].
    pub(crate) tags: [BTreeMap<String, Capped<String>>; 5],
    /// Texts by intrinsic, for each of [`INTRINSICS`].
    pub(crate) intrinsics: [Capped<String>; 7],
}

/// Every intrinsic, in the order of an index.
const INTRINSICS: [Intrinsic; 7] = [
    Intrinsic::Name,
    Intrinsic::StatusMessage,
    Intrinsic::RootService,
    Intrinsic::RootName,
    Intrinsic::EventName,
    Intrinsic::ScopeName,
    Intrinsic::ScopeVersion,
];

fn position(intrinsic: Intrinsic) -> usize {
    INTRINSICS.iter().position(|other| *other == intrinsic).unwrap_or_default()
}

impl Index {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, operations: BTreeMap::new(), tags: Default::default(), intrinsics: Default::default() }
    }

    pub(crate) fn add_operation(&mut self, service: &str, name: &str, kind: SpanKind) {
        let limit = self.limit;
        if !self.operations.contains_key(service) {
            self.operations.insert(service.to_owned(), Capped::default());
        }
        if let Some(operations) = self.operations.get_mut(service) {
            operations.add((name.to_owned(), kind as u8), limit);
        }
    }

    pub(crate) fn add_key(&mut self, scope: TagScope, key: &str) -> &mut Capped<String> {
        self.tags[scope as usize].entry(key.to_owned()).or_default()
    }

    /// Whether another value of a key would change nothing.
    pub(crate) fn has_enough(&self, scope: TagScope, key: &str) -> bool {
        self.tags[scope as usize]
            .get(key)
            .is_some_and(|values| values.more && values.values.len() >= self.limit)
    }

    pub(crate) fn add_value(&mut self, scope: TagScope, key: &str, value: &Value) {
        if self.has_enough(scope, key) {
            return;
        }
        let limit = self.limit;
        let json = codec::to_json(value);
        let values = self.add_key(scope, key);
        if json.len() > STORED_VALUE_BYTES && limit == STORED_VALUES {
            values.more = true;
        } else {
            values.add(json, limit);
        }
    }

    /// Attributes of one place, those that are wanted.
    pub(crate) fn add_attributes(&mut self, scope: TagScope, attributes: &[KeyValue], want: &Want<'_>) {
        for (key, value) in attributes.iter().filter(|(key, _)| want.key(key)) {
            if want.values() {
                self.add_value(scope, key, value);
            } else {
                self.add_key(scope, key);
            }
        }
    }

    pub(crate) fn add_intrinsic(&mut self, intrinsic: Intrinsic, text: &str) {
        if !text.is_empty() {
            self.intrinsics[position(intrinsic)].add(text.to_owned(), self.limit);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        let limit = self.limit;
        for (service, operations) in other.operations {
            self.operations.entry(service).or_default().merge(operations, limit);
        }
        for (own, others) in self.tags.iter_mut().zip(other.tags) {
            for (key, values) in others {
                own.entry(key).or_default().merge(values, limit);
            }
        }
        for (own, others) in self.intrinsics.iter_mut().zip(other.intrinsics) {
            own.merge(others, limit);
        }
    }

    /// Whether the index has everything that is wanted, so that nobody needs to look at the spans.
    pub(crate) fn answers(&self, want: &Want<'_>) -> bool {
        match want {
            Want::Operations => self.operations.values().all(|operations| !operations.more),
            Want::Services | Want::Keys => true,
            Want::Values(scopes, key) => SCOPES
                .iter()
                .filter(|scope| scopes.has(**scope))
                .all(|scope| self.tags[*scope as usize].get(*key).is_none_or(|values| !values.more)),
            Want::Intrinsic(intrinsic) => !self.intrinsics[position(*intrinsic)].more,
            Want::Everything => false,
        }
    }

    /// Adds the part of another index that is wanted.
    pub(crate) fn merge_part(&mut self, other: &Self, want: &Want<'_>) {
        let limit = self.limit;
        match want {
            Want::Services | Want::Operations => {
                for (service, operations) in &other.operations {
                    self.operations.entry(service.clone()).or_default().merge(operations.clone(), limit);
                }
            }
            Want::Keys => {
                for scope in SCOPES {
                    for key in other.tags[scope as usize].keys() {
                        self.add_key(scope, key);
                    }
                }
            }
            Want::Values(scopes, key) => {
                for scope in SCOPES.into_iter().filter(|scope| scopes.has(*scope)) {
                    if let Some(values) = other.tags[scope as usize].get(*key) {
                        self.add_key(scope, key).merge(values.clone(), limit);
                    }
                }
            }
            Want::Intrinsic(intrinsic) => {
                let others = &other.intrinsics[position(*intrinsic)];
                self.intrinsics[position(*intrinsic)].merge(others.clone(), limit);
            }
            Want::Everything => self.merge(other.clone()),
        }
    }

    /// The texts of an intrinsic, sorted.
    pub(crate) fn intrinsic(&self, intrinsic: Intrinsic) -> impl Iterator<Item = &String> {
        self.intrinsics[position(intrinsic)].values.iter()
    }
}
