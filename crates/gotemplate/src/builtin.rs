//! Functions of the language itself, and methods of times and durations.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::format::{printed, sprint, sprint_spaced, sprintf};
use crate::time::{Duration, Time, month_name, weekday_name};
use crate::value::{List, Signature, Type, Value};

type Result<T> = std::result::Result<T, String>;

pub(crate) fn is_builtin(name: &str) -> bool {
    signature(name).is_some()
}

/// What a function of the language takes.
pub(crate) fn signature(name: &str) -> Option<Signature> {
    let (params, is_variadic): (&[Type], bool) = match name {
        "and" | "or" | "index" | "slice" | "eq" | "call" => (&[Type::Value, Type::Value], true),
        "not" | "len" => (&[Type::Value], false),
        "ne" | "lt" | "le" | "gt" | "ge" => (&[Type::Value, Type::Value], false),
        "html" | "js" | "urlquery" => (&[Type::Value], true),
        "print" | "println" => (&[Type::Any], true),
        "printf" => (&[Type::String, Type::Any], true),
        _ => return None,
    };
    Some(Signature { params: params.to_vec(), is_variadic })
}

/// Calls a function of the language but `and` and `or`, which do not look at all of their arguments, and `call`, for
/// which there are no functions as values.
pub(crate) fn call(name: &str, args: &[Value]) -> Result<Value> {
    let truth = |result: Result<bool>| result.map(Value::Bool);
    match (name, args) {
        ("not", [value]) => Ok(Value::Bool(!value.is_true())),
        ("len", [value]) => length(value),
        ("index", [value, indexes @ ..]) => {
            indexes.iter().try_fold(value.clone(), |item, at| index(&item, at))
        }
        ("slice", [value, indexes @ ..]) => slice(value, indexes),
        ("eq", [left, rest @ ..]) => truth(equal(left, rest)),
        ("ne", [left, right]) => truth(equal(left, std::slice::from_ref(right)).map(|equal| !equal)),
        ("lt", [left, right]) => truth(less(left, right)),
        ("le", [left, right]) => truth(less_or_equal(left, right)),
        ("gt", [left, right]) => truth(less_or_equal(left, right).map(|it| !it)),
        ("ge", [left, right]) => truth(less(left, right).map(|it| !it)),
        ("print", args) => Ok(sprint(args).into()),
        ("println", args) => Ok((sprint_spaced(args) + "\n").into()),
        ("printf", [layout, args @ ..]) => Ok(sprintf(layout.as_str().unwrap_or(""), args).into()),
        ("html", args) => Ok(html(&shown(args)).into()),
        ("js", args) => Ok(javascript(&shown(args)).into()),
        ("urlquery", args) => Ok(url_query(&shown(args)).into()),
        (name, args) => Err(format!("{name} cannot be called with {} arguments", args.len())),
    }
}

/// Arguments as an action would print them.
fn shown(args: &[Value]) -> String {
    match args {
        [one] => printed(one),
        args => {
            let args: Vec<Value> = args
                .iter()
                .map(|arg| if matches!(arg, Value::Missing) { "<no value>".into() } else { arg.clone() })
                .collect();
            sprint(&args)
        }
    }
}

fn length(value: &Value) -> Result<Value> {
    let length = match value {
        Value::String(text) => text.len(),
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.entries.len(),
        Value::Missing | Value::Nil => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(length as i64))
}

