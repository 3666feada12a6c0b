//! Trace and span identifiers, shown and read as lower-case hex (W3C Trace Context).

use std::fmt;
use std::str::FromStr;

/// A text that is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Longer than the identifier, or empty.
    #[error("expected at most {expected} hexadecimal digits, got {got}")]
    Length {
        /// Most digits that the identifier has.
        expected: usize,
        /// Digits given.
        got: usize,
    },
    /// A character outside `0-9a-fA-F`.
    #[error("invalid hexadecimal digit {0:?}")]
    Digit(char),
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// The identifier of that many zero bytes, which the specifications call invalid.
            pub const ZERO: Self = Self([0; $bytes]);

            /// Whether every byte is zero: "no identifier".
            pub fn is_zero(self) -> bool {
                self == Self::ZERO
            }

            /// Takes exactly the right number of bytes; anything else is `None`.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Lower-case hex, all digits.
            pub fn to_hex(self) -> String {
                self.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let mut text = [0_u8; $bytes * 2];
                for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
                    pair[0] = DIGITS[usize::from(byte >> 4)];
                    pair[1] = DIGITS[usize::from(byte & 15)];
                }
                f.pad(std::str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        /// Reads hex of either case. Fewer digits than the identifier has are padded with zeros on the left, as Tempo
        /// and Jaeger read identifiers that lost their leading zeros.
        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text.chars().count();
                if digits == 0 || digits > $bytes * 2 {
                    return Err(IdError::Length { expected: $bytes * 2, got: digits });
                }
                let mut bytes = [0_u8; $bytes];
                for (index, digit) in text.chars().rev().enumerate() {
                    let value = digit.to_digit(16).ok_or(IdError::Digit(digit))? as u8;
                    bytes[$bytes - 1 - index / 2] |= if index % 2 == 0 { value } else { value << 4 };
                }
                Ok(Self(bytes))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

identifier!(
    /// 16 bytes that name a trace.
    TraceId,
    16
);
identifier!(
    /// 8 bytes that name a span within its trace.
    SpanId,
    8
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_short_texts_are_padded() {
        let id: TraceId = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
        assert_eq!(id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!("F".parse::<SpanId>().unwrap().to_string(), "000000000000000f");
        assert_eq!("abc".parse::<SpanId>().unwrap().to_string(), "0000000000000abc");
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        assert_eq!("".parse::<SpanId>(), Err(IdError::Length { expected: 16, got: 0 }));
        assert_eq!("00112233445566778".parse::<SpanId>(), Err(IdError::Length { expected: 16, got: 17 }));
        assert_eq!("xyz".parse::<SpanId>(), Err(IdError::Digit('z')));
    }
}
