//! What can be typed. Values are checked here, so that a command starts with what it can use.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use stack::{Config, Part, Retention};

use crate::address::BaseUrl;
use crate::quantity::{parse_bytes, parse_duration, show_bytes};
use crate::rules::Rules;
use crate::{retention, version};

/// An embedded observability stack: traces, metrics and logs, kept and found by one program.
#[derive(Debug, Parser)]
#[command(
    name = "mirante",
    version = version::short(),
    max_term_width = 100,
    after_help = "Example:\n  mirante up\n  mirante verify"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the stack, and the demo services that feed it
    ///
    /// Runs until Ctrl-C, which stops in order and says what was flushed; a second Ctrl-C stops at once. Everything that was
    /// accepted is kept, even after `kill -9`, and found again after the next start in the same directory. SIGHUP, or a POST
    /// to /-/reload on Prometheus' port, reads Prometheus' configuration again.
    Up(Up),
    /// Say how a running stack is, and what it holds
    ///
    /// Asks the stack whose data directory it is given, else the one at the ports that it is given, else the one in ./.mirante,
    /// else the one at the usual ports. Exit code 1 if none runs or a part of it does not answer.
    Status(Status),
    /// Send a request through the demo services and find it in every signal
    ///
    /// One request goes to users, on to albums and to the databases. Then its trace has to be in Tempo and in Jaeger, its log
    /// lines in Loki, and its count in Prometheus; scraping, rules and the way from an exemplar to its trace are looked at as
    /// well. With `--target compose` so are Grafana's data sources and dashboards, objectives, alerting and profiles. Only the
    /// components' own APIs are asked. Exit code 1 if something is not found in time.
    Verify(Verify),
    /// Check rule files, and run their unit tests
    ///
    /// As `promtool check rules` and `promtool test rules` do it: the same files, texts, flags and exit codes.
    #[command(
        subcommand,
        after_help = "Examples:\n  mirante rules check infra/prometheus/rules/*.yml\n  mirante rules test infra/prometheus/tests/*.test.yml"
    )]
    Rules(Rules),
    /// Say what this is and how it was built
    #[command(after_help = "Example:\n  mirante version")]
    Version,
    /// Run a demo service; `up` starts these
    #[command(hide = true)]
    Demo(Demo),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mirante up\n  \
    mirante up --port-offset 100 --data-dir /tmp/second --no-demo\n  \
    mirante up --memory 1GiB --retention traces=2d,logs=7d/10GiB,metrics=30d")]
pub(crate) struct Up {
    /// Where everything is kept
    #[arg(long, value_name = "DIR", env = "MIRANTE_DATA_DIR", default_value = "./.mirante")]
    pub(crate) data_dir: PathBuf,

    /// Address to listen on; anything but the loopback opens the stack to others
    #[arg(long, value_name = "IP", env = "MIRANTE_BIND", default_value = "127.0.0.1", value_parser = parse_bind)]
    pub(crate) bind: IpAddr,

    #[command(flatten)]
    pub(crate) ports: PortOffset,

    /// Do not start the demo services
    #[arg(long, env = "MIRANTE_NO_DEMO")]
    pub(crate) no_demo: bool,

    /// Memory for recent data and for requests under way
    #[arg(long, value_name = "BYTES", env = "MIRANTE_MEMORY", default_value = "512MiB", value_parser = parse_memory)]
    pub(crate) memory: u64,

    /// How long data is kept: an age, a size, or age/size; for all signals or for one (traces=, logs=, metrics=)
    #[arg(long, value_name = "RULES", env = "MIRANTE_RETENTION", default_value = "7d/5GiB", value_parser = retention::parse)]
    pub(crate) retention: Retention,

    /// When what was accepted is forced to the disk: at most a second later, or before every answer
    #[arg(long, value_name = "WHEN", env = "MIRANTE_WAL_SYNC", default_value = "interval")]
    pub(crate) wal_sync: WalSync,

    /// Let metrics be deleted and copied on Prometheus' port, under /api/v1/admin/tsdb/
    #[arg(long, env = "MIRANTE_ENABLE_ADMIN_API")]
    pub(crate) enable_admin_api: bool,

    /// Prometheus' configuration file: what is scraped, and the rules [default: infra/prometheus/prometheus.yml, where it is]
    #[arg(long, value_name = "FILE", env = "MIRANTE_PROMETHEUS_CONFIG")]
    pub(crate) prometheus_config: Option<PathBuf>,

