//! The demo services: processes of their own, watched over, started again when they die, gone when we are gone.
//!
//! Each is given its standard input as a lifeline: a pipe that nothing is ever written to, and whose end says that this
//! process is no more, however it went. What it prints goes to `DATA/demo/NAME.log`.

mod environment;
mod log;
mod process;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::config::{self, Config, Demo};
use crate::{Error, Part, Result};
use process::Process;
pub(crate) use process::Stopped;

/// How often a service that does not answer yet is asked.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// First pause before a service that died is started again; doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A service that lived this long starts again after the first pause.
const LIVED: Duration = Duration::from_secs(30);

/// A demo service under supervision.
#[derive(Debug)]
pub(crate) struct Service {
    part: Part,
    address: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    supervisor: JoinHandle<Stopped>,
}

/// What can be told of a service at any time.
#[derive(Debug, Default)]
struct State {
    /// Its process id, 0 while there is no process.
    pid: AtomicU32,
    /// How often it was started again.
    restarts: AtomicU64,
}

/// Why a service does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// It ended instead.
    #[error("{part} ended while starting; what it said is in {}", log.display())]
    Ended {
        /// The service.
        part: Part,
        /// Its output.
        log: PathBuf,
    },
    /// It did not answer in time.
    #[error("{part} did not answer within {after:?}; what it said is in {}", log.display())]
    Late {
        /// The service.
        part: Part,
        /// The time that it was given.
        after: Duration,
        /// Its output.
        log: PathBuf,
    },
    /// The stack is going down.
    #[error("{part} was not waited for: the stack is stopping")]
    Stopping {
        /// The service.
        part: Part,
    },
}

impl Service {
    /// Starts the service and its supervisor.
    ///
    /// # Errors
    /// If its directory cannot be made, or the program cannot be run at all.
    pub(crate) fn start(part: Part, config: &Config, demo: &Demo) -> Result<Self> {
        let dir = config::absolute(&config.data_dir).join("demo");
        std::fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        let recipe = process::Recipe {
            program: demo.program.clone(),
            arguments: demo.arguments.iter().cloned().chain([part.id().to_owned()]).collect(),
            environment: environment::of(part, config, &dir, &std::env::vars_os().collect()),
            log: log_path(&dir, part),
        };
        let first = recipe.start().map_err(Error::io("run", &recipe.program))?;
        let state = Arc::new(State::default());
        state.pid.store(first.pid(), Ordering::Relaxed);
        let (stop, stopped) = watch::channel(false);
        let supervisor = Supervisor { part, recipe, state: Arc::clone(&state), stop: stopped };
        Ok(Self {
            part,
            address: config.address(part),
            state,
            stop,
            supervisor: tokio::spawn(supervisor.run(first)),
        })
    }

    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// Reads how often it was started again.
    pub(crate) fn restart_reader(&self) -> Box<dyn Fn() -> u64 + Send + Sync> {
        let state = Arc::clone(&self.state);
        Box::new(move || state.restarts.load(Ordering::Relaxed))
    }

