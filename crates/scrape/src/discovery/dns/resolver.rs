//! Asking the name servers of the system, as Prometheus asks them.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use promconfig::discovery::RecordType;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{self, Answer, Record};

/// How long a server has to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const PORT: u16 = 53;
const NO_SUCH_NAME: u8 = 3;

/// The servers that are asked, and what is appended to names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolver {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    /// Dots from which on a name is asked for as it is first.
    dots: usize,
}

impl Resolver {
    /// These servers, with nothing appended to names.
    pub(super) fn of_servers(servers: Vec<SocketAddr>) -> Self {
        Self { servers, search: Vec::new(), dots: 1 }
    }

    /// What the system is set to.
    pub(super) fn of_system() -> Result<Self, String> {
        let text = std::fs::read_to_string("/etc/resolv.conf")
            .map_err(|error| format!("could not load resolv.conf: {error}"))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut resolver = Self { servers: Vec::new(), search: Vec::new(), dots: 1 };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    resolver.servers.extend(address.map(|ip| SocketAddr::new(ip, PORT)));
                }
                Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let dots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next_back();
                    resolver.dots = dots.unwrap_or(resolver.dots).min(15);
                }
                _ => {}
            }
        }
        resolver
    }

    /// The names that are asked for in turn.
    fn names(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let itself = format!("{name}.");
        let mut names: Vec<String> = self.search.iter().map(|domain| format!("{name}.{domain}")).collect();
        let at = if name.matches('.').count() >= self.dots { 0 } else { names.len() };
        names.insert(at, itself);
        names
    }

    /// The records of a name; none if there is no such name.
    pub(super) async fn lookup(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, String> {
        let mut all_answered = true;
        for full in self.names(name) {
            match self.ask_any(&full, kind).await {
                Ok(answer) if answer.code == 0 => return Ok(answer.records),
                Ok(_) => {}
                Err(_) => all_answered = false,
            }
        }
        if all_answered {
            return Ok(Vec::new());
        }
        Err(format!(
            "could not resolve {name:?}: all servers responded with errors to at least one search domain"
        ))
    }

    async fn ask_any(&self, name: &str, kind: RecordType) -> Result<Answer, String> {
        for server in &self.servers {
            match ask(*server, name, kind).await {
                Ok(answer) if matches!(answer.code, 0 | NO_SUCH_NAME) => return Ok(answer),
                Ok(answer) => tracing::debug!(%server, name, code = answer.code, "no answer to a name"),
                Err(error) => tracing::debug!(%server, name, %error, "a name server did not answer"),
            }
        }
        Err(format!("could not resolve {name}: no servers returned a viable answer"))
    }
}

async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> std::io::Result<Answer> {
    // Not to be guessed, so that only who sees the question can answer it.
    let id = RandomState::new().hash_one(name) as u16;
    let broken = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let question = message::question(id, name, kind).ok_or_else(broken)?;
    let answer = tokio::time::timeout(ANSWER_WITHIN, over_udp(server, &question, id, kind)).await??;
    if !answer.is_truncated {
        return Ok(answer);
    }
    let bytes = tokio::time::timeout(ANSWER_WITHIN, over_tcp(server, &question)).await??;
    message::answer(&bytes, id, kind).filter(|answer| !answer.is_truncated).ok_or_else(broken)
}

async fn over_udp(server: SocketAddr, question: &[u8], id: u16, kind: RecordType) -> std::io::Result<Answer> {
    let own: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut bytes = [0; 4096];
    loop {
        let length = socket.recv(&mut bytes).await?;
        // What is no answer to this question is waited out.
        if let Some(answer) = message::answer(&bytes[..length], id, kind) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&(question.len() as u16).to_be_bytes()).await?;
    stream.write_all(question).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::message::tests::answering;
    use super::*;

    #[test]
    fn the_systems_settings_are_read() {
        let text = "# x\nnameserver 10.0.0.1\nnameserver ::1\nnameserver bad\nsearch a.example b.example\noptions ndots:2 x\n";
        let resolver = Resolver::parse(text);
        assert_eq!(resolver.servers, ["10.0.0.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(resolver.names("db.x"), ["db.x.a.example", "db.x.b.example", "db.x."]);
        assert_eq!(resolver.names("a.b.c"), ["a.b.c.", "a.b.c.a.example", "a.b.c.b.example"]);
        assert_eq!(resolver.names("a."), ["a."]);
    }

    /// A server on both protocols: what it says over UDP to names that begin with `cut` is cut off.
    async fn server() -> SocketAddr {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut bytes = [0; 512];
            loop {
                let (length, from) = udp.recv_from(&mut bytes).await.unwrap();
                let question = &bytes[..length];
                let answer = match &question[13..16] {
                    b"cut" => answering(question, 0, 2, &[]),
                    b"non" => answering(question, 3, 0, &[]),
                    b"bad" => answering(question, 2, 0, &[]),
                    _ => answering(question, 0, 0, &[(1, &[10, 0, 0, 1]), (1, &[10, 0, 0, 2])]),
                };
                udp.send_to(b"nonsense", from).await.unwrap();
                udp.send_to(&answer, from).await.unwrap();
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let length = stream.read_u16().await.unwrap();
                let mut question = vec![0; usize::from(length)];
                stream.read_exact(&mut question).await.unwrap();
                let answer = answering(&question, 0, 0, &[(1, &[10, 0, 0, 9])]);
                stream.write_u16(answer.len() as u16).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn servers_are_asked_and_long_answers_fetched_over_tcp() {
        let resolver = Resolver { servers: vec![server().await], search: Vec::new(), dots: 1 };
        let two = resolver.lookup("two.example", RecordType::A).await.unwrap();
        assert_eq!(two.len(), 2);
        let cut = resolver.lookup("cut.example", RecordType::A).await.unwrap();
        assert_eq!(cut, [Record::Address([10, 0, 0, 9].into())]);
        assert_eq!(resolver.lookup("none.example", RecordType::A).await.unwrap(), []);
        let bad = resolver.lookup("bad.example", RecordType::A).await.unwrap_err();
        assert!(
            bad.starts_with("could not resolve \"bad.example\": all servers responded with errors"),
            "{bad}"
        );
    }
}
