//! HTTP requests of plugins: the only way out, and every step of it the host's.
//!
//! ```text
//! guest ─ wasi:http ─▶ destination: in grants.http, and in the tenant's egress_hosts?      [`admit`]
//!                  ─▶ a place among the plugin's and the tenant's open requests            [`share`]
//!                  ─▶ name → addresses, asked once; each one checked                       [`network`], [`address`]
//!                  ─▶ connect to a checked address, not to the name; TLS                   [`exchange`]
//!                  ─▶ secrets in, headers limited, body paced and counted                  [`body`]
//!                  ◀─ response headers limited, body paced, counted, cut at its limit
//! ```
//!
//! Invariants: the address that is connected to is one that was checked. Redirects are answers like others: a guest
//! that follows one makes another request, which is checked like the first. A request ends with the call time of
//! its plugin (`limits.batchTimeMsMax` after it began), whatever its server does and whether or not the guest looks.
//! A secret is never in anything that the guest or the log sees, except where its own destination echoes it: the
//! server of a granted destination is trusted with it.

pub mod address;
mod admit;
mod body;
mod exchange;
mod network;
mod share;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tracing::Level;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks};

use crate::imports::Services;
use crate::spec::{Grants, HttpGrant, HttpHost, HttpSecret, Limits};

pub use self::network::{Network, Resolve, system_resolver};
pub use self::share::{EgressCounts, Share, Shares};

/// Requests of one plugin that are under way at a time, responses that are read included.
pub const OPEN_REQUESTS_MAX: usize = 8;
/// Requests of one tenant that are under way at a time.
pub const TENANT_OPEN_REQUESTS_MAX: usize = 64;
/// Bytes that one plugin may send, and receive, in a second; twice that at once.
pub const BYTES_PER_SECOND_MAX: u64 = 16 << 20;
/// Headers of a response.
pub const RESPONSE_HEADERS_MAX: usize = 128;
/// Bytes of a response's headers, and of a request's.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// Bytes that a guest may hand over for a request's body in one call.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// A fresh context, with its limit.
#[must_use]
pub(super) fn http_context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(HEADER_BYTES_MAX);
    context
}

/// Why a request was not sent. Each is counted by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// No `grants.http` at all, or none for this destination.
    #[error("not granted: add it to `grants.http`")]
    NotGranted,
    /// The tenant's `egress_hosts` leaves it out.
    #[error("outside the tenant's `egress_hosts`")]
    Tenant,
    /// No host and port that a grant could name.
    #[error("not a host and port")]
    Malformed,
    /// `CONNECT`, or an upgrade.
    #[error("a tunnel, which nothing grants")]
    Tunnel,
    /// All addresses of the name are loopback, private, link-local or otherwise not public.
    #[error("its name leads to addresses that are not public; grant the address itself if that is meant")]
    Address,
    /// A secret would go over a connection that others can read.
    #[error("it has a secret, and secrets go over https or to this machine only")]
    SecretInTheOpen,
    /// Too many requests are under way.
    #[error("too many requests are under way")]
    Busy,
}

impl Refusal {
    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotGranted => "not_granted",
            Self::Tenant => "tenant",
            Self::Malformed => "malformed",
            Self::Tunnel => "tunnel",
            Self::Address => "address",
            Self::SecretInTheOpen => "secret_in_the_open",
            Self::Busy => "busy",
        }
    }
    fn as_error(self) -> Error {
        match self {
            Self::Malformed => Error::HttpRequestUriInvalid,
            Self::Tunnel => Error::HttpRequestMethodInvalid,
            Self::Address => Error::DestinationIpProhibited,
            Self::Busy => Error::ConnectionLimitReached,
            Self::NotGranted | Self::Tenant | Self::SecretInTheOpen => Error::HttpRequestDenied,
        }
    }
}

/// The requests of one plugin.
pub struct Egress {
    services: Arc<Services>,
    network: Network,
    grants: Vec<HttpGrant>,
    secrets: Vec<HttpSecret>,
    own: Arc<Share>,
    tenant: Arc<Share>,
    time_max: Duration,
    response_bytes_max: usize,
}

impl fmt::Debug for Egress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Egress").field("grants", &self.grants).finish_non_exhaustive()
    }
}

