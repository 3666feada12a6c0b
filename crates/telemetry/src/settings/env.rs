//! Reading single variables. An empty value is no value, as the specification says.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::{Error, Result};

/// Longest time that a variable may ask for: a day.
const LONGEST_MS: u64 = 86_400_000;
/// Largest queue or batch that a variable may ask for.
const LARGEST_COUNT: usize = 1_000_000;

pub(crate) struct Env<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Env<'a> {
    pub(crate) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// `true` in any case is true, anything else is false, with a warning if it is not `false`.
    pub(crate) fn flag(&self, name: &str, warnings: &mut Vec<String>) -> bool {
        let Some(value) = self.text(name) else { return false };
        let is_true = value.eq_ignore_ascii_case("true");
        if !is_true && !value.eq_ignore_ascii_case("false") {
            warnings.push(format!("{name}={value:?} is taken as false; allowed are true and false"));
        }
        is_true
    }

    pub(crate) fn choice(&self, name: &str, default: &str, allowed: &[&str]) -> Result<String> {
        let value = self.text(name).unwrap_or_else(|| default.to_owned());
        if allowed.contains(&value.as_str()) {
            Ok(value)
        } else {
            Err(Error::bad_value(name, &value, allowed.join(", ")))
        }
    }

    /// A list of names; `none` stands alone.
    pub(crate) fn list(&self, name: &str, default: &[&str], allowed: &[&str]) -> Result<Vec<String>> {
        let Some(value) = self.text(name) else {
            return Ok(default.iter().map(|entry| (*entry).to_owned()).collect());
        };
        let entries: Vec<String> =
            value.split(',').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect();
        let known = entries.iter().all(|entry| allowed.contains(&entry.as_str()));
        let none_among_others = entries.len() > 1 && entries.iter().any(|entry| entry == "none");
        if entries.is_empty() || !known || none_among_others {
            return Err(Error::bad_value(name, &value, format!("{} (none only alone)", allowed.join(", "))));
        }
        Ok(entries)
    }

    /// `key=value,key=value`, values percent-encoded where they have to be.
    pub(crate) fn pairs(&self, name: &str) -> Result<Vec<(String, String)>> {
        let Some(text) = self.text(name) else { return Ok(Vec::new()) };
        let bad =
            || Error::bad_value(name, &text, "key=value,key=value with percent-encoded values".to_owned());
        let mut pairs = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(bad)?;
            let key = percent_decode(key.trim()).filter(|key| !key.is_empty()).ok_or_else(bad)?;
            pairs.push((key, percent_decode(value.trim()).ok_or_else(bad)?));
        }
        Ok(pairs)
    }

    pub(crate) fn milliseconds(&self, name: &str, default: u64) -> Result<Duration> {
        let Some(text) = self.text(name) else { return Ok(Duration::from_millis(default)) };
        match text.parse() {
            Ok(value) if (1..=LONGEST_MS).contains(&value) => Ok(Duration::from_millis(value)),
            _ => Err(Error::bad_value(name, &text, format!("whole milliseconds from 1 to {LONGEST_MS}"))),
        }
    }

    pub(crate) fn count(&self, name: &str, default: usize) -> Result<usize> {
        let Some(text) = self.text(name) else { return Ok(default) };
        match text.parse() {
            Ok(value) if (1..=LARGEST_COUNT).contains(&value) => Ok(value),
            _ => Err(Error::bad_value(name, &text, format!("a whole number from 1 to {LARGEST_COUNT}"))),
        }
    }

    /// An address that can be reached without TLS, which is not built in.
    pub(crate) fn http_address(&self, name: &str) -> Result<Option<String>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let allowed = || "http://host:port (https is not built in)".to_owned();
        let uri: http::Uri = text.parse().map_err(|_| Error::bad_value(name, &text, allowed()))?;
        // Lower case by then: `http::Uri` compares schemes without case.
        if uri.scheme() != Some(&http::uri::Scheme::HTTP) || uri.host().is_none_or(str::is_empty) {
            return Err(Error::bad_value(name, &text, allowed()));
        }
        Ok(Some(text))
    }
}

/// `None` where the escape or what it stands for is not valid.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| (byte? as char).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A random UUID (version 4), as the semantic conventions ask of `service.instance.id`.
pub(crate) fn instance_id() -> String {
    // `RandomState` is seeded by the system, which is all the randomness that telling instances apart needs.
    let half = || RandomState::new().build_hasher().finish();
    let id = (u128::from(half()) << 64) | u128::from(half());
    let id = id & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
