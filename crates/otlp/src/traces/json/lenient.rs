//! Field types of the JSON mapping, each reading every form that senders use.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// `null` is the default.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A message. Left to itself, serde would also take a list of the fields' values.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

/// A number that may be written as text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Number<T>(pub(super) T);

/// What a [`Number`] may hold.
pub(super) trait Numeric: Sized + std::str::FromStr {
    const WHAT: &'static str;
    fn from_u64(number: u64) -> Option<Self>;
    fn from_i64(number: i64) -> Option<Self>;
    fn from_f64(number: f64) -> Option<Self>;
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

/// A double that is a whole number which an `i128` holds exactly.
fn whole(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() < 1e19).then_some(number as i128)
}

macro_rules! integer {
    ($type:ty) => {
        impl Numeric for $type {
            const WHAT: &'static str = concat!("a number that fits ", stringify!($type));
            fn from_u64(number: u64) -> Option<Self> {
                number.try_into().ok()
            }
            fn from_i64(number: i64) -> Option<Self> {
                number.try_into().ok()
            }
            fn from_f64(number: f64) -> Option<Self> {
                whole(number).and_then(|number| number.try_into().ok())
            }
        }
    };
}

integer!(u32);
integer!(u64);
integer!(i64);

impl Numeric for f64 {
    const WHAT: &'static str = "a number";
    fn from_u64(number: u64) -> Option<Self> {
        Some(number as Self)
    }
    fn from_i64(number: i64) -> Option<Self> {
        Some(number as Self)
    }
    fn from_f64(number: f64) -> Option<Self> {
        Some(number)
    }
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "Infinity" => Some(Self::INFINITY),
            "-Infinity" => Some(Self::NEG_INFINITY),
            other => other.trim().parse().ok(),
        }
    }
}

impl<'de, T: Numeric> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        fn found<T, E: de::Error>(
            number: Option<T>,
            got: de::Unexpected<'_>,
            what: &'static str,
        ) -> Result<Number<T>, E> {
            number.map(Number).ok_or_else(|| E::invalid_value(got, &what))
        }
        impl<T: Numeric> Visitor<'_> for Reader<T> {
            type Value = Number<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::WHAT)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                found(T::from_u64(number), de::Unexpected::Unsigned(number), T::WHAT)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                found(T::from_i64(number), de::Unexpected::Signed(number), T::WHAT)
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
                found(T::from_f64(number), de::Unexpected::Float(number), T::WHAT)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                found(T::from_text(text), de::Unexpected::Str(text), T::WHAT)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// An enum by number or by name; the type says which names there are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Enum<N>(pub(super) i32, PhantomData<N>);

/// The names of an enum.
pub(super) trait Names {
    /// The number of a full name; unknown names are zero, as unknown numbers are.
    fn number(name: &str) -> i32;
}

impl<'de, N: Names> Deserialize<'de> for Enum<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<N>(PhantomData<N>);
        impl<N: Names> Visitor<'_> for Reader<N> {
            type Value = Enum<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an enum's number or name")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Enum(i32::try_from(number).unwrap_or_default(), PhantomData))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Enum(i32::try_from(number).unwrap_or_default(), PhantomData))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Enum(number as i32, PhantomData))
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Enum(name.parse().unwrap_or_else(|_| N::number(name)), PhantomData))
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// Either alphabet, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).or_else(|_| BASE64_URL.decode(text)).ok()
}

/// A `bytes` field: base64.
#[derive(Debug, Clone, Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        base64(&text).map(Self).ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&text), &"base64"))
    }
}

/// An identifier of `N` bytes: hex of `2 N` digits, else base64. A text that is neither is refused.
#[derive(Debug, Clone, Default)]
pub(super) struct Id<const N: usize>(pub(super) Vec<u8>);

impl<'de, const N: usize> Deserialize<'de> for Id<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        // Base64 of the right length comes first only where hex cannot be meant: 16 bytes are 24 characters of base64
        // and 32 of hex, 8 bytes are 12 and 16.
        if let Some(bytes) = base64(&text).filter(|bytes| bytes.len() == N && text.len() != 2 * N) {
            return Ok(Self(bytes));
        }
        hex(&text)
            .map(Self)
            .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&text), &"an identifier in hex"))
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
