//! One process of a demo service.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

use super::log::Log;

/// How a process is started, each time the same.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<OsString, OsString>,
    /// Where its output goes.
    pub(super) log: PathBuf,
}

/// How a process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It ended when it was asked to.
    InOrder,
    /// It had to be killed.
    Killed,
}

/// A running process; killed on drop.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: u32,
    /// Its end tells the child that we are gone.
    _lifeline: Option<ChildStdin>,
    output: JoinSet<()>,
}

impl Recipe {
    pub(super) fn start(&self) -> io::Result<Process> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C goes to the whole group of the terminal; the order of the stop is ours to decide.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let log = Arc::new(Mutex::new(self.open_log()));
        let mut output = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            output.spawn(keep(stdout, Arc::clone(&log)));
        }
        if let Some(stderr) = child.stderr.take() {
            output.spawn(keep(stderr, log));
        }
        let pid = child.id().unwrap_or_default();
        Ok(Process { _lifeline: child.stdin.take(), child, pid, output })
    }

    fn open_log(&self) -> Option<Log> {
        Log::open(&self.log)
            .inspect_err(|error| {
                let path = self.log.display();
                tracing::warn!(%path, %error, "cannot keep the output of a demo service");
            })
            .ok()
    }
}

impl Process {
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it ends by itself.
    pub(super) async fn ended(&mut self) -> Ended {
        let status = self.child.wait().await;
        self.drain_output().await;
        Ended(status)
    }

    /// Asks it to end, and kills it if it does not.
    pub(super) async fn stop(mut self, grace: Duration) -> Stopped {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid as i32)) {
            // It may be gone already; then there is nothing to ask.
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = tokio::time::timeout(grace, self.child.wait()).await;
        let stopped = if asked.is_ok() {
            Stopped::InOrder
        } else {
            let _ = self.child.kill().await;
            Stopped::Killed
        };
        self.drain_output().await;
        stopped
    }

    /// Waits for the last of its output; not for long, because a child of its own may hold the pipe.
    async fn drain_output(&mut self) {
        let all = async { while self.output.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_millis(200), all).await;
    }
}

/// How a process ended by itself.
pub(super) struct Ended(io::Result<ExitStatus>);

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Ok(status) => status.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}

/// Keeps what comes out of a pipe, until its end. A file that cannot be written loses the output, not the service.
async fn keep(mut pipe: impl AsyncRead + Unpin, log: Arc<Mutex<Option<Log>>>) {
    let mut buffer = vec![0; 8 << 10];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        let mut log = log.lock();
        if let Some(open) = &mut *log
            && let Err(error) = open.write(&buffer[..read])
        {
            tracing::warn!(%error, "cannot keep the output of a demo service");
            *log = None;
        }
    }
}
