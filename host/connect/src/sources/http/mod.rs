//! `http`: events in HTTP requests, each answered after it is stored.
//!
//! ```text
//! request ─▶ body (size, time, unpacked) ─▶ handler ─▶ outlet ─▶ 200
//!              413 408 415 400               400 500    503 500
//! ```
//!
//! | part | what |
//! |---|---|
//! | `jetty` | `QueuedThreadPool.*` and the like |
//! | [`server`] | connections: limits, TLS, stop |
//! | `body` | reading and unpacking a body |
//! | [`answer`] | what is refused, and with which status |

pub(super) mod answer;
pub(super) mod body;
mod jetty;
pub(super) mod server;

use std::sync::Arc;

use async_trait::async_trait;
use flumen_config::options::{Below, Count};
use flumen_config::{
    ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, join_options, options,
};
use hyper::body::Incoming;
use hyper::{Method, Request};
use tokio::sync::Semaphore;

use crate::catalog::SourceType;
use crate::http_handler::{HttpHandler, HttpRequest};
use crate::http_handlers::{self, build_handler};
use crate::ledger::add;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::tls::{self, ServerTls};
use crate::{ComponentError, listen, serve};
use answer::{Answer, Refused};
use body::{BodyLimits, Room, Share};
use jetty::Jetty;
use server::ServerOptions;

/// Where spans of a batch end.
const BODY_BYTES_MAX: usize = 1 << 30;

options! {
    /// Takes events out of HTTP requests: `POST` to any path. What a request holds is the handler's business; without
    /// one it is a JSON array of events.
    ///
    /// **Answers.** 200 with an empty body: all events of the request are stored in every required channel, or were
    /// dropped on purpose by an interceptor or the selector, and counted. 400: the request is not what the handler
    /// reads. 503, with `Retry-After`: a channel has no room, or too many bytes are under way; the events are still
    /// the client's. 500: what Flume answers with 500, and interceptors that failed. 413: too large. 415: a
    /// `Content-Encoding` that is not known. 408: too slow. 431: the head is too large. 403: `TRACE` and `OPTIONS`.
    /// 405 and 501: other methods. `GET` is treated as `POST`, as in Flume. Errors say why in plain text.
    ///
    /// **All or nothing.** The events of a request are stored together, unless there are more of them than a channel
    /// holds: then a part may be stored when the answer is 503.
    ///
    /// **Packed bodies** (`Content-Encoding: gzip`, `deflate`, `zstd`) are unpacked, within the same limits.
    pub struct HttpOptions {
        /// Host name or address to listen on. `0.0.0.0` means all, IPv6 included.
        "bind" => bind: String = "0.0.0.0".to_owned(),
        /// Port to listen on; 0 lets the system choose one, which is logged.
        "port" => port: u16,
        /// What makes events of a request: one of Flume's classes (see HTTP handlers), or a WebAssembly component
        /// (`handlers/mine.wasm`). Its own options follow the key: `handler.maxBlobLength`.
        "handler" => handler: String = http_handlers::DEFAULT.to_owned(),
        /// Largest body in bytes, packed and unpacked; at most 1 GiB. Flumen only.
        "bodyBytesMax" => body_bytes_max: Count = Count(128 << 20),
        /// What the bodies of all requests under way may take together, in bytes; beyond it requests are answered
        /// with 503. Flumen only.
        "bodiesBytesMax" => bodies_bytes_max: Count = Count(512 << 20),
        /// Most connections at once; more are closed. Flumen only.
        "connectionsMax" => connections_max: Count = Count(10_000),
        /// `maxThreads`: most requests that are handled at the same time; others wait. The other properties of
        /// Jetty's thread pool are accepted without effect.
        "QueuedThreadPool." => queued_thread_pool: Below,
        /// `requestHeaderSize`: most bytes of a head, 8192. `idleTimeout`: milliseconds. `minRequestDataRate`: bytes
        /// per second that a body must come with, at least 100. `persistentConnectionsEnabled`: whether a connection
        /// serves several requests. `sendDateHeader`. The other properties are accepted without effect.
        "HttpConfiguration." => http_configuration: Below,
        /// `includeProtocols`, `excludeProtocols`, `includeCipherSuites`, `excludeCipherSuites`, `needClientAuth`,
        /// `wantClientAuth`: as the source's own keys, whose place they take. Others are accepted without effect.
        "SslContextFactory." => ssl_context_factory: Below,
        /// `idleTimeout`: milliseconds that a client may say nothing, and may take for a head, 30000.
        /// `acceptQueueSize`: connections that the kernel holds until they are accepted. `host`, `port`: instead of
        /// `bind` and `port`. The other properties are accepted without effect.
        "ServerConnector." => server_connector: Below,
    }
}

pub(super) const HTTP: SourceType = SourceType {
    spec: ComponentSpec {
        kind: ComponentKind::Source,
        name: "http",
        aliases: &["org.apache.flume.source.http.HTTPSource"],
        doc: HttpOptions::DOC,
        options: join_options!(HttpOptions::OPTIONS, tls::HTTP_SERVER_OPTIONS),
        check: |settings, diagnostics| read(settings, diagnostics).is_some(),
        batch_size: None,
        transaction_capacity: None,
    },
    build: |settings| {
        let mut parts = Diagnostics::or(|diagnostics| read(settings, diagnostics))?;
        parts.handler = Some(build_handler(settings)?);
        Ok(Box::new(parts))
    },
};

fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<HttpSource> {
    let options = HttpOptions::read(settings, diagnostics);
    let jetty = jetty::read(settings, diagnostics);
    let tls = tls::http_server(&jetty::with_tls(settings), diagnostics);
    let (options, jetty, tls) = (options?, jetty?, tls?);
    for (key, value) in [
        ("bodyBytesMax", options.body_bytes_max.0),
        ("HttpConfiguration.requestHeaderSize", jetty.request_header_bytes_max),
    ] {
        if value > BODY_BYTES_MAX {
            let text = format!("`{key} = {value}`: at most {BODY_BYTES_MAX} bytes");
            diagnostics
                .push(Diagnostic::error("bad-value", text).on(settings.path()).at(&settings.origin(key)));
            return None;
        }
    }
    Some(HttpSource { options, jetty, tls, handler: None })
}

struct HttpSource {
    options: HttpOptions,
    jetty: Jetty,
    tls: Option<ServerTls>,
    /// Built after the check, which looks at the handler by itself.
    handler: Option<Arc<dyn HttpHandler>>,
}

#[async_trait]
impl Source for HttpSource {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let handler = self.handler.clone().ok_or("the source has no handler")?;
        let acceptor = self.tls.as_ref().map(ServerTls::acceptor).transpose()?;
        let host = self.jetty.host.as_ref().unwrap_or(&self.options.bind);
        let port = self.jetty.port.unwrap_or(self.options.port);
        let listener = listen::tcp_with(host, port, self.jetty.accept_queue).await?;
        tracing::info!("http source listens on {}", listen::as_java_prints(listener.local_addr()?));
        let shared = Arc::new(Shared {
            handler,
            context: context.clone(),
            server: ServerOptions {
                acceptor,
                idle_timeout: self.jetty.idle_timeout,
                head_bytes_max: self.jetty.request_header_bytes_max,
                keeps_connections: self.jetty.keeps_connections,
                sends_date: self.jetty.sends_date,
            },
            bodies: BodyLimits {
                bytes_max: self.options.body_bytes_max.0,
                idle_timeout: self.jetty.idle_timeout,
                rate_min: self.jetty.min_request_data_rate,
                room: Arc::new(Room::new(self.options.bodies_bytes_max.0)),
            },
            turns: self.jetty.requests_max.map(|max| Semaphore::new(max.min(Semaphore::MAX_PERMITS))),
        });
        context.ready();
        serve::connections(listener, self.options.connections_max.0, context, |stream, peer| {
            let shared = shared.clone();
            async move {
                server::serve(&shared.server, stream, peer, &shared.context, |request| {
                    shared.answer(request)
                })
                .await;
            }
        })
        .await;
        Ok(SourceEnd::Stopped)
    }
}

/// What all connections share.
struct Shared {
    handler: Arc<dyn HttpHandler>,
    context: SourceContext,
    server: ServerOptions,
    bodies: BodyLimits,
    /// How many requests may be handled at once.
    turns: Option<Semaphore>,
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        match self.store(request).await {
            Ok(()) => Answer::default(),
            Err(refused) => {
                let counters = &self.context.counters;
                if !matches!(refused, Refused::Rejected(_)) {
                    add(&counters.event_read_fail, 1);
                }
                tracing::debug!(%refused, "an HTTP request was refused");
                refused.answer()
            }
        }
    }

    async fn store(&self, request: Request<Incoming>) -> Result<(), Refused> {
        let (head, body) = request.into_parts();
        match head.method {
            // Flume's servlet does the same for all three.
            Method::POST | Method::GET | Method::HEAD => {}
            Method::TRACE | Method::OPTIONS => return Err(Refused::Forbidden),
            Method::PUT | Method::DELETE => return Err(Refused::Method),
            _ => return Err(Refused::UnknownMethod),
        }
        let bytes_max = self.server.head_bytes_max;
        let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        if fields.sum::<usize>() + path.len() > bytes_max {
            return Err(Refused::HeadTooLarge { bytes_max });
        }
        // Held until the events are stored.
        let mut share = Share::of(&self.bodies.room);
        let body = body::read(&head.headers, body, &self.bodies, &mut share).await?;
        let _turn = match &self.turns {
            Some(turns) => turns.acquire().await.ok(),
            None => None,
        };
        let text =
            |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let request = HttpRequest {
            method: head.method.as_str().to_owned(),
            path: path.to_owned(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect(),
            body,
        };
        let batch = self.handler.handle(request).await.map_err(Refused::Handler)?;
        let counters = &self.context.counters;
        add(&counters.append_batch_received, 1);
        self.context.outlet.here().deliver(batch).await.map_err(Refused::Rejected)?;
        add(&counters.append_batch_accepted, 1);
        Ok(())
    }
}
