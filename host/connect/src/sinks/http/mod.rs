//! `http`: each event in a request of its own.
//!
//! ```text
//! event ─▶ client: POST ─▶ status ─▶ rules ─▶ gone (delivered or dropped), or again later
//!                          no answer ────────▶ again later
//! ```

mod client;
mod endpoint;
mod rules;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flumen_config::options::Below;
use flumen_config::{
    ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, join_options, options,
};
use flumen_event::Batch;
use hyper::header::HeaderValue;

use crate::ComponentError;
use crate::catalog::SinkType;
use crate::interceptor::Drops;
use crate::ledger::{SinkCounters, add};
use crate::sink::{Delivery, Sink};
use crate::tls;
use client::{Client, ClientParts};
use endpoint::Endpoint;
use rules::{Defaults, Rules, Verdict};

/// After an answer that wants a pause, as Flume's runner takes it: longer with each in a row.
const PAUSE_STEP: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// An event that is to be sent again without a pause is, for so long; then the runner's pauses follow, and a sink
/// group may choose another sink.
const AT_ONCE_WITHIN: Duration = Duration::from_secs(1);

options! {
    /// Posts the body of each event to a URL and looks at the status of the answer. Headers of events are not sent.
    /// An `https` URL is spoken to with TLS; then `truststore` and its like say whom to believe.
    ///
    /// **What the status means.** Three questions, each answered by the most exact rule: that of the code
    /// (`rollback.503`), that of its class (`rollback.5XX`), the default (`defaultRollback`).
    /// *Rollback:* the event stays in the channel and is sent again. *Backoff:* the sink pauses first. *Increment
    /// metrics:* an event that an error status removed counts as delivered; otherwise it counts as dropped, with the
    /// status as the cause.
    /// The defaults are for errors. An answer of the class 2XX is a success unless a rule for it says otherwise.
    ///
    /// **Without an answer** (no connection, no answer in time, not HTTP) the event stays, and is sent again after a
    /// pause; a failover group turns to its next sink. So an event may arrive twice, and is not lost.
    ///
    /// Redirections are not followed: their status is judged as any other. An event without a body is dropped and
    /// counted. A name and password in the URL (`http://name:password@host/`) are sent as basic authentication.
    pub struct HttpSinkOptions {
        /// The URL: `http://host:port/path` or `https://…`.
        "endpoint" => endpoint: String,
        /// Milliseconds until a connection must stand, TLS included.
        "connectTimeout" => connect_timeout_ms: u32 = 5000,
        /// Milliseconds from the begin of a request to the status of its answer.
        "requestTimeout" => request_timeout_ms: u32 = 5000,
        /// The header `Content-Type`.
        "contentTypeHeader" => content_type: String = "text/plain".to_owned(),
        /// The header `Accept`.
        "acceptHeader" => accept: String = "text/plain".to_owned(),
        /// Whether to pause after an error status that no rule names.
        "defaultBackoff" => default_backoff: bool = true,
        /// Whether to send an event again after an error status that no rule names.
        "defaultRollback" => default_rollback: bool = true,
        /// Whether an event that an error status removed counts as delivered, if no rule names it.
        "defaultIncrementMetrics" => default_increment_metrics: bool = false,
        /// `backoff.CODE`: whether to pause after this status; CODE is a status (`503`) or a class (`5XX`).
        "backoff." => backoff: Below,
        /// `rollback.CODE`: whether to send the event again after this status.
        "rollback." => rollback: Below,
        /// `incrementMetrics.CODE`: whether an event that this status removed counts as delivered.
        "incrementMetrics." => increment_metrics: Below,
    }
}

pub(super) const HTTP: SinkType = SinkType {
    spec: ComponentSpec {
        kind: ComponentKind::Sink,
        name: "http",
        aliases: &["org.apache.flume.sink.http.HttpSink"],
        doc: HttpSinkOptions::DOC,
        options: join_options!(HttpSinkOptions::OPTIONS, tls::HTTPS_CLIENT_OPTIONS),
        check: |settings, diagnostics| read(settings, diagnostics).is_some(),
        batch_size: Some(|_| 1),
        transaction_capacity: None,
    },
    build: |settings| {
        Diagnostics::or(|diagnostics| read(settings, diagnostics)).map(|sink| Box::new(sink) as _)
    },
};

fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<HttpSink> {
    let options = HttpSinkOptions::read(settings, diagnostics)?;
    let mut bad = |key: &str, why: String| {
        let shown = settings.shown(key).unwrap_or_default();
        let finding = Diagnostic::error("bad-value", format!("`{key} = {shown}`: {why}"));
        diagnostics.push(finding.on(settings.path()).at(&settings.origin(key)));
    };
    let endpoint = Endpoint::parse(&options.endpoint).map_err(|why| bad("endpoint", why)).ok();
    let mut timeout = |key: &str, ms: u32| {
        if ms == 0 {
            bad(key, "must be above 0".to_owned());
        }
        (ms > 0).then(|| Duration::from_millis(u64::from(ms)))
    };
    let connect_timeout = timeout("connectTimeout", options.connect_timeout_ms);
    let request_timeout = timeout("requestTimeout", options.request_timeout_ms);
    let mut header = |key: &str, text: &str| {
        HeaderValue::from_str(text).map_err(|_| bad(key, "not the value of a header".to_owned())).ok()
    };
    let content_type = header("contentTypeHeader", &options.content_type);
    let accept = header("acceptHeader", &options.accept);
    let defaults = Defaults {
        rollback: options.default_rollback,
        backoff: options.default_backoff,
        counts: options.default_increment_metrics,
    };
    let rules = Rules::read(settings, defaults, diagnostics);
    let endpoint = endpoint?;
    let tls = if endpoint.is_https { Some(tls::https_client(settings, diagnostics)?) } else { None };
    let parts = ClientParts {
        endpoint,
        tls,
        connect_timeout: connect_timeout?,
        request_timeout: request_timeout?,
        content_type: content_type?,
        accept: accept?,
    };
    Some(HttpSink {
        client: Client::new(parts),
        rules: rules?,
        counters: Arc::default(),
        pauses: 0,
        pause_until: None,
    })
}

/// The server did not want the event.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint} answered {status}: the event stays and is sent again")]
struct StatusError {
    endpoint: String,
    status: u16,
}

struct HttpSink {
    client: Client,
    rules: Rules,
    counters: Arc<SinkCounters>,
    /// Answers in a row that wanted a pause and removed their event.
    pauses: u32,
    pause_until: Option<Instant>,
}

#[async_trait]
impl Sink for HttpSink {
    /// As in Flume: a transaction for each event, so that an error repeats no other.
    fn batch_size(&self) -> usize {
        1
    }
    fn attach(&mut self, counters: Arc<SinkCounters>) {
        self.counters = counters;
    }
    async fn open(&mut self) -> Result<(), ComponentError> {
        Ok(self.client.open()?)
    }
    async fn deliver(&mut self, events: &[Batch]) -> Result<Delivery, ComponentError> {
        let mut drops = Drops::default();
        for batch in events {
            for event in batch.iter() {
                if event.body().is_empty() {
                    drops.add("http: no body", 1);
                    continue;
                }
                let body = batch.arena().slice(event.span().range());
                let sent = self.send(body, &mut drops).await;
                let (opened, closed) = self.client.take_counts();
                add(&self.counters.connection_created, opened);
                add(&self.counters.connection_closed, closed);
                sent?;
            }
        }
        Ok(Delivery { dropped: drops })
    }
    async fn close(&mut self) -> Result<(), ComponentError> {
        self.client.close();
        let (_, closed) = self.client.take_counts();
        add(&self.counters.connection_closed, closed);
        Ok(())
    }
}

impl HttpSink {
    async fn send(&mut self, body: bytes::Bytes, drops: &mut Drops) -> Result<(), ComponentError> {
        if let Some(until) = self.pause_until.take() {
            tokio::time::sleep_until(until.into()).await;
        }
        let since = Instant::now();
        loop {
            let status = match self.client.post(body.clone()).await {
                Ok(status) => status,
                Err(error) => {
                    add(&self.counters.connection_failed, 1);
                    return Err(error.into());
                }
            };
            match self.rules.verdict(status) {
                Verdict { rollback: true, backoff: false, .. } if since.elapsed() < AT_ONCE_WITHIN => {}
                Verdict { rollback: true, .. } => {
                    let endpoint = self.client.endpoint().to_string();
                    return Err(StatusError { endpoint, status }.into());
                }
                verdict => {
                    self.settle(status, verdict, drops);
                    return Ok(());
                }
            }
        }
    }

    /// The event leaves the channel.
    fn settle(&mut self, status: u16, verdict: Verdict, drops: &mut Drops) {
        if !verdict.counts && !(200..300).contains(&status) {
            drops.add(format!("http: status {status}"), 1);
        }
        if !verdict.backoff {
            self.pauses = 0;
            return;
        }
        self.pauses = self.pauses.saturating_add(1);
        self.pause_until = Some(Instant::now() + (PAUSE_STEP * self.pauses).min(PAUSE_MAX));
    }
}
