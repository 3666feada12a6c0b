//! What telemetry costs: the median time of `GET /users` with all signals on (spans, metrics and log records over OTLP
//! to a receiver, `/metrics` kept) against `OTEL_SDK_DISABLED=true`, taking turns in one run. Also the time from the
//! start of the process until it listens, and its resident memory.
//!
//! `cargo bench -p users --bench telemetry_cost [-- --rounds 40 --requests 500]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may fail, and prints")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use demo::testing::{OtlpSink, ServiceProcess, TestDatabase};

/// The figures to reach.
const MOST_COST: f64 = 1.10;
const MOST_RESIDENT_MIB: f64 = 25.0;
const MOST_START: Duration = Duration::from_millis(150);

fn main() -> ExitCode {
    if let Some(code) = ServiceProcess::become_one(&[("users", users::main_with)]) {
        return code;
    }
    let mut rounds = 40;
    let mut requests = 500;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let number =
            |next: Option<String>| next.and_then(|text| text.parse().ok()).filter(|number| *number > 0);
        match argument.as_str() {
            "--rounds" => rounds = number(arguments.next()).expect("--rounds takes a number"),
            "--requests" => requests = number(arguments.next()).expect("--requests takes a number"),
            // What cargo itself passes on.
            _ => {}
        }
    }

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sink = runtime.block_on(OtlpSink::forgetful());
    let endpoint = sink.endpoint();
    // Neither faults nor lines on the console: those cost the same with and without telemetry.
    let shared = [("APP_ERRORS", "0"), ("APP_LATENCY", "0"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let start = |more: &[(&str, &str)]| {
        let database = TestDatabase::sqlite();
        let mut variables = shared.to_vec();
        variables
            .extend([("DATABASE_URL", database.url.as_str()), ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
        variables.extend(more);
        (ServiceProcess::start("users", &variables), database)
    };
    // The shortest of a few: the others had to wait for the machine.
    let starts = (0..5).map(|_| start(&[]).0.started_in()).min().unwrap_or_default();
    let (with, _first) = start(&[]);
    let (without, _second) = start(&[("OTEL_SDK_DISABLED", "true")]);
    std::thread::sleep(Duration::from_secs(2));
    let idle = (mib(&with), mib(&without));

    let mut clients = [Client::connect(with.address()), Client::connect(without.address())];
    let mut times: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for client in &mut clients {
        client.measure(2_000);
    }
    for round in 0..rounds {
        // Whoever is first has it harder or easier; so each is as often.
        for turn in [round % 2, (round + 1) % 2] {
            times[turn].extend(clients[turn].measure(requests));
        }
    }
    let [with_us, without_us] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e6
    });
    let ratio = with_us / without_us;

    println!("GET /users, {} requests each, in turns of {requests}:", rounds * requests);
    println!("  p50 with telemetry       {with_us:8.1} µs");
    println!("  p50 OTEL_SDK_DISABLED    {without_us:8.1} µs");
    println!("  ratio of medians         {ratio:8.3}    (to reach: {MOST_COST:.2} or less)");
    println!(
        "resident when idle         {:8.1} MiB  (to reach: {MOST_RESIDENT_MIB} or less; disabled: {:.1})",
        idle.0, idle.1
    );
    println!("resident after the load    {:8.1} MiB", mib(&with));
    println!(
        "start until listening      {:8.1} ms   (to reach: {} or less)",
        starts.as_secs_f64() * 1e3,
        MOST_START.as_millis()
    );
    let reached = ratio <= MOST_COST && idle.0 <= MOST_RESIDENT_MIB && starts <= MOST_START;
    ExitCode::from(u8::from(!reached))
}

fn mib(service: &ServiceProcess) -> f64 {
    service.resident_bytes() as f64 / 1024.0 / 1024.0
}

/// The leanest client there is, so that what is measured is the service.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 64 * 1024] }
    }

    fn measure(&mut self, requests: usize) -> Vec<Duration> {
        (0..requests)
            .map(|_| {
                let begun = Instant::now();
                self.stream.write_all(b"GET /users HTTP/1.1\r\nHost: users\r\n\r\n").unwrap();
                let mut length = 0;
                loop {
                    let read = self.stream.read(&mut self.buffer[length..]).unwrap();
                    assert!(read > 0, "the service closed the connection");
                    length += read;
                    // The body is an object, and it is the last that comes.
                    if self.buffer[..length].ends_with(b"]}") {
                        break;
                    }
                }
                assert!(self.buffer.starts_with(b"HTTP/1.1 200"));
                begun.elapsed()
            })
            .collect()
    }
}
