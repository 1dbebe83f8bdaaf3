//! One connection to the endpoint, kept as long as both sides like.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::endpoint::Endpoint;
use crate::tls::{self, ClientTls, TlsError};

/// Of an answer's content, which means nothing here, so much is read to keep the connection.
const CONTENT_BYTES_MAX: usize = 1 << 20;

/// No status came.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("cannot find {host}: {error}")]
    Resolve { host: String, error: io::Error },
    #[error("cannot connect to {endpoint}: {error}")]
    Connect { endpoint: String, error: io::Error },
    #[error("cannot connect to {endpoint} within {ms} ms (`connectTimeout`)")]
    ConnectTimeout { endpoint: String, ms: u128 },
    #[error("{endpoint}: {error}")]
    Tls { endpoint: String, error: TlsError },
    #[error("{endpoint} has not answered within {ms} ms (`requestTimeout`)")]
    RequestTimeout { endpoint: String, ms: u128 },
    #[error("{endpoint} has not answered: {error}")]
    Broken { endpoint: String, error: hyper::Error },
    #[error("the request cannot be made: {0}")]
    Request(hyper::http::Error),
}

/// What a client is made of.
pub(super) struct ClientParts {
    pub endpoint: Endpoint,
    pub tls: Option<ClientTls>,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    pub content_type: HeaderValue,
    pub accept: HeaderValue,
}

pub(super) struct Client {
    parts: ClientParts,
    connector: Option<tls::Connector>,
    connection: Option<Connection>,
    /// Since the last look.
    opened: usize,
    closed: usize,
}

struct Connection {
    send: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client {
    pub(super) fn new(parts: ClientParts) -> Self {
        Self { parts, connector: None, connection: None, opened: 0, closed: 0 }
    }
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.parts.endpoint
    }

    /// Reads what TLS needs, if it is `https`.
    ///
    /// # Errors
    /// If a store cannot be read.
    pub(super) fn open(&mut self) -> Result<(), TlsError> {
        self.connector = self.parts.tls.as_ref().map(ClientTls::connector).transpose()?;
        Ok(())
    }
    /// Ends the connection.
    pub(super) fn close(&mut self) {
        if self.connection.take().is_some() {
            self.closed += 1;
        }
    }
    /// How many connections were opened and closed since this was asked last.
    pub(super) fn take_counts(&mut self) -> (usize, usize) {
        (std::mem::take(&mut self.opened), std::mem::take(&mut self.closed))
    }

    /// Posts a body; the status of the answer.
    ///
    /// A connection that was kept may have been closed by the server while the request was on its way to it; then
    /// the request is sent again, once, over a new one.
    ///
    /// # Errors
    /// If there is no answer.
    pub(super) async fn post(&mut self, body: Bytes) -> Result<u16, PostError> {
        match self.connection.take() {
            Some(kept) if !kept.send.is_closed() => match self.exchange(kept, body.clone()).await {
                Err(PostError::Broken { error, .. }) => {
                    tracing::debug!(%error, "a kept connection was closed by the server");
                }
                done => return done,
            },
            Some(_closed) => self.closed += 1,
            None => {}
        }
        let connection = self.connect().await?;
        self.exchange(connection, body).await
    }

    async fn exchange(&mut self, mut connection: Connection, body: Bytes) -> Result<u16, PostError> {
        let request = self.request(body).map_err(PostError::Request)?;
        let within = self.parts.request_timeout;
        let asking = async {
            connection.send.ready().await?;
            connection.send.send_request(request).await
        };
        let endpoint = || self.parts.endpoint.to_string();
        let answered = match tokio::time::timeout(within, asking).await {
            Ok(answered) => answered.map_err(|error| PostError::Broken { endpoint: endpoint(), error }),
            Err(_) => Err(PostError::RequestTimeout { endpoint: endpoint(), ms: within.as_millis() }),
        };
        let answer = answered.inspect_err(|_| self.closed += 1)?;
        let status = answer.status().as_u16();
        // The status alone counts. Content that does not come costs the connection.
        if tokio::time::timeout(within, pass_over(answer)).await == Ok(true) {
            self.connection = Some(connection);
        } else {
            self.closed += 1;
        }
        Ok(status)
    }

    fn request(&self, body: Bytes) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let parts = &self.parts;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&parts.endpoint.path)
            .header(HOST, &parts.endpoint.host_header)
            .header(CONTENT_TYPE, &parts.content_type)
            .header(ACCEPT, &parts.accept)
            .header(USER_AGENT, concat!("flumen/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &parts.endpoint.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Full::new(body))
    }

    async fn connect(&mut self) -> Result<Connection, PostError> {
        let within = self.parts.connect_timeout;
        let connected = tokio::time::timeout(within, self.handshake()).await;
        let connection = connected.unwrap_or_else(|_| {
            let endpoint = self.parts.endpoint.to_string();
            Err(PostError::ConnectTimeout { endpoint, ms: within.as_millis() })
        })?;
        self.opened += 1;
        Ok(connection)
    }

    async fn handshake(&self) -> Result<Connection, PostError> {
        let endpoint = &self.parts.endpoint;
        let stream = self.reach().await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "requests may be late");
        }
        let stream = tls::connect(self.connector.as_ref(), &endpoint.host, stream)
            .await
            .map_err(|error| PostError::Tls { endpoint: endpoint.to_string(), error })?;
        let (send, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| PostError::Broken { endpoint: endpoint.to_string(), error })?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the http sink broke");
            }
        });
        Ok(Connection { send, driver })
    }

    /// The first of the host's addresses that answers.
    async fn reach(&self) -> Result<TcpStream, PostError> {
        let endpoint = &self.parts.endpoint;
        let resolve = |error| PostError::Resolve { host: endpoint.host.clone(), error };
        let addresses =
            tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await.map_err(resolve)?;
        let mut refused = io::ErrorKind::NotFound.into();
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = error,
            }
        }
        Err(PostError::Connect { endpoint: endpoint.to_string(), error: refused })
    }
}

/// Reads an answer's content to its end, which leaves the connection usable; whether it is.
async fn pass_over(answer: Response<Incoming>) -> bool {
    let mut content = answer.into_body();
    let mut bytes = 0;
    while let Some(frame) = content.frame().await {
        let Ok(frame) = frame else { return false };
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > CONTENT_BYTES_MAX {
            return false;
        }
    }
    true
}
