//! Regular expressions as Go reads them, with Go's messages.
//!
//! Go's classes are ASCII, it knows no set operations inside brackets, and `\Q…\E` quotes. What is written for Go is
//! rewritten for the `regex` crate, which shares the rest of the syntax and the guarantee of linear time.

use ::regex::{Captures, Regex, RegexBuilder};
use regex_syntax::ast::{self, Ast, ErrorKind, RepetitionKind, RepetitionRange};

/// Sizes in bytes of a compiled expression, tried one after the other, so that it is known which one holds it. More
/// than the last none may take.
const SIZES: [usize; 3] = [64 << 10, 1 << 20, 10 << 20];

/// How the message begins that refuses an expression for its size.
pub(crate) const TOO_LARGE: &str = "error parsing regexp: expression too large";

/// Compiles an expression that may match anywhere; the message of a refusal is Go's.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    build(&checked(pattern)?).map(|(regex, _)| regex)
}

/// Compiles an expression that has to match the whole text, in which `.` matches a newline too: that of a label
/// matcher. The message of a refusal is Go's.
pub fn compile_anchored(pattern: &str) -> Result<Regex, String> {
    compile_anchored_sized(pattern).map(|(regex, _)| regex)
}

/// The same, with how many bytes it takes at most.
pub fn compile_anchored_sized(pattern: &str) -> Result<(Regex, usize), String> {
    // Checked before it is put in brackets: `a)(b` is no expression.
    build(&format!("^(?s:{})$", checked(pattern)?))
}

/// Writes a template to the end of a text, its references replaced by what an expression captured: `$1`, `${1}`,
/// `$name`, `${name}`, and `$$` for a dollar sign, as Go's `Regexp.Expand` does. A name is as long as it can be; what was
/// not captured is empty, and a dollar sign before anything else stands for itself.
pub fn expand(template: &str, captures: &Captures<'_>, out: &mut String) {
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(behind) = behind.strip_prefix('$') {
            out.push('$');
            rest = behind;
        } else if let Some((name, behind)) = reference(behind) {
            let is_index =
                name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
            let index = is_index.then(|| name.parse().ok());
            let captured = match index {
                Some(index) => index.and_then(|index| captures.get(index)),
                None => captures.name(name),
            };
            out.push_str(captured.map_or("", |captured| captured.as_str()));
            rest = behind;
        } else {
            out.push('$');
            rest = behind;
        }
    }
    out.push_str(rest);
}

/// The name behind a dollar sign, with or without braces, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let in_braces = text.strip_prefix('{');
    let text = in_braces.unwrap_or(text);
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let (name, behind) = text.split_at(text.find(|character| !is_part(character)).unwrap_or(text.len()));
    let behind = if in_braces.is_some() { behind.strip_prefix('}')? } else { behind };
    (!name.is_empty()).then_some((name, behind))
}

fn checked(pattern: &str) -> Result<String, String> {
    let translated = translate(pattern);
    let refused = match ast::parse::Parser::new().parse(&translated) {
        Ok(ast) => repeated(&ast, &translated),
        Err(error) => Some(message(&error, pattern)),
    };
    match refused {
        None => Ok(translated),
        Some(message) => Err(format!("error parsing regexp: {message}")),
    }
}

/// How often Go repeats something at most, repetitions within counted.
const MAX_REPEAT: u32 = 1000;

/// What Go says of repetitions that it does not take and the `regex` crate does.
fn repeated(ast: &Ast, text: &str) -> Option<String> {
    match ast {
        Ast::Group(group) => repeated(&group.ast, text),
        Ast::Concat(concat) => concat.asts.iter().find_map(|ast| repeated(ast, text)),
        Ast::Alternation(alternation) => alternation.asts.iter().find_map(|ast| repeated(ast, text)),
        Ast::Repetition(repetition) => {
            let within = repeated(&repetition.ast, text);
            if within.is_some() {
                return within;
            }
            let end = repetition.op.span.end.offset;
            if let Ast::Repetition(inner) = &*repetition.ast {
                let operators = &text[inner.op.span.start.offset..end];
                return Some(format!("invalid nested repetition operator: `{operators}`"));
            }
            let count = &text[repetition.op.span.start.offset..end];
            (!fits(ast, MAX_REPEAT)).then(|| format!("invalid repeat count: `{count}`"))
        }
        _ => None,
    }
}

