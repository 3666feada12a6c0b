//! Ports: all of them are bound before anything else starts, and a busy one says whose it is.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::{Error, Part, Result};

/// A port that someone else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusyPort {
    /// The part that wants it.
    pub part: Part,
    /// The address.
    pub address: SocketAddr,
    /// Who has it, where the system tells.
    pub owner: Option<Owner>,
}

impl fmt::Display for BusyPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} ({}) is in use", self.address.port(), self.part)?;
        match &self.owner {
            Some(owner) => write!(f, " by {owner}"),
            None => Ok(()),
        }
    }
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub pid: u32,
    /// Its command line, shortened.
    pub command: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.command)
    }
}

/// Binds every address, or none.
///
/// # Errors
/// [`Error::PortsBusy`] with every busy port, so that one try shows them all; [`Error::Bind`] for anything else.
pub(crate) fn bind_all(wanted: &[(Part, SocketAddr)]) -> Result<Vec<(Part, TcpListener)>> {
    let mut bound = Vec::with_capacity(wanted.len());
    let mut busy = Vec::new();
    for &(part, address) in wanted {
        match TcpListener::bind(address) {
            Ok(listener) => bound.push((part, listener)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => busy.push((part, address)),
            Err(source) => return Err(Error::Bind { part, address, source }),
        }
    }
    if busy.is_empty() {
        return Ok(bound);
    }
    let busy = busy.into_iter().map(|(part, address)| BusyPort { part, address, owner: port_owner(address) });
    Err(Error::PortsBusy(busy.collect()))
}

/// The process that listens on a port of this machine; `None` where the system does not tell.
pub fn port_owner(address: SocketAddr) -> Option<Owner> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, address.port()))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let mut files = std::fs::read_dir(process.path().join("fd")).ok()?.flatten();
        let holds = files.any(|file| {
            std::fs::read_link(file.path())
                .is_ok_and(|target| inodes.iter().any(|inode| target == Path::new(inode)))
        });
        holds.then(|| Owner { pid, command: command_line(pid) })
    })
}

/// Inodes of the sockets that listen on a port, from the text of `/proc/net/tcp`.
fn listening_inodes(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let local_port = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
        (local_port == port && *fields.get(3)? == LISTEN).then_some(())?;
        fields.get(9)?.parse().ok()
    };
    table.lines().skip(1).filter_map(inode).collect()
}

fn command_line(pid: u32) -> String {
    const LONGEST: usize = 120;
    let raw = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&raw).replace('\0', " ");
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "unknown".to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_sockets_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:0C80 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4242 1 0 100 0 0 10 0\n\
            1: 0100007F:0C80 0100007F:9999 01 00000000:00000000 00:00000000 00000000  0 0 4343 1 0 100 0 0 10 0\n\
            torn line\n";
        assert_eq!(listening_inodes(table, 3200), [4242]);
        assert_eq!(listening_inodes(table, 3201), [0_u64; 0]);
    }

    #[test]
    fn every_busy_port_is_named_and_nothing_stays_bound() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let free_address = free.local_addr().unwrap();
        drop(free);
        let wanted = [(Part::Tempo, free_address), (Part::Loki, taken.local_addr().unwrap())];
        let Err(Error::PortsBusy(busy)) = bind_all(&wanted) else { panic!("bound a taken port") };
        assert_eq!(busy.len(), 1);
        assert_eq!(busy[0].part, Part::Loki);
        if cfg!(target_os = "linux") {
            assert_eq!(busy[0].owner.as_ref().unwrap().pid, std::process::id());
        }
        TcpListener::bind(free_address).unwrap();
    }
}
