//! Which format is asked for, and which one an answer is in.

use std::fmt::Write as _;

use crate::quote::Quoted;

/// A format that a target may be asked for, by its name in `scrape_protocols`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// `PrometheusProto`: delimited `io.prometheus.client.MetricFamily`.
    PrometheusProto,
    /// `PrometheusText0.0.4`.
    PrometheusText0_0_4,
    /// `PrometheusText1.0.0`: names may be any UTF-8.
    PrometheusText1_0_0,
    /// `OpenMetricsText0.0.1`.
    OpenMetricsText0_0_1,
    /// `OpenMetricsText1.0.0`.
    OpenMetricsText1_0_0,
}

impl Protocol {
    /// All of them, by name.
    pub const ALL: [Self; 5] = [
        Self::OpenMetricsText0_0_1,
        Self::OpenMetricsText1_0_0,
        Self::PrometheusProto,
        Self::PrometheusText0_0_4,
        Self::PrometheusText1_0_0,
    ];

    /// What is asked for where the configuration is silent, best first.
    pub const DEFAULT: [Self; 4] = [
        Self::OpenMetricsText1_0_0,
        Self::OpenMetricsText0_0_1,
        Self::PrometheusText1_0_0,
        Self::PrometheusText0_0_4,
    ];

    /// What is asked for where native histograms are wanted: only protobuf carries them.
    pub const DEFAULT_PROTO_FIRST: [Self; 5] = [
        Self::PrometheusProto,
        Self::OpenMetricsText1_0_0,
        Self::OpenMetricsText0_0_1,
        Self::PrometheusText1_0_0,
        Self::PrometheusText0_0_4,
    ];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::PrometheusProto => "PrometheusProto",
            Self::PrometheusText0_0_4 => "PrometheusText0.0.4",
            Self::PrometheusText1_0_0 => "PrometheusText1.0.0",
            Self::OpenMetricsText0_0_1 => "OpenMetricsText0.0.1",
            Self::OpenMetricsText1_0_0 => "OpenMetricsText1.0.0",
        }
    }

    /// The protocol with a name in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// Its media type with its parameters, as it stands in `Accept`.
    pub fn header(self) -> &'static str {
        match self {
            Self::PrometheusProto => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            Self::PrometheusText0_0_4 => "text/plain;version=0.0.4",
            Self::PrometheusText1_0_0 => "text/plain;version=1.0.0",
            Self::OpenMetricsText0_0_1 => "application/openmetrics-text;version=0.0.1",
            Self::OpenMetricsText1_0_0 => "application/openmetrics-text;version=1.0.0",
        }
    }

    /// Its media type alone.
    pub fn media_type(self) -> MediaType {
        match self {
            Self::PrometheusProto => MediaType::Protobuf,
            Self::PrometheusText0_0_4 | Self::PrometheusText1_0_0 => MediaType::Text,
            Self::OpenMetricsText0_0_1 | Self::OpenMetricsText1_0_0 => MediaType::OpenMetrics,
        }
    }
}

/// What a target should do with names that the classic character set does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EscapingScheme {
    /// Send them as they are.
    #[default]
    AllowUtf8,
    /// Replace each odd character by `_`.
    Underscores,
    /// Dots as `_dot_`, underscores doubled.
    Dots,
    /// `U__` and the characters by number.
    Values,
}

impl EscapingScheme {
    /// Its name in the configuration and in `Accept`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// The scheme with a name in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values]
            .into_iter()
            .find(|scheme| scheme.name() == name)
    }
}

