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

/// One exposition in several encodings.
fn encodings() -> Corpus {
    let mut corpus = Corpus::new("metrics-exposition/expfmt");
    let unzipped = |dir: &Path, file: &str| {
        let zipped = read(dir, file)?;
        let mut plain = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(zipped.as_slice()).take(1 << 20);
        decoder.read_to_end(&mut plain).map_err(|error| error.to_string())?;
        Ok::<_, String>(plain)
    };
    corpus.case("text", |dir| {
        let body = read(dir, "text")?;
        judge(check::text(&body), true)?;
        let lines = scrape(&body, MediaType::Text, Options::default()).map_err(|error| error.to_string())?;
        if lines.len() > 50 { Ok(()) } else { Err(format!("{} samples", lines.len())) }
    });
    corpus.case("text.gz", move |dir| {
        if unzipped(dir, "text.gz")? == read(dir, "text")? { Ok(()) } else { Err("another text".to_owned()) }
    });
    corpus.case("protobuf", |dir| {
        let options = Options::default();
        let read_as = |file: &str, format| {
            scrape(&read(dir, file)?, format, options).map_err(|error| error.to_string())
        };
        let (binary, text) = (read_as("protobuf", MediaType::Protobuf)?, read_as("text", MediaType::Text)?);
        let shared = binary.iter().filter(|line| text.iter().any(|other| other.0 == line.0)).count();
        // Taken from one server at two times: the same series, most of them, with other values.
        if shared * 10 >= binary.len() * 9 { Ok(()) } else { Err(format!("{shared} of {}", binary.len())) }
    });
    corpus.case("protobuf.gz", move |dir| {
        if unzipped(dir, "protobuf.gz")? == read(dir, "protobuf")? {
            Ok(())
        } else {
            Err("another body".to_owned())
        }
    });
    corpus.case("json2", |dir| {
        // A format that is no more: refused by its type, and no text either.
        let body = read(dir, "json2")?;
        let content_type = r#"application/json; schema="prometheus/telemetry"; version=0.0.2"#;
        match Parser::new(&body, content_type, &Options::default()) {
            Ok(_) => Err("taken".to_owned()),
            Err(_) => judge(check::text(&body), false),
        }
    });
    corpus
}

/// Bodies as targets send them.
fn scraped() -> Corpus {
    let mut corpus = Corpus::new("metrics-exposition/prometheus-textparse");
    corpus.case("alltypes.237mfs.prom.txt", |dir| {
        let body = read(dir, "alltypes.237mfs.prom.txt")?;
        let mut parser = Parser::of(&body, MediaType::Text, &Options::default());
        let (mut families, mut samples) = (0, 0);
        while let Some(event) = parser.next_event().map_err(|error| error.to_string())? {
            families += usize::from(matches!(event, Event::Type { .. }));
            samples += usize::from(event == Event::Float);
        }
        if (families, samples) == (237, 1857) { Ok(()) } else { Err(format!("{families}, {samples}")) }
    });
    corpus.case("1histogram.om.txt", |dir| {
        let body = read(dir, "1histogram.om.txt")?;
        let lines =
            |options| scrape(&body, MediaType::OpenMetrics, options).map_err(|error| error.to_string());
        let classic = lines(Options::default())?;
        let native = lines(Options { convert_classic_to_nhcb: true, ..Options::default() })?;
        let both =
            lines(Options { convert_classic_to_nhcb: true, keep_classic: true, ..Options::default() })?;
        if both.len() == classic.len() + native.len() && !native.is_empty() {
            return Ok(());
        }
        Err(format!("{} classic, {} native, {} both", classic.len(), native.len(), both.len()))
    });
    corpus
}

/// What `node_exporter` sends, and what it reads from files.
fn node_exporter() -> Corpus {
    let mut corpus = Corpus::new("metrics-exposition");
    let found = files(corpus.dir());
    let found = found.into_iter().filter(|file| file.starts_with("node_exporter"));
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
