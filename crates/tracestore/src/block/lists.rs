//! What a block contains, for lists: from its index where that knows, else from the columns that are needed.

use model::TimeRange;

use super::columns;
use super::part::{Part, Shared, kind, text};
use super::read::{Block, all_rows};
use super::schema::{Column, Columns};
use crate::Result;
use crate::codec;
use crate::index::{Index, Want};
use crate::search::{Intrinsic, TagScope};

impl Block {
    /// Adds what the spans that start within a range contain.
    pub(crate) fn collect(&self, range: TimeRange, want: &Want<'_>, into: &mut Index) -> Result<()> {
        let bounds = self.bounds();
        if self.is_broken() || !range.overlaps(bounds.min_start_ns, bounds.max_start_ns) {
            return Ok(());
        }
        let whole = range.contains(bounds.min_start_ns) && range.contains(bounds.max_start_ns);
        if whole
            && let Some(index) = self.index()
            && index.answers(want)
        {
            into.merge_part(&index, want);
            return Ok(());
        }
        for (row_group, bounds) in self.meta.row_groups.iter().enumerate() {
            if range.overlaps(bounds.min_start_ns, bounds.max_start_ns) {
                self.collect_rows(row_group, range, want, into)?;
            }
        }
        Ok(())
    }

    fn collect_rows(
        &self,
        row_group: usize,
        range: TimeRange,
        want: &Want<'_>,
        into: &mut Index,
    ) -> Result<()> {
        let part = self.guarded(|| {
            let file = self.file()?;
            let footer = self.footer(&file)?;
            let group = footer.row_group(row_group);
            Part::read(&file, group, &all_rows(group), wanted_columns(want))
        })?;
        let mut shared = Shared::default();
        // Rows beside each other mostly say the same; what was the same in the row before is not added again.
        let mut last_resource: &[u8] = &[];
        let mut last_scope: &[u8] = &[];
        for row in (0..part.starts_ns.len()).filter(|row| range.contains(part.starts_ns[*row])) {
            if want.operations() {
                into.add_operation(
                    text(&part.services[row]),
                    text(&part.names[row]),
                    kind(part.kinds[row].data()),
                );
            }
            collect_intrinsics(&part, row, want, into);
            if want.scope(TagScope::Span) {
                for (key, letter, text) in part.attributes(row).filter(|(key, ..)| want.key(key)) {
                    if !want.values() {
                        into.add_key(TagScope::Span, key);
                    } else if let Some(value) = codec::from_typed_text(letter, text) {
                        into.add_value(TagScope::Span, key, &value);
                    }
                }
            }
            if want.scope(TagScope::Resource) && part.resources[row].data() != last_resource {
                last_resource = part.resources[row].data();
                if let Ok(resource) = shared.resource(&part.resources[row]) {
                    into.add_attributes(TagScope::Resource, &resource.attributes, want);
                }
            }
            if !part.scopes.is_empty() && part.scopes[row].data() != last_scope {
                last_scope = part.scopes[row].data();
                if let Ok(scope) = shared.scope(&part.scopes[row]) {
                    if want.scope(TagScope::Instrumentation) {
                        into.add_attributes(TagScope::Instrumentation, &scope.attributes, want);
                    }
                    if want.intrinsic(Intrinsic::ScopeName) {
                        into.add_intrinsic(Intrinsic::ScopeName, &scope.name);
                    }
                    if want.intrinsic(Intrinsic::ScopeVersion) {
                        into.add_intrinsic(Intrinsic::ScopeVersion, &scope.version);
                    }
                }
            }
            if !part.events.is_empty() && !part.events[row].is_empty() {
                for event in columns::events_from_json(text(&part.events[row])).unwrap_or_default() {
                    if want.scope(TagScope::Event) {
                        into.add_attributes(TagScope::Event, &event.attributes, want);
                    }
                    if want.intrinsic(Intrinsic::EventName) {
                        into.add_intrinsic(Intrinsic::EventName, &event.name);
                    }
                }
            }
            if !part.links.is_empty() && !part.links[row].is_empty() {
                for link in columns::links_from_json(text(&part.links[row])).unwrap_or_default() {
                    into.add_attributes(TagScope::Link, &link.attributes, want);
                }
            }
        }
        Ok(())
    }
}

fn wanted_columns(want: &Want<'_>) -> Columns {
    let roots = want.intrinsic(Intrinsic::RootName) || want.intrinsic(Intrinsic::RootService);
    Columns::of(&[Column::Start])
        .with(want.operations(), &[Column::ServiceName, Column::Name, Column::Kind])
        .with(roots, &[Column::ParentSpanId, Column::Name, Column::ServiceName])
        .with(want.intrinsic(Intrinsic::Name), &[Column::Name])
        .with(want.intrinsic(Intrinsic::StatusMessage), &[Column::StatusMessage])
        .with(
            want.scope(TagScope::Span),
            &[Column::AttributeKey, Column::AttributeValue, Column::AttributeTypes],
        )
        .with(want.scope(TagScope::Resource), &[Column::Resource])
        .with(
            want.scope(TagScope::Instrumentation)
                || want.intrinsic(Intrinsic::ScopeName)
                || want.intrinsic(Intrinsic::ScopeVersion),
            &[Column::Scope],
        )
        .with(want.scope(TagScope::Event) || want.intrinsic(Intrinsic::EventName), &[Column::Events])
        .with(want.scope(TagScope::Link), &[Column::Links])
}

fn collect_intrinsics(part: &Part, row: usize, want: &Want<'_>, into: &mut Index) {
    let mut add = |intrinsic: Intrinsic, texts: &[parquet::data_type::ByteArray]| {
        if want.intrinsic(intrinsic) {
            into.add_intrinsic(intrinsic, text(&texts[row]));
        }
    };
    add(Intrinsic::Name, &part.names);
    add(Intrinsic::StatusMessage, &part.status_messages);
    if part.parent_span_ids.get(row).is_some_and(|parent| parent.is_zero()) {
        add(Intrinsic::RootName, &part.names);
        add(Intrinsic::RootService, &part.services);
    }
}
