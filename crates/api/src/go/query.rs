//! `url.Values`.

/// The parameters of a query string, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part of the address after `?`. As Go's `URL.Query` does, leaves out what is malformed: a pair with a
    /// broken percent escape or a semicolon.
    pub fn parse(raw: Option<&str>) -> Self {
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
        Self(
            pairs
                .filter_map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    Some((unescape(key)?, unescape(value)?))
                })
                .collect(),
        )
    }

    /// What Go says of the first pair that [`Query::parse`] leaves out.
    pub fn complaint(raw: Option<&str>) -> Option<String> {
        raw.unwrap_or_default().split('&').find_map(|pair| {
            if pair.contains(';') {
                return Some("invalid semicolon separator in query".to_owned());
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let escape = [key, value].into_iter().find_map(broken_escape)?;
            Some(format!("invalid URL escape {}", super::quote(escape)))
        })
    }

    /// Reads the parameters of a request.
    pub fn of(uri: &http::Uri) -> Self {
        Self::parse(uri.query())
    }

    /// The first value of a parameter; the empty text where it is missing.
    pub fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }

    /// The first value of a parameter, if it is there and not empty: what the components take as "given".
    pub fn given(&self, key: &str) -> Option<&str> {
        Some(self.get(key)).filter(|value| !value.is_empty())
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// All parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Undoes percent escapes alone; `None` where one is broken.
pub fn unescape_path(text: &str) -> Option<String> {
    unescape(&text.replace('+', "%2B"))
}

/// Undoes percent escapes alone; a broken one stays as it is.
pub fn unescape_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let digit = |at: usize| behind.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, digit(0), digit(1)) {
            bytes.push((high * 16 + low) as u8);
            rest = &behind[2..];
        } else {
            bytes.push(*byte);
            rest = behind;
        }
    }
    bytes
}

/// Undoes percent escapes, and `+` for a space; bytes that are no UTF-8 become replacement characters.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| (digit as char).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first percent sign that two digits do not follow, with up to two characters behind it.
fn broken_escape(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = &rest[at..];
        let is_digit = |at: usize| rest.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
        if !is_digit(1) || !is_digit(2) {
            let end = (0..=rest.len().min(3)).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(0);
            return Some(&rest[..end]);
        }
        rest = &rest[3..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_path() {
        assert_eq!(unescape_bytes("a%2Fb+%ff%zz%"), b"a/b+\xff%zz%");
    }

    #[test]
    fn what_is_left_out_is_told() {
        let complaint = |raw| Query::complaint(Some(raw));
        assert_eq!(complaint("a=1&b=%41&c"), None);
        assert_eq!(complaint("a=1&b;c=%zz").as_deref(), Some("invalid semicolon separator in query"));
        assert_eq!(complaint("a=%41%4").as_deref(), Some("invalid URL escape \"%4\""));
        assert_eq!(complaint("%zzz=1").as_deref(), Some("invalid URL escape \"%zz\""));
        assert_eq!(complaint("a=%").as_deref(), Some("invalid URL escape \"%\""));
        assert_eq!(Query::complaint(None), None);
    }

    #[test]
    fn values_are_read_as_go_reads_them() {
        let query = Query::parse(Some("a=1&b=x+y%3D&a=2&c&=&d=%zz&e;f=1&g=%ff"));
        assert_eq!(query.get("a"), "1");
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.get("b"), "x y=");
        assert_eq!(query.given("c"), None);
        assert_eq!(query.given("d"), None);
        assert_eq!(query.get("g"), "\u{fffd}");
        assert_eq!(query.iter().count(), 6);
        assert_eq!(Query::parse(None), Query::default());
    }
}
