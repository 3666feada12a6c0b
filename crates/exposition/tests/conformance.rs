//! Upstream's expositions: what is valid is read, what is not is refused, and formats that say the same are read the same.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use exposition::protocol::MediaType;
use exposition::{Event, Options, Parser, check};
use testkit::Corpus;

fn main() -> ExitCode {
    testkit::run([openmetrics(), text_corpus(), encodings(), scraped(), node_exporter()])
}

/// The files below a folder that are no folders, by their path within it.
fn files(dir: Option<&Path>) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders: Vec<_> = dir.map(Path::to_owned).into_iter().collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = dir.and_then(|dir| path.strip_prefix(dir).ok()) {
                files.push(name.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}

fn read(dir: &Path, file: &str) -> Result<Vec<u8>, String> {
    std::fs::read(dir.join(file)).map_err(|error| error.to_string())
}

/// Whether a verdict is the one that was expected.
fn judge(verdict: Result<(), exposition::Error>, valid: bool) -> Result<(), String> {
    match verdict {
        Ok(()) if valid => Ok(()),
        Ok(()) => Err("taken, though it is invalid".to_owned()),
        Err(error) if valid => Err(format!("refused in line {}: {error}", error.line)),
        Err(_) => Ok(()),
    }
}

/// A series with its value and time.
type Line = (String, u64, Option<i64>);

/// What a scrape would read: series with values, sorted. Histograms by their text.
fn scrape(body: &[u8], format: MediaType, options: Options) -> Result<Vec<Line>, exposition::Error> {
    let mut parser = Parser::of(body, format, &options);
    let mut lines = Vec::new();
    while let Some(event) = parser.next_event()? {
        let histogram = match event {
            Event::Float => None,
            Event::Histogram => parser.histogram(),
            _ => continue,
        };
        let mut labels = Vec::new();
        parser.labels(&mut labels)?;
        labels.sort();
        let sample = parser.sample();
        let text = histogram.map(|histogram| format!("{histogram:?}")).unwrap_or_default();
        lines.push((format!("{labels:?}{text}"), sample.value.to_bits(), sample.time_ms));
        while parser.exemplar().is_some() {}
    }
    lines.sort();
    Ok(lines)
}

/// 151 bodies with a verdict. What is valid has to be read by a scrape as well; much of what is not is let pass there, as
/// Prometheus lets it pass.
fn openmetrics() -> Corpus {
    let mut corpus = Corpus::new("openmetrics/parsers");
    for file in files(corpus.dir()) {
        let Some(case) = file.strip_suffix("/test.json").map(str::to_owned) else { continue };
        corpus.case(&case.clone(), move |dir| {
            let verdict: serde_json::Value =
                serde_json::from_slice(&read(dir, &file)?).map_err(|error| error.to_string())?;
            let valid = verdict["shouldParse"].as_bool().ok_or("no verdict")?;
            let body = read(dir, &format!("{case}/metrics"))?;
            judge(check::openmetrics(&body), valid)?;
            if valid {
                judge(scrape(&body, MediaType::OpenMetrics, Options::default()).map(drop), true)?;
            }
            Ok(())
        });
    }
    corpus
}

/// The text format: `minimal` and `from_test_parse_N` are valid, `from_test_parse_error_N` are not.
fn text_corpus() -> Corpus {
    let mut corpus = Corpus::new("metrics-exposition/expfmt-parse-corpus");
    for file in files(corpus.dir()) {
        corpus.case(&file.clone(), move |dir| {
            judge(check::text(&read(dir, &file)?), !file.contains("_error_"))
        });
    }
    corpus
}

/// A file, unzipped where its name says that it is zipped.
fn plain(dir: &Path, file: &str) -> Result<Vec<u8>, String> {
    let bytes = read(dir, file)?;
    if Path::new(file).extension().is_none_or(|extension| extension != "gz") {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes.as_slice()).take(1 << 20);
    decoder.read_to_end(&mut plain).map_err(|error| error.to_string())?;
    Ok(plain)
}

/// One exposition in several encodings, which their names say.
fn encodings() -> Corpus {
    let mut corpus = Corpus::new("metrics-exposition/expfmt");
    for file in files(corpus.dir()) {
        corpus.case(&file.clone(), move |dir| {
            let body = plain(dir, &file)?;
            if file.starts_with("json") {
                // A format that is no more: refused by its type, and no text either.
                let content_type = r#"application/json; schema="prometheus/telemetry"; version=0.0.2"#;
                return match Parser::new(&body, content_type, &Options::default()) {
                    Ok(_) => Err("taken".to_owned()),
                    Err(_) => judge(check::text(&body), false),
                };
            }
            let format = if file.starts_with("protobuf") {
                MediaType::Protobuf
            } else {
                judge(check::text(&body), true)?;
                MediaType::Text
            };
            let found = scrape(&body, format, Options::default()).map_err(|error| error.to_string())?;
            if found.is_empty() {
                return Err("no samples".to_owned());
            }
            if file != "protobuf" {
                return Ok(());
            }
            // Taken from one server at two times: the same series, most of them, with other values.
            let text = scrape(&plain(dir, "text")?, MediaType::Text, Options::default());
            let text = text.map_err(|error| error.to_string())?;
            let shared = found.iter().filter(|line| text.iter().any(|other| other.0 == line.0)).count();
            if shared * 10 >= found.len() * 9 { Ok(()) } else { Err(format!("{shared} of {}", found.len())) }
        });
    }
    corpus
}

/// Bodies as targets send them. Their names may say how many families they have, as `237mfs`.
fn scraped() -> Corpus {
    let mut corpus = Corpus::new("metrics-exposition/prometheus-textparse");
    for file in files(corpus.dir()) {
        corpus.case(&file.clone(), move |dir| {
            let body = plain(dir, &file)?;
            let format = if file.contains(".om.") { MediaType::OpenMetrics } else { MediaType::Text };
            let mut parser = Parser::of(&body, format, &Options::default());
            let mut families = 0;
            while let Some(event) = parser.next_event().map_err(|error| error.to_string())? {
                families += usize::from(matches!(event, Event::Type { .. }));
            }
            let said = file.split('.').find_map(|part| part.strip_suffix("mfs")?.parse().ok());
            if said.is_some_and(|said: usize| said != families) {
                return Err(format!("{families} families"));
            }
            let lines = |options| scrape(&body, format, options).map_err(|error| error.to_string());
            let native = Options { convert_classic_to_nhcb: true, ..Options::default() };
            let (classic, native, both) = (
                lines(Options::default())?,
                lines(native)?,
                lines(Options { keep_classic: true, ..native })?,
            );
            // What is converted is left out unless it is kept as well.
            let made = both.len() - classic.len();
            let histograms = native.iter().filter(|line| line.0.contains("schema: -53")).count();
            if histograms == made && classic.iter().all(|line| both.contains(line)) {
                return Ok(());
            }
            Err(format!("{} classic, {} native, {} both", classic.len(), native.len(), both.len()))
        });
    }
    corpus
}

/// What `node_exporter` sends, and what it reads from files, and any other exporter's bodies.
fn node_exporter() -> Corpus {
    let mut corpus = Corpus::new("metrics-exposition");
    let found = files(corpus.dir());
    let others = ["expfmt", "prometheus-textparse"];
    let found = found.into_iter().filter(|file| !others.iter().any(|other| file.starts_with(other)));
    // Its reader passes over other files, whatever they hold.
    for file in found.filter(|file| !file.ends_with("/non_matching_file.txt")) {
        corpus.case(&file.clone(), move |dir| {
            let body = read(dir, &file)?;
            // One of its inputs is there to be refused by its reader, since it has times: a scrape takes those.
            let options = Options::default();
            let lines = scrape(&body, MediaType::Text, options).map_err(|error| error.to_string())?;
            let expected = body
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.trim_ascii().is_empty() && !line.trim_ascii_start().starts_with(b"#"))
                .count();
            if lines.len() == expected { Ok(()) } else { Err(format!("{} of {expected}", lines.len())) }
        });
    }
    corpus
}
