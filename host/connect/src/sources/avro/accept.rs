//! What lies between the socket and the protocol, told from the first bytes of a connection.
//!
//! ```text
//! 16 03   TLS      then, inside: 78 compressed, else plain         Flume 1.9 puts TLS outside
//! 78      zlib     then, inside: TLS if the source has it          Flume 1.10 and later put zlib outside
//! else    plain    if the source has no TLS
//! ```
//!
//! Looking costs an idle client nothing: the bytes stay in the kernel until they are there.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::tls::Acceptor;
use crate::wire::AnyWire;
use crate::wire::deflate::{Deflated, Writing};

/// Inside of TLS the first bytes are read to be looked at.
const FIRST_BYTES: usize = 1024;

/// What the source is configured to speak.
#[derive(Clone)]
pub(super) struct Layers {
    pub tls: Option<Acceptor>,
    pub deflate: bool,
}

/// Why the first bytes are not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unserved {
    #[error("{0}")]
    Broken(#[from] io::Error),
    #[error("the client speaks TLS and the source does not: set `ssl = true`, or switch it off there")]
    Tls,
    #[error("the client does not speak TLS and the source does: set `ssl = true` there")]
    NoTls,
    #[error("the client compresses and the source does not: set `compression-type = deflate`, or none there")]
    Deflate,
}

/// The connection with its layers, and what has been read of it already; none if it ended, or if TLS did not come
/// about, which has been logged then.
pub(super) async fn layered(
    stream: TcpStream,
    layers: &Layers,
    peer: SocketAddr,
) -> Result<Option<(AnyWire, Vec<u8>)>, Unserved> {
    let mut start = [0; 2];
    let count = stream.peek(&mut start).await?;
    let start = &start[..count];
    if count == 0 {
        return Ok(None);
    }
    match &layers.tls {
        None if matches!(start, [0x16, 0x03, ..]) => Err(Unserved::Tls),
        None if layers.deflate && is_zlib(start) => {
            Ok(Some((Box::new(Deflated::new(stream, Writing::Stored, Vec::new())), Vec::new())))
        }
        None if is_zlib(start) => Err(Unserved::Deflate),
        None => Ok(Some((Box::new(stream), Vec::new()))),
        Some(acceptor) if start[0] == 0x16 => match acceptor.accept(stream, peer).await {
            Some(stream) => inside_tls(Box::new(stream), layers.deflate).await,
            None => Ok(None),
        },
        Some(acceptor) if layers.deflate && is_zlib(start) => {
            let inflated = Deflated::new(stream, Writing::Stored, Vec::new());
            let stream = acceptor.accept(inflated, peer).await;
            Ok(stream.map(|stream| (Box::new(stream) as AnyWire, Vec::new())))
        }
        Some(_) => Err(Unserved::NoTls),
    }
}

async fn inside_tls(mut wire: AnyWire, deflate: bool) -> Result<Option<(AnyWire, Vec<u8>)>, Unserved> {
    let mut first = vec![0; FIRST_BYTES];
    let count = wire.read(&mut first).await?;
    first.truncate(count);
    match first.as_slice() {
        [] => Ok(None),
        start if deflate && is_zlib(start) => {
            Ok(Some((Box::new(Deflated::new(wire, Writing::Stored, first)), Vec::new())))
        }
        start if is_zlib(start) => Err(Unserved::Deflate),
        _ => Ok(Some((wire, first))),
    }
}

/// Whether a zlib stream begins here: 78, and a second byte that makes both a multiple of 31. A plain client could
/// choose a serial that begins so; Flume's count from 1.
fn is_zlib(start: &[u8]) -> bool {
    match start {
        [0x78] => true,
        [0x78, flags, ..] => (0x7800 + u32::from(*flags)).is_multiple_of(31),
        _ => false,
    }
}
