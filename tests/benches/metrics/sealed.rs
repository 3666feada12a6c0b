//! Bytes of a sample in a block: real expositions of node_exporter, both servers told the same.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use exposition::{Event, Options, Parser};
use libtest_mimic::Failed;
use serde_json::Value;
use tests::mirante::free_port;
use tests::peers::running::Peer;
use tests::remote_write::{Connection, Labels, Request, Version};
use tests::{http, peers};

use super::dataset::STEP_MS;
use super::servers::{BOTH, Server};
use super::table::{Bound, Table};
use super::{now_ms, setting, writing};

/// The shortest range of blocks, of both servers.
const RANGE_MS: i64 = 2 * 3_600_000;

/// Scrapes that fill a range.
const SCRAPES: i64 = RANGE_MS / STEP_MS;

/// How long a server may take until it has written the range to a block: Prometheus looks once a minute.
const WITHIN: Duration = Duration::from_mins(3);

/// Series of a scrape with the value of each.
type Scrape = Vec<(Labels, f64)>;

/// Gives both two hours of scrapes, and reads what their blocks say of themselves.
pub(crate) fn measure(prometheus: &Path, table: &mut Table) -> Result<(), Failed> {
    let Some(exporter) =
        peers::packaged("node_exporter").or_else(|| peers::packaged("prometheus-node-exporter"))
    else {
        println!("skipped: bytes of a sample: no node_exporter (Debian: prometheus-node-exporter)");
        return Ok(());
    };
    let scrapes = scrapes(&exporter)?;
    // A whole range that is past.
    let begin_ms = (now_ms() - RANGE_MS - RANGE_MS / 2).div_euclid(RANGE_MS) * RANGE_MS;
    let mut bytes = [0.0; 2];
    let mut counts = [0; 2];
    for (index, kind) in BOTH.into_iter().enumerate() {
        let server = Server::start(kind, prometheus, &[])?;
        let mut connection = Connection::open(&server.address)?;
        for (number, scrape) in scrapes.iter().enumerate() {
            let time_ms = begin_ms + number as i64 * STEP_MS;
            for series in scrape.chunks(2000) {
                let mut request = Request::new(Version::V1);
                for (labels, value) in series {
                    request.series(labels, [(time_ms, *value)]);
                }
                writing::accepted(connection.send(&request.finish())?)?;
            }
        }
        // A sample far enough ahead that the range is past; each later one has the server look again.
        let late: Labels = vec![("__name__".to_owned(), "late".to_owned())];
        let began = Instant::now();
        let mut late_ms = begin_ms + RANGE_MS + RANGE_MS / 2 + STEP_MS;
        (bytes[index], counts[index]) = loop {
            let mut request = Request::new(Version::V1);
            request.series(&late, [(late_ms, 1.0)]);
            writing::accepted(connection.send(&request.finish())?)?;
            if let Some(found) = sealed(&server.blocks(), begin_ms)? {
                break found;
            }
            if began.elapsed() > WITHIN {
                server.check()?;
                return Err(format!("{kind:?} has written no block of the two hours").into());
            }
            std::thread::sleep(Duration::from_secs(1));
            late_ms += 1;
        };
    }
    let samples: usize = scrapes.iter().map(Vec::len).sum();
    println!("sealed: {samples} samples of node_exporter, {} and {} in blocks", counts[0], counts[1]);
    if counts.iter().any(|count| *count != samples as u64) {
        return Err(format!("{samples} samples were sent, {counts:?} are in blocks").into());
    }
    table.add("bytes of a sample in a block, node_exporter every 15 s", "bytes", bytes, Bound::Below(1.3));
    Ok(())
}

/// What a running exporter says, two hours' worth; the pauses are shorter than the samples' times say.
fn scrapes(exporter: &Path) -> Result<Vec<Scrape>, Failed> {
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(exporter);
    command.arg(format!("--web.listen-address={address}")).stdin(Stdio::null());
    let _exporter = Peer::spawn("node_exporter", command)?;
    let began = Instant::now();
    while TcpStream::connect(&address).is_err() {
        if began.elapsed() > Duration::from_secs(20) {
            return Err("node_exporter does not answer".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let pause = Duration::from_millis(setting("METRICS_SCRAPE_PAUSE_MS", 100) as u64);
    let mut scrapes = Vec::new();
    for _ in 0..SCRAPES {
        let page = http::get(&format!("http://{address}/metrics"))?;
        scrapes.push(read(&page.body, &address)?);
        std::thread::sleep(pause);
    }
    Ok(scrapes)
}

/// The samples of a page, with the labels that a scrape adds.
fn read(page: &str, instance: &str) -> Result<Scrape, Failed> {
    let (mut parser, _) = Parser::new(page.as_bytes(), "text/plain; version=0.0.4", &Options::default())?;
    let mut scrape = Scrape::new();
    while let Some(event) = parser.next_event()? {
        if event == Event::Float {
            let mut labels = Labels::new();
            parser.labels(&mut labels)?;
            labels.extend(
                [("instance", instance), ("job", "node")].map(|(name, value)| (name.into(), value.into())),
            );
            labels.sort();
            scrape.push((labels, parser.sample().value));
        }
    }
    Ok(scrape)
}

/// Bytes of a sample in the blocks of a range, and how many samples these have; `None` while there is none.
fn sealed(blocks: &Path, begin_ms: i64) -> Result<Option<(f64, u64)>, Failed> {
    let (mut bytes, mut samples) = (0, 0);
    for entry in std::fs::read_dir(blocks)?.flatten() {
        // What is being written has no such file yet, or a name of another kind.
        let Ok(meta) = std::fs::read_to_string(entry.path().join("meta.json")) else { continue };
        let meta: Value = serde_json::from_str(&meta)?;
        if entry.file_name().to_string_lossy().contains('.') || meta["minTime"].as_i64() < Some(begin_ms) {
            continue;
        }
        samples += meta["stats"]["numSamples"].as_u64().unwrap_or(0);
        let chunks = std::fs::read_dir(entry.path().join("chunks"))?.flatten();
        for path in chunks.map(|file| file.path()).chain([entry.path().join("index")]) {
            bytes += std::fs::metadata(path)?.len();
        }
    }
    Ok((samples > 0).then(|| (bytes as f64 / samples as f64, samples)))
}
