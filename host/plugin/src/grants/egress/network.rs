//! What requests need of the machine: name resolution and the certificates of those who may sign servers'.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;

/// Names that are being resolved at a time, of all plugins together. The system's resolver blocks a thread, for
/// many seconds when a server is silent, and cannot be interrupted.
const LOOKUPS_MAX: usize = 8;
/// Addresses of one name that are looked at.
pub(super) const ADDRESSES_MAX: usize = 16;

/// Turns names into addresses.
pub trait Resolve: Send + Sync {
    /// All addresses of a name. Asked once for each request.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The machine's resolver.
#[must_use]
pub fn system_resolver() -> Arc<dyn Resolve> {
    Arc::new(System(Arc::new(Semaphore::new(LOOKUPS_MAX))))
}

struct System(Arc<Semaphore>);

impl Resolve for System {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let place = self.0.clone().acquire_owned().await.map_err(io::Error::other)?;
            let name = name.to_owned();
            let looking = tokio::task::spawn_blocking(move || {
                // Held until the thread is free again, also when nobody waits for the answer any more.
                let _place = place;
                let found = (name.as_str(), 0).to_socket_addrs()?;
                Ok(found.map(|address| address.ip()).take(ADDRESSES_MAX).collect())
            });
            looking.await.map_err(io::Error::other)?
        })
    }
}

/// What requests need of the machine.
#[derive(Clone)]
pub struct Network {
    pub(super) resolver: Arc<dyn Resolve>,
    tls: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Network")
    }
}

impl Default for Network {
    fn default() -> Self {
        Self { resolver: system_resolver(), tls: Arc::default() }
    }
}

impl Network {
    /// With another resolver and other roots: for tests.
    #[must_use]
    pub fn new(resolver: Arc<dyn Resolve>, roots: RootCertStore) -> Self {
        let tls = Arc::new(OnceLock::from(client(roots)));
        Self { resolver, tls }
    }

    /// How TLS is spoken. The first call reads the machine's certificates.
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        self.tls.get_or_init(|| client(system_roots()?)).clone()
    }
}

/// The machine's certificates (`/etc/ssl/certs`, or where `SSL_CERT_FILE` says): an operator's own authority is
/// added there, for all programs alike.
fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _unusable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!(
            "this machine has no certificates of authorities (package ca-certificates, or SSL_CERT_FILE){why}"
        ));
    }
    Ok(roots)
}

fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
