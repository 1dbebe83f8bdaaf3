//! The side that listens.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::error::TlsError;
use crate::names::Limits;
use crate::store::StoreFile;
use crate::stream::Stream;
use crate::verify::ClientCheck;

/// As Netty's `SslHandler`, which Flume's avro source uses.
pub(crate) const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// The same complaint about peers is logged this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Whether clients show certificates, and whom we believe then.
#[derive(Clone, Debug, Default)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They are asked; one without a certificate is served, one with a bad certificate is not.
    Want(StoreFile),
    /// One without a good certificate is not served.
    Need(StoreFile),
}

/// How to listen with TLS: a plan, no file is read yet.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Our keys.
    pub keystore: StoreFile,
    /// The one key to use of several; otherwise the one that suits the client.
    pub alias: Option<String>,
    /// Mutual TLS.
    pub client_auth: ClientAuth,
    /// Protocols and cipher suites.
    pub limits: Limits,
}

impl ServerTls {
    /// Reads the stores and gets ready. To be called whenever the source starts: replaced certificates are used
    /// from then on.
    ///
    /// # Errors
    /// If a store cannot be used.
    pub fn acceptor(&self) -> Result<Acceptor, TlsError> {
        let provider = Arc::new(self.limits.provider());
        let keys = self.keystore.keys(self.alias.as_deref(), &provider)?;
        let setup = |error: rustls::Error| TlsError::Setup(error.to_string());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.limits.versions)
            .map_err(setup)?
            .with_client_cert_verifier(self.client_verifier(provider)?);
        let config = builder.with_cert_resolver(Arc::new(keys));
        Ok(Acceptor { tls: Arc::new(config).into(), complaints: Arc::default() })
    }

    fn client_verifier(
        &self,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let (store, is_needed) = match &self.client_auth {
            ClientAuth::None => return Ok(WebPkiClientVerifier::no_client_auth()),
            ClientAuth::Want(store) => (store, false),
            ClientAuth::Need(store) => (store, true),
        };
        Ok(Arc::new(ClientCheck::new(store.trusted()?, is_needed, provider)?))
    }
}

/// Makes TLS connections of accepted ones. Cheap to clone: one for each connection.
#[derive(Clone)]
pub struct Acceptor {
    tls: TlsAcceptor,
    complaints: Arc<Mutex<HashMap<&'static str, Complaint>>>,
}

struct Complaint {
    at: Instant,
    unsaid: u64,
}

impl Acceptor {
    /// The handshake, within 10 s. A failure is logged here (each cause once a minute, with the number of
    /// those in between) and gives nothing: the connection is closed.
    pub async fn accept<S>(&self, stream: S, peer: SocketAddr) -> Option<Stream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.try_accept(stream).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                self.complain(&error, peer);
                None
            }
        }
    }

    /// As [`accept`](Self::accept), and leaves it to the caller to tell of a failure.
    ///
    /// # Errors
    /// If the peer is slow, speaks no TLS, goes away, or the two cannot agree.
    pub async fn try_accept<S>(&self, stream: S) -> Result<Stream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match tokio::time::timeout(HANDSHAKE_WITHIN, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream.into()))),
            Ok(Err(error)) => Err(TlsError::of_handshake(error)),
            Err(_elapsed) => Err(TlsError::Slow(HANDSHAKE_WITHIN.as_secs())),
        }
    }

    fn complain(&self, error: &TlsError, peer: SocketAddr) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let unsaid = match complaints.get_mut(error.cause()) {
            Some(before) if now - before.at < COMPLAIN_EVERY => {
                before.unsaid += 1;
                return;
            }
            Some(before) => std::mem::take(&mut before.unsaid),
            None => 0,
        };
        complaints.insert(error.cause(), Complaint { at: now, unsaid: 0 });
        drop(complaints);
        tracing::warn!(%peer, not_logged_since = unsaid, "no TLS connection: {error}");
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}
