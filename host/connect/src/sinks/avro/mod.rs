//! `avro`: events to the avro source of another agent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Options, Settings, join_options, options};
use flumen_event::Batch;

use crate::ComponentError;
use crate::catalog::SinkType;
use crate::ledger::{SinkCounters, add};
use crate::rpc::RpcError;
use crate::rpc::avro::{AvroConnection, AvroTarget};
use crate::rpc::properties::{TIMEOUT_MS, TimeoutMs};
use crate::sink::{Delivery, Sink};
use crate::tls;
use crate::wire::deflate::{CompressionType, Level};

options! {
    /// Sends events to the avro source of another agent, Flume's or Flumen's.
    ///
    /// A batch leaves the channel when the other side has answered `OK`. With any other answer, no answer in time, or
    /// a broken connection, the events stay in the channel, the connection is closed, and they are sent again over a
    /// new one: if only the answer was lost, they arrive twice. There is one request under way at a time, so events
    /// arrive in order. Events of more than 16 MiB together go in several requests.
    pub struct AvroSinkOptions {
        /// Host name or address of the other agent.
        "hostname" => hostname: String,
        /// Port of its avro source.
        "port" => port: u16,
        /// Most events in one request.
        "batch-size" => batch_size: Count = Count(100),
        /// Milliseconds to connect in; less than 1000 is taken for the default, with a warning.
        "connect-timeout" => connect_timeout: TimeoutMs = TimeoutMs(TIMEOUT_MS), lenient;
        /// Milliseconds for a request to be answered in; less than 1000 is taken for the default, with a warning.
        "request-timeout" => request_timeout: TimeoutMs = TimeoutMs(TIMEOUT_MS), lenient;
        /// Seconds after which the connection is made anew, so that a balancer in front of several agents can choose
        /// again. 0: never.
        "reset-connection-interval" => reset_interval_s: u64 = 0,
        /// `none`, or `deflate`: one zlib stream in each direction. The other side must have the same.
        "compression-type" => compression: CompressionType = CompressionType::None,
        /// 0 (none) to 9 (best).
        "compression-level" => compression_level: Level = Level(6),
        /// With `ssl = true` and `compression-type = deflate`: which is outside on the wire. False: TLS, as Flume 1.9 and
        /// Flumen have it. True: the compression, as Flume 1.10 and later have it; a source of those understands nothing
        /// else. Flumen's own source understands both. Flumen only.
        "compressionOutside" => compresses_outside: bool = false,
        /// Accepted without effect: a sink needs no threads of its own for input and output.
        "maxIoWorkers" => max_io_workers: Option<String>,
    }
}

pub(super) const AVRO: SinkType = SinkType {
    spec: ComponentSpec {
        options: join_options!(AvroSinkOptions::OPTIONS, tls::CLIENT_OPTIONS),
        check: |settings, diagnostics| read(settings, diagnostics).is_some(),
        batch_size: Some(|settings| AvroSinkOptions::of(settings).map_or(0, |o| o.batch_size.0)),
        ..ComponentSpec::of::<AvroSinkOptions>(
            ComponentKind::Sink,
            "avro",
            &["org.apache.flume.sink.AvroSink"],
        )
    },
    build: |settings| {
        let mut diagnostics = Diagnostics::default();
        read(settings, &mut diagnostics).map(|sink| Box::new(sink) as _).ok_or(diagnostics)
    },
};

fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<AvroSink> {
    let tls = tls::client(settings, diagnostics);
    let options = AvroSinkOptions::read(settings, diagnostics)?;
    let target = AvroTarget {
        host: options.hostname.clone(),
        port: options.port,
        connect_timeout: options.connect_timeout.duration(),
        request_timeout: options.request_timeout.duration(),
        compression_level: options.compression.level(options.compression_level),
        tls: tls?,
        compresses_outside: options.compresses_outside,
    };
    Some(AvroSink {
        name: settings.name().to_owned(),
        batch_size: options.batch_size.0,
        reset_interval: (options.reset_interval_s > 0).then(|| Duration::from_secs(options.reset_interval_s)),
        target,
        counters: Arc::default(),
        open: None,
    })
}

struct AvroSink {
    name: String,
    batch_size: usize,
    reset_interval: Option<Duration>,
    target: AvroTarget,
    counters: Arc<SinkCounters>,
    open: Option<Open>,
}

struct Open {
    connection: AvroConnection,
    since: Instant,
}

impl Open {
    async fn close(self, counters: &SinkCounters) {
        add(&counters.connection_closed, 1);
        self.connection.close().await;
    }
}

impl AvroSink {
    /// The connection to send over; what is left of it after an error must not be used.
    async fn connection(&mut self) -> Result<Open, RpcError> {
        if let Some(mut open) = self.open.take() {
            let is_old = self.reset_interval.is_some_and(|interval| open.since.elapsed() >= interval);
            if !is_old && !open.connection.has_ended().await {
                return Ok(open);
            }
            open.close(&self.counters).await;
        }
        match self.target.connect().await {
            Ok(connection) => {
                add(&self.counters.connection_created, 1);
                Ok(Open { connection, since: Instant::now() })
            }
            Err(error) => {
                add(&self.counters.connection_failed, 1);
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Sink for AvroSink {
    fn batch_size(&self) -> usize {
        self.batch_size
    }
    fn attach(&mut self, counters: Arc<SinkCounters>) {
        self.counters = counters;
    }
    async fn open(&mut self) -> Result<(), ComponentError> {
        self.open = Some(self.connection().await?);
        tracing::info!("Avro sink {} is connected to {}", self.name, self.target.name());
        Ok(())
    }
    async fn deliver(&mut self, events: &[Batch]) -> Result<Delivery, ComponentError> {
        let mut open = self.connection().await?;
        match open.connection.append_batch(events).await {
            Ok(()) => {
                self.open = Some(open);
                Ok(Delivery::default())
            }
            Err(error) => {
                open.close(&self.counters).await;
                Err(error.into())
            }
        }
    }
    async fn close(&mut self) -> Result<(), ComponentError> {
        if let Some(open) = self.open.take() {
            open.close(&self.counters).await;
        }
        Ok(())
    }
}
