//! The program itself, as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The program, built if need be. `MIRANTE_BIN` names another one.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(given) = std::env::var_os("MIRANTE_BIN") {
            return given.into();
        }
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "mirante", "--bin", "mirante"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let built = build.status().expect("cargo runs");
        assert!(built.success(), "the program does not build");
        // Tests lie in PROFILE/deps, the program beside that folder.
        let this = std::env::current_exe().expect("this test is a file");
        this.ancestors().nth(2).expect("it lies in PROFILE/deps").join("mirante")
    })
}

/// A command of the program, in an environment that says nothing of Mirante or OpenTelemetry.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["MIRANTE_", "OTEL_", "APP_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs a command of the program to its end.
pub fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program runs")
}

/// Ports at offset 0.
pub const PORTS: [(&str, u16); 8] = [
    ("otlp-grpc", 4317),
    ("otlp-http", 4318),
    ("tempo", 3200),
    ("jaeger", 16686),
    ("loki", 3100),
    ("prometheus", 9090),
    ("users", 8001),
    ("albums", 8002),
];

/// An offset at which every port is free at this moment. Below the range that the system gives to clients.
pub fn free_offset() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const RANGE: u16 = 14_000;
    let start = (std::process::id() % u32::from(RANGE)) as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(37);
        let offset = 1_000 + start.wrapping_add(step) % RANGE;
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if PORTS.iter().all(|(_, port)| is_free(port + offset)) {
            return offset;
        }
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A running stack. Killed on drop if it was not stopped.
#[derive(Debug)]
pub struct Stack {
    child: Child,
    /// How far its ports are shifted.
    pub offset: u16,
    /// What it has printed so far.
    pub said: Arc<Mutex<String>>,
    /// What it has logged so far.
    pub logged: Arc<Mutex<String>>,
    /// From the start of the process until it said that everything is ready.
    pub took: Duration,
}

/// The last line that `up` prints when everything is ready.
const UP: &str = "Stop with Ctrl-C";
const UP_WITHIN: Duration = Duration::from_mins(1);

impl Stack {
    /// `mirante up` in a directory, at ports that are free, ready to be used.
    pub fn up(data_dir: &Path, arguments: &[&str]) -> Self {
        // Another process may take a port between the look and the start.
        for _ in 0..10 {
            match Self::up_at(free_offset(), data_dir, arguments) {
                Ok(stack) => return stack,
                Err(said) if said.contains("is in use") && said.contains("port ") => {}
                Err(said) => panic!("mirante up failed:\n{said}"),
            }
        }
        panic!("no offset at which all ports are free");
    }

    /// The engine alone, without the demo, held to some of the machine's cores.
    pub fn up_on(cores: &[usize], data_dir: &Path, arguments: &[&str]) -> Self {
        let cores: Vec<String> = cores.iter().map(usize::to_string).collect();
        let offset = free_offset();
        let mut held = Command::new("taskset");
        held.arg("--cpu-list").arg(cores.join(",")).arg(program());
        held.args(["up", "--no-demo", "--port-offset", &offset.to_string(), "--data-dir"]);
        held.arg(data_dir).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::up_by(offset, held).unwrap_or_else(|said| panic!("mirante up failed:\n{said}"))
    }

    /// The same at a certain offset. The error is what it printed before it ended.
    ///
    /// # Errors
    /// If the program ends before it is ready.
    pub fn up_at(offset: u16, data_dir: &Path, arguments: &[&str]) -> Result<Self, String> {
        let shift = offset.to_string();
        let mut command = command(&["up", "--port-offset", &shift, "--data-dir"]);
        command.arg(data_dir).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::up_by(offset, command)
    }

