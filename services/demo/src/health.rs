//! `healthcheck`: the program asks its own service, so that an image needs no other program for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks `/healthz` of the service that listens there. No runtime is needed for one question.
pub(crate) fn ask(listen: SocketAddr) -> Result<(), String> {
    let mut address = listen;
    // "All addresses" is where a service listens, not where it is reached.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let line = exchange(address).map_err(|error| format!("{address} does not answer: {error}"))?;
    if line.split(' ').nth(1) == Some("200") { Ok(()) } else { Err(format!("{address} answers {line:?}")) }
}

/// The status line.
fn exchange(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // One write: a service that answers after a first part and closes would reset what comes after it.
    stream.write_all(
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut line = String::new();
    // Only the first line counts, however the rest ends; whoever answers is not trusted to be brief.
    BufReader::new(stream.take(4096)).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn server(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The whole question is read: closing on unread bytes resets the connection under the answer.
            for line in BufReader::new(&stream).lines() {
                if line.unwrap().is_empty() {
                    break;
                }
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn only_200_is_healthy() {
        let healthy = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(ask(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), healthy.port())), Ok(()));
        assert!(ask(server("HTTP/1.1 503 Service Unavailable\r\n\r\n")).unwrap_err().contains("503"));
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(ask(closed).unwrap_err().contains("does not answer"));
    }
}