/// Whether counted repetitions, each times those within, stay below a number.
fn fits(ast: &Ast, most: u32) -> bool {
    match ast {
        Ast::Group(group) => fits(&group.ast, most),
        Ast::Concat(concat) => concat.asts.iter().all(|ast| fits(ast, most)),
        Ast::Alternation(alternation) => alternation.asts.iter().all(|ast| fits(ast, most)),
        Ast::Repetition(repetition) => {
            let count = match &repetition.op.kind {
                RepetitionKind::Range(
                    RepetitionRange::Exactly(count)
                    | RepetitionRange::AtLeast(count)
                    | RepetitionRange::Bounded(_, count),
                ) => *count,
                _ => 1,
            };
            count <= most && (count == 0 || fits(&repetition.ast, most / count))
        }
        _ => true,
    }
}

fn build(translated: &str) -> Result<(Regex, usize), String> {
    for size in SIZES {
        match RegexBuilder::new(translated).size_limit(size).build() {
            Ok(regex) => return Ok((regex, size)),
            Err(::regex::Error::CompiledTooBig(_)) => {}
            Err(error) => return Err(format!("error parsing regexp: {}", last_line(&error.to_string()))),
        }
    }
    Err(TOO_LARGE.to_owned())
}

/// The expression in the syntax of the `regex` crate.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(character) = rest.chars().next() {
        let behind = &rest[character.len_utf8()..];
        if character == '\\' {
            let escaped = behind.chars().next();
            if escaped == Some('Q') && !in_class {
                let literal = &behind[1..];
                let end = literal.find("\\E").unwrap_or(literal.len());
                out.push_str(&::regex::escape(&literal[..end]));
                rest = literal[end..].strip_prefix("\\E").unwrap_or("");
                continue;
            }
            match (escaped, in_class) {
                (Some('d'), false) => out.push_str("[0-9]"),
                (Some('d'), true) => out.push_str("0-9"),
                (Some('D'), false) => out.push_str("[^0-9]"),
                (Some('w'), false) => out.push_str("[0-9A-Za-z_]"),
                (Some('w'), true) => out.push_str("0-9A-Za-z_"),
                (Some('W'), false) => out.push_str("[^0-9A-Za-z_]"),
                (Some('s'), false) => out.push_str("[\\t\\n\\x0C\\r ]"),
                (Some('s'), true) => out.push_str("\\t\\n\\x0C\\r "),
                (Some('S'), false) => out.push_str("[^\\t\\n\\x0C\\r ]"),
                (Some('b'), false) => out.push_str("(?-u:\\b)"),
                (Some(escaped), _) => out.extend(['\\', escaped]),
                (None, _) => out.push('\\'),
            }
            rest = escaped.map_or("", |escaped| &behind[escaped.len_utf8()..]);
            continue;
        }
        if in_class {
            match character {
                ']' => in_class = false,
                '[' if !behind.starts_with(':') => out.push('\\'),
                // Go takes these for themselves, also doubled.
                '&' | '~' => out.push('\\'),
                '[' => {
                    // A named class ends at its own bracket.
                    let end = behind.find(":]").map_or(0, |end| end + 2);
                    out.push('[');
                    out.push_str(&behind[..end]);
                    rest = &behind[end..];
                    continue;
                }
                _ => {}
            }
            out.push(character);
            rest = behind;
            continue;
        }
        out.push(character);
        rest = behind;
        if character == '[' {
            in_class = true;
            // A bracket that closes nothing yet stands for itself.
            for first in ["^", "]"] {
                if let Some(after) = rest.strip_prefix(first) {
                    out.push_str(if first == "]" { "\\]" } else { first });
                    rest = after;
                }
            }
        }
    }
    out
}

