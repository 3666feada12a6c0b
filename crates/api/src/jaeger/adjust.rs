//! What Jaeger changes in a trace before it shows it, unless it is asked for the raw one: its standard adjusters, in
//! their order.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use model::{KeyValue, Resource, Span, SpanId, SpanKind, Value, value};

use super::trace::{Trace, put, warn};
use crate::go::Nanos;

/// Adjusts one whole trace.
pub(super) fn adjust(trace: &mut Trace) {
    separate_shared_ids(trace);
    sort(trace);
    remove_duplicates(trace);
    warn_of_skew(trace);
    show_addresses(trace);
    move_library_attributes(trace);
    remove_empty_links(trace);
}

/// Zipkin's clients give the client's and the server's span of a call the same identifier. The server's gets a new one
/// and becomes the child of the client's; what was its child follows it.
fn separate_shared_ids(trace: &mut Trace) {
    let mut used = HashSet::new();
    let mut clients = HashSet::new();
    for span in trace.spans() {
        used.insert(span.span_id);
        if span.kind == SpanKind::Client {
            clients.insert(span.span_id);
        }
    }
    let mut fresh = (1_u64..).map(|number| SpanId(number.to_be_bytes())).filter(|id| !used.contains(id));
    let mut renamed = HashMap::new();
    for span in trace.spans_mut() {
        if span.kind != SpanKind::Server || !clients.contains(&span.span_id) {
            continue;
        }
        let Some(id) = fresh.next() else { break };
        renamed.insert(span.span_id, id);
        span.parent_span_id = span.span_id;
        span.span_id = id;
    }
    if renamed.is_empty() {
        return;
    }
    for span in trace.spans_mut() {
        if let Some(id) = renamed.get(&span.parent_span_id).filter(|id| **id != span.span_id) {
            span.parent_span_id = *id;
        }
    }
}

/// Attributes by key, events by name.
fn sort(trace: &mut Trace) {
    for group in &mut trace.0 {
        sort_attributes(&mut group.resource.attributes);
        for scope in &mut group.scopes {
            sort_attributes(&mut scope.scope.attributes);
            for span in &mut scope.spans {
                sort_attributes(&mut span.attributes);
                span.events.sort_by(|a, b| a.name.cmp(&b.name));
                for event in &mut span.events {
                    sort_attributes(&mut event.attributes);
                }
                for link in &mut span.links {
                    sort_attributes(&mut link.attributes);
                }
            }
        }
    }
}

/// Sorts by key; of a key that came twice the last value stays.
fn sort_attributes(attributes: &mut Vec<KeyValue>) {
    attributes.sort_by(|a, b| a.0.cmp(&b.0));
    attributes.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            std::mem::swap(&mut later.1, &mut earlier.1);
        }
        same
    });
}

/// Of spans that are the same in everything, resource and scope included, one stays.
fn remove_duplicates(trace: &mut Trace) {
    for group in &mut trace.0 {
        for scope in &mut group.scopes {
            let mut seen: HashMap<SpanId, Vec<usize>> = HashMap::new();
            let mut kept: Vec<Span> = Vec::with_capacity(scope.spans.len());
            for span in scope.spans.drain(..) {
                let same_id = seen.entry(span.span_id).or_default();
                if same_id.iter().all(|index| kept[*index] != span) {
                    same_id.push(kept.len());
                    kept.push(span);
                }
            }
            scope.spans = kept;
        }
    }
}

/// Where a child's times do not fit into its parent's, clocks may differ. Jaeger shifts nothing unless it is configured
/// to, it only says by how much it would.
fn warn_of_skew(trace: &mut Trace) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut by_id: HashMap<SpanId, usize> = HashMap::new();
    let mut position = 0;
    let mut warnings: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for group in &trace.0 {
        let host = host_key(&group.resource);
        for span in group.scopes.iter().flat_map(|scope| &scope.spans) {
            match by_id.entry(span.span_id) {
                Entry::Occupied(_) => {
                    let warning = "duplicate span IDs; skipping clock skew adjustment".to_owned();
                    warnings.entry(position).or_default().push(warning);
                }
                Entry::Vacant(entry) => {
                    entry.insert(nodes.len());
                    nodes.push(Node {
                        position,
                        parent: span.parent_span_id,
                        start_ns: i128::from(span.start_ns),
                        end_ns: i128::from(span.end_ns),
                        host: host.clone(),
                    });
                }
            }
            position += 1;
        }
    }
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut open: Vec<(usize, Option<usize>, i128)> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        if node.parent.is_zero() {
            open.push((index, None, 0));
        } else if let Some(parent) = by_id.get(&node.parent) {
            children.entry(*parent).or_default().push(index);
        } else {
            let parent = node.parent;
            let warning =
                format!("parent span ID={parent} is not in the trace; skipping clock skew adjustment");
            warnings.entry(node.position).or_default().push(warning);
            open.push((index, None, 0));
        }
    }
    // From the roots down; what lies in a ring of parents is never reached.
    while let Some((index, parent, inherited_ns)) = open.pop() {
        let node = &nodes[index];
        let skew_ns = match parent.map(|parent| &nodes[parent]) {
            Some(parent) if node.host != parent.host || node.host.is_empty() => skew_ns(node, parent),
            _ => inherited_ns,
        };
        if skew_ns != 0 {
            let delta = Nanos(i64::try_from(skew_ns).unwrap_or(i64::MAX));
            let warning = format!("clock skew adjustment disabled; not applying calculated delta of {delta}");
            warnings.entry(node.position).or_default().push(warning);
        }
        for child in children.get(&index).into_iter().flatten() {
            open.push((*child, Some(index), skew_ns));
        }
    }
    if warnings.is_empty() {
        return;
    }
    for (position, span) in trace.spans_mut().enumerate() {
        for warning in warnings.remove(&position).into_iter().flatten() {
            warn(span, warning);
        }
    }
}

