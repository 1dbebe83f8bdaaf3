//! Addresses to listen on, as Java understands them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

/// Connections the kernel holds until they are accepted; Java's default of 50 is too few for a busy host.
const BACKLOG: i32 = 1024;
/// What the kernel may keep of datagrams while we are busy; it gives less if its own limit is lower.
const DATAGRAM_BUFFER_BYTES: usize = 4 << 20;

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

/// Listens for connections on the first address that can be had.
///
/// # Errors
/// If the name has no address or none can be listened on.
pub async fn tcp(host: &str, port: u16) -> Result<TcpListener, ListenError> {
    tcp_with(host, port, None).await
}

/// As [`tcp`], with a queue of so many connections that are not accepted yet.
///
/// # Errors
/// If the name has no address or none can be listened on.
pub async fn tcp_with(host: &str, port: u16, backlog: Option<u32>) -> Result<TcpListener, ListenError> {
    let backlog = backlog.and_then(|backlog| i32::try_from(backlog).ok()).unwrap_or(BACKLOG);
    first(host, port, |address| {
        let socket = open(address, Type::STREAM, Protocol::TCP)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        TcpListener::from_std(socket.into())
    })
    .await
}

/// Receives datagrams at the first address that can be had.
///
/// # Errors
/// If the name has no address or none can be received at.
pub async fn udp(host: &str, port: u16) -> Result<UdpSocket, ListenError> {
    first(host, port, |address| {
        let socket = open(address, Type::DGRAM, Protocol::UDP)?;
        // A smaller buffer loses datagrams sooner and is no reason to receive none.
        let _smaller = socket.set_recv_buffer_size(DATAGRAM_BUFFER_BYTES);
        socket.bind(&address.into())?;
        UdpSocket::from_std(socket.into())
    })
    .await
}

async fn first<S>(
    host: &str,
    port: u16,
    bind: impl Fn(SocketAddr) -> io::Result<S>,
) -> Result<S, ListenError> {
    let mut refused = None;
    for address in addresses(host, port).await? {
        match bind(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => refused = Some(ListenError::Bind { address, error }),
        }
    }
    Err(refused
        .unwrap_or(ListenError::Resolve { host: host.to_owned(), error: io::ErrorKind::NotFound.into() }))
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An address as `java.net.InetSocketAddress` prints one that was never resolved: `/127.0.0.1:44444` (JDK 14
/// and later).
#[must_use]
pub fn as_java_prints(address: SocketAddr) -> String {
    let port = address.port();
    match (address.ip().to_canonical(), address) {
        (IpAddr::V6(ip), SocketAddr::V6(full)) => {
            let groups: Vec<String> = ip.segments().iter().map(|group| format!("{group:x}")).collect();
            let scope = match full.scope_id() {
                0 => String::new(),
                scope => format!("%{scope}"),
            };
            format!("/[{}{scope}]:{port}", groups.join(":"))
        }
        (ip, _) => format!("/{ip}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Printed by OpenJDK 17.
    #[test]
    fn addresses_print_as_in_java() {
        let print = |text: &str| as_java_prints(text.parse().expect("an address"));
        assert_eq!(print("127.0.0.1:80"), "/127.0.0.1:80");
        assert_eq!(print("[::1]:80"), "/[0:0:0:0:0:0:0:1]:80");
        assert_eq!(print("[2001:db8::1]:12"), "/[2001:db8:0:0:0:0:0:1]:12");
        assert_eq!(print("[fe80::1%2]:12"), "/[fe80:0:0:0:0:0:0:1%2]:12");
        assert_eq!(print("[::ffff:10.0.0.1]:80"), "/10.0.0.1:80");
    }

    #[tokio::test]
    async fn a_port_in_use_says_so_in_the_systems_words_and_what_to_do() {
        let first = tcp("127.0.0.1", 0).await.expect("a free port");
        let port = first.local_addr().expect("bound").port();
        let stream = tcp("127.0.0.1", port).await.expect_err("in use").to_string();
        let first = udp("127.0.0.1", 0).await.expect("a free port");
        let datagram_port = first.local_addr().expect("bound").port();
        let datagram = udp("127.0.0.1", datagram_port).await.expect_err("in use").to_string();
        for (port, refused) in [(port, stream), (datagram_port, datagram)] {
            for words in [&port.to_string(), "Address already in use", "choose another port"] {
                assert!(refused.contains(words), "{refused}");
            }
        }
    }

    #[tokio::test]
    async fn the_wildcard_of_ipv4_serves_both() {
        let socket = udp("0.0.0.0", 0).await.expect("a free port");
        let port = socket.local_addr().expect("bound").port();
        let mut hosts = vec![("127.0.0.1", "127.0.0.1:0")];
        if std::net::UdpSocket::bind("[::1]:0").is_ok() {
            hosts.push(("::1", "[::1]:0"));
        } else {
            eprintln!("no IPv6 on this machine");
        }
        for (host, own) in hosts {
            let client = std::net::UdpSocket::bind(own).expect("bound");
            client.send_to(host.as_bytes(), (host, port)).expect("sent");
            let mut text = [0; 16];
            let (length, sender) = socket.recv_from(&mut text).await.expect("received");
            assert_eq!(
                (&text[..length], sender.ip().to_canonical().to_string()),
                (host.as_bytes(), host.to_owned())
            );
        }
    }
}
