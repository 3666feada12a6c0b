//! `mirante status`: how a running stack is, and what it holds.

mod exposition;
mod health;
mod report;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use stack::Holder;

use crate::cli::Status;
use crate::client::{block_on, client};
use crate::failure::Hinted;
use report::Report;

/// The data directory that is looked into if nothing is said.
const USUAL_DATA_DIR: &str = "./.mirante";

/// The stack that is asked.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    bind: IpAddr,
    port_offset: u16,
    /// Whether the demo services are part of it; `None` where nothing says so.
    demo: Option<bool>,
    /// The process, where its lock says so.
    holder: Option<Holder>,
}

pub(crate) fn run(status: &Status) -> anyhow::Result<ExitCode> {
    let target = target(status, Path::new(USUAL_DATA_DIR))?;
    let report: Report = block_on(async {
        let client = client(status.timeout)?;
        Ok(health::ask(&client, target).await)
    })?;
    if !report.answers() {
        return Err(nothing_runs(&report));
    }
    report.print(status.json)?;
    Ok(if report.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whom to ask: the one in the directory that was named, unless that contradicts the ports that were; then the one at
/// those; else the one in the usual directory; else the one at the usual ports.
fn target(status: &Status, usual_data_dir: &Path) -> anyhow::Result<Target> {
    let ports_were_named = status.port_offset.is_some() || status.host.is_some();
    let fits = |holder: &Holder| status.port_offset.is_none_or(|offset| offset == holder.port_offset);
    let holder = match &status.data_dir {
        Some(dir) => stack::holder_of(dir).filter(fits),
        None if ports_were_named => None,
        None => stack::holder_of(usual_data_dir),
    };
    if let (Some(dir), None, false) = (&status.data_dir, &holder, ports_were_named) {
        return Err(not_in_use(dir).into());
    }
    Ok(match holder {
        Some(holder) => Target {
            bind: holder.bind,
            port_offset: holder.port_offset,
            demo: Some(holder.demo),
            holder: Some(holder),
        },
        None => Target {
            bind: status.host.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            port_offset: status.port_offset.unwrap_or(0),
            demo: None,
            holder: None,
        },
    })
}

fn not_in_use(data_dir: &Path) -> Hinted {
    let path: PathBuf = data_dir.components().collect();
    Hinted::new(
        format!("no stack runs in {}", path.display()),
        "start one with `mirante up --data-dir …`, or leave the flag out to ask at the usual ports",
    )
}

fn nothing_runs(report: &Report) -> anyhow::Error {
    let (first, offset) = (report.first_address(), report.port_offset());
    let hint = if offset == 0 {
        "start it with `mirante up`; a stack at other ports is found with --port-offset or --data-dir"
    } else {
        "start it with `mirante up --port-offset …`, or check the offset"
    };
    Hinted::new(format!("no stack is running: nothing answers at {first} or the ports beside it"), hint)
        .into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status() -> Status {
        Status { data_dir: None, port_offset: None, host: None, timeout: Duration::from_secs(1), json: false }
    }

    fn holder() -> Holder {
        Holder {
            pid: 1,
            command: String::new(),
            version: String::new(),
            bind: [10, 0, 0, 1].into(),
            port_offset: 5,
            demo: true,
            started_ms: 0,
        }
    }

    #[test]
    fn a_lock_says_where_the_stack_is_unless_ports_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let _lock = stack::DataLock::acquire(dir.path(), &holder()).unwrap();
        let found = target(&status(), dir.path()).unwrap();
        assert_eq!(
            found,
            Target { bind: [10, 0, 0, 1].into(), port_offset: 5, demo: Some(true), holder: Some(holder()) }
        );
        let named = Status { port_offset: Some(7), ..status() };
        let found = target(&named, dir.path()).unwrap();
        let by_ports = Target { bind: [127, 0, 0, 1].into(), port_offset: 7, demo: None, holder: None };
        assert_eq!(found, by_ports);
        let contradicting =
            Status { data_dir: Some(dir.path().to_owned()), port_offset: Some(7), ..status() };
        assert_eq!(target(&contradicting, dir.path()).unwrap(), by_ports);
        let agreeing = Status { data_dir: Some(dir.path().to_owned()), port_offset: Some(5), ..status() };
        assert_eq!(target(&agreeing, dir.path()).unwrap().holder, Some(holder()));
    }

    #[test]
    fn without_a_lock_the_usual_ports_are_asked_unless_a_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(target(&status(), dir.path()).unwrap().port_offset, 0);
        let named = Status { data_dir: Some(dir.path().to_owned()), ..status() };
        assert!(target(&named, dir.path()).unwrap_err().to_string().contains("no stack runs in"));
    }
}