/// The `Accept` header that asks for protocols, best first. What has no `q` for it is asked for last: anything.
///
/// ```
/// use exposition::{EscapingScheme, Protocol, protocol::accept_header};
/// assert_eq!(
///     accept_header(&[Protocol::PrometheusText1_0_0, Protocol::PrometheusText0_0_4], EscapingScheme::AllowUtf8),
///     "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
/// );
/// ```
pub fn accept_header(protocols: &[Protocol], escaping: EscapingScheme) -> String {
    let mut header = String::new();
    let mut weight = protocols.len() + 1;
    for protocol in protocols {
        header.push_str(protocol.header());
        if matches!(protocol, Protocol::PrometheusText1_0_0 | Protocol::OpenMetricsText1_0_0) {
            _ = write!(header, ";escaping={}", escaping.name());
        }
        _ = write!(header, ";q=0.{weight},");
        weight -= 1;
    }
    _ = write!(header, "*/*;q=0.{weight}");
    header
}

/// The three families of formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// `text/plain`.
    Text,
    /// `application/openmetrics-text`.
    OpenMetrics,
    /// `application/vnd.google.protobuf`.
    Protobuf,
}

impl MediaType {
    /// As it stands in `Content-Type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::OpenMetrics => "application/openmetrics-text",
            Self::Protobuf => "application/vnd.google.protobuf",
        }
    }
}

/// The format of an answer by its `Content-Type`, or else the one to fall back to. The text beside it says why the
/// fallback was taken; as an error it says why the answer cannot be read.
pub fn media_type(
    content_type: &str,
    fallback: Option<MediaType>,
) -> Result<(MediaType, Option<String>), String> {
    let fall_back = |with: &str, without: &str, cause: &str| match fallback {
        Some(fallback) => {
            let used = Quoted(fallback.as_str().as_bytes());
            Ok((fallback, Some(format!("{with}, using fallback_scrape_protocol {used}{cause}"))))
        }
        None => Err(format!("{without}{cause}")),
    };
    if content_type.is_empty() {
        let blank = "non-compliant scrape target sending blank Content-Type";
        let refusal = format!("{blank} and no fallback_scrape_protocol specified for target");
        return fall_back(blank, &refusal, "");
    }
    let quoted = Quoted(content_type.as_bytes());
    match mime_type(content_type) {
        Err(cause) => fall_back(
            &format!("could not parse received Content-Type {quoted}"),
            &format!("cannot parse Content-Type {quoted} and no fallback_scrape_protocol for target"),
            &format!("\n{cause}"),
        ),
        Ok(name) => {
            let known = [MediaType::Text, MediaType::OpenMetrics, MediaType::Protobuf];
            if let Some(known) = known.into_iter().find(|known| known.as_str() == name) {
                return Ok((known, None));
            }
            let unsupported = format!("received unsupported Content-Type {quoted}");
            let refusal = format!("{unsupported} and no fallback_scrape_protocol specified for target");
            fall_back(&unsupported, &refusal, "")
        }
    }
}

/// The media type before the parameters, in lower case. The parameters have to be well formed (RFC 2045, section 5.1);
/// the errors are those of Go's `mime`.
fn mime_type(value: &str) -> Result<String, &'static str> {
    let base = value.split(';').next().unwrap_or_default();
    let name = base.trim().to_ascii_lowercase();
    let (kind, rest) = token(&name);
    if kind.is_empty() {
        return Err("mime: no media type");
    }
    if !rest.is_empty() {
        let subtype = rest.strip_prefix('/').ok_or("mime: expected slash after first token")?;
        match token(subtype) {
            ("", _) => return Err("mime: expected token after slash"),
            (_, "") => {}
            _ => return Err("mime: unexpected content after media subtype"),
        }
    }
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut rest = value[base.len()..].trim_start();
    while !rest.is_empty() {
        let Some((key, text, after)) = parameter(rest) else {
            // Semicolons at the end are nothing.
            return if rest.trim() == ";" { Ok(name) } else { Err("mime: invalid media parameter") };
        };
        match parameters.iter().find(|(known, _)| *known == key) {
            Some((_, before)) if *before != text => return Err("mime: duplicate parameter name"),
            Some(_) => {}
            None => parameters.push((key, text)),
        }
        rest = after.trim_start();
    }
    Ok(name)
}

