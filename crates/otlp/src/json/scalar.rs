//! Single values of OTLP/JSON.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Dialect;
use super::schema::Kind;

/// Padding may be left out, as protobuf's JSON mapping allows.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The bits of an integer as its kind writes them; `None` if it is out of the kind's range.
pub(super) fn integer_bits(kind: Kind, value: i128) -> Option<u64> {
    match kind {
        Kind::Uint32 | Kind::Fixed32 => u32::try_from(value).ok().map(u64::from),
        // A negative 32-bit integer is written with the sign extended to 64 bits.
        Kind::Enum(_) => i32::try_from(value).ok().map(|value| i64::from(value) as u64),
        Kind::Sint32 => {
            i32::try_from(value).ok().map(|value| u64::from(((value << 1) ^ (value >> 31)) as u32))
        }
        Kind::Uint64 | Kind::Fixed64 => u64::try_from(value).ok(),
        Kind::Int64 | Kind::Sfixed64 => i64::try_from(value).ok().map(|value| value as u64),
        Kind::String | Kind::Hex | Kind::Base64 | Kind::Bool | Kind::Double | Kind::Message(_) => None,
    }
}

/// The integer that a floating point number such as `1e3` is; `None` if it is none.
pub(super) fn whole(value: f64) -> Option<i128> {
    // Past 2^64 no kind has room, and past 2^127 the cast would be wrong.
    (value.fract() == 0.0 && value.abs() <= 18_446_744_073_709_551_616.0).then_some(value as i128)
}

/// A floating point number in a string.
pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // Rust reads words such as `inf` as well, which JSON's mapping does not.
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => text.parse().ok(),
        _ => None,
    }
}

/// Bytes in hexadecimal or in base 64.
///
/// An identifier takes 32 or 16 digits in the one, 24 or 12 in the other, so the length tells them apart.
pub(super) fn binary(kind: Kind, dialect: Dialect, text: &str) -> Option<Vec<u8>> {
    let is_base64_id = dialect == Dialect::ProtoJson && matches!(text.len(), 12 | 24);
    match kind {
        Kind::Hex if !is_base64_id => hex::decode(text).ok(),
        _ => STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok(),
    }
}
