//! The side that connects.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::error::TlsError;
use crate::names::Limits;
use crate::server::HANDSHAKE_WITHIN;
use crate::store::StoreFile;
use crate::stream::Stream;
use crate::verify::{Anchors, Believe, ServerCheck};

/// Whose certificates we believe.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Anyone's: the traffic is hidden from listeners, and not from impostors.
    All,
    /// The authorities that this machine trusts.
    System,
    /// Those in a store.
    Store(StoreFile),
}

/// Whether the certificate has to be one for the host that was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameCheck {
    /// It has to.
    On,
    /// Any certificate that is trusted will do, as in Flume 1.9.
    Off,
}

/// How to connect with TLS: a plan, no file is read yet.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// Whom we believe.
    pub trust: Trust,
    /// Whether names are compared; of no meaning with [`Trust::All`].
    pub name_check: NameCheck,
    /// Our own key, for servers that ask for one.
    pub keystore: Option<StoreFile>,
    /// The one key to use of several.
    pub alias: Option<String>,
    /// Protocols and cipher suites.
    pub limits: Limits,
}

impl ClientTls {
    /// Reads the stores and gets ready. To be called whenever the sink opens: replaced certificates are used
    /// from then on.
    ///
    /// # Errors
    /// If a store cannot be used.
    pub fn connector(&self) -> Result<Connector, TlsError> {
        let provider = Arc::new(self.limits.provider());
        let (anchors, believe) = match &self.trust {
            Trust::All => (Anchors::of(Vec::new(), &provider), Believe::Everyone),
            Trust::System => (Anchors::of_system(&provider)?, Believe::Trusted(self.name_check)),
            Trust::Store(store) => {
                (Anchors::of(store.trusted()?, &provider), Believe::Trusted(self.name_check))
            }
        };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.limits.versions)
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ServerCheck { anchors, believe }));
        let config = match &self.keystore {
            None => builder.with_no_client_auth(),
            Some(store) => {
                let keys = store.keys(self.alias.as_deref(), &provider)?;
                builder.with_client_cert_resolver(Arc::new(keys))
            }
        };
        Ok(Connector { tls: Arc::new(config).into() })
    }
}

/// Makes TLS connections of plain ones. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
}

impl Connector {
    /// The handshake with `host` (the name that was dialled; a port behind it is no part of it), within 10 s.
    ///
    /// # Errors
    /// If the server is slow, speaks no TLS, goes away, is not believed, or the two cannot agree.
    pub async fn connect<S>(&self, host: &str, stream: S) -> Result<Stream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::BadHost(host.to_owned()))?;
        match tokio::time::timeout(HANDSHAKE_WITHIN, self.tls.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream.into()))),
            Ok(Err(error)) => Err(TlsError::of_handshake(error)),
            Err(_elapsed) => Err(TlsError::Slow(HANDSHAKE_WITHIN.as_secs())),
        }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}