fn position(index: &Value, limit: usize) -> Result<usize> {
    let number = match index {
        Value::Int(number) => *number,
        Value::Missing | Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    usize::try_from(number)
        .ok()
        .filter(|position| *position <= limit)
        .ok_or_else(|| format!("index out of range: {number}"))
}

fn index(item: &Value, at: &Value) -> Result<Value> {
    let out_of_range =
        |at: usize, length: usize| format!("reflect: slice index out of range [{at}] with length {length}");
    match item {
        Value::Missing | Value::Nil => Err("index of untyped nil".to_owned()),
        Value::List(list) => {
            let at = position(at, list.items.len())?;
            list.items.get(at).cloned().ok_or_else(|| out_of_range(at, list.items.len()))
        }
        Value::String(text) => {
            let at = position(at, text.len())?;
            let byte = text.as_bytes().get(at).ok_or_else(|| out_of_range(at, text.len()))?;
            Ok(Value::Int(i64::from(*byte)))
        }
        Value::Map(map) => match at {
            Value::String(key) => Ok(map.entries.get(&**key).unwrap_or(&map.zero).clone()),
            Value::Missing | Value::Nil => Err("value is nil; should be of type string".to_owned()),
            other => Err(format!("value has type {}; should be string", other.type_name())),
        },
        other => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(item: &Value, indexes: &[Value]) -> Result<Value> {
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let length = match item {
        Value::Missing | Value::Nil => return Err("slice of untyped nil".to_owned()),
        Value::String(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Value::String(text) => text.len(),
        Value::List(list) => list.items.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let positions: Vec<usize> = indexes.iter().map(|index| position(index, length)).collect::<Result<_>>()?;
    let (from, to) = (positions.first().copied().unwrap_or(0), positions.get(1).copied().unwrap_or(length));
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if let Some(capacity) = positions.get(2).filter(|capacity| to > **capacity) {
        return Err(format!("invalid slice index: {to} > {capacity}"));
    }
    match item {
        Value::List(list) => {
            let items = list.items[from..to].to_vec();
            Ok(Value::List(Arc::new(List { type_name: list.type_name, items })))
        }
        // A character that is cut in two is no text any more.
        other => {
            let bytes = other.as_str().unwrap_or("").as_bytes();
            Ok(String::from_utf8_lossy(&bytes[from..to]).into_owned().into())
        }
    }
}

/// What can be compared: lengths of time are numbers.
fn basic(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => Some(value.clone()),
        _ => None,
    }
}

fn incompatible(left: &Value, right: &Value) -> String {
    let (left, right) = (left.type_name(), right.type_name());
    format!("incompatible types for comparison: {left} and {right}")
}

fn equal(left: &Value, rest: &[Value]) -> Result<bool> {
    if rest.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for right in rest {
        let is_nothing = |value: &Value| matches!(value, Value::Missing | Value::Nil);
        let same = match (left, right) {
            (Value::Bool(left), Value::Bool(right)) => left == right,
            (Value::Int(left), Value::Int(right)) => left == right,
            (Value::Float(left), Value::Float(right)) => left == right,
            (Value::String(left), Value::String(right)) => left == right,
            (Value::Duration(left), Value::Duration(right)) => left == right,
            (Value::Time(left), Value::Time(right)) => left == right,
            (Value::Object(left), Value::Object(right)) => Arc::ptr_eq(left, right),
            (left, right) if is_nothing(left) || is_nothing(right) => is_nothing(left) && is_nothing(right),
            (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) => {
                return Err(format!("non-comparable type {}: {}", printed(right), right.type_name()));
            }
            (left, right) => return Err(incompatible(left, right)),
        };
        if same {
            return Ok(true);
        }
    }
    Ok(false)
}

fn less(left: &Value, right: &Value) -> Result<bool> {
    let invalid = || "invalid type for comparison".to_owned();
    let (left, right) = (basic(left).ok_or_else(invalid)?, basic(right).ok_or_else(invalid)?);
    match (&left, &right) {
        (Value::Bool(_), Value::Bool(_)) => Err(invalid()),
        (Value::Int(left), Value::Int(right)) => Ok(left < right),
        (Value::Float(left), Value::Float(right)) => Ok(left < right),
        (Value::String(left), Value::String(right)) => Ok(left < right),
        _ => Err(incompatible(&left, &right)),
    }
}

fn less_or_equal(left: &Value, right: &Value) -> Result<bool> {
    Ok(less(left, right)? || equal(left, std::slice::from_ref(right))?)
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

fn javascript(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '\'' | '"' => out.extend(['\\', character]),
            '<' | '>' | '&' | '=' | '\0'..' ' => _ = write!(out, "\\u{:04X}", character as u32),
            other if other.is_control() => _ = write!(out, "\\u{:04X}", other as u32),
            other => out.push(other),
        }
    }
    out
}

/// `url.QueryEscape`: everything but letters, digits, `-`, `_`, `.` and `~` as bytes in hexadecimal, a space as `+`.
pub fn url_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            b' ' => out.push('+'),
            other => _ = write!(out, "%{other:02X}"),
        }
    }
    out
}

/// What a method of a value takes, if it has one of that name.
pub(crate) fn method(receiver: &Value, name: &str) -> Option<Signature> {
    const NONE: &[Type] = &[];
    let params = match receiver {
        Value::Object(object) => return object.method(name).cloned(),
        Value::Duration(_) => match name {
            "String" | "Seconds" | "Minutes" | "Hours" | "Milliseconds" | "Microseconds" | "Nanoseconds"
            | "Abs" => NONE,
            "Round" | "Truncate" => &[Type::Named("time.Duration")],
            _ => return None,
        },
        Value::Time(_) => match name {
            "String" | "Unix" | "UnixMilli" | "UnixMicro" | "UnixNano" | "UTC" | "Local" | "Year"
            | "Month" | "Day" | "Hour" | "Minute" | "Second" | "Nanosecond" | "Weekday" | "YearDay"
            | "IsZero" => NONE,
            "Add" | "Round" | "Truncate" => &[Type::Named("time.Duration")],
            "Sub" | "Before" | "After" | "Equal" | "Compare" => &[Type::Named("time.Time")],
            "Format" => &[Type::String],
            "AddDate" => &[Type::Int, Type::Int, Type::Int],
            _ => return None,
        },
        _ => return None,
    };
    Some(Signature { params: params.to_vec(), is_variadic: false })
}

