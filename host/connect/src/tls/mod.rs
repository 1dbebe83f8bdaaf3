//! TLS for the components: the options that all of them share, and what they make of them.
//!
//! ```text
//! a1.sources.r1.keystore = …    ─┐
//! -Djavax.net.ssl.keyStore=…     ├─ server(settings) ─▶ ServerTls ─ acceptor() ─▶ Acceptor ─ accept() ─▶ Stream
//! FLUME_SSL_KEYSTORE_PATH=…     ─┘  check: no file       run: reads the stores
//! ```
//!
//! A component appends the rows to its own and reads them beside its own:
//!
//! ```ignore
//! options: flumen_config::join_options!(OwnOptions::OPTIONS, tls::SERVER_OPTIONS),
//! // in its `read`, which `check` and `build` share; the outer None means that an error was reported:
//! let tls: Option<ServerTls> = tls::server(settings, diagnostics)?;
//! // in `run`, before it listens:
//! let acceptor = self.tls.as_ref().map(ServerTls::acceptor).transpose()?;
//! // for each connection, in the connection's own task (a handshake takes its time):
//! let Some(stream) = tls::accept(acceptor.as_ref(), stream, peer).await else { return };
//! ```
//! Sinks do the same with [`client`], [`ClientTls::connector`] and [`connect`].
//!
//! The stores, names and handshakes themselves are the crate `flumen-tls`.

mod globals;
mod options;
mod read;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub use flumen_tls::{Acceptor, ClientTls, Connector, ServerTls, Stream, TlsError};
pub use globals::{Globals, set_globals};
pub use options::{CLIENT_OPTIONS, HTTP_SERVER_OPTIONS, HTTPS_CLIENT_OPTIONS, SERVER_OPTIONS};
pub use read::{client, http_server, https_client, server};
use tokio::io::{AsyncRead, AsyncWrite};

/// The connection as the component is to read it: after the handshake, or as it is if there is no TLS. `None` if
/// the handshake failed, which has been logged then.
pub async fn accept<S>(acceptor: Option<&Acceptor>, stream: S, peer: SocketAddr) -> Option<Stream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match acceptor {
        Some(acceptor) => acceptor.accept(stream, peer).await,
        None => Some(Stream::Plain(stream)),
    }
}

/// The connection as the component is to use it: after the handshake with `host`, or as it is if there is no TLS.
///
/// # Errors
/// If the handshake fails.
pub async fn connect<S>(connector: Option<&Connector>, host: &str, stream: S) -> Result<Stream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match connector {
        Some(connector) => connector.connect(host, stream).await,
        None => Ok(Stream::Plain(stream)),
    }
}