struct Node {
    /// Which of the trace's spans.
    position: usize,
    parent: SpanId,
    start_ns: i128,
    end_ns: i128,
    host: String,
}

/// By how much a child would have to be shifted to lie within its parent.
fn skew_ns(child: &Node, parent: &Node) -> i128 {
    let (parent_ns, child_ns) = (parent.end_ns - parent.start_ns, child.end_ns - child.start_ns);
    if child_ns > parent_ns {
        // It goes on after its parent, which is how asynchronous work looks. It should not begin earlier, though.
        return (parent.start_ns - child.start_ns).max(0);
    }
    if child.start_ns >= parent.start_ns && child.end_ns <= parent.end_ns {
        return 0;
    }
    // As if the way to the child took as long as the way back.
    let latency_ns = (parent_ns - child_ns) / 2;
    parent.start_ns + latency_ns - child.start_ns
}

/// What tells one machine from another; empty where nothing does.
fn host_key(resource: &Resource) -> String {
    let get = |key| value::find(&resource.attributes, key);
    if let Some(id) = get("host.id") {
        return id.as_str().unwrap_or_default().to_owned();
    }
    match get("host.ip") {
        Some(Value::String(address)) => return address.clone(),
        Some(Value::Array(addresses)) if !addresses.is_empty() => {
            return otlp::value::to_text(&addresses[0]).into_owned();
        }
        _ => {}
    }
    get("host.name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Addresses that came as numbers are shown with dots.
fn show_addresses(trace: &mut Trace) {
    fn show(attributes: &mut [KeyValue]) {
        for (_, value) in attributes.iter_mut().filter(|(key, _)| key == "ip" || key == "peer.ipv4") {
            let address = match value {
                Value::Int(number) => *number as u32,
                Value::Double(number) => *number as u32,
                _ => continue,
            };
            *value = Value::String(std::net::Ipv4Addr::from(address).to_string());
        }
    }
    for group in &mut trace.0 {
        show(&mut group.resource.attributes);
        for span in group.scopes.iter_mut().flat_map(|scope| &mut scope.spans) {
            show(&mut span.attributes);
        }
    }
}

/// What a span says about the library that made it belongs to the resource.
fn move_library_attributes(trace: &mut Trace) {
    const KEYS: [&str; 5] = [
        "telemetry.sdk.language",
        "telemetry.sdk.name",
        "telemetry.sdk.version",
        "telemetry.distro.name",
        "telemetry.distro.version",
    ];
    for group in &mut trace.0 {
        let of_resource = &mut group.resource.attributes;
        for span in group.scopes.iter_mut().flat_map(|scope| &mut scope.spans) {
            for key in KEYS {
                let Some(index) = span.attributes.iter().position(|(name, _)| name == key) else { continue };
                match value::find(of_resource, key) {
                    Some(existing) if *existing != span.attributes[index].1 => {
                        let warning =
                            format!("conflicting values between Span and Resource for attribute {key}");
                        warn(span, warning);
                    }
                    _ => {
                        let (key, value) = span.attributes.remove(index);
                        put(of_resource, &key, value);
                    }
                }
            }
        }
    }
}

/// Links to no trace lead nowhere.
fn remove_empty_links(trace: &mut Trace) {
    for span in trace.spans_mut() {
        let before = span.links.len();
        span.links.retain(|link| !link.trace_id.is_zero());
        for _ in span.links.len()..before {
            warn(span, "Invalid span link removed".to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