/// Calls a method that [`method`] knows.
pub(crate) fn call_method(receiver: &Value, name: &str, args: &[Value]) -> Result<Value> {
    match receiver {
        Value::Object(object) => object.call(name, args),
        Value::Duration(duration) => duration_method(*duration, name, args),
        Value::Time(time) => time_method(*time, name, args),
        other => Err(format!("{} has no method {name}", other.type_name())),
    }
}

fn duration_method(duration: Duration, name: &str, args: &[Value]) -> Result<Value> {
    let nanos = duration.0;
    Ok(match (name, args) {
        ("String", _) => duration.to_string().into(),
        ("Seconds", _) => duration.seconds().into(),
        ("Minutes", _) => (nanos as f64 / 60e9).into(),
        ("Hours", _) => (nanos as f64 / 3600e9).into(),
        ("Milliseconds", _) => Value::Int(nanos / 1_000_000),
        ("Microseconds", _) => Value::Int(nanos / 1_000),
        ("Nanoseconds", _) => Value::Int(nanos),
        ("Abs", _) => Value::Duration(Duration(nanos.saturating_abs())),
        ("Truncate", [Value::Duration(unit)]) => Value::Duration(Duration(truncated(nanos, unit.0))),
        ("Round", [Value::Duration(unit)]) => Value::Duration(Duration(rounded(nanos, unit.0))),
        (name, _) => return Err(format!("time.Duration has no method {name}")),
    })
}

fn truncated(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 { nanos } else { nanos - nanos % unit }
}

/// Half a unit goes away from zero.
fn rounded(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return nanos;
    }
    let rest = nanos % unit;
    let up = i128::from(rest).abs() * 2 >= i128::from(unit);
    let down = nanos - rest;
    if up { down.saturating_add(unit * nanos.signum()) } else { down }
}

fn time_method(time: Time, name: &str, args: &[Value]) -> Result<Value> {
    let civil = time.civil();
    let number = |number: i8| Value::Int(number.into());
    Ok(match (name, args) {
        ("String", _) => time.to_string().into(),
        ("Format", [layout]) => time.format(layout.as_str().unwrap_or("")).into(),
        ("Unix", _) => Value::Int(time.unix()),
        ("UnixMilli", _) => Value::Int(time.unix_milli()),
        ("UnixMicro", _) => Value::Int(time.0.div_euclid(1_000)),
        ("UnixNano", _) => Value::Int(time.0),
        ("UTC" | "Local", _) => Value::Time(time),
        ("Year", _) => Value::Int(civil.year().into()),
        ("Month", _) => month_name(civil.month()).into(),
        ("Day", _) => number(civil.day()),
        ("Hour", _) => number(civil.hour()),
        ("Minute", _) => number(civil.minute()),
        ("Second", _) => number(civil.second()),
        ("Nanosecond", _) => Value::Int(civil.subsec_nanosecond().into()),
        ("Weekday", _) => weekday_name(civil).into(),
        ("YearDay", _) => Value::Int(civil.date().day_of_year().into()),
        ("IsZero", _) => false.into(),
        ("Add", [Value::Duration(duration)]) => Value::Time(Time(time.0.saturating_add(duration.0))),
        ("Truncate", [Value::Duration(unit)]) => Value::Time(Time(truncated(time.0, unit.0))),
        ("Round", [Value::Duration(unit)]) => Value::Time(Time(rounded(time.0, unit.0))),
        ("Sub", [Value::Time(other)]) => Value::Duration(Duration(time.0.saturating_sub(other.0))),
        ("Before", [Value::Time(other)]) => (time < *other).into(),
        ("After", [Value::Time(other)]) => (time > *other).into(),
        ("Equal", [Value::Time(other)]) => (time == *other).into(),
        ("Compare", [Value::Time(other)]) => Value::Int(match time.cmp(other) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }),
        ("AddDate", [Value::Int(years), Value::Int(months), Value::Int(days)]) => {
            Value::Time(add_date(time, *years, *months, *days).ok_or("the date is out of range")?)
        }
        (name, _) => return Err(format!("time.Time has no method {name}")),
    })
}

/// Days past the end of a month run over into the next, as in Go.
fn add_date(time: Time, years: i64, months: i64, days: i64) -> Option<Time> {
    let civil = time.civil();
    let months = i64::from(civil.year()).checked_add(years)?.checked_mul(12)?.checked_add(months)?;
    let months = months.checked_add(i64::from(civil.month()) - 1)?;
    let (year, month) = (i16::try_from(months.div_euclid(12)).ok()?, months.rem_euclid(12) as i8 + 1);
    let first = jiff::civil::Date::new(year, month, 1).ok()?;
    let days = days.checked_add(i64::from(civil.day()) - 1)?;
    let date = first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    let moved = jiff::tz::TimeZone::UTC.to_timestamp(date.to_datetime(civil.time())).ok()?;
    i64::try_from(moved.as_nanosecond()).ok().map(Time)
}
