//! What is kept as bytes is checked all the same: attributes, values, resources, scopes.

use super::problem::Problem;
use crate::Result;
use crate::traces::wire::{BYTES, FIXED64, Reader, VARINT};
use crate::traces::{Limits, MAX_DEPTH};

#[inline]
fn is_text(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

#[inline]
pub(super) fn check_key_value(
    limits: &Limits,
    mut reader: Reader<'_>,
    depth: usize,
    problem: &mut Option<Problem>,
) -> Result<()> {
    let bytes = reader.rest().len();
    if bytes > limits.max_value_bytes {
        problem.get_or_insert(Problem::AttributeTooLarge(bytes));
    }
    while !reader.is_empty() {
        let (number, wire) = reader.key()?;
        match number {
            1 => {
                reader.expect(wire, BYTES)?;
                if !is_text(reader.bytes()?) {
                    problem.get_or_insert(Problem::Utf8);
                }
            }
            2 => {
                reader.expect(wire, BYTES)?;
                check_value(limits, reader.message()?, depth + 1, problem)?;
            }
            3 => {
                reader.expect(wire, VARINT)?;
                reader.varint()?;
            }
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(())
}

pub(super) fn check_value(
    limits: &Limits,
    mut reader: Reader<'_>,
    depth: usize,
    problem: &mut Option<Problem>,
) -> Result<()> {
    if depth > limits.max_value_depth {
        problem.get_or_insert(Problem::AttributeTooDeep);
    }
    if depth > MAX_DEPTH {
        return Err(reader.error("values nested too deeply"));
    }
    while !reader.is_empty() {
        let (number, wire) = reader.key()?;
        match number {
            1 => {
                reader.expect(wire, BYTES)?;
                if !is_text(reader.bytes()?) {
                    problem.get_or_insert(Problem::Utf8);
                }
            }
            2 | 3 | 8 => {
                reader.expect(wire, VARINT)?;
                reader.varint()?;
            }
            4 => {
                reader.expect(wire, FIXED64)?;
                reader.fixed64()?;
            }
            5 | 6 => {
                reader.expect(wire, BYTES)?;
                let mut list = reader.message()?;
                while !list.is_empty() {
                    let (inner, wire) = list.key()?;
                    if inner != 1 {
                        list.skip(inner, wire)?;
                        continue;
                    }
                    list.expect(wire, BYTES)?;
                    let element = list.message()?;
                    if number == 5 {
                        check_value(limits, element, depth + 1, problem)?;
                    } else {
                        check_key_value(limits, element, depth, problem)?;
                    }
                }
            }
            7 => {
                reader.expect(wire, BYTES)?;
                reader.message()?;
            }
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(())
}

/// Checks a `Resource`, or what else has nothing but attributes under `field` and a count behind it.
pub(super) fn check_attributes_message(
    limits: &Limits,
    mut reader: Reader<'_>,
    field: u32,
    problem: &mut Option<Problem>,
) -> Result<()> {
    let mut count = 0;
    while !reader.is_empty() {
        let (number, wire) = reader.key()?;
        if number == field {
            reader.expect(wire, BYTES)?;
            check_key_value(limits, reader.message()?, 0, problem)?;
            count += 1;
        } else if number == field + 1 {
            reader.expect(wire, VARINT)?;
            reader.varint()?;
        } else {
            reader.skip(number, wire)?;
        }
    }
    if count > limits.max_attributes {
        problem.get_or_insert(Problem::TooManyAttributes(count));
    }
    Ok(())
}

pub(super) fn check_scope(limits: &Limits, message: Reader<'_>, problem: &mut Option<Problem>) -> Result<()> {
    let mut reader = message;
    while !reader.is_empty() {
        let (number, wire) = reader.key()?;
        if matches!(number, 1 | 2) {
            reader.expect(wire, BYTES)?;
            if !is_text(reader.bytes()?) {
                problem.get_or_insert(Problem::Utf8);
            }
        } else {
            reader.skip(number, wire)?;
        }
    }
    check_attributes_message(limits, message, 3, problem)
}
