//! Prometheus' remote write, 1.0 and 2.0, from the sender's side: requests, and a connection that stays open.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use prost::encoding::encode_varint;

/// Labels of a series, sorted by name, `__name__` among them.
pub type Labels = Vec<(String, String)>;

/// The messages of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// `prometheus.WriteRequest`.
    #[default]
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

impl Version {
    fn headers(self) -> &'static str {
        match self {
            Self::V1 => {
                "content-type: application/x-protobuf\r\nx-prometheus-remote-write-version: 0.1.0\r\n"
            }
            Self::V2 => {
                "content-type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n\
                 x-prometheus-remote-write-version: 2.0.0\r\n"
            }
        }
    }
}

/// Makes a request, series by series.
#[derive(Debug, Default)]
pub struct Request {
    version: Version,
    bytes: Vec<u8>,
    /// Texts of the second version, which series name by their position.
    symbols: Vec<String>,
    positions: HashMap<String, u64>,
}

impl Request {
    /// A request of a version; [`default`](Self::default) is one of the first.
    pub fn new(version: Version) -> Self {
        let mut request = Self { version, ..Self::default() };
        // The first text is the empty one.
        request.symbol("");
        request
    }

    fn symbol(&mut self, text: &str) -> u64 {
        if let Some(position) = self.positions.get(text) {
            return *position;
        }
        let position = self.symbols.len() as u64;
        self.symbols.push(text.to_owned());
        self.positions.insert(text.to_owned(), position);
        position
    }

    /// Adds a series with samples: milliseconds since the Unix epoch, and a value.
    pub fn series(&mut self, labels: &Labels, samples: impl IntoIterator<Item = (i64, f64)>) {
        let (mut series, mut part) = (self.labels(labels), Vec::new());
        for (time_ms, value) in samples {
            part.clear();
            part.push(1 << 3 | 1);
            part.extend_from_slice(&value.to_le_bytes());
            part.push(2 << 3);
            encode_varint(time_ms as u64, &mut part);
            nested(&mut series, 2, &part);
        }
        self.add(&series);
    }

    /// Adds a series with native histograms.
    pub fn histograms(&mut self, labels: &Labels, samples: impl IntoIterator<Item = (i64, NativeHistogram)>) {
        let mut series = self.labels(labels);
        let number = match self.version {
            Version::V1 => 4,
            Version::V2 => 3,
        };
        for (time_ms, histogram) in samples {
            nested(&mut series, number, &histogram.encode(time_ms));
        }
        self.add(&series);
    }

    /// The beginning of a series.
    fn labels(&mut self, labels: &Labels) -> Vec<u8> {
        let (mut series, mut part) = (Vec::new(), Vec::new());
        match self.version {
            Version::V1 => {
                for (name, value) in labels {
                    part.clear();
                    nested(&mut part, 1, name.as_bytes());
                    nested(&mut part, 2, value.as_bytes());
                    nested(&mut series, 1, &part);
                }
            }
            Version::V2 => {
                for text in labels.iter().flat_map(|(name, value)| [name, value]) {
                    encode_varint(self.symbol(text), &mut part);
                }
                nested(&mut series, 1, &part);
            }
        }
        series
    }

    fn add(&mut self, series: &[u8]) {
        let number = match self.version {
            Version::V1 => 1,
            Version::V2 => 5,
        };
        nested(&mut self.bytes, number, series);
    }

    /// Adds what is said of a metric's family, which only requests of the first version can say by itself; its type by
    /// its number in the protocol (1 is a counter, 2 a gauge).
    pub fn metadata(&mut self, family: &str, kind: u8, help: &str, unit: &str) {
        let mut metadata = vec![1 << 3, kind];
        nested(&mut metadata, 2, family.as_bytes());
        nested(&mut metadata, 4, help.as_bytes());
        nested(&mut metadata, 5, unit.as_bytes());
        nested(&mut self.bytes, 3, &metadata);
    }

    /// The body as it is sent.
    ///
    /// # Panics
    /// If it is larger than Snappy compresses: 4 GiB.
    pub fn finish(mut self) -> Vec<u8> {
        if self.version == Version::V2 {
            let symbols = std::mem::take(&mut self.symbols);
            for symbol in &symbols {
                nested(&mut self.bytes, 4, symbol.as_bytes());
            }
        }
        snap::raw::Encoder::new().compress_vec(&self.bytes).expect("a request is no 4 GiB")
    }
}

/// A native histogram of whole counts.
#[derive(Debug, Clone, Default)]
pub struct NativeHistogram {
    /// Resolution; -53 for custom bounds.
    pub schema: i32,
    /// All observations.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Up to where a value counts as zero.
    pub zero_threshold: f64,
    /// How many do.
    pub zero_count: u64,
    /// Stretches of buckets of negative values: how many are left out before it, how many there are.
    pub negative_spans: Vec<(i32, u32)>,
    /// Counts of those buckets, not cumulative.
    pub negative: Vec<u64>,
    /// The same of positive values.
    pub positive_spans: Vec<(i32, u32)>,
    /// Counts of those buckets.
    pub positive: Vec<u64>,
    /// Upper bounds, with custom bounds.
    pub custom_values: Vec<f64>,
}

