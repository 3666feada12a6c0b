//! A service in a process of its own: the test's program again, with another first argument.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// The first argument with which the test's program becomes a service.
const MARK: &str = "--as-service";
const START_TIMEOUT: Duration = Duration::from_secs(20);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A service's `main`, which is given its arguments.
pub type Main = fn(Vec<OsString>) -> ExitCode;

/// A running service. Killed when dropped.
#[derive(Debug)]
pub struct ServiceProcess {
    child: Child,
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    started_in: Duration,
}

impl ServiceProcess {
    /// To be called first in a test's `main`: where this process is to be a service it becomes one, and the code to
    /// exit with is returned.
    pub fn become_one(services: &[(&str, Main)]) -> Option<ExitCode> {
        let mut arguments = std::env::args_os();
        let program = arguments.next()?;
        if arguments.next()? != MARK {
            return None;
        }
        let name = arguments.next()?;
        let (_, service) = services.iter().find(|(known, _)| name == *known)?;
        Some(service(std::iter::once(program).chain(arguments).collect()))
    }

    /// A command that becomes a service, with an empty environment but for what is given.
    ///
    /// # Panics
    /// Where this program does not know its own path.
    pub fn command(name: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program's path"));
        command.arg(MARK).arg(name).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
        command
    }

    /// Starts a service on a port of the system's choice and waits until it says that it listens.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Self::command(name, &[("LISTEN_ADDR", "127.0.0.1:0"), ("LOG_FORMAT", "json")]);
        let begun = Instant::now();
        let mut child = command
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the service's process");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (found, address) = mpsc::sync_channel(1);
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|out| Box::new(out) as _),
            child.stderr.take().map(|out| Box::new(out) as _),
        ];
        for output in outputs.into_iter().flatten() {
            let (lines, found) = (Arc::clone(&lines), found.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Some(address) = address_in(&line) {
                        let _ = found.try_send(address);
                    }
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
        drop(found);
        let Ok(address) = address.recv_timeout(START_TIMEOUT) else {
            let _ = child.kill();
            panic!("{name} did not start: {:#?}", lines.lock().unwrap_or_else(PoisonError::into_inner));
        };
        Self { child, address, lines, started_in: begun.elapsed() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `http://…`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From the start of the process until it said that it listens.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// All lines on standard output and standard error so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lines with this text so far.
    pub fn lines_with(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// Memory that is resident, in bytes, as the kernel says.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
    }

    /// Tells it to stop, as an operator would, and waits for its end.
    ///
    /// # Panics
    /// Where it does not end.
    pub fn stop(mut self) -> (ExitStatus, Vec<String>) {
        let told = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(told.is_ok_and(|status| status.success()), "kill");
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the process's state") {
                // The readers need a moment for the last lines.
                std::thread::sleep(Duration::from_millis(50));
                return (status, self.lines());
            }
            assert!(begun.elapsed() < STOP_TIMEOUT, "the service did not stop: {:#?}", self.lines());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    if line["message"] != "listening" {
        return None;
    }
    line["address"].as_str()?.parse().ok()
}
