//! `mirante up`: start, tell, wait, stop.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use stack::{Config, Demo, Identity, Part, Ready, Stack, Stopped, SyncPolicy};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Up, WalSync};
use crate::quantity::{show_bytes, show_count, show_duration};
use crate::table::Table;
use crate::{logging, output, version};

/// How long a stop may take before it is cut off.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Exit code of a stop that was not waited for: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(up: Up) -> anyhow::Result<ExitCode> {
    logging::start(up.log_format);
    let config = config(up)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(worker_threads())
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(Duration::from_secs(2))
        .thread_name("mirante")
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(serve(config));
    // A query that still runs is not waited for: nobody is there to read its answer.
    runtime.shutdown_background();
    code
}

/// Threads for queries and writes to disk, gone two seconds after they were needed.
const BLOCKING_THREADS: usize = 64;

fn worker_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new().context("cannot listen for signals")?;
    if let Some(warning) = exposure(&config) {
        output::print_error(&warning);
    }
    let starting = async {
        let running = Stack::start(config).await?;
        let ready = running.ready().await;
        anyhow::Ok((running, ready))
    };
    let (running, ready) = tokio::select! {
        started = starting => started?,
        // Nothing has been accepted yet that would need an ordered stop.
        _ = signals.next() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    output::print(&started(running.config(), &ready));
    while signals.next().await == Told::Reload {
        // What became of it is in the log.
        _ = running.reload().await;
    }
    // A new line behind the `^C` that terminals show.
    output::print("\nStopping; once more stops at once.\n");
    let stopped = tokio::select! {
        stopped = running.stop(STOP_WITHIN) => stopped,
        _ = signals.next() => {
            output::print("Stopped at once; what was accepted is found again after the next start.\n");
            std::process::exit(i32::from(INTERRUPTED));
        }
    };
    output::print(&stopped_text(&stopped));
    Ok(if stopped.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Stop: Ctrl-C, `kill`, a terminal that is closed.
    Stop,
    /// Read the configuration again: SIGHUP, as servers take it.
    Reload,
}

struct Signals {
    signals: [Signal; 3],
    /// Whether this was started from a terminal, whose end comes as SIGHUP too.
    in_terminal: bool,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok(Self { signals: [interrupt?, terminate?, hangup?], in_terminal: has_terminal() })
    }

    async fn next(&mut self) -> Told {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => Told::Stop,
            _ = terminate.recv() => Told::Stop,
            _ = hangup.recv() => if self.in_terminal && !has_terminal() { Told::Stop } else { Told::Reload },
        }
    }
}

/// Whether one of the standard streams is a terminal that is still there.
fn has_terminal() -> bool {
    std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal()
}

fn config(up: Up) -> anyhow::Result<Config> {
    let demo = if up.no_demo {
        None
    } else {
        let program =
            std::env::current_exe().context("cannot find this program to start the demo services")?;
        Some(Demo { program, arguments: vec!["demo".to_owned(), "--lifeline".to_owned()] })
    };
    Ok(Config {
        data_dir: up.data_dir,
        bind: up.bind,
        port_offset: up.ports.port_offset,
        memory_bytes: up.memory,
        retention: up.retention,
        wal_sync: match up.wal_sync {
            WalSync::Interval => SyncPolicy::Interval(Duration::from_secs(1)),
            WalSync::Always => SyncPolicy::Always,
        },
        admin_api: up.enable_admin_api,
        prometheus_config: up.prometheus_config.or_else(usual_prometheus_config),
        demo,
        identity: Identity {
            command: std::env::args().collect::<Vec<_>>().join(" "),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: version::COMMIT.to_owned(),
        },
    })
}

/// The file of a checkout, where this is started in one.
fn usual_prometheus_config() -> Option<PathBuf> {
    Some(PathBuf::from("infra/prometheus/prometheus.yml")).filter(|file| file.is_file())
}

/// What stands open, if anything does.
fn exposure(config: &Config) -> Option<String> {
    if config.bind.is_loopback() {
        return None;
    }
    let whom = match config.bind {
        ip if ip.is_unspecified() => "everyone who reaches this machine".to_owned(),
        ip => format!("everyone who reaches {ip}"),
    };
    let parts = config.parts();
    let ports: Vec<String> =
        parts.into_iter().map(|part| format!("{part} on {}", config.address(part).port())).collect();
    Some(format!(
        "warning: open to {whom}, without passwords or encryption: {}\n\
         hint: anyone there can read and write all telemetry; leave out --bind to listen on 127.0.0.1 only\n",
        ports.join(", ")
    ))
}