/// `; name=value`, the value a token or quoted.
fn parameter(text: &str) -> Option<(String, String, &str)> {
    let rest = text.strip_prefix(';')?.trim_start();
    let (key, rest) = token(rest);
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    if key.is_empty() {
        return None;
    }
    let (value, rest) = match rest.strip_prefix('"') {
        None => {
            let (value, rest) = token(rest);
            if value.is_empty() {
                return None;
            }
            (value.to_owned(), rest)
        }
        Some(quoted) => {
            let mut value = String::new();
            let mut characters = quoted.char_indices();
            loop {
                match characters.next()? {
                    (index, '"') => break (value, &quoted[index + 1..]),
                    (_, '\\') => value.push(characters.next()?.1),
                    (_, '\r' | '\n') => return None,
                    (_, other) => value.push(other),
                }
            }
        }
    };
    Some((key.to_ascii_lowercase(), value, rest))
}

/// A token of RFC 2045 and what follows it.
fn token(text: &str) -> (&str, &str) {
    let end =
        text.find(|c: char| !c.is_ascii_graphic() || "()<>@,;:\\\"/[]?=".contains(c)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::from_name(protocol.name()), Some(protocol));
            assert!(protocol.header().starts_with(protocol.media_type().as_str()));
        }
        assert_eq!(Protocol::from_name("prometheusproto"), None);
    }

    #[test]
    fn the_header_that_is_sent_by_default() {
        assert_eq!(
            accept_header(&Protocol::DEFAULT, EscapingScheme::AllowUtf8),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        );
        assert!(accept_header(&Protocol::DEFAULT_PROTO_FIRST, EscapingScheme::Dots).starts_with(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
        ));
    }

    #[test]
    fn an_answer_says_what_it_is_in() {
        let known = [
            ("text/plain", MediaType::Text),
            ("Text/Plain; version=0.0.4; charset=utf-8", MediaType::Text),
            ("text/plain;", MediaType::Text),
            ("application/openmetrics-text; version=1.0.0; charset=\"utf-8\"", MediaType::OpenMetrics),
            ("application/vnd.google.protobuf;proto=a.b;encoding=delimited", MediaType::Protobuf),
        ];
        for (header, expected) in known {
            assert_eq!(media_type(header, None), Ok((expected, None)), "{header}");
        }
    }

    #[test]
    fn what_it_does_not_say_is_fallen_back_to_or_refused() {
        let cases = [
            (
                "",
                "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target",
                "non-compliant scrape target sending blank Content-Type, using fallback_scrape_protocol \"text/plain\"",
            ),
            (
                "text/html",
                "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target",
                "received unsupported Content-Type \"text/html\", using fallback_scrape_protocol \"text/plain\"",
            ),
            (
                "text/plain; version",
                "cannot parse Content-Type \"text/plain; version\" and no fallback_scrape_protocol for target\n\
                 mime: invalid media parameter",
                "could not parse received Content-Type \"text/plain; version\", using fallback_scrape_protocol \
                 \"text/plain\"\nmime: invalid media parameter",
            ),
        ];
        for (header, refusal, warning) in cases {
            assert_eq!(media_type(header, None), Err(refusal.to_owned()));
            let fallback = media_type(header, Some(MediaType::Text));
            assert_eq!(fallback, Ok((MediaType::Text, Some(warning.to_owned()))));
        }
        for (header, cause) in [
            (";", "mime: no media type"),
            ("a b/c", "mime: expected slash after first token"),
            ("a/", "mime: expected token after slash"),
            ("a/b c", "mime: unexpected content after media subtype"),
            ("a/b; c=1; c=2", "mime: duplicate parameter name"),
        ] {
            let error = media_type(header, None).unwrap_err();
            assert_eq!(error.lines().last(), Some(cause), "{header}");
        }
    }
}