/// What Go says of an error.
fn message(error: &ast::Error, whole: &str) -> String {
    let span = error.span();
    let at = &error.pattern()[span.start.offset..span.end.offset];
    match error.kind() {
        ErrorKind::EscapeUnrecognized | ErrorKind::UnsupportedBackreference => {
            format!("invalid escape sequence: `{at}`")
        }
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression: ``".to_owned(),
        ErrorKind::GroupUnclosed => format!("missing closing ): `{whole}`"),
        ErrorKind::GroupUnopened => format!("unexpected ): `{whole}`"),
        ErrorKind::ClassUnclosed => format!("missing closing ]: `{}`", &error.pattern()[span.start.offset..]),
        ErrorKind::ClassRangeInvalid => format!("invalid character class range: `{at}`"),
        ErrorKind::RepetitionMissing => {
            // The place is the one where an argument is missing; the operator stands behind it.
            let operator: String = error.pattern()[span.start.offset..].chars().take(1).collect();
            format!("missing argument to repetition operator: `{operator}`")
        }
        ErrorKind::RepetitionCountInvalid
        | ErrorKind::RepetitionCountUnclosed
        | ErrorKind::RepetitionCountDecimalEmpty => format!("invalid repeat count: `{at}`"),
        ErrorKind::GroupNameDuplicate { .. } | ErrorKind::GroupNameInvalid | ErrorKind::GroupNameEmpty => {
            format!("invalid named capture: `{at}`")
        }
        ErrorKind::UnsupportedLookAround | ErrorKind::FlagUnrecognized => {
            format!("invalid or unsupported Perl syntax: `{at}`")
        }
        other => format!("{other}: `{at}`"),
    }
}

/// The message without the drawing above it.
fn last_line(message: &str) -> &str {
    message.lines().last().map_or("", |line| line.trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compile(pattern).unwrap().is_match(text)
    }

    #[test]
    fn references_are_replaced() {
        let regex = compile_anchored("(?P<first>[a-z]+)-(.*?)(x)?").unwrap();
        let captures = regex.captures("ab-12").unwrap();
        for (template, expected) in [
            ("$1 $2", "ab 12"),
            ("${1}x$1x", "abx"),
            ("$first/${first}", "ab/ab"),
            ("$3|$9|$none|${99999999999999999999}|$01|$0", "|||||ab-12"),
            ("$$1 $ ${ ${} $-", "$1 $ ${ ${} $-"),
            ("${1", "${1"),
            ("", ""),
        ] {
            let mut out = String::new();
            expand(template, &captures, &mut out);
            assert_eq!(out, expected, "{template}");
        }
    }

    #[test]
    fn gos_syntax_is_understood() {
        assert!(matches(r"^\d+$", "12") && !matches(r"^\d+$", "١"), "digits are ASCII");
        assert!(matches(r"^[\w.]+$", "a_1.b") && !matches(r"^\w+$", "ä"));
        assert!(matches(r"^[[a]+$", "[a") && matches(r"^[a&&b]+$", "a&b"));
        assert!(matches(r"^[]a]+$", "]a") && matches(r"^[^]]$", "a"));
        assert!(matches(r"^[[:alpha:]]+$", "ab") && matches(r"^\Qa.b\E\d$", "a.b1"));
        assert!(matches(r"\berror\b", "an error!") && !matches(r"\berror\b", "terror"));
        assert!(matches("(?i)ERROR", "error") && !matches("a.b", "a\nb"));
        assert!(matches("(?P<name>x)(?:y)", "xy"));
    }

    #[test]
    fn anchored_expressions_match_the_whole_text() {
        let anchored = compile_anchored("a|b.").unwrap();
        assert!(anchored.is_match("a") && anchored.is_match("b\n") && !anchored.is_match("ab"));
        assert_eq!(compile_anchored("a)(b").unwrap_err(), "error parsing regexp: unexpected ): `a)(b`");
    }

    #[test]
    fn refusals_are_gos() {
        for (pattern, text) in [
            (r"\q", r"error parsing regexp: invalid escape sequence: `\q`"),
            ("(a", "error parsing regexp: missing closing ): `(a`"),
            ("a)", "error parsing regexp: unexpected ): `a)`"),
            ("*a", "error parsing regexp: missing argument to repetition operator: `*`"),
            ("x[a", "error parsing regexp: missing closing ]: `[a`"),
            ("[z-a]", "error parsing regexp: invalid character class range: `z-a`"),
            ("a**", "error parsing regexp: invalid nested repetition operator: `**`"),
            ("(a{2}{3})b", "error parsing regexp: invalid nested repetition operator: `{2}{3}`"),
            ("a{1001}", "error parsing regexp: invalid repeat count: `{1001}`"),
            ("((a{1000}){1000}){1000}", "error parsing regexp: invalid repeat count: `{1000}`"),
        ] {
            assert_eq!(compile(pattern).unwrap_err(), text);
        }
        assert!(compile("(a*)*b+?c{2}?(d{10}){100}").is_ok());
        let large = format!("(?:{})", r"\pL{500}|".repeat(400));
        assert_eq!(compile(&large).unwrap_err(), TOO_LARGE);
    }
}
