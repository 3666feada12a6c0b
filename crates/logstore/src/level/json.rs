//! Looks for a level in a JSON line without reading more of it than needed.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer};
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};

/// How deep objects are searched: the outermost and those directly inside it.
const MAX_DEPTH: usize = 2;

/// The first text under one of the names, in the order of the line.
pub(super) fn level(line: &str, names: &[&str]) -> Option<String> {
    let mut found = None;
    // Finding stops the reading by an error, so the result says nothing.
    let _ = serde_json::Deserializer::from_str(line).deserialize_any(Object {
        names,
        depth: 0,
        found: &mut found,
    });
    found
}

struct Object<'a> {
    names: &'a [&'a str],
    depth: usize,
    found: &'a mut Option<String>,
}

/// A value: an object is searched, a text is taken if its key is one of the names, everything else is passed over.
struct Field<'a> {
    names: &'a [&'a str],
    depth: usize,
    is_level: bool,
    found: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.depth >= MAX_DEPTH {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let is_level = self.names.contains(&key.as_ref());
            map.next_value_seed(Field {
                names: self.names,
                depth: self.depth + 1,
                is_level,
                found: &mut *self.found,
            })?;
            if self.found.is_some() {
                return Err(A::Error::custom("found"));
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.is_level {
            *self.found = Some(text.to_owned());
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Object { names: self.names, depth: self.depth, found: self.found }.visit_map(map)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