    /// How logs are written to standard error
    #[arg(long, value_name = "FORMAT", env = "MIRANTE_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mirante status\n  mirante status --port-offset 100 --json")]
pub(crate) struct Status {
    /// Data directory of the stack
    #[arg(long, value_name = "DIR", env = "MIRANTE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// How far the ports of the stack are shifted
    #[arg(long, value_name = "N", env = "MIRANTE_PORT_OFFSET", value_parser = port_offset(), allow_negative_numbers = true)]
    pub(crate) port_offset: Option<u16>,

    /// Address of the stack
    #[arg(long, value_name = "IP", value_parser = parse_bind)]
    pub(crate) host: Option<IpAddr>,

    /// Time for each answer
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mirante verify\n  \
    mirante verify --target compose --alert\n  \
    mirante verify --port-offset 100 --json\n  \
    mirante verify --timeout 1m --tempo http://tempo.example:3200")]
pub(crate) struct Verify {
    /// Which stack is looked at
    #[arg(long, value_name = "STACK", default_value = "embedded")]
    pub(crate) target: Target,

    /// Host at which the ports of the stack are
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1", value_parser = parse_host)]
    pub(crate) host: String,

    #[command(flatten)]
    pub(crate) ports: PortOffset,

    /// Raise a test alert as well, and wait until the webhook tester has it (compose)
    #[arg(long)]
    pub(crate) alert: bool,

    /// Base address of the users service [default: port 8001 of the host, shifted]
    #[arg(long, value_name = "URL")]
    pub(crate) users: Option<BaseUrl>,

    /// Base address of Tempo [default: port 3200 of the host, shifted]
    #[arg(long, value_name = "URL")]
    pub(crate) tempo: Option<BaseUrl>,

    /// Base address of Jaeger [default: port 16686 of the host, shifted]
    #[arg(long, value_name = "URL")]
    pub(crate) jaeger: Option<BaseUrl>,

    /// Base address of Loki [default: port 3100 of the host, shifted]
    #[arg(long, value_name = "URL")]
    pub(crate) loki: Option<BaseUrl>,

    /// Base address of Prometheus [default: port 9090 of the host, shifted]
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus: Option<BaseUrl>,

    /// Time until everything has to be found [default: 30s, with compose 2m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Which service
    pub(crate) service: Service,
    /// End when standard input ends: the parent's death is noticed that way
    #[arg(long)]
    pub(crate) lifeline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PortOffset {
    /// Shift every port, so that several stacks run side by side
    #[arg(long, value_name = "N", env = "MIRANTE_PORT_OFFSET", default_value_t = 0, value_parser = port_offset(), allow_negative_numbers = true)]
    pub(crate) port_offset: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    Users,
    Albums,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// `mirante up`
    Embedded,
    /// `docker compose up`: the real components
    Compose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WalSync {
    /// At most a second later: a killed process loses nothing, a power cut the last second
    Interval,
    /// Before every answer: a power cut loses nothing
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

fn port_offset() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(0..=i64::from(Part::MAX_PORT_OFFSET))
}

fn parse_bind(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        _ => text.parse().map_err(|_| {
            "expected an IP address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0 for all".to_owned()
        }),
    }
}

/// A name or an address, IPv6 in brackets, as it stands in an address of the web.
fn parse_host(text: &str) -> Result<String, String> {
    let text = text.trim();
    let bracketed =
        if text.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{text}]") } else { text.to_owned() };
    match reqwest::Url::parse(&format!("http://{bracketed}:1/")) {
        Ok(url) if url.username().is_empty() && url.path() == "/" && !bracketed.contains(['/', '?', '#']) => {
            Ok(bracketed)
        }
        _ => Err("expected the name or the address of a host, such as localhost or 192.168.1.7".to_owned()),
    }
}

fn parse_memory(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    if bytes < Config::MIN_MEMORY_BYTES {
        return Err(format!("expected at least {}", show_bytes(Config::MIN_MEMORY_BYTES)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together_and_every_command_has_an_example() {
        let command = Cli::command();
        command.clone().debug_assert();
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", command.get_name());
        }
    }

    #[test]
    fn hosts_are_taken_as_people_type_them() {
        for (text, host) in
            [("localhost", "localhost"), ("192.168.1.7", "192.168.1.7"), ("::1", "[::1]"), ("[::1]", "[::1]")]
        {
            assert_eq!(parse_host(text).as_deref(), Ok(host));
        }
        for text in ["", "http://x", "x:1", "a/b", "me@x", "two words"] {
            assert!(parse_host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn defaults_are_those_of_the_engine() {
        let Command::Up(up) = Cli::parse_from(["mirante", "up"]).command else { panic!("not up") };
        assert_eq!(up.memory, Config::DEFAULT_MEMORY_BYTES);
        assert_eq!(up.retention, Retention::default());
        assert!(up.bind.is_loopback());
    }
}
