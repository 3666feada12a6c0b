//! How names are checked and escaped.

/// Which names of metrics and labels are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValidationScheme {
    /// Any UTF-8.
    #[default]
    Utf8,
    /// Letters, digits and `_` (and `:` for metrics), no digit first.
    Legacy,
}

impl ValidationScheme {
    /// Its name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Legacy => "legacy",
        }
    }

    /// Whether a label may have this name.
    pub fn is_label_name(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => {
                name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            }
        }
    }
}

/// How a target is asked to escape names that it could not send otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EscapingScheme {
    /// Not at all.
    #[default]
    AllowUtf8,
    /// `_` for what is no legacy character.
    Underscores,
    /// `_dot_` for dots, `__` for underscores.
    Dots,
    /// `U__` and the code points.
    Values,
}

impl EscapingScheme {
    /// Its name in the file and in the `escaping` parameter of an `Accept` header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values]
            .into_iter()
            .find(|scheme| scheme.as_str() == text)
    }

    /// What follows from the validation where nothing is said.
    pub(crate) fn inferred(validation: ValidationScheme) -> Self {
        match validation {
            ValidationScheme::Utf8 => Self::AllowUtf8,
            ValidationScheme::Legacy => Self::Underscores,
        }
    }
}
