//! The functions that Prometheus adds to the language.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use gotemplate::time::{Duration, Time};
use gotemplate::{Functions, List, Map, Object, Type, Value, sprint, url_query};
use model::{Labels, regex};
use promql::storage::PointValue;

use super::{Query, humanize};

const SAMPLE: Type = Type::Named("*template.sample");
const SAMPLES: &str = "template.queryResult";

/// A series with its value, as `query` gives it.
#[derive(Debug)]
struct Sample {
    labels: Labels,
    value: Value,
}

impl Object for Sample {
    fn type_name(&self) -> &'static str {
        "*template.sample"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Labels" => Some(Value::string_map(self.labels.iter())),
            "Value" => Some(self.value.clone()),
            _ => None,
        }
    }

    fn print(&self) -> String {
        let labels = Value::string_map(self.labels.iter());
        format!("{{{} {}}}", sprint(&[labels]), sprint(std::slice::from_ref(&self.value)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A struct whose fields are all that there is of it.
#[derive(Debug)]
struct Structure {
    type_name: &'static str,
    fields: Vec<(&'static str, Value)>,
}

impl Object for Structure {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    fn print(&self) -> String {
        let fields: Vec<String> =
            self.fields.iter().map(|(_, value)| sprint(std::slice::from_ref(value))).collect();
        format!("{{{}}}", fields.join(" "))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A struct of some fields.
pub(super) fn structure<const N: usize>(
    type_name: &'static str,
    fields: [(&'static str, Value); N],
) -> Value {
    Value::Object(Arc::new(Structure { type_name, fields: fields.into() }))
}

/// A native histogram, which prints itself.
#[derive(Debug)]
struct Histogram(Arc<model::Histogram>);

impl Object for Histogram {
    fn type_name(&self) -> &'static str {
        "*histogram.FloatHistogram"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Count" => Some(self.0.count.into()),
            "Sum" => Some(self.0.sum.into()),
            "ZeroCount" => Some(self.0.zero_count.into()),
            "ZeroThreshold" => Some(self.0.zero_threshold.into()),
            "Schema" => Some(Value::Int(self.0.schema.into())),
            _ => None,
        }
    }

    fn print(&self) -> String {
        self.0.to_string()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The value of a sample.
pub(super) fn value(point: &PointValue) -> Value {
    match point {
        PointValue::Float(number) => Value::Float(*number),
        PointValue::Histogram(histogram) => Value::Object(Arc::new(Histogram(Arc::clone(histogram)))),
    }
}

/// Their names.
pub const FUNCTIONS: &[&str] = &[
    "args",
    "externalURL",
    "first",
    "graphLink",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "label",
    "match",
    "now",
    "parseDuration",
    "pathPrefix",
    "query",
    "reReplaceAll",
    "safeHtml",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toDuration",
    "toLower",
    "toTime",
    "toUpper",
    "urlQueryEscape",
    "value",
];

/// All of them. `now` is in milliseconds since the Unix epoch.
pub(super) fn of<'f>(external_url: &'f str, now_ms: i64, query: &'f Query<'f>) -> Functions<'f> {
    let functions = Functions::new()
        .with("now", &[], move |_| Ok((now_ms as f64 / 1000.0).into()))
        .with("externalURL", &[], move |_| Ok(external_url.into()))
        .with("pathPrefix", &[], move |_| Ok(path(external_url).into()));
    numbers(texts(samples(functions, query)))
}

/// The path of an address.
fn path(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    let path = behind.find('/').map_or("", |slash| &behind[slash..]);
    path.split(['?', '#']).next().unwrap_or("")
}

/// What asks for samples, and what takes them apart.
fn samples<'f>(functions: Functions<'f>, query: &'f Query<'f>) -> Functions<'f> {
    functions
        .with("query", &[Type::String], move |args| {
            let found = query(text(&args[0]))?;
            let sample = |(labels, point): (Labels, PointValue)| {
                Value::Object(Arc::new(Sample { labels, value: value(&point) }) as Arc<dyn Object>)
            };
            let items = found.into_iter().map(sample).collect();
            Ok(Value::List(Arc::new(List { type_name: SAMPLES, items })))
        })
        .with("first", &[Type::Named(SAMPLES)], |args| match &args[0] {
            Value::List(list) if !list.items.is_empty() => Ok(list.items[0].clone()),
            _ => Err("first() called on vector with no elements".to_owned()),
        })
        .with("label", &[Type::String, SAMPLE], |args| {
            Ok(sample(&args[1])?.labels.get(text(&args[0])).into())
        })
        .with("value", &[SAMPLE], |args| Ok(sample(&args[0])?.value.clone()))
        .with("strvalue", &[SAMPLE], |args| Ok(sample(&args[0])?.labels.get("__value__").into()))
        .with("sortByLabel", &[Type::String, Type::Named(SAMPLES)], |args| {
            let Value::List(list) = &args[1] else { return Ok(args[1].clone()) };
            let mut items = list.items.clone();
            let by = |item: &Value| sample(item).map(|it| it.labels.get(text(&args[0])).to_owned()).ok();
            items.sort_by_cached_key(by);
            Ok(Value::List(Arc::new(List { type_name: SAMPLES, items })))
        })
        .with_variadic("args", &[Type::Any], |args| {
            let entries: BTreeMap<String, Value> =
                args.iter().enumerate().map(|(index, arg)| (format!("arg{index}"), arg.clone())).collect();
            let type_name = "map[string]interface {}";
            Ok(Value::Map(Arc::new(Map { type_name, entries, zero: Value::Nil })))
        })
}

fn texts(functions: Functions<'_>) -> Functions<'_> {
    functions
        .with("reReplaceAll", &[Type::String, Type::String, Type::String], |args| {
            let pattern = text(&args[0]);
            let compiled = regex::compile(pattern)
                .map_err(|error| format!("regexp: Compile({}): {error}", back_quoted(pattern)))?;
            let mut out = String::new();
            let mut rest = 0;
            let subject = text(&args[2]);
            for captures in compiled.captures_iter(subject) {
                let Some(whole) = captures.get(0) else { continue };
                out.push_str(&subject[rest..whole.start()]);
                regex::expand(text(&args[1]), &captures, &mut out);
                rest = whole.end();
            }
            out.push_str(&subject[rest..]);
            Ok(out.into())
        })
        .with("match", &[Type::String, Type::String], |args| {
            Ok(regex::compile(text(&args[0]))?.is_match(text(&args[1])).into())
        })
        .with("safeHtml", &[Type::String], |args| Ok(args[0].clone()))
        .with("title", &[Type::String], |args| Ok(title(text(&args[0])).into()))
        .with("toUpper", &[Type::String], |args| Ok(text(&args[0]).to_uppercase().into()))
        .with("toLower", &[Type::String], |args| Ok(text(&args[0]).to_lowercase().into()))
        .with("graphLink", &[Type::String], |args| Ok(link(text(&args[0]), 0).into()))
        .with("tableLink", &[Type::String], |args| Ok(link(text(&args[0]), 1).into()))
        .with("stripPort", &[Type::String], |args| {
            let address = text(&args[0]);
            Ok(split_host_port(address).map_or(address, |(host, _)| host).into())
        })
        .with("stripDomain", &[Type::String], |args| Ok(strip_domain(text(&args[0])).into()))
        .with("urlQueryEscape", &[Type::String], |args| Ok(url_query(text(&args[0])).into()))
}

fn numbers(functions: Functions<'_>) -> Functions<'_> {
    let of = humanize::number;
    functions
        .with("humanize", &[Type::Any], move |args| Ok(humanize::metric(of(&args[0])?).into()))
        .with("humanize1024", &[Type::Any], move |args| Ok(humanize::binary(of(&args[0])?).into()))
        .with("humanizeDuration", &[Type::Any], move |args| Ok(humanize::duration(of(&args[0])?).into()))
        .with("humanizePercentage", &[Type::Any], move |args| Ok(humanize::percentage(of(&args[0])?).into()))
        .with("humanizeTimestamp", &[Type::Any], move |args| Ok(humanize::timestamp(of(&args[0])?)?.into()))
        .with("toTime", &[Type::Any], move |args| {
            let time: Time = humanize::time(of(&args[0])?)?;
            Ok(Value::Time(time))
        })
        .with("toDuration", &[Type::Any], move |args| {
            Ok(Value::Duration(Duration((of(&args[0])? * 1e9) as i64)))
        })
        .with("parseDuration", &[Type::String], |args| {
            let (sign, written) = match text(&args[0]).strip_prefix('-') {
                Some(written) => (-1.0, written),
                None => (1.0, text(&args[0])),
            };
            let nanos = model::duration::parse_ns(written)?;
            Ok((sign * Duration(nanos).seconds()).into())
        })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn sample(value: &Value) -> Result<&Sample, String> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Sample>(),
        _ => None,
    }
    .ok_or_else(|| "runtime error: invalid memory address or nil pointer dereference".to_owned())
}

/// As Go quotes an expression in a message.
fn back_quoted(text: &str) -> String {
    if text.contains(['`', '\u{7f}']) || text.contains(|it: char| it.is_control() && it != '\t') {
        return model::labels::Quoted(text).to_string();
    }
    format!("`{text}`")
}

/// Each word with a capital first letter, the others as they are.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        let is_letter = character.is_alphanumeric() || (in_word && matches!(character, '\'' | '_'));
        if is_letter && !in_word {
            out.extend(character.to_uppercase());
        } else {
            out.push(character);
        }
        in_word = is_letter;
    }
    out
}

fn link(expr: &str, tab: u8) -> String {
    format!("/graph?g0.expr={}&g0.tab={tab}", url_query(expr))
}

/// `net.SplitHostPort`: the address of version 6 stands in brackets.
fn split_host_port(address: &str) -> Option<(&str, &str)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(inner) => {
            let (host, behind) = inner.split_once(']')?;
            (host, behind.strip_prefix(':')?)
        }
        None => address.rsplit_once(':').filter(|(host, _)| !host.contains(':'))?,
    };
    (!host.contains(['[', ']']) && !port.contains(['[', ']', ':'])).then_some((host, port))
}

fn strip_domain(address: &str) -> String {
    let (host, port) = split_host_port(address).unwrap_or((address, ""));
    if host.parse::<std::net::IpAddr>().is_ok() {
        return address.to_owned();
    }
    let name = host.split('.').next().unwrap_or("");
    match port {
        "" => name.to_owned(),
        port if name.contains(':') => format!("[{name}]:{port}"),
        port => format!("{name}:{port}"),
    }
}
