//! A protobuf reader over one buffer. It remembers where it stands in the whole request, so that an error names the
//! byte.

use crate::{Error, Result};

use super::MAX_DEPTH;

/// Wire types of the protobuf encoding.
pub(crate) const VARINT: u8 = 0;
pub(crate) const FIXED64: u8 = 1;
pub(crate) const BYTES: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
pub(crate) const FIXED32: u8 = 5;

/// A stretch of the request that is being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    whole: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(whole: &'a [u8]) -> Self {
        Self { whole, at: 0, end: whole.len() }
    }

    #[cold]
    pub(crate) fn error(&self, reason: &'static str) -> Error {
        Error::Protobuf { offset: self.at, reason }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    /// All that is left.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.whole[self.at..self.end]
    }

    /// The next field's number and wire type.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<(u32, u8)> {
        let key = match self.whole.get(self.at) {
            Some(&byte) if byte < 0x80 && self.at < self.end => {
                self.at += 1;
                u64::from(byte)
            }
            _ => self.varint()?,
        };
        let Ok(key) = u32::try_from(key) else {
            return Err(self.error("field number out of range"));
        };
        let number = key >> 3;
        if number == 0 {
            return Err(self.error("field number zero"));
        }
        Ok((number, (key & 7) as u8))
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64> {
        let bytes = &self.whole[self.at..self.end];
        match bytes.first() {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for (index, &byte) in self.whole[self.at..self.end].iter().take(10).enumerate() {
            // The tenth byte carries the 64th bit only.
            if index == 9 && byte > 1 {
                return Err(self.error("varint longer than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(self.error(if self.end - self.at >= 10 {
            "varint longer than ten bytes"
        } else {
            "truncated varint"
        }))
    }

    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64> {
        match self.rest().first_chunk::<8>() {
            Some(bytes) => {
                self.at += 8;
                Ok(u64::from_le_bytes(*bytes))
            }
            None => Err(self.error("truncated 64-bit field")),
        }
    }

    #[inline]
    pub(crate) fn fixed32(&mut self) -> Result<u32> {
        match self.rest().first_chunk::<4>() {
            Some(bytes) => {
                self.at += 4;
                Ok(u32::from_le_bytes(*bytes))
            }
            None => Err(self.error("truncated 32-bit field")),
        }
    }

    /// A length-delimited field as a reader over its contents.
    #[inline]
    pub(crate) fn message(&mut self) -> Result<Reader<'a>> {
        let length = self.varint()?;
        if length > (self.end - self.at) as u64 {
            return Err(self.error("length beyond the end"));
        }
        let at = self.at;
        self.at += length as usize;
        Ok(Reader { whole: self.whole, at, end: self.at })
    }

    /// A length-delimited field's bytes.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        Ok(self.message()?.rest())
    }

    /// Fails unless the field has the wire type that its definition asks for.
    #[inline]
    pub(crate) fn expect(&self, wire: u8, wanted: u8) -> Result<()> {
        if wire == wanted { Ok(()) } else { Err(self.error("wrong wire type for a known field")) }
    }

    /// Steps over a field that nobody knows, groups included.
    pub(crate) fn skip(&mut self, number: u32, wire: u8) -> Result<()> {
        self.skip_nested(number, wire, 0)
    }

    fn skip_nested(&mut self, number: u32, wire: u8, depth: usize) -> Result<()> {
        match wire {
            VARINT => self.varint().map(drop),
            FIXED64 => self.fixed64().map(drop),
            BYTES => self.message().map(drop),
            FIXED32 => self.fixed32().map(drop),
            GROUP_START if depth >= MAX_DEPTH => Err(self.error("groups nested too deeply")),
            GROUP_START => loop {
                if self.is_empty() {
                    return Err(self.error("unterminated group"));
                }
                let (inner, wire) = self.key()?;
                if wire == GROUP_END {
                    return if inner == number { Ok(()) } else { Err(self.error("mismatched end of group")) };
                }
                self.skip_nested(inner, wire, depth + 1)?;
            },
            GROUP_END => Err(self.error("end of a group that was not begun")),
            _ => Err(self.error("unknown wire type")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_of_every_length() {
        for shift in 0..64 {
            let value = 1_u64 << shift;
            let mut bytes = Vec::new();
            prost::encoding::encode_varint(value, &mut bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varint(), Ok(value));
            assert!(reader.is_empty());
            assert!(Reader::new(&bytes[..bytes.len() - 1]).varint().is_err());
        }
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
        let mut overlong = [0x80_u8; 10];
        overlong[9] = 2;
        assert!(Reader::new(&overlong).varint().is_err());
    }

    #[test]
    fn groups_are_stepped_over_and_bounded() {
        // Field 1 group { field 2 varint 5 }, then nothing.
        let bytes = [0x0b, 0x10, 5, 0x0c];
        let mut reader = Reader::new(&bytes);
        let (number, wire) = reader.key().unwrap();
        reader.skip(number, wire).unwrap();
        assert!(reader.is_empty());
        for bad in [&[0x0b_u8, 0x14][..], &[0x0b, 0x10, 5], &[0x0c], &[0x0e]] {
            let mut reader = Reader::new(bad);
            let (number, wire) = reader.key().unwrap();
            assert!(reader.skip(number, wire).is_err(), "{bad:?}");
        }
        let deep = [0x0b_u8; 1000];
        let mut reader = Reader::new(&deep);
        let (number, wire) = reader.key().unwrap();
        assert_eq!(
            reader.skip(number, wire).unwrap_err().to_string(),
            "invalid protobuf at byte 101: groups nested too deeply"
        );
    }
}
