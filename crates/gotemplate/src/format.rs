//! `fmt`: values as texts.

use std::fmt::Write as _;

use model::labels::Quoted;
use model::number::General;

use crate::value::Value;

/// What an action prints: a value, or that there is none.
pub(crate) fn printed(value: &Value) -> String {
    match value {
        Value::Missing => "<no value>".to_owned(),
        other => plain(other),
    }
}

/// A value as `%v` has it.
fn plain(value: &Value) -> String {
    match value {
        Value::Missing | Value::Nil => "<nil>".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => General(*number).to_string(),
        Value::String(text) => text.to_string(),
        Value::Duration(duration) => duration.to_string(),
        Value::Time(time) => time.to_string(),
        Value::Object(object) => object.print(),
        Value::List(_) | Value::Map(_) => within(value, &plain),
    }
}

/// A slice or a map, each of its values written by `write`.
fn within(value: &Value, write: &dyn Fn(&Value) -> String) -> String {
    match value {
        Value::List(list) => {
            let items: Vec<String> = list.items.iter().map(write).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Map(map) => {
            let entries: Vec<String> = map
                .entries
                .iter()
                .map(|(key, value)| format!("{}:{}", write(&Value::string(key.as_str())), write(value)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
        other => write(other),
    }
}

/// `fmt.Sprint`: a space between two values of which neither is a text.
pub fn sprint(values: &[Value]) -> String {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::String(_));
        if index > 0 && !is_text(value) && !is_text(&values[index - 1]) {
            out.push(' ');
        }
        out.push_str(&plain(value));
    }
    out
}

/// `fmt.Sprintln` without the newline: a space between any two values.
pub(crate) fn sprint_spaced(values: &[Value]) -> String {
    values.iter().map(plain).collect::<Vec<_>>().join(" ")
}

/// Widest field and longest fraction: more is a mistake, or meant to fill memory.
const MAX_WIDTH: usize = 1000;

/// What stands between the percent sign and the verb.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the language, and any may be there")]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `fmt.Sprintf`. What does not fit together is shown in the text as Go shows it: `%!d(string=x)`.
pub fn sprintf(layout: &str, values: &[Value]) -> String {
    let mut out = String::with_capacity(layout.len() + 16);
    let mut rest = layout;
    let mut next = 0;
    let mut reordered = false;
    while let Some(percent) = rest.find('%') {
        out.push_str(&rest[..percent]);
        rest = &rest[percent + 1..];
        let mut flags = Flags::default();
        while let Some(flag) = rest.chars().next() {
            match flag {
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                '0' => flags.zero = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        reordered |= argument_index(&mut rest, &mut next);
        flags.width = number_or_star(&mut rest, values, &mut next, &mut flags.minus);
        if let Some(behind) = rest.strip_prefix('.') {
            rest = behind;
            reordered |= argument_index(&mut rest, &mut next);
            flags.precision = number_or_star(&mut rest, values, &mut next, &mut false).or(Some(0));
        }
        reordered |= argument_index(&mut rest, &mut next);
        let Some(verb) = rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        match values.get(next) {
            Some(value) => out.push_str(&formatted(value, verb, flags)),
            None => _ = write!(out, "%!{verb}(MISSING)"),
        }
        next += 1;
    }
    out.push_str(rest);
    if !reordered && next < values.len() {
        let extra: Vec<String> = values[next..].iter().map(with_type).collect();
        _ = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    out
}

/// `[2]`: which argument comes next, counted from one.
fn argument_index(rest: &mut &str, next: &mut usize) -> bool {
    let Some((number, behind)) = rest.strip_prefix('[').and_then(|behind| behind.split_once(']')) else {
        return false;
    };
    let Some(index) = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) else {
        return false;
    };
    (*rest, *next) = (behind, index);
    true
}

fn number_or_star(rest: &mut &str, values: &[Value], next: &mut usize, minus: &mut bool) -> Option<usize> {
    if let Some(behind) = rest.strip_prefix('*') {
        *rest = behind;
        let Some(Value::Int(number)) = values.get(*next) else {
            *next += 1;
            return None;
        };
        *next += 1;
        *minus |= *number < 0;
        return Some(usize::try_from(number.unsigned_abs()).unwrap_or(MAX_WIDTH).min(MAX_WIDTH));
    }
    let digits = rest.len() - rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
    let number = rest[..digits].parse::<usize>().ok().map(|number| number.min(MAX_WIDTH));
    *rest = &rest[digits..];
    number
}

/// A value behind its type, as in messages about verbs that do not fit.
fn with_type(value: &Value) -> String {
    match value {
        Value::Missing | Value::Nil => "<nil>".to_owned(),
        other => format!("{}={}", other.type_name().trim_start_matches('*'), plain(other)),
    }
}

fn formatted(value: &Value, verb: char, flags: Flags) -> String {
    if verb == 'T' {
        return padded(value.type_name().to_owned(), flags);
    }
    if let Value::List(_) | Value::Map(_) = value {
        return within(value, &|value| formatted(value, verb, flags));
    }
    let bad = || match value {
        Value::Missing | Value::Nil if verb == 'v' => padded("<nil>".to_owned(), flags),
        Value::Missing | Value::Nil => format!("%!{verb}(<nil>)"),
        other => format!("%!{verb}({})", with_type(other)),
    };
    match value {
        Value::Bool(truth) if matches!(verb, 'v' | 't') => padded(truth.to_string(), flags),
        Value::Int(number) => integer(*number, verb, flags).unwrap_or_else(bad),
        Value::Float(number) => {
            float(*number, verb, flags).map_or_else(bad, |text| padded_number(text, flags))
        }
        Value::String(string) => text(string, verb, flags).unwrap_or_else(bad),
        // These print themselves; their numbers are for the verbs of numbers.
        Value::Duration(duration) => text(&duration.to_string(), verb, flags)
            .or_else(|| integer(duration.0, verb, flags))
            .unwrap_or_else(bad),
        Value::Time(time) => text(&time.to_string(), verb, flags).unwrap_or_else(bad),
        Value::Object(object) => text(&object.print(), verb, flags).unwrap_or_else(bad),
        _ => bad(),
    }
}

fn padded(text: String, flags: Flags) -> String {
    let width = flags.width.unwrap_or(0);
    let missing = width.saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    if flags.minus {
        return text + &" ".repeat(missing);
    }
    let fill = if flags.zero { "0" } else { " " };
    fill.repeat(missing) + &text
}

/// As [`padded`], but zeros go behind the sign.
fn padded_number(text: String, flags: Flags) -> String {
    let is_finite = text.ends_with(|last: char| last.is_ascii_hexdigit());
    if !flags.zero || flags.minus || !is_finite {
        return padded(text, Flags { zero: false, ..flags });
    }
    match text.strip_prefix(['+', '-', ' ']) {
        Some(digits) => {
            let width = flags.width.map(|width| width.saturating_sub(1));
            format!("{}{}", &text[..1], padded(digits.to_owned(), Flags { width, ..flags }))
        }
        None => padded(text, flags),
    }
}

fn text(string: &str, verb: char, flags: Flags) -> Option<String> {
    let cut: String = match flags.precision {
        Some(precision) => string.chars().take(precision).collect(),
        None => string.to_owned(),
    };
    let hex = |upper: bool| {
        let digits = |byte: u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        string.bytes().take(flags.precision.unwrap_or(usize::MAX)).map(digits).collect::<String>()
    };
    let text = match verb {
        'v' if flags.sharp => Quoted(&cut).to_string(),
        'v' | 's' => cut,
        'q' => Quoted(&cut).to_string(),
        'x' => hex(false),
        'X' => hex(true),
        _ => return None,
    };
    Some(padded(text, flags))
}

fn integer(number: i64, verb: char, flags: Flags) -> Option<String> {
    let size = number.unsigned_abs();
    let character =
        || u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let (prefix, digits) = match verb {
        'v' | 'd' => ("", size.to_string()),
        'b' => (if flags.sharp { "0b" } else { "" }, format!("{size:b}")),
        'o' => (if flags.sharp { "0" } else { "" }, format!("{size:o}")),
        'O' => ("0o", format!("{size:o}")),
        'x' => (if flags.sharp { "0x" } else { "" }, format!("{size:x}")),
        'X' => (if flags.sharp { "0X" } else { "" }, format!("{size:X}")),
        'c' => return Some(padded(character().to_string(), flags)),
        'q' => return Some(padded(format!("'{}'", character().escape_default()), flags)),
        'U' => return Some(padded(format!("U+{size:04X}"), flags)),
        _ => return None,
    };
    let digits = match flags.precision {
        Some(precision) => format!("{digits:0>precision$}"),
        None => digits,
    };
    Some(padded_number(format!("{}{prefix}{digits}", sign(number < 0, flags)), flags))
}

fn sign(is_negative: bool, flags: Flags) -> &'static str {
    match is_negative {
        true => "-",
        false if flags.plus => "+",
        false if flags.space => " ",
        false => "",
    }
}

fn float(number: f64, verb: char, flags: Flags) -> Option<String> {
    let (verb, precision) = match verb {
        'v' => ('g', flags.precision),
        'e' | 'E' | 'f' | 'F' => (verb, flags.precision.or(Some(6))),
        'g' | 'G' => (verb, flags.precision),
        _ => return None,
    };
    let unsigned = format_float(number.abs(), verb, precision);
    // Infinity has a sign of its own; of NaN there is none.
    let unsigned = unsigned.trim_start_matches('+');
    let is_negative = number.is_sign_negative() && !number.is_nan();
    let flags = if number.is_infinite() { Flags { plus: true, ..flags } } else { flags };
    Some(format!("{}{unsigned}", sign(is_negative, flags)))
}

/// `strconv.FormatFloat` with the formats `e`, `E`, `f`, `F`, `g` and `G`; without a precision as many digits as it
/// takes to read the same number back.
pub fn format_float(number: f64, format: char, precision: Option<usize>) -> String {
    if !number.is_finite() {
        return General(number).to_string();
    }
    let text = match (format.to_ascii_lowercase(), precision) {
        ('f', Some(precision)) => format!("{number:.precision$}"),
        ('f', None) => number.to_string(),
        ('e', precision) => exponential(number, precision),
        (_, None) => General(number).to_string(),
        (_, Some(precision)) => {
            let precision = precision.max(1);
            let scientific = exponential(number, Some(precision - 1));
            let exponent: i32 = scientific.split_once('e').and_then(|(_, it)| it.parse().ok()).unwrap_or(0);
            if exponent < -4 || exponent >= precision as i32 {
                let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "+00"));
                format!("{}e{exponent}", without_zeros(digits))
            } else {
                let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
                without_zeros(&format!("{number:.decimals$}")).to_owned()
            }
        }
    };
    if format.is_ascii_uppercase() { text.to_ascii_uppercase() } else { text }
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// With an exponent of two digits at least, and its sign.
fn exponential(number: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{number:.precision$e}"),
        None => format!("{number:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}
