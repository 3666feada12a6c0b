//! Base addresses of HTTP APIs, as given by flags.

use std::fmt;
use std::str::FromStr;

/// `http://host:port`, perhaps with a path below which the API is found; without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const ALLOWED: &str = "expected an address such as http://127.0.0.1:3200";
        let text = text.trim();
        if text.starts_with("https://") {
            return Err("https is not supported, only http://".to_owned());
        }
        let rest = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let url = format!("http://{rest}");
        match reqwest::Url::parse(&url) {
            Ok(parsed) if !rest.contains("://") && parsed.has_host() && parsed.query().is_none() => {
                Ok(Self(url))
            }
            _ => Err(ALLOWED.to_owned()),
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_type_them() {
        for (text, url) in [
            ("http://127.0.0.1:3200", "http://127.0.0.1:3200"),
            ("http://tempo:3200/", "http://tempo:3200"),
            ("localhost:3100", "http://localhost:3100"),
            ("http://[::1]:9090/prometheus", "http://[::1]:9090/prometheus"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().to_string(), url);
        }
        for text in ["", "http://", "https://x", "ftp://x", "http://x:port", "http://x/?a=b"] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text}");
        }
    }
}
