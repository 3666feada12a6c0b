//! Labels of remote write 1.0 as every sender writes them: at the begin of their series, each with its name and then its
//! value, all of them short. They are most of a request's bytes, and are read here in a fraction of the time that reading
//! field by field takes.

/// Marks of the fields: a label of a series, the name and the value of a label.
const LABEL: u8 = 1 << 3 | 2;
const NAME: u8 = 1 << 3 | 2;
const VALUE: u8 = 2 << 3 | 2;

/// Lengths from here on take more than one byte.
const LONG: u8 = 0x80;

/// Reads the labels that a series begins with, as far as they are of this form, and returns what follows: that has to be
/// read field by field. A label without a value is left out.
pub(super) fn labels<'a>(bytes: &'a [u8], labels: &mut Vec<(&'a str, &'a str)>) -> &'a [u8] {
    // Where all of it is a text, so is every part of it that ends between two characters.
    let (begin, rest) = bytes.split_at(end(bytes));
    let Ok(mut text) = std::str::from_utf8(begin) else { return bytes };
    let before = labels.len();
    while !text.is_empty() {
        let Some((name, value, behind)) = label(text) else {
            labels.truncate(before);
            return bytes;
        };
        if !value.is_empty() {
            labels.push((name, value));
        }
        text = behind;
    }
    rest
}

/// Where the labels end.
fn end(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some([LABEL, length]) = bytes.get(end..end + 2)
        && *length < LONG
        && bytes.len() - end - 2 >= usize::from(*length)
    {
        end += 2 + usize::from(*length);
    }
    end
}

/// A label's name and value, and what follows.
#[inline]
fn label(text: &str) -> Option<(&str, &str, &str)> {
    let [_, length, NAME, name, ..] = text.as_bytes() else { return None };
    let (length, name) = (usize::from(*length), usize::from(*name));
    let [VALUE, value] = text.as_bytes().get(4 + name..6 + name)? else { return None };
    let value = usize::from(*value);
    if length != 4 + name + value {
        return None;
    }
    let begin = 6 + name;
    Some((text.get(4..4 + name)?, text.get(begin..begin + value)?, text.get(begin + value..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::remote_write::decode::{Decoded, Version};

    fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
        out.push(number << 3 | 2);
        prost::encoding::encode_varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }

    fn encoded(pairs: &[(String, String)], value_first: bool) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in pairs {
            let mut label = Vec::new();
            if value_first {
                field(&mut label, 2, value.as_bytes());
            }
            field(&mut label, 1, name.as_bytes());
            if !value_first {
                field(&mut label, 2, value.as_bytes());
            }
            field(&mut out, 1, &label);
        }
        out
    }

    /// What is read here is what reading field by field gives.
    fn check(bytes: &[u8]) -> Result<usize, TestCaseError> {
        let mut found = Vec::new();
        let read = bytes.len() - labels(bytes, &mut found).len();
        let mut naive = Vec::new();
        for field in crate::remote_write::wire::Fields(&bytes[..read]) {
            let (number, value) = field.unwrap();
            prop_assert_eq!(number, 1);
            let (name, text) = super::super::pair(value).unwrap();
            if !text.is_empty() {
                naive.push((name, text));
            }
        }
        prop_assert_eq!(found, naive);
        Ok(read)
    }

    proptest! {
        #[test]
        fn labels_of_any_order_and_length_are_read_right(
            pairs in prop::collection::vec(("\\PC{0,12}", "\\PC{0,60}"), 0..6),
            value_first in any::<bool>(),
            behind in prop::collection::vec(any::<u8>(), 0..8),
        ) {
            let mut bytes = encoded(&pairs, value_first);
            bytes.extend_from_slice(&behind);
            check(&bytes)?;
        }

        #[test]
        fn any_bytes_are_read_right(bytes in prop::collection::vec(prop::sample::select(vec![
            LABEL, VALUE, 0, 1, 2, 3, 4, 5, b'a', 0x80, 0xc3, 0xa9,
        ]), 0..40)) {
            check(&bytes)?;
        }
    }

    #[test]
    fn plain_labels_are_read_here() {
        let pairs = [("__name__", "up"), ("empty", ""), ("job", "é")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let bytes = encoded(&pairs, false);
        let mut found = Vec::new();
        assert!(labels(&bytes, &mut found).is_empty());
        assert_eq!(found, [("__name__", "up"), ("job", "é")]);
        let mut request = Vec::new();
        field(&mut request, 1, &bytes);
        assert_eq!(Decoded::read(Version::V1, &request).unwrap().labels, found);
    }
}
