//! Looking through a row group for spans that satisfy a filter: cheap columns first, attributes only where something is
//! left.

use std::collections::HashMap;

use blocks::BlockFile;
use model::TraceId;
use parquet::bloom_filter::Sbbf;
use parquet::data_type::ByteArray;
use parquet::file::metadata::RowGroupMetaData;

use super::columns;
use super::part::{Part, Shared, kind, status, text};
use super::read::{Block, all_rows};
use super::schema::{Column, Columns};
use crate::Result;
use crate::codec;
use crate::filter::Region;
use crate::search::{SpanFilter, Tag, TagMatch, TagScope, TagScopes};

impl Block {
    /// Hands out trace and start of every span of a row group that satisfies a filter and lies in a region. Gives back how
    /// many spans and bytes were looked at.
    pub(crate) fn scan(
        &self,
        row_group: usize,
        filter: &SpanFilter,
        region: Region,
        found: &mut dyn FnMut(TraceId, u64),
    ) -> Result<(u64, u64)> {
        let Some(tags) = self.narrowed(filter) else { return Ok((0, 0)) };
        let matches = self.guarded(|| {
            let file = self.file()?;
            let footer = self.footer(&file)?;
            let group = footer.row_group(row_group);
            let rows = group.num_rows() as usize;
            let Some(tags) = narrowed_by_values(&file, group, tags)? else {
                return Ok((Vec::new(), 0, 0));
            };
            let mut bytes = 0;
            let mut read = |columns: Columns| {
                bytes += (0..group.num_columns())
                    .filter(|column| columns.has_index(*column))
                    .map(|column| group.column(column).compressed_size() as u64)
                    .sum::<u64>();
                Part::read(&file, group, &all_rows(group), columns)
            };
            let part = read(filter_columns(filter))?;
            let mut shared = Shared::default();
            let mut alive = vec![false; rows];
            for (row, alive) in alive.iter_mut().enumerate() {
                *alive = plain_columns_match(&part, row, filter, region, &mut shared)?;
            }
            if alive.contains(&true) && !tags.is_empty() {
                let part = read(tag_columns(&tags))?;
                for tag in &tags {
                    keep_tagged(&part, tag, &mut alive, &mut shared)?;
                }
            }
            let matches: Vec<(TraceId, u64)> = alive
                .iter()
                .enumerate()
                .filter(|(_, alive)| **alive)
                .map(|(row, _)| (part.trace_ids[row], part.starts_ns[row]))
                .collect();
            Ok((matches, rows as u64, bytes))
        })?;
        for (trace_id, start_ns) in matches.0 {
            found(trace_id, start_ns);
        }
        Ok((matches.1, matches.2))
    }

    /// The tags of a filter, each with the scopes where the index leaves a possibility; `None` if it leaves none at all.
    fn narrowed(&self, filter: &SpanFilter) -> Option<Vec<Tag>> {
        let asks_index = filter.service.is_some() || filter.name.is_some() || !filter.tags.is_empty();
        let Some(index) = asks_index.then(|| self.index()).flatten() else {
            return Some(filter.tags.clone());
        };
        let service_is = |service: &str| filter.service.as_ref().is_none_or(|wanted| wanted == service);
        let name_is = |name: &str| filter.name.as_ref().is_none_or(|wanted| wanted == name);
        let has_operation =
            index.operations.iter().filter(|(service, _)| service_is(service)).any(|(_, operations)| {
                operations.more || operations.values.iter().any(|(name, _)| name_is(name))
            });
        if !has_operation {
            return None;
        }
        let possible = |tag: &Tag, scope: TagScope| {
            tag.scopes.has(scope)
                && index.tags[scope as usize].get(&tag.key).is_some_and(|values| {
                    values.more
                        || values
                            .values
                            .iter()
                            .filter_map(|json| codec::from_json(json))
                            .any(|value| tag.matches_value(&value))
                })
        };
        narrow(filter.tags.clone(), |tag| TagScopes {
            resource: possible(tag, TagScope::Resource),
            instrumentation: possible(tag, TagScope::Instrumentation),
            span: possible(tag, TagScope::Span),
            event: possible(tag, TagScope::Event),
            link: possible(tag, TagScope::Link),
        })
    }
}

/// Tags with fewer scopes; `None` if one of them has no scope left.
fn narrow(mut tags: Vec<Tag>, scopes: impl Fn(&Tag) -> TagScopes) -> Option<Vec<Tag>> {
    for tag in &mut tags {
        tag.scopes = scopes(tag);
        if tag.scopes == TagScopes::default() {
            return None;
        }
    }
    Some(tags)
}