impl Egress {
    /// For one plugin. A response may be as large as its memory.
    #[must_use]
    pub fn new(
        network: &Network,
        services: Arc<Services>,
        tenant: Arc<Share>,
        grants: &Grants,
        limits: &Limits,
    ) -> Self {
        Self {
            services,
            network: network.clone(),
            grants: grants.http.iter().map(canonical).collect(),
            secrets: grants.secrets.clone(),
            own: Arc::new(Share::of_plugin()),
            tenant,
            time_max: limits.batch_time_max,
            response_bytes_max: limits.memory_bytes_max,
        }
    }

    /// What became of its requests so far.
    #[must_use]
    pub fn counts(&self) -> EgressCounts {
        self.own.counts()
    }

    /// Sends a request, or refuses it.
    async fn send(
        self: Arc<Self>,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let wanted = shown(&request);
        let admitted = match admit::admit(&self, &request) {
            Ok(admitted) => admitted,
            Err(refusal) => return Err(self.refuse(&wanted, refusal)),
        };
        self.own.count(|counts| counts.allowed += 1);
        let sent = exchange::exchange(&self, admitted, request, options.unwrap_or_default()).await;
        match &sent {
            Ok(response) => tracing::debug!(target: "flumen::plugin::egress", plugin = self.services.path(),
                destination = wanted, status = response.status().as_u16(), "answered"),
            Err(exchange::Ended::Refused(refusal)) => return Err(self.refuse(&wanted, *refusal)),
            Err(exchange::Ended::Failed(error)) => {
                self.own.count(|counts| counts.failed += 1);
                tracing::debug!(target: "flumen::plugin::egress", plugin = self.services.path(),
                    destination = wanted, %error, "failed");
            }
        }
        sent.map_err(exchange::Ended::into_error)
    }

    fn refuse(&self, wanted: &str, refusal: Refusal) -> Error {
        self.own.count(|counts| *counts.refused.entry(refusal.name()).or_default() += 1);
        say_refused(&self.services, wanted, refusal);
        refusal.as_error()
    }
}

/// A refusal is a line of the plugin's, under its limit: a guest must not fill the log with refused requests.
fn say_refused(services: &Services, wanted: &str, refusal: Refusal) {
    services.log().write(Level::WARN, &format!("HTTP request to {wanted} refused: {refusal}"), &[]);
}

/// Destination as shown: without the path, which may carry what is not for the log.
fn shown(request: &Request<WasiBody>) -> String {
    let uri = request.uri();
    let scheme = uri.scheme_str().unwrap_or("https");
    format!("{scheme}://{}", uri.authority().map_or("", |authority| authority.as_str()))
}

/// What wasmtime-wasi-http asks for every request of an instance.
pub struct Hooks {
    services: Arc<Services>,
    egress: Option<Arc<Egress>>,
}

type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl Hooks {
    pub(super) fn new(services: Arc<Services>, egress: Option<Arc<Egress>>) -> Self {
        Self { services, egress }
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _body_result: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Some(egress) = self.egress.clone() else {
            say_refused(&self.services, &shown(&request), Refusal::NotGranted);
            return Box::new(std::future::ready(Err(Refusal::NotGranted.as_error())));
        };
        Box::new(async move {
            let response = egress.send(request, options).await?;
            // The connection is driven by a task of ours, which the response's body holds.
            let driven: Box<dyn Future<Output = Result<(), Error>> + Send> =
                Box::new(std::future::ready(Ok(())));
            Ok((response, driven))
        })
    }
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        WRITE_BYTES_MAX
    }
    // The defaults of these three write a line of their own for every error that a guest can cause.
    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        if error.is_timeout() { ErrorCode::HttpResponseTimeout } else { ErrorCode::HttpProtocolError }
    }
    fn p2_error_from_connect(&mut self, error: &std::io::Error) -> ErrorCode {
        match error.kind() {
            std::io::ErrorKind::TimedOut => ErrorCode::ConnectionTimeout,
            _ => ErrorCode::ConnectionRefused,
        }
    }
    fn p2_error_from_tls(&mut self, _: &std::io::Error) -> ErrorCode {
        ErrorCode::TlsProtocolError
    }
}

/// Addresses in one form: what a request asks for is compared in it.
fn canonical(grant: &HttpGrant) -> HttpGrant {
    let mut grant = grant.clone();
    if let HttpHost::Address(address) = &mut grant.host {
        *address = address::canonical(*address);
    }
    grant
}

/// Bytes that headers take on the wire.
fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

#[cfg(test)]
mod tests;
