//! Writing protobuf.

pub(super) const VARINT: u32 = 0;
pub(super) const FIXED64: u32 = 1;
pub(super) const LENGTH: u32 = 2;
pub(super) const FIXED32: u32 = 5;

/// Longest varint.
const MAX_VARINT_BYTES: usize = 10;

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn key(out: &mut Vec<u8>, number: u32, wire_type: u32) {
    varint(out, u64::from(number << 3 | wire_type));
}

pub(super) fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    key(out, number, LENGTH);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Begins a message or a packed list whose length is not known yet; gives back where its content starts.
pub(super) fn begin_nested(out: &mut Vec<u8>, number: u32) -> usize {
    key(out, number, LENGTH);
    // One byte is enough for most lengths.
    out.push(0);
    out.len()
}

/// Puts the length before a content; a long one is moved to make room.
pub(super) fn end_nested(out: &mut Vec<u8>, start: usize) {
    let mut length = Vec::with_capacity(MAX_VARINT_BYTES);
    varint(&mut length, (out.len() - start) as u64);
    out.splice(start - 1..start, length);
}
