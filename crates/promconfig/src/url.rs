//! URLs, as far as the configuration looks at them.

use model::literal::Quoted;

/// An absolute or relative URL as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    scheme: String,
    host: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// Go's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let failed = |reason: &str| format!("parse {}: {reason}", Quoted(text));
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err(failed("net/url: invalid control character in URL"));
        }
        let scheme_end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'));
        let (scheme, rest) = match scheme_end {
            Some(0) if text.starts_with(':') => return Err(failed("missing protocol scheme")),
            Some(end)
                if text[end..].starts_with(':') && text.starts_with(|c: char| c.is_ascii_alphabetic()) =>
            {
                (text[..end].to_ascii_lowercase(), &text[end + 1..])
            }
            _ => (String::new(), text),
        };
        let path_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        if scheme.is_empty() && rest[..path_end].contains(':') && !rest.starts_with('/') {
            return Err(failed("first path segment in URL cannot contain colon"));
        }
        let host = rest.strip_prefix("//").map_or("", |authority| {
            let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
            let authority = &authority[..end];
            authority.rsplit_once('@').map_or(authority, |(_, host)| host)
        });
        if host.contains(' ') {
            return Err(failed("invalid character \" \" in host name"));
        }
        if let Some((_, port)) = host.rsplit_once(':')
            && !host.ends_with(']')
            && !port.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(failed(&format!("invalid port {} after host", Quoted(&format!(":{port}")))));
        }
        let host = host.to_owned();
        Ok(Self { text: text.to_owned(), scheme, host })
    }

    /// As it was written, with a password if one is in it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `http`, in lower case; empty for a relative one.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// For others to see: a password becomes `xxxxx`.
    pub fn redacted(&self) -> String {
        let Some(begin) = self.text.find("//").map(|at| at + 2) else { return self.text.clone() };
        let end = self.text[begin..].find(['/', '?', '#']).map_or(self.text.len(), |at| begin + at);
        let Some(at) = self.text[begin..end].rfind('@').map(|at| begin + at) else {
            return self.text.clone();
        };
        match self.text[begin..at].find(':') {
            Some(colon) => format!("{}:xxxxx{}", &self.text[..begin + colon], &self.text[at..]),
            None => self.text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found() {
        let url = Url::parse("HTTP://user:pw@host:80/path?q#f").unwrap();
        assert_eq!((url.scheme(), url.host()), ("http", "host:80"));
        assert_eq!(url.redacted(), "HTTP://user:xxxxx@host:80/path?q#f");
        assert_eq!(Url::parse("http://").unwrap().host(), "");
        assert_eq!(Url::parse("foo").unwrap().scheme(), "");
    }

    #[test]
    fn refusals_are_gos() {
        for (text, message) in [
            ("://x", "parse \"://x\": missing protocol scheme"),
            ("1a:b", "parse \"1a:b\": first path segment in URL cannot contain colon"),
            ("http://h:x/", "parse \"http://h:x/\": invalid port \":x\" after host"),
        ] {
            assert_eq!(Url::parse(text).unwrap_err(), message);
        }
    }
}