    /// The same with a command that was made by hand.
    ///
    /// # Errors
    /// If the program ends before it is ready.
    pub fn up_by(offset: u16, mut command: Command) -> Result<Self, String> {
        let began = Instant::now();
        let mut child = command.spawn().expect("the program runs");
        let said = gather(child.stdout.take().expect("it is piped"));
        let logged = gather(child.stderr.take().expect("it is piped"));
        let mut stack = Self { child, offset, said, logged, took: Duration::ZERO };
        while !stack.said().contains(UP) {
            if let Ok(Some(status)) = stack.child.try_wait() {
                std::thread::sleep(Duration::from_millis(50));
                return Err(format!("{status}\n{}{}", stack.said(), stack.logged()));
            }
            assert!(began.elapsed() < UP_WITHIN, "not ready:\n{}{}", stack.said(), stack.logged());
            std::thread::sleep(Duration::from_millis(1));
        }
        stack.took = began.elapsed();
        Ok(stack)
    }

    /// What it has printed so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `http://127.0.0.1:PORT` of a part, by the names of [`PORTS`].
    pub fn url(&self, part: &str) -> String {
        let port = PORTS.iter().find(|(name, _)| *name == part).expect("a part of the stack").1;
        format!("http://127.0.0.1:{}", port + self.offset)
    }

    /// `127.0.0.1:PORT` of a part, by the names of [`PORTS`].
    pub fn address(&self, part: &str) -> String {
        self.url(part).trim_start_matches("http://").to_owned()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Seconds of processor time that it has used. `None` where there is no `/proc`.
    pub fn cpu_seconds(&self) -> Option<f64> {
        cpu_seconds(self.pid())
    }

    /// A command of the program, told where this stack is.
    pub fn run(&self, subcommand: &str, arguments: &[&str]) -> Output {
        let offset = self.offset.to_string();
        let all: Vec<&str> =
            [subcommand, "--port-offset", &offset].into_iter().chain(arguments.iter().copied()).collect();
        run(&all)
    }

    /// Sends it a signal: `TERM`, `INT`, `KILL` …
    pub fn signal(&self, signal: &str) {
        signal_to(self.pid(), signal);
    }

    /// Waits for its end.
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                // Its last words may still be on their way to us.
                std::thread::sleep(Duration::from_millis(50));
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}{}", self.said(), self.logged());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops it in order and gives what it said.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let status = self.ended(Duration::from_secs(30));
        let said = self.said();
        assert!(status.success(), "{status}\n{said}{}", self.logged());
        said
    }

    /// The processes of its demo services, by name.
    pub fn demo_pids(&self) -> Vec<(String, u32)> {
        children(self.pid()).into_iter().filter_map(|pid| Some((demo_service(pid)?, pid))).collect()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub fn signal_to(pid: u32, signal: &str) {
    let sent = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -{signal} {pid}");
}

/// Whether a process is there and no zombie.
pub fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z')))
}

/// Seconds of processor time that a process has used, `/proc/PID/stat`. `None` where there is none.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold blanks.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / rustix::param::clock_ticks_per_second() as f64)
}

/// Resident memory of a process now, in bytes.
pub fn resident_bytes(pid: u32) -> u64 {
    memory_bytes(pid, "VmRSS:")
}

/// Most resident memory that a process has had so far, in bytes.
pub fn most_resident_bytes(pid: u32) -> u64 {
    memory_bytes(pid, "VmHWM:")
}

fn memory_bytes(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib: u64 = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0);
    kib * 1024
}

fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("there is /proc").flatten();
    let is_child = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status
            .lines()
            .any(|line| line.strip_prefix("PPid:").is_some_and(|id| id.trim() == parent.to_string()))
    };
    processes.filter_map(|process| process.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

/// The service that a process runs, if it is one of the demo.
fn demo_service(pid: u32) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let arguments: Vec<_> = line.split(|&byte| byte == 0).map(String::from_utf8_lossy).collect();
    arguments.iter().any(|argument| argument == "demo").then_some(())?;
    arguments
        .iter()
        .find(|argument| ["users", "albums"].contains(&argument.as_ref()))
        .map(ToString::to_string)
}

fn gather(pipe: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = String::new();
        while matches!(reader.read_line(&mut line), Ok(1..)) {
            shared.lock().unwrap_or_else(PoisonError::into_inner).push_str(&line);
            line.clear();
        }
    });
    text
}
