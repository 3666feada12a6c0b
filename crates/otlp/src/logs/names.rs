//! Attribute keys to label names: Prometheus' classic character set, as `otlptranslator` makes it for Loki.

use std::borrow::Cow;

/// A key from which no label name can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The key is empty.
    #[error("label name is empty")]
    Empty,
    /// No character of the key but underscores would be left.
    #[error("normalization for label name {key:?} resulted in invalid name {name:?}")]
    OnlyUnderscores {
        /// The key.
        key: String,
        /// What became of it.
        name: String,
    },
}

/// The label name of a key: every run of characters other than ASCII letters and digits becomes one underscore, a
/// leading digit gets `key_` before it, and the two underscores on both sides of a reserved name stay.
pub fn label_name(key: &str) -> Result<Cow<'_, str>, NameError> {
    if key.is_empty() {
        return Err(NameError::Empty);
    }
    if is_plain(key) {
        return Ok(Cow::Borrowed(key));
    }
    let reserved = key.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
    let inner = reserved.unwrap_or(key);
    let mut name = String::with_capacity(key.len() + 4);
    if reserved.is_some() {
        name.push_str("__");
    } else if key.starts_with(|first: char| first.is_ascii_digit()) {
        name.push_str("key_");
    }
    let mut after_underscore = false;
    for character in inner.chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character);
            after_underscore = false;
        } else if !after_underscore {
            name.push('_');
            after_underscore = true;
        }
    }
    if reserved.is_some() {
        name.push_str("__");
    }
    if name.bytes().all(|byte| byte == b'_') {
        return Err(NameError::OnlyUnderscores { key: key.to_owned(), name });
    }
    Ok(Cow::Owned(name))
}

/// Whether a key is a label name as it stands: the common case, told apart without a copy.
fn is_plain(key: &str) -> bool {
    let mut before = b'_';
    !key.starts_with(|first: char| first.is_ascii_digit())
        && key.bytes().all(|byte| {
            let fits = byte.is_ascii_alphanumeric() || (byte == b'_' && before != b'_');
            before = byte;
            fits
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_label_names() {
        for (key, name) in [
            ("service.name", "service_name"),
            ("http.request.header.x-id", "http_request_header_x_id"),
            ("a..b__c", "a_b_c"),
            ("1st", "key_1st"),
            ("_private", "_private"),
            ("__name__", "__name__"),
            ("__a..b__", "__a_b__"),
            ("größe", "gr_e"),
            ("trailing.", "trailing_"),
        ] {
            assert_eq!(label_name(key), Ok(Cow::Borrowed(name)), "{key}");
        }
    }

    #[test]
    fn keys_without_a_name_are_refused_in_lokis_words() {
        assert_eq!(label_name("").unwrap_err().to_string(), "label name is empty");
        assert_eq!(
            label_name("日本").unwrap_err().to_string(),
            r#"normalization for label name "日本" resulted in invalid name "_""#
        );
        assert!(label_name("____").is_err());
    }
}
