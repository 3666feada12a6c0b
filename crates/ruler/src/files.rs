//! Rule files on the disk: reading, checking.

use std::path::Path;

use promrules::{Options, RuleFile};

/// What is wrong with rule files, a text for each thing, the file's name in front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct LoadError(pub Vec<String>);

/// Reads a file with its groups; warnings go to the log.
pub(crate) fn read(path: &Path, options: Options) -> Result<RuleFile, LoadError> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| LoadError(vec![format!("{name}: open {name}: {}", words_of(&error))]))?;
    match promrules::parse(&text, options) {
        Ok(parsed) => {
            for warning in parsed.warnings {
                tracing::warn!(file = %name, "{warning}");
            }
            Ok(parsed.file)
        }
        Err(errors) => Err(LoadError(errors.iter().map(|error| format!("{name}: {error}")).collect())),
    }
}

/// The words of the operating system as Go gives them: lower case, without a number.
pub fn words_of(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words);
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}
