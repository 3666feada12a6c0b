//! A real `mirante` process.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Every port that `mirante up` opens without the demo.
const PORTS: [u16; 7] = [3100, 3200, 4317, 4318, 9090, 16686, 3000];

/// How long a start may take, which is a replay of much data on a busy machine.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// The built binary: `MIRANTE_BIN`, else the one beside the test's own. `None` if it is not built.
pub fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("MIRANTE_BIN").map(PathBuf::from).or_else(|| {
        // target/debug/deps/some_test-0123 → target/debug/mirante
        Some(std::env::current_exe().ok()?.parent()?.parent()?.join("mirante"))
    })?;
    path.is_file().then_some(path)
}

/// How a process is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Further arguments of `mirante up`.
    pub args: Vec<String>,
    /// Cores that it is held to; all if there are none.
    pub cores: Vec<usize>,
    /// File that its output goes to; nowhere if there is none.
    pub output: Option<PathBuf>,
}

/// A process of `mirante up --no-demo`, killed when it is dropped.
#[derive(Debug)]
pub struct Mirante {
    child: Child,
    offset: u16,
    /// From the start of the process until every port answered.
    pub ready_after: Duration,
}

impl Mirante {
    /// Starts it on a data folder and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it does not start, or is not ready within a minute.
    pub fn start(data_dir: &Path, options: &Options) -> Self {
        let binary = binary().expect("mirante is not built: cargo build --bin mirante");
        let offset = free_offset();
        let mut command = if options.cores.is_empty() {
            Command::new(&binary)
        } else {
            let cores: Vec<String> = options.cores.iter().map(usize::to_string).collect();
            let mut held = Command::new("taskset");
            held.arg("--cpu-list").arg(cores.join(",")).arg(&binary);
            held
        };
        command.arg("up").arg("--no-demo").arg("--data-dir").arg(data_dir);
        command.arg("--port-offset").arg(offset.to_string()).args(&options.args);
        let output = || match &options.output {
            None => Stdio::null(),
            Some(path) => std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_or_else(|_| Stdio::null(), Stdio::from),
        };
        command.stdin(Stdio::null()).stdout(output()).stderr(output());
        let began = Instant::now();
        let child = command.spawn().expect("mirante starts");
        let mut started = Self { child, offset, ready_after: Duration::ZERO };
        started.wait_until_ready(began);
        started
    }

    fn wait_until_ready(&mut self, began: Instant) {
        loop {
            let open = PORTS[..6].iter().all(|port| {
                let address = ([127, 0, 0, 1], port + self.offset).into();
                std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
            });
            if open {
                self.ready_after = began.elapsed();
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("mirante ended at its start: {status}");
            }
            assert!(began.elapsed() < READY_WITHIN, "mirante is not ready after {READY_WITHIN:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The address of a component by its port without the offset: `127.0.0.1:14317`.
    pub fn address(&self, port: u16) -> String {
        format!("127.0.0.1:{}", port + self.offset)
    }

    /// The base URL of a component by its port without the offset.
    pub fn url(&self, port: u16) -> String {
        format!("http://{}", self.address(port))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Bytes from `/proc/PID/status`: `VmRSS` (resident now), `VmHWM` (resident at most). `None` where there is none.
    pub fn memory(&self, field: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// Seconds of processor time that it has used, `/proc/PID/stat`. `None` where there is none.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).ok()?;
        // The name, in parentheses, may hold blanks.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
        Some(ticks / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Drop for Mirante {
    fn drop(&mut self) {
        self.end();
    }
}

/// An offset by which every port is free. Tests run beside each other, so each process of tests begins elsewhere.
fn free_offset() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..500 {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset =
            1000 + (std::process::id().wrapping_mul(37).wrapping_add(turn.wrapping_mul(101)) % 14_000) as u16;
        if PORTS.iter().all(|port| TcpListener::bind(("127.0.0.1", port + offset)).is_ok()) {
            return offset;
        }
    }
    panic!("no free ports");
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
