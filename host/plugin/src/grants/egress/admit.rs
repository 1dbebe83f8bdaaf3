//! Whether a request may go, and to which addresses.

use std::net::{IpAddr, SocketAddr};

use http::uri::Scheme;
use http::{Method, Request, header};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_wasi_http::WasiBody;

use super::{Egress, Refusal, address};
use crate::spec::{HttpGrant, HttpHost};

/// A request that may go.
pub(super) struct Admitted {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// One of the plugin's, one of the tenant's: held as long as the connection is open.
    pub(super) places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// Where to.
#[derive(Clone, Debug)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

/// Everything that can be said before the name is resolved.
pub(super) fn admit(egress: &Egress, request: &Request<WasiBody>) -> Result<Admitted, Refusal> {
    let tls = request.uri().scheme() != Some(&Scheme::HTTP);
    let wanted = destination(request, tls)?;
    if request.method() == Method::CONNECT || request.headers().contains_key(header::UPGRADE) {
        return Err(Refusal::Tunnel);
    }
    if !egress.grants.iter().any(|grant| grant.covers(&wanted)) {
        return Err(Refusal::NotGranted);
    }
    if !egress.tenant.allows(&wanted) {
        return Err(Refusal::Tenant);
    }
    let own = egress.own.take_place().ok_or(Refusal::Busy)?;
    let tenant = egress.tenant.take_place().ok_or(Refusal::Busy)?;
    let host = match wanted.host {
        HttpHost::Name(name) => Host::Name(name),
        HttpHost::Address(address) => Host::Address(address),
        HttpHost::Below(_) => return Err(Refusal::Malformed),
    };
    Ok(Admitted { host, port: wanted.port, tls, places: (own, tenant) })
}

/// Read with the same eyes as the grants, so that nothing can look like a granted name and be another: no user
/// part, no number for an address (`127.1`, `0x7f000001`), no trailing dot.
fn destination(request: &Request<WasiBody>, tls: bool) -> Result<HttpGrant, Refusal> {
    let authority = request.uri().authority().ok_or(Refusal::Malformed)?;
    if authority.as_str().contains('@') {
        return Err(Refusal::Malformed);
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let mut wanted =
        HttpGrant::parse(&format!("{}:{port}", authority.host())).map_err(|_| Refusal::Malformed)?;
    if let HttpHost::Address(address) = &mut wanted.host {
        *address = address::canonical(*address);
    }
    Ok(wanted)
}

/// The addresses that may be connected to, of those that a name has.
pub(super) fn allowed(egress: &Egress, found: &[IpAddr], port: u16) -> Result<Vec<SocketAddr>, Refusal> {
    let granted = |address: IpAddr| {
        let itself = HttpGrant { host: HttpHost::Address(address::canonical(address)), port };
        egress.grants.iter().any(|grant| grant.covers(&itself)) && egress.tenant.allows(&itself)
    };
    let allowed: Vec<SocketAddr> = found
        .iter()
        .filter(|address| address::is_public(**address) || granted(**address))
        .map(|address| SocketAddr::new(*address, port))
        .collect();
    if allowed.is_empty() { Err(Refusal::Address) } else { Ok(allowed) }
}
