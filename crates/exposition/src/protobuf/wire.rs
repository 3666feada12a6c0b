//! The protobuf encoding: fields of a message, one by one. Errors are worded as Go's protobuf packages word them.

/// A field's value as it lies in the message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) rest: &'a [u8],
    /// The message's name, for errors.
    message: &'static str,
}

const EOF: &str = "unexpected EOF";

impl<'a> Fields<'a> {
    pub(super) fn new(rest: &'a [u8], message: &'static str) -> Self {
        Self { rest, message }
    }

    /// Number and value of the next field; `None` behind the last one.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let message = self.message;
        if tag & 7 == 4 {
            return Err(format!("proto: {message}: wiretype end group for non-group"));
        }
        // As Go has it: 32 bits of the number, with a sign.
        let number = u32::try_from((tag >> 3) as i32).ok().filter(|number| *number != 0);
        let illegal = || format!("proto: {message}: illegal tag {} (wire type {tag})", (tag >> 3) as i32);
        let number = number.ok_or_else(illegal)?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| EOF)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(EOF)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            5 => {
                self.array::<4>()?;
                Value::Fixed32
            }
            other => return Err(format!("proto: illegal wireType {other}")),
        };
        Ok(Some((number, value)))
    }

    /// A number in groups of seven bits.
    pub(super) fn varint(&mut self) -> Result<u64, String> {
        let mut number = 0_u64;
        for (index, byte) in self.rest.iter().enumerate() {
            if index == 10 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(number);
            }
        }
        Err(if self.rest.len() >= 10 { "proto: integer overflow" } else { EOF }.to_owned())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(EOF)?;
        self.rest = rest;
        Ok(*array)
    }
}

impl<'a> Value<'a> {
    fn wire_type(self) -> u8 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(_) => 2,
            Self::Fixed32 => 5,
        }
    }

    fn wrong(self, field: &str) -> String {
        format!("proto: wrong wireType = {} for field {field}", self.wire_type())
    }

    pub(super) fn integer(self, field: &str) -> Result<u64, String> {
        match self {
            Self::Varint(number) => Ok(number),
            other => Err(other.wrong(field)),
        }
    }

    /// A `sint32` or `sint64`.
    pub(super) fn signed(self, field: &str) -> Result<i64, String> {
        self.integer(field).map(zigzag)
    }

    pub(super) fn double(self, field: &str) -> Result<f64, String> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            other => Err(other.wrong(field)),
        }
    }

    pub(super) fn bytes(self, field: &str) -> Result<&'a [u8], String> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(other.wrong(field)),
        }
    }

    /// A message in a field. Its name is that of the field, where [`Value::message_of`] does not say another.
    pub(super) fn message(self, field: &'static str) -> Result<Fields<'a>, String> {
        self.message_of(field, field)
    }

    /// A message of a type in a field.
    pub(super) fn message_of(self, field: &str, name: &'static str) -> Result<Fields<'a>, String> {
        self.bytes(field).map(|bytes| Fields::new(bytes, name))
    }

    /// Appends a repeated `sint64`, packed or not.
    pub(super) fn signed_list(self, field: &str, into: &mut Vec<i64>) -> Result<(), String> {
        match self {
            Self::Varint(number) => into.push(zigzag(number)),
            Self::Bytes(bytes) => {
                let mut packed = Fields::new(bytes, "");
                while !packed.rest.is_empty() {
                    into.push(zigzag(packed.varint()?));
                }
            }
            other => return Err(other.wrong(field)),
        }
        Ok(())
    }

    /// Appends a repeated `double`, packed or not.
    pub(super) fn double_list(self, field: &str, into: &mut Vec<f64>) -> Result<(), String> {
        match self {
            Self::Fixed64(bits) => into.push(f64::from_bits(bits)),
            Self::Bytes(bytes) => {
                let (numbers, rest) = bytes.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(EOF.to_owned());
                }
                into.extend(numbers.iter().map(|bits| f64::from_le_bytes(*bits)));
            }
            other => return Err(other.wrong(field)),
        }
        Ok(())
    }
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_all_kinds() {
        let message =
            [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x19, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x25, 1, 2, 3, 4];
        let mut fields = Fields::new(&message, "M");
        assert_eq!(fields.next(), Ok(Some((1, Value::Varint(150)))));
        assert_eq!(fields.next(), Ok(Some((2, Value::Bytes(b"hi")))));
        let (_, number) = fields.next().unwrap().unwrap();
        assert_eq!(number.double("x"), Ok(1.0));
        assert_eq!(fields.next(), Ok(Some((4, Value::Fixed32))));
        assert_eq!(fields.next(), Ok(None));
        assert_eq!((zigzag(0), zigzag(1), zigzag(2), zigzag(u64::MAX)), (0, -1, 1, i64::MIN));
    }

    #[test]
    fn broken_messages() {
        let cases: [(&[u8], &str); 6] = [
            (&[0x08], EOF),
            (&[0x12, 0x05, b'x'], EOF),
            (&[0x09, 1, 2], EOF),
            (&[0xff; 11], "proto: integer overflow"),
            (&[0x02, 0x00], "proto: M: illegal tag 0 (wire type 2)"),
            (&[0x0b], "proto: illegal wireType 3"),
        ];
        for (bytes, message) in cases {
            assert_eq!(Fields::new(bytes, "M").next(), Err(message.to_owned()), "{bytes:x?}");
        }
    }
}
