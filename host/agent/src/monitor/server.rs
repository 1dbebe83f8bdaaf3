//! The HTTP server of the monitor.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use flumen_connect::listen;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{Agents, flume_json, health, prometheus};

/// Flume's default port.
const PORT: u16 = 41414;
/// More clients at once wait in the kernel's queue.
const CLIENTS_MAX: usize = 64;
/// A client that does not finish its request in this time is dropped.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// Where the monitor listens: the meaning of `-Dflume.monitoring.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitoring {
    /// Host name or address; all by default, as in Flume.
    pub bind: String,
    /// Port.
    pub port: u16,
}

/// Monitoring was asked for and cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// A kind of Flume's that is not here.
    #[error(
        "-Dflume.monitoring.type={0} is not known here: use `http`, which also serves Prometheus at /metrics/prometheus"
    )]
    Type(String),
    /// A port that is none.
    #[error("-Dflume.monitoring.port={0} is not a port number")]
    Port(String),
    /// The port cannot be had.
    #[error("monitoring: {0}")]
    Listen(#[from] listen::ListenError),
}

impl Monitoring {
    /// From `-D` properties: `flume.monitoring.type=http`, `flume.monitoring.port`, and, an addition of ours,
    /// `flume.monitoring.bind`. `None` if no monitoring was asked for.
    ///
    /// # Errors
    /// If it was asked for in a way that is not known.
    pub fn from_properties(properties: &BTreeMap<String, String>) -> Result<Option<Self>, MonitorError> {
        let Some(kind) = properties.get("flume.monitoring.type") else { return Ok(None) };
        if !kind.eq_ignore_ascii_case("http") {
            return Err(MonitorError::Type(kind.clone()));
        }
        let port = match properties.get("flume.monitoring.port") {
            Some(text) => text.trim().parse().map_err(|_| MonitorError::Port(text.clone()))?,
            None => PORT,
        };
        let bind = properties.get("flume.monitoring.bind").cloned().unwrap_or_else(|| "0.0.0.0".to_owned());
        Ok(Some(Self { bind, port }))
    }

    /// Opens the port.
    ///
    /// # Errors
    /// If it cannot be had.
    pub async fn listen(&self) -> Result<TcpListener, MonitorError> {
        Ok(listen::tcp(&self.bind, self.port).await?)
    }
}

/// Serves requests until the future is dropped.
pub async fn serve(listener: TcpListener, agents: Agents) {
    let clients = std::sync::Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(permit) = clients.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let agents = agents.clone();
                tokio::spawn(async move {
                    serve_client(stream, agents).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "monitoring: cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_client(stream: TcpStream, agents: Agents) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &agents);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "monitoring: a connection broke");
    }
}

fn answer(method: &Method, path: &str, agents: &Agents) -> Response<Full<Bytes>> {
    // As Flume's servlet does.
    if *method == Method::TRACE || *method == Method::OPTIONS {
        return respond(StatusCode::FORBIDDEN, "text/plain", String::new());
    }
    let ok = StatusCode::OK;
    match path {
        "/" => respond(
            ok,
            "text/html;charset=utf-8",
            "For Flume metrics please click <a href = \"./metrics\"> here</a>.".to_owned(),
        ),
        "/metrics" => respond(ok, "application/json;charset=utf-8", flume_json::render(agents)),
        "/metrics/prometheus" => {
            respond(ok, "text/plain; version=0.0.4; charset=utf-8", prometheus::render(agents))
        }
        "/health/live" => respond(ok, "application/json", r#"{"live":true}"#.to_owned()),
        "/health" | "/health/ready" => {
            let health = health::of(agents);
            let status = if health.is_ready { ok } else { StatusCode::SERVICE_UNAVAILABLE };
            respond(status, "application/json", health.text)
        }
        _ => respond(StatusCode::NOT_FOUND, "text/plain", format!("no such page: {path}\n")),
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