impl NativeHistogram {
    fn encode(&self, time_ms: i64) -> Vec<u8> {
        let mut out = Vec::new();
        let number = |out: &mut Vec<u8>, field: u8, value: u64| {
            out.push(field << 3);
            encode_varint(value, out);
        };
        let double = |out: &mut Vec<u8>, field: u8, value: f64| {
            out.push(field << 3 | 1);
            out.extend_from_slice(&value.to_le_bytes());
        };
        number(&mut out, 1, self.count);
        double(&mut out, 3, self.sum);
        number(&mut out, 4, zigzag(self.schema.into()));
        double(&mut out, 5, self.zero_threshold);
        number(&mut out, 6, self.zero_count);
        for (field, spans, counts) in
            [(8, &self.negative_spans, &self.negative), (11, &self.positive_spans, &self.positive)]
        {
            for (offset, length) in spans {
                let mut span = Vec::new();
                number(&mut span, 1, zigzag((*offset).into()));
                number(&mut span, 2, (*length).into());
                nested(&mut out, field, &span);
            }
            let (mut deltas, mut before) = (Vec::new(), 0);
            for count in counts {
                encode_varint(zigzag(*count as i64 - before), &mut deltas);
                before = *count as i64;
            }
            nested(&mut out, field + 1, &deltas);
        }
        number(&mut out, 15, time_ms as u64);
        // Field 16 needs a tag of two bytes.
        out.extend_from_slice(&[0x82, 0x01]);
        encode_varint(self.custom_values.len() as u64 * 8, &mut out);
        self.custom_values.iter().for_each(|bound| out.extend_from_slice(&bound.to_le_bytes()));
        out
    }
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

fn nested(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A connection to a receiver.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: String,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects to an address such as `127.0.0.1:9090`.
    ///
    /// # Errors
    /// If nothing listens there.
    pub fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(Self { stream, host: address.to_owned(), answer: Vec::new() })
    }

    /// Sends a body of the first version to `/api/v1/write`; the answer's status and body.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn send(&mut self, body: &[u8]) -> io::Result<(u16, String)> {
        self.send_as(Version::V1, body)
    }

    /// The same with a body of a version.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn send_as(&mut self, version: Version, body: &[u8]) -> io::Result<(u16, String)> {
        let head = format!(
            "POST /api/v1/write HTTP/1.1\r\nhost: {}\r\n{}content-encoding: snappy\r\ncontent-length: {}\r\n\r\n",
            self.host,
            version.headers(),
            body.len()
        );
        self.stream.write_all(head.as_bytes())?;
        self.stream.write_all(body)?;
        self.answer.clear();
        loop {
            let mut part = [0; 4096];
            let read = self.stream.read(&mut part)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.answer.extend_from_slice(&part[..read]);
            if let Some(answer) = whole(&self.answer) {
                return Ok(answer);
            }
        }
    }
}

/// Status and body, once all of it is there.
fn whole(answer: &[u8]) -> Option<(u16, String)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let body = answer[end + 4..].get(..length)?;
    Some((status, String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_as_the_protocol_has_them() {
        let mut request = Request::default();
        request.series(&vec![("__name__".into(), "up".into())], [(3, 1.0)]);
        let bytes = snap::raw::Decoder::new().decompress_vec(&request.finish()).unwrap();
        let expected =
            b"\x0a\x1d\x0a\x0e\x0a\x08__name__\x12\x02up\x12\x0b\x09\0\0\0\0\0\0\xf0\x3f\x10\x03".as_slice();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn the_second_version_names_texts_by_their_position() {
        let mut request = Request::new(Version::V2);
        request.series(&vec![("__name__".into(), "up".into())], [(3, 1.0)]);
        let bytes = snap::raw::Decoder::new().decompress_vec(&request.finish()).unwrap();
        let expected =
            b"\x2a\x11\x0a\x02\x01\x02\x12\x0b\x09\0\0\0\0\0\0\xf0\x3f\x10\x03\x22\0\x22\x08__name__\x22\x02up"
                .as_slice();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn an_answer_is_whole_with_its_body() {
        assert_eq!(whole(b"HTTP/1.1 204 No Content\r\n"), None);
        assert_eq!(whole(b"HTTP/1.1 204 No Content\r\n\r\n"), Some((204, String::new())));
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nbad\n";
        assert_eq!(whole(&answer[..answer.len() - 1]), None);
        assert_eq!(whole(answer), Some((400, "bad\n".to_owned())));
    }
}
