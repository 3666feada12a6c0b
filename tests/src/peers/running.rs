//! Processes that end with their test.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use super::packaged;
use crate::http;

/// How much of what a program said is worth repeating when it fails.
const LAST_LINES: usize = 25;

/// A real component, or one of our services, while it runs. Killed on drop, and when the test itself is killed.
#[derive(Debug)]
pub struct Peer {
    name: String,
    child: Child,
    said: Arc<Mutex<String>>,
    /// Our services stop when this is closed.
    _lifeline: Option<ChildStdin>,
}

impl Peer {
    /// Starts a program. Its home is `dir`, so that nothing of the user's own is read or written.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(program: &Path, arguments: &[&str], dir: &Path) -> Result<Self, Failed> {
        Self::start_with(program, arguments, &[], dir)
    }

    /// The same with variables of the environment.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_with(
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, String)],
        dir: &Path,
    ) -> Result<Self, Failed> {
        let mut command = dies_with_us(program);
        command.args(arguments).env("HOME", dir).envs(variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(dir).stdin(Stdio::null());
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        Self::spawn(&name, command)
    }

    /// Starts a command as it is.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(name: &str, mut command: Command) -> Result<Self, Failed> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let (answer, child) = sync_channel(1);
        PARENT.send((command, answer))?;
        let mut child = child.recv()?.map_err(|error| format!("{name} does not start: {error}"))?;
        let said = Arc::default();
        gather(child.stdout.take(), &said);
        gather(child.stderr.take(), &said);
        let lifeline = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, said, _lifeline: lifeline })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until an address answers with 200.
    ///
    /// # Errors
    /// If the process ends, or the time is over; with the last that it said.
    pub fn ready(&mut self, url: &str, within: Duration) -> Result<(), Failed> {
        let deadline = Instant::now() + within;
        loop {
            if http::get(url).is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                std::thread::sleep(Duration::from_millis(50));
                return Err(format!("{} ended with {status}:\n{}", self.name, self.last_words()).into());
            }
            if Instant::now() > deadline {
                return Err(format!("{} is not ready at {url}:\n{}", self.name, self.last_words()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end; the code that it ended with and all that it said.
    ///
    /// # Errors
    /// If the time is over, or a signal ended it.
    pub fn ended(&mut self, within: Duration) -> Result<(i32, String), Failed> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                // Its last words may still be on their way.
                std::thread::sleep(Duration::from_millis(50));
                let code = status.code().ok_or_else(|| format!("{}: {status}", self.name))?;
                return Ok((code, self.said()));
            }
            if Instant::now() > deadline {
                return Err(format!("{} does not end:\n{}", self.name, self.last_words()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All that it has said so far, on both outputs.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last lines of it.
    pub fn last_words(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The thread that starts all of them. To the kernel the parent is a thread: with those of the cases, which come and go,
/// processes that other cases share would go too.
static PARENT: LazyLock<SyncSender<(Command, SyncSender<io::Result<Child>>)>> = LazyLock::new(|| {
    let (sender, commands) = sync_channel::<(Command, SyncSender<io::Result<Child>>)>(0);
    std::thread::spawn(move || {
        for (mut command, answer) in commands {
            // Nobody waits for it any more: then it is not wanted.
            if let Err(std::sync::mpsc::SendError(Ok(mut unwanted))) = answer.send(command.spawn()) {
                let _ = unwanted.kill();
                let _ = unwanted.wait();
            }
        }
    });
    sender
});

/// Runs a program to its end, within half a minute; its code and what it said.
///
/// # Errors
/// If it cannot be started or does not end.
pub fn run(program: &Path, arguments: &[&str], dir: &Path) -> Result<(i32, String), Failed> {
    Peer::start(program, arguments, dir)?.ended(Duration::from_secs(30))
}

/// A command whose process is killed by the kernel when this process ends in whatever way; where the system has the
/// tool for it.
fn dies_with_us(program: &Path) -> Command {
    let Some(setpriv) = packaged("setpriv") else { return Command::new(program) };
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

fn gather(pipe: Option<impl Read + Send + 'static>, said: &Arc<Mutex<String>>) {
    let Some(pipe) = pipe else { return };
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            said.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}