/// What a person wants to know once everything is up.
fn started(config: &Config, ready: &[Ready]) -> String {
    let url = |part: Part| config.local_url(part);
    let whole = ready.iter().filter_map(|ready| ready.after.as_ref().ok()).max().copied().unwrap_or_default();
    let mut text = format!("Mirante {} is up in {}\n\n", version::short(), show_duration(whole));
    text += &start_table(ready).to_string();
    for failed in ready.iter().filter_map(|ready| ready.after.as_ref().err()) {
        text += &format!("warning: {failed}\n");
    }

    let mut addresses = Table::default();
    let mut address = |part: Part, what: &str| addresses.row([url(part), what.to_owned()]);
    address(Part::OtlpGrpc, "send: OTLP over gRPC");
    address(Part::OtlpHttp, "send: OTLP over HTTP (/v1/traces, /v1/metrics, /v1/logs)");
    address(Part::Tempo, "ask: Tempo, traces by id, search, tags");
    address(Part::Jaeger, "ask: Jaeger, services, operations, traces");
    address(Part::Loki, "ask: Loki, logs; push too");
    address(Part::Prometheus, "ask: Prometheus, metrics");
    text += &format!("\nAddresses (each asks and answers as the real component, /metrics too)\n{addresses}");
    if config.demo.is_some() {
        text += &demo_tour(config);
    }
    let data_dir = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    text += &format!("\nData in {}\n", data_dir.components().collect::<PathBuf>().display());
    text += "Stop with Ctrl-C; what was accepted is kept, and found again after the next start.\n";
    text
}

fn start_table(ready: &[Ready]) -> Table {
    let mut table = Table::right_aligned(&[2]);
    table.row(["component".to_owned(), "address".to_owned(), "ready after".to_owned()]);
    for ready in ready {
        let after = match &ready.after {
            Ok(after) => format!("{} ms", after.as_millis()),
            Err(_) => "not ready".to_owned(),
        };
        table.row([ready.part.to_string(), ready.address.to_string(), after]);
    }
    table
}

fn demo_tour(config: &Config) -> String {
    let (users, albums) = (config.local_url(Part::Users), config.local_url(Part::Albums));
    let shifted = match config.port_offset {
        0 => String::new(),
        offset => format!(" --port-offset {offset}"),
    };
    format!(
        "\nThe demo: users calls albums, each has a database, and both emit traces, metrics and logs.\n\
         A tenth of GET /users is slow and a tenth fails, so that there is something to find. Try\n  \
         curl {albums}/albums\n  \
         curl {users}/users\n  \
         curl {users}/users/1/albums\n  \
         curl '{}/api/search?limit=5'\n  \
         mirante verify{shifted}\n",
        config.local_url(Part::Tempo)
    )
}

/// What became of everything.
fn stopped_text(stopped: &Stopped) -> String {
    let mut table = Table::default();
    for (part, in_order) in &stopped.services {
        let how = if *in_order { "stopped" } else { "did not stop in time and was killed" };
        table.row([part.to_string(), how.to_owned()]);
    }
    let drained = match (stopped.drained, stopped.abandoned) {
        (0, 0) => "nothing under way".to_owned(),
        (1, 0) => "1 request finished".to_owned(),
        (drained, 0) => format!("{drained} requests finished"),
        (drained, abandoned) => format!("{drained} requests finished, {abandoned} cut off unanswered"),
    };
    table.row(["receivers".to_owned(), drained]);
    for flushed in &stopped.flushed {
        let figures = flushed.figures;
        let said = match &flushed.error {
            None => {
                let (items, bytes) = (show_count(figures.head_items), show_bytes(figures.wal_bytes));
                let blocks = match (figures.blocks, show_bytes(figures.block_bytes)) {
                    (0, _) => String::new(),
                    (1, bytes) => format!(", {} in a block ({bytes})", show_count(figures.block_items)),
                    (blocks, bytes) => {
                        format!(", {} in {blocks} blocks ({bytes})", show_count(figures.block_items))
                    }
                };
                format!("flushed: {items} {} in the log ({bytes}){blocks}", flushed.items)
            }
            Some(error) => format!("not flushed: {error}"),
        };
        table.row([flushed.signal.to_owned(), said]);
    }
    let cut = match stopped.cut {
        0 => String::new(),
        cut => format!("  {cut} connections did not end in time and were cut\n"),
    };
    format!("{table}{cut}Stopped in {}.\n", show_duration(stopped.took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exposed_is_named() {
        let mut config = Config::new("x");
        assert_eq!(exposure(&config), None);
        config.bind = [0, 0, 0, 0].into();
        config.port_offset = 100;
        let warning = exposure(&config).unwrap();
        assert!(warning.contains("everyone who reaches this machine"), "{warning}");
        assert!(warning.contains("Loki on 3200") && !warning.contains("users"), "{warning}");
    }

    #[test]
    fn the_stop_says_what_was_flushed_and_what_was_not() {
        let flushed = |signal, items, error: Option<&str>| stack::Flushed {
            signal,
            items,
            figures: stack::StoreFigures {
                head_items: 1234,
                wal_bytes: 2048,
                block_items: 5,
                blocks: 1,
                block_bytes: 300,
                ..stack::StoreFigures::default()
            },
            error: error.map(str::to_owned),
        };
        let stopped = Stopped {
            services: vec![(Part::Users, true), (Part::Albums, false)],
            drained: 2,
            abandoned: 1,
            cut: 3,
            flushed: vec![
                flushed("traces", "spans", None),
                flushed("logs", "log entries", Some("disk full")),
            ],
            took: Duration::from_millis(45),
        };
        assert!(!stopped.is_clean());
        let expected = "  users      stopped\n  \
            albums     did not stop in time and was killed\n  \
            receivers  2 requests finished, 1 cut off unanswered\n  \
            traces     flushed: 1,234 spans in the log (2 KiB), 5 in a block (300 B)\n  \
            logs       not flushed: disk full\n  \
            3 connections did not end in time and were cut\n\
            Stopped in 45 ms.\n";
        assert_eq!(stopped_text(&stopped), expected);
    }
}