    /// A future that is done as soon as the service says that it is healthy.
    pub(crate) fn ready(
        &self,
        data_dir: &Path,
        within: Duration,
    ) -> impl Future<Output = Result<(), NotReady>> + use<> {
        let (part, state) = (self.part, Arc::clone(&self.state));
        let log = log_path(&config::absolute(data_dir).join("demo"), part);
        let address = SocketAddr::new(crate::part::reachable(self.address.ip()), self.address.port());
        async move {
            let deadline = Instant::now() + within;
            while !is_healthy(address, part).await {
                if state.pid.load(Ordering::Relaxed) == 0 || state.restarts.load(Ordering::Relaxed) > 0 {
                    return Err(NotReady::Ended { part, log });
                }
                if Instant::now() >= deadline {
                    return Err(NotReady::Late { part, after: within, log });
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
            Ok(())
        }
    }

    /// Asks it to stop, waits until the deadline, then kills it.
    pub(crate) async fn stop(self, deadline: Instant) -> Stopped {
        self.stop.send_replace(true);
        // The supervisor keeps to the same grace; this is only for the case that it does not run at all.
        let hard = deadline + Duration::from_secs(1);
        match tokio::time::timeout_at(hard, self.supervisor).await {
            Ok(Ok(stopped)) => stopped,
            _ => Stopped::Killed,
        }
    }
}

fn log_path(dir: &Path, part: Part) -> PathBuf {
    dir.join(format!("{}.log", part.id()))
}

struct Supervisor {
    part: Part,
    recipe: process::Recipe,
    state: Arc<State>,
    stop: watch::Receiver<bool>,
}

/// How long a service may take to stop before it is killed; within the deadline of the whole stop.
const GRACE: Duration = Duration::from_secs(3);

impl Supervisor {
    async fn run(mut self, first: Process) -> Stopped {
        let mut process = first;
        let mut pause = FIRST_PAUSE;
        loop {
            let born = Instant::now();
            let ended = tokio::select! {
                () = asked(&mut self.stop) => return process.stop(GRACE).await,
                ended = process.ended() => ended,
            };
            self.state.pid.store(0, Ordering::Relaxed);
            if born.elapsed() >= LIVED {
                pause = FIRST_PAUSE;
            }
            tracing::warn!(service = self.part.id(), %ended, again_in = ?pause, "a demo service ended");
            process = loop {
                tokio::select! {
                    () = asked(&mut self.stop) => return Stopped::InOrder,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                match self.recipe.start() {
                    Ok(process) => break process,
                    Err(error) => tracing::warn!(service = self.part.id(), %error, "cannot start"),
                }
            };
            self.state.restarts.fetch_add(1, Ordering::Relaxed);
            self.state.pid.store(process.pid(), Ordering::Relaxed);
        }
    }
}

/// Done when the stop is asked for, or nobody is left who could ask.
async fn asked(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Asks a service over a connection of its own. Any answer but 200 is a no.
async fn is_healthy(address: SocketAddr, part: Part) -> bool {
    const ANSWER_WITHIN: Duration = Duration::from_secs(1);
    const YES: &[u8] = b"HTTP/1.1 200";
    let Some(path) = part.health_path() else { return false };
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = [0; YES.len()];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer == YES)
    };
    matches!(tokio::time::timeout(ANSWER_WITHIN, ask).await, Ok(Ok(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A "service" that is a shell script.
    fn start(dir: &Path, script: &str) -> Service {
        let mut config = Config::new(dir);
        // A port that nobody listens on, so that it never gets healthy.
        config.port_offset = Part::MAX_PORT_OFFSET;
        let demo = Demo { program: "/bin/sh".into(), arguments: vec!["-c".to_owned(), script.to_owned()] };
        Service::start(Part::Users, &config, &demo).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn a_service_that_dies_is_started_again() {
        let dir = tempfile::tempdir().unwrap();
        let service = start(dir.path(), "echo born to $0; exit 3");
        let state = Arc::clone(&service.state);
        let ready = service.ready(dir.path(), Duration::from_secs(5)).await;
        assert!(matches!(ready, Err(NotReady::Ended { .. })), "{ready:?}");
        let deadline = soon();
        while state.restarts.load(Ordering::Relaxed) < 2 {
            assert!(Instant::now() < deadline, "not started again");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        service.stop(soon()).await;
        let log = std::fs::read_to_string(dir.path().join("demo/users.log")).unwrap();
        assert!(log.matches("born to users").count() >= 2, "{log}");
    }

    #[tokio::test]
    async fn a_service_stops_in_order_when_it_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let script = "trap 'echo flushed; exit 0' TERM; echo up; while :; do sleep 0.01; done";
        let service = start(dir.path(), script);
        let log = dir.path().join("demo/users.log");
        let deadline = soon();
        while !std::fs::read_to_string(&log).unwrap_or_default().contains("up") {
            assert!(Instant::now() < deadline, "did not start");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(service.stop(soon()).await, Stopped::InOrder);
        assert!(std::fs::read_to_string(&log).unwrap().contains("flushed"));
    }

    #[tokio::test]
    async fn a_service_that_never_answers_is_late() {
        let dir = tempfile::tempdir().unwrap();
        let service = start(dir.path(), "exec sleep 60");
        let ready = service.ready(dir.path(), Duration::from_millis(50)).await;
        assert!(matches!(ready, Err(NotReady::Late { part: Part::Users, .. })), "{ready:?}");
        assert_eq!(service.stop(soon()).await, Stopped::InOrder);
    }
}
