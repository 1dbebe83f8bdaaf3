//! Addresses to listen on, as Java understands them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections the kernel holds until they are accepted; Java's default of 50 is too few for a busy host.
const BACKLOG: i32 = 1024;

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The host name has no address here.
    #[error(
        "cannot find the address of `{host}`: {error}; use an address of this host, or 0.0.0.0 for all of them"
    )]
    Resolve {
        /// The configured name.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// The address is in use, or not this host's.
    #[error("cannot listen on {address}: {error}{}", hint(.error))]
    Bind {
        /// Address and port.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another process has the port: stop it or choose another port",
        io::ErrorKind::AddrNotAvailable => "; the address is not one of this host: correct `bind`",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges: choose another port",
        _ => "",
    }
}

/// The addresses of a host, IPv4 first as Java's `InetSocketAddress` takes them.
///
/// `0.0.0.0` also means every IPv6 address: Java's sockets are dual, so Flume serves both there.
///
/// # Errors
/// If the name has no address.
pub async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, ListenError> {
    let host = host.trim();
    if host == "0.0.0.0" || host == "::" || host.is_empty() {
        return Ok(vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]);
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let resolve = |error| ListenError::Resolve { host: host.to_owned(), error };
    let mut found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await.map_err(resolve)?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.truncate(1);
    if found.is_empty() { Err(resolve(io::ErrorKind::NotFound.into())) } else { Ok(found) }
}

/// Listens on the first address that can be had.
///
/// # Errors
/// If the name has no address or none can be listened on.
pub async fn tcp(host: &str, port: u16) -> Result<TcpListener, ListenError> {
    let mut refused = None;
    for address in addresses(host, port).await? {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = Some(ListenError::Bind { address, error }),
        }
    }
    Err(refused
        .unwrap_or(ListenError::Resolve { host: host.to_owned(), error: io::ErrorKind::NotFound.into() }))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// An address as `java.net.InetSocketAddress` prints one that was never resolved: `/127.0.0.1:44444`.
#[must_use]
pub fn as_java_prints(address: SocketAddr) -> String {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => format!("/{ip}:{}", address.port()),
        IpAddr::V6(ip) => {
            let groups: Vec<String> = ip.segments().iter().map(|s| format!("{s:x}")).collect();
            format!("/[{}]:{}", groups.join(":"), address.port())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_in_java() {
        let print = |text: &str| as_java_prints(text.parse().expect("an address"));
        assert_eq!(print("127.0.0.1:80"), "/127.0.0.1:80");
        assert_eq!(print("[::1]:80"), "/[0:0:0:0:0:0:0:1]:80");
        assert_eq!(print("[::ffff:10.0.0.1]:80"), "/10.0.0.1:80");
    }

    #[tokio::test]
    async fn a_port_in_use_says_what_to_do() {
        let first = tcp("127.0.0.1", 0).await.expect("a free port");
        let port = first.local_addr().expect("bound").port();
        let refused = tcp("127.0.0.1", port).await.expect_err("in use").to_string();
        assert!(refused.contains(&port.to_string()) && refused.contains("choose another port"), "{refused}");
    }
}
