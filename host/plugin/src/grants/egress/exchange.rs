//! One request, from the checked destination to the head of the response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::admit::{Admitted, Host, allowed};
use super::body::{Limited, Paced};
use super::network::ADDRESSES_MAX;
use super::share::Way;
use super::{Egress, HEADER_BYTES_MAX, RESPONSE_HEADERS_MAX, Refusal, header_bytes};

/// A TCP connection is there in this time or not at all.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// How a request ended badly.
pub(super) enum Ended {
    Refused(Refusal),
    Failed(Error),
}

impl Ended {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Refused(refusal) => refusal.as_error(),
            Self::Failed(error) => error,
        }
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// When each part of a request has to be done. The guest may ask for less than the host allows, never for more.
struct Deadlines {
    connected: Instant,
    first_byte: Instant,
    all: Instant,
    between_bytes: Duration,
}

impl Deadlines {
    fn new(now: Instant, time_max: Duration, options: RequestOptions) -> Self {
        let within = |asked: Option<Duration>, most: Duration| asked.map_or(most, |asked| asked.min(most));
        let connect = within(options.connect_timeout, CONNECT_TIME_MAX.min(time_max));
        let first_byte = within(options.first_byte_timeout, time_max);
        let between_bytes = within(options.between_bytes_timeout, time_max).max(Duration::from_millis(1));
        let all = now + time_max;
        let connected = now + connect;
        Self { connected, first_byte: (connected + first_byte).min(all), all, between_bytes }
    }
}

/// Sends the request and waits for the head of its response.
pub(super) async fn exchange(
    egress: &Arc<Egress>,
    admitted: Admitted,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Ended> {
    let deadlines = Deadlines::new(Instant::now(), egress.time_max, options);
    let stream = match timeout_at(deadlines.connected, connect(egress, &admitted)).await {
        Ok(connected) => connected?,
        Err(_) => return Err(Error::ConnectionTimeout.into()),
    };
    let encrypted = admitted.tls;
    let loopback = stream.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
    let request = prepared(egress, &admitted, request, encrypted || loopback)?;
    let exchanged = async {
        if encrypted {
            let stream = encrypt(egress, &admitted.host, stream).await?;
            talk(egress, admitted, TokioIo::new(stream), request, &deadlines).await
        } else {
            talk(egress, admitted, TokioIo::new(stream), request, &deadlines).await
        }
    };
    match timeout_at(deadlines.first_byte, exchanged).await {
        Ok(response) => Ok(response?),
        Err(_) => Err(Error::ConnectionReadTimeout.into()),
    }
}

/// Connects to an address that was checked; the name is not asked for again.
async fn connect(egress: &Egress, admitted: &Admitted) -> Result<TcpStream, Ended> {
    let addresses = match &admitted.host {
        // A granted address needs no other permission.
        Host::Address(address) => vec![SocketAddr::new(*address, admitted.port)],
        Host::Name(name) => {
            let found = egress.network.resolver.resolve(name).await.map_err(|error| Error::DnsError {
                rcode: Some(error.kind().to_string()),
                info_code: None,
            })?;
            let found = &found[..found.len().min(ADDRESSES_MAX)];
            allowed(egress, found, admitted.port).map_err(Ended::Refused)?
        }
    };
    let mut last = Error::DestinationNotFound;
    for address in addresses {
        let connected = TcpStream::connect(address).await;
        tracing::debug!(target: "flumen::plugin::egress", plugin = egress.services.path(), %address,
            connected = connected.is_ok(), "connecting");
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Error::Connect(error),
        }
    }
    Err(last.into())
}

async fn encrypt(
    egress: &Egress,
    host: &Host,
    stream: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
    let config = egress.network.tls().map_err(|reason| Error::InternalError(Some(reason)))?;
    let name = match host {
        Host::Address(address) => ServerName::from(*address),
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)?,
    };
    TlsConnector::from(config).connect(name, stream).await.map_err(Error::Tls)
}

/// The request as it is sent: secrets in, path only, body paced.
fn prepared(
    egress: &Arc<Egress>,
    admitted: &Admitted,
    mut request: Request<WasiBody>,
    private: bool,
) -> Result<Request<Paced>, Ended> {
    if header_bytes(request.headers()) > HEADER_BYTES_MAX {
        return Err(Error::HttpRequestHeaderSectionSize(None).into());
    }
    let host = match &admitted.host {
        Host::Name(name) => crate::spec::HttpHost::Name(name.clone()),
        Host::Address(address) => crate::spec::HttpHost::Address(*address),
    };
    let destination = crate::spec::HttpGrant { host, port: admitted.port };
    for secret in egress.secrets.iter().filter(|secret| secret.destination.covers(&destination)) {
        if !private {
            return Err(Ended::Refused(Refusal::SecretInTheOpen));
        }
        let name = http::HeaderName::try_from(&secret.header).map_err(|_| Error::ConfigurationError)?;
        let mut value = HeaderValue::try_from(&secret.value).map_err(|_| Error::ConfigurationError)?;
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    Ok(request.map(|body| Paced::new(body, egress.clone(), Way::Out)))
}

async fn talk<S>(
    egress: &Arc<Egress>,
    admitted: Admitted,
    stream: TokioIo<S>,
    request: Request<Paced>,
    deadlines: &Deadlines,
) -> Result<Response<WasiBody>, Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let mut client = http1::Builder::new();
    client.max_headers(RESPONSE_HEADERS_MAX).max_buf_size(HEADER_BYTES_MAX);
    let (mut sender, connection) = client.handshake(stream).await?;
    let (places, all) = (admitted.places, deadlines.all);
    // Ends when the response's body is dropped, or with the time of the request, whether or not anybody reads.
    let driver: AbortOnDropJoinHandle<()> = wasmtime_wasi::runtime::spawn(async move {
        let _places = places;
        let _ended = timeout_at(all, connection).await;
    });
    let response = sender.send_request(request).await?;
    let bytes = header_bytes(response.headers());
    if bytes > HEADER_BYTES_MAX {
        return Err(Error::HttpResponseHeaderSectionSize(u32::try_from(bytes).ok()));
    }
    let (between_bytes, bytes_max) = (deadlines.between_bytes, egress.response_bytes_max);
    Ok(response.map(|body| {
        let paced = Paced::new(body.map_err(Error::Hyper).boxed_unsync(), egress.clone(), Way::In);
        Limited::new(paced, driver, bytes_max, (between_bytes, all)).boxed_unsync()
    }))
}
