//! `org.apache.flume.source.avroLegacy.AvroLegacySource`: events of Flume 0.9 ("OG"), by Avro over HTTP.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};

use super::http::answer::{Answer, Refused};
use super::http::body::{self, BodyLimits, Room, Share};
use super::http::server::{self, ServerOptions};
use crate::catalog::SourceType;
use crate::ledger::add;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::{ComponentError, listen, serve};
use wire::{Call, Clients};

/// Jetty's own, which Flume does not change here.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const HEAD_BYTES_MAX: usize = 8192;
/// An event of Flume 0.9 is at most 32 KiB, unless it was configured otherwise.
const BODY_BYTES_MAX: usize = 16 << 20;
const BODIES_BYTES_MAX: usize = 128 << 20;
const CONNECTIONS_MAX: usize = 10_000;

options! {
    /// Takes events of Flume 0.9 agents ("OG"), which send each in an HTTP request of its own: `append` of the Avro
    /// protocol `FlumeOGEventAvroServer`.
    ///
    /// Headers are `host`, `timestamp`, `pri`, `nanos`, each field of the event as text, and `FlumeOG` = `yes`.
    /// An event is answered after it is stored. If it is not, the answer is an error, where Flume says "stored".
    ///
    /// Requests are at most 16 MiB, connections at most 10,000; one that says nothing for 30 s is closed.
    pub struct AvroLegacyOptions {
        /// Host name or address to listen on.
        "host" => host: String,
        /// Port to listen on; 0 lets the system choose one, which is logged.
        "port" => port: u16,
    }
}

const NAME: &str = "org.apache.flume.source.avroLegacy.AvroLegacySource";

pub(super) const AVRO_LEGACY: SourceType = SourceType {
    spec: ComponentSpec::of::<AvroLegacyOptions>(ComponentKind::Source, NAME, &[]),
    build: |settings| Ok(Box::new(AvroLegacySource { options: AvroLegacyOptions::of(settings)? })),
};

struct AvroLegacySource {
    options: AvroLegacyOptions,
}

#[async_trait]
impl Source for AvroLegacySource {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let listener = listen::tcp(&self.options.host, self.options.port).await?;
        tracing::info!("avroLegacy source listens on {}", listen::as_java_prints(listener.local_addr()?));
        let shared = Arc::new(Shared {
            clients: Clients::default(),
            context: context.clone(),
            server: ServerOptions {
                acceptor: None,
                idle_timeout: IDLE_TIMEOUT,
                head_bytes_max: HEAD_BYTES_MAX,
                keeps_connections: true,
                sends_date: true,
            },
            bodies: BodyLimits {
                bytes_max: BODY_BYTES_MAX,
                idle_timeout: IDLE_TIMEOUT,
                rate_min: 0,
                room: Arc::new(Room::new(BODIES_BYTES_MAX)),
            },
        });
        context.ready();
        serve::connections(listener, CONNECTIONS_MAX, context, |stream, peer| {
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

struct Shared {
    clients: Clients,
    context: SourceContext,
    server: ServerOptions,
    bodies: BodyLimits,
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        match self.serve(request).await {
            Ok(answer) => answer,
            Err(refused) => {
                add(&self.context.counters.event_read_fail, 1);
                tracing::debug!(%refused, "a request of avroLegacy was refused");
                refused.answer()
            }
        }
    }

    async fn serve(&self, request: Request<Incoming>) -> Result<Answer, Refused> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return Err(Refused::Method);
        }
        let mut share = Share::of(&self.bodies.room);
        let body = body::read(&head.headers, body, &self.bodies, &mut share).await?;
        let request = self.clients.read(&body).map_err(|error| Refused::Broken(error.to_string()))?;
        let outcome = match &request.call {
            Call::Greeting => Ok(()),
            Call::Unknown(why) => Err(why.clone()),
            Call::Append(event) => {
                add(&self.context.counters.append_received, 1);
                let stored = self.context.outlet.here().deliver(event.batch.clone()).await;
                if stored.is_ok() {
                    add(&self.context.counters.append_accepted, 1);
                }
                stored.map_err(|refused| refused.to_string())
            }
        };
        let mut answer = Response::new(Full::new(Bytes::from(request.answer(outcome))));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("avro/binary"));
        Ok(answer)
    }
}