/// As the index does, by the bloom filter of the attribute values of spans.
fn narrowed_by_values(
    file: &BlockFile,
    group: &RowGroupMetaData,
    tags: Vec<Tag>,
) -> parquet::errors::Result<Option<Vec<Tag>>> {
    // A list or a map is written in another way than it is asked for.
    let stands_as_it_is = |tag: &Tag| tag.matching == TagMatch::Equal && !tag.value.starts_with(['[', '{']);
    if !tags.iter().any(|tag| tag.scopes.span && stands_as_it_is(tag)) {
        return Ok(Some(tags));
    }
    // Not kept in memory: it is as large as the values are many.
    let values = group.column(Column::AttributeValue as usize);
    let Some(bloom) = Sbbf::read_from_column_chunk(values, file)? else { return Ok(Some(tags)) };
    Ok(narrow(tags, |tag| {
        let as_double = tag.value.parse().map(otlp::value::double_to_text).unwrap_or_default();
        let may_have = || bloom.check(tag.value.as_str()) || bloom.check(as_double.as_str());
        TagScopes { span: tag.scopes.span && (!stands_as_it_is(tag) || may_have()), ..tag.scopes }
    }))
}

fn filter_columns(filter: &SpanFilter) -> Columns {
    Columns::of(&[Column::TraceId, Column::Start, Column::Duration])
        .with(filter.name.is_some() || filter.name_contains.is_some(), &[Column::Name])
        .with(filter.service.is_some(), &[Column::ServiceName])
        .with(filter.kind.is_some(), &[Column::Kind])
        .with(filter.status.is_some(), &[Column::StatusCode])
        .with(filter.scope_name.is_some() || filter.scope_version.is_some(), &[Column::Scope])
}

fn plain_columns_match(
    part: &Part,
    row: usize,
    filter: &SpanFilter,
    region: Region,
    shared: &mut Shared,
) -> parquet::errors::Result<bool> {
    let start_ns = part.starts_ns[row];
    let end_ns = part.end_ns(row);
    let matches = region.has(start_ns, end_ns)
        && filter.matches_duration(end_ns.saturating_sub(start_ns))
        && (part.names.is_empty() || filter.matches_name(text(&part.names[row])))
        && filter.service.as_ref().is_none_or(|service| part.services[row].data() == service.as_bytes())
        && filter.kind.is_none_or(|wanted| kind(part.kinds[row].data()) == wanted)
        && filter.status.is_none_or(|wanted| status(part.status_codes[row].data()) == wanted);
    if !matches || part.scopes.is_empty() {
        return Ok(matches);
    }
    let scope = shared.scope(&part.scopes[row])?;
    Ok(filter.matches_scope(&scope.name, &scope.version))
}

fn tag_columns(tags: &[Tag]) -> Columns {
    let any = |has: fn(&Tag) -> bool| tags.iter().any(has);
    Columns::of(&[])
        .with(
            any(|tag| tag.scopes.span),
            &[Column::AttributeKey, Column::AttributeValue, Column::AttributeTypes],
        )
        .with(any(|tag| tag.scopes.resource), &[Column::Resource])
        .with(any(|tag| tag.scopes.instrumentation), &[Column::Scope])
        .with(any(|tag| tag.scopes.event), &[Column::Events])
        .with(any(|tag| tag.scopes.link), &[Column::Links])
}

/// Whether a text of a JSON column has the attribute, looked at once for each different text.
fn once(
    seen: &mut HashMap<Box<[u8]>, bool>,
    json: &ByteArray,
    look: impl FnOnce() -> parquet::errors::Result<bool>,
) -> parquet::errors::Result<bool> {
    if let Some(known) = seen.get(json.data()) {
        return Ok(*known);
    }
    let has = look()?;
    seen.insert(json.data().into(), has);
    Ok(has)
}

/// Keeps the rows that have an attribute.
fn keep_tagged(
    part: &Part,
    tag: &Tag,
    alive: &mut [bool],
    shared: &mut Shared,
) -> parquet::errors::Result<()> {
    let mut resources = HashMap::new();
    let mut scopes = HashMap::new();
    for (row, alive) in alive.iter_mut().enumerate().filter(|(_, alive)| **alive) {
        let in_span = tag.scopes.span
            && part
                .attributes(row)
                .any(|(key, letter, text)| key == tag.key && typed_text_matches(tag, letter, text));
        *alive = in_span
            || (tag.scopes.resource
                && once(&mut resources, &part.resources[row], || {
                    Ok(tag.matches_any(&shared.resource(&part.resources[row])?.attributes))
                })?)
            || (tag.scopes.instrumentation
                && once(&mut scopes, &part.scopes[row], || {
                    Ok(tag.matches_any(&shared.scope(&part.scopes[row])?.attributes))
                })?)
            || (tag.scopes.event
                && columns::events_from_json(text(&part.events[row]))
                    .is_some_and(|events| events.iter().any(|event| tag.matches_any(&event.attributes))))
            || (tag.scopes.link
                && columns::links_from_json(text(&part.links[row]))
                    .is_some_and(|links| links.iter().any(|link| tag.matches_any(&link.attributes))));
    }
    Ok(())
}

fn typed_text_matches(tag: &Tag, letter: char, text: &str) -> bool {
    match (letter, tag.matching) {
        ('s', TagMatch::Equal) => text == tag.value,
        _ => codec::from_typed_text(letter, text).is_some_and(|value| tag.matches_value(&value)),
    }
}
