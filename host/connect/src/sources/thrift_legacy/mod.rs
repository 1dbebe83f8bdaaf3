//! `org.apache.flume.source.thriftLegacy.ThriftLegacySource`: events from agents of Flume 0.9.
//!
//! ```text
//! bytes without frames ─▶ Scan: where does the message end? ─▶ event ─▶ outlet
//!                                                             nobody is answered: the input waits for room
//! ```

mod event;
mod scan;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use flumen_event::{Batch, BatchBuilder, LimitExceeded};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::ledger::add;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::wire::thrift::message::{self, Exception};
use crate::wire::thrift::serve::Complaints;
use crate::wire::thrift::{Malformed, Protocol};
use crate::{listen, serve};

use event::Call;
use scan::Scan;

/// Room for the next read.
const READ_BYTES: usize = 16 * 1024;
/// A buffer that grew beyond this is given back when it is empty.
const KEEP_BYTES: usize = 64 * 1024;
/// How long a message may take from its first byte to its last.
const MESSAGE_WITHIN: Duration = Duration::from_secs(120);
/// How long events wait for room when the source stops; nobody else has them.
const STORE_WITHIN: Duration = Duration::from_secs(1);

options! {
    /// Listens for agents of Flume 0.9 ("OG") with their `thrift` sinks, to move from there. Each message is an event;
    /// its time, priority, nanoseconds and host become the headers `timestamp`, `pri`, `nanos` and `host`, its fields
    /// headers of the same names, and `FlumeOG` is `yes`. What an event does not have makes no header.
    ///
    /// Events are not answered: a sender never learns whether its event was stored. While the channels are full
    /// the connection is not read, so that the sender waits. (Flume drops the event.) Use it only until the old
    /// agents are replaced.
    pub struct ThriftLegacyOptions {
        /// Host name or address to listen on. `0.0.0.0` means all, IPv6 included.
        "host" => host: String,
        /// Port to listen on; 0 lets the system choose one, which is logged.
        "port" => port: u16,
        /// Flumen only: the largest message in bytes that is taken; a larger one ends its connection. Flume 0.9 itself
        /// made no events above 32 KiB unless it was told to.
        "max-message-bytes" => max_message_bytes: Count = Count(1 << 20),
        /// Flumen only: most connections at a time; further ones are closed at once.
        "connectionsMax" => connections_max: Count = Count(1_000),
    }
}

pub(super) const THRIFT_LEGACY: SourceType = SourceType {
    spec: ComponentSpec::of::<ThriftLegacyOptions>(
        ComponentKind::Source,
        "org.apache.flume.source.thriftLegacy.ThriftLegacySource",
        &[],
    ),
    build: |settings| {
        Ok(Box::new(ThriftLegacy { options: ThriftLegacyOptions::of(settings)?, complaints: Arc::default() }))
    },
};

struct ThriftLegacy {
    options: ThriftLegacyOptions,
    complaints: Arc<Complaints>,
}

#[async_trait]
impl Source for ThriftLegacy {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let listener = listen::tcp(&self.options.host, self.options.port).await?;
        tracing::info!(address = %listener.local_addr()?, "legacy thrift source listens");
        context.ready();
        let bytes_max = self.options.max_message_bytes.0.min(i32::MAX as usize);
        serve::connections(listener, self.options.connections_max.0, context, |stream, peer| {
            let (context, complaints) = (context.clone(), Arc::clone(&self.complaints));
            async move {
                let mut connection =
                    Connection { stream, held: BytesMut::new(), deadline: None, bytes_max, context: &context };
                match connection.serve().await {
                    Ok(()) => {}
                    Err(Broken::Io(error)) => tracing::debug!(%peer, %error, "a legacy connection broke"),
                    Err(broken) => {
                        add(&context.counters.event_read_fail, 1);
                        if let Some(unsaid) = complaints.may_complain() {
                            tracing::warn!(%peer, not_logged_since = unsaid, "legacy connection closed: {broken}");
                        }
                    }
                }
            }
        })
        .await;
        Ok(SourceEnd::Stopped)
    }
}

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("a message was not complete within {} s", MESSAGE_WITHIN.as_secs())]
    TooSlow,
}

/// What messages brought.
#[derive(Default)]
struct Taken {
    events: Vec<Batch>,
    answers: Vec<u8>,
}

impl Taken {
    /// Without its frame, as the calls come without.
    fn answer(&mut self, framed: &[u8]) {
        self.answers.extend_from_slice(&framed[4..]);
    }
}

struct Connection<'a> {
    stream: TcpStream,
    held: BytesMut,
    /// When the message that has begun must be complete.
    deadline: Option<Instant>,
    bytes_max: usize,
    context: &'a SourceContext,
}

impl Connection<'_> {
    async fn serve(&mut self) -> Result<(), Broken> {
        let mut scan = Scan::new(self.bytes_max);
        loop {
            let (ended, taken) = self.take_messages(&mut scan);
            self.store(taken.events).await;
            // After what came before them is stored.
            self.stream.write_all(&taken.answers).await?;
            // What came before a malformed message is stored all the same.
            ended?;
            if !self.held.is_empty() {
                self.deadline.get_or_insert_with(|| Instant::now() + MESSAGE_WITHIN);
            } else if self.held.capacity() > KEEP_BYTES {
                self.held = BytesMut::new();
            }
            self.held.reserve(READ_BYTES);
            let read = tokio::select! {
                () = self.context.stop.requested() => return Ok(()),
                read = read(&mut self.stream, &mut self.held, self.deadline) => read?,
            };
            if read == 0 {
                if !self.held.is_empty() {
                    self.context.outlet.give_up("thriftLegacy: connection closed within an event", 1);
                }
                return Ok(());
            }
        }
    }

    /// Takes the whole messages off what is held.
    fn take_messages(&mut self, scan: &mut Scan) -> (Result<(), Broken>, Taken) {
        let (mut builder, mut taken) = (BatchBuilder::default(), Taken::default());
        let ended = loop {
            let end = match scan.advance(&self.held) {
                Ok(Some(end)) => end,
                Ok(None) => break Ok(()),
                Err(malformed) => break Err(malformed.into()),
            };
            *scan = Scan::new(self.bytes_max);
            match event::read(&self.held[..end]) {
                Ok(Call::Append(Some(event))) => {
                    add_event(&event, &mut builder, &mut taken.events, self.context);
                }
                Ok(Call::Append(None) | Call::Close { is_answered: false, .. }) => {}
                Ok(Call::Close { sequence, is_answered: true }) => taken.answer(&closed(sequence)),
                Ok(Call::Unknown { name, sequence }) => taken.answer(&unknown(&name, sequence)),
                Err(malformed) => break Err(malformed.into()),
            }
            self.held.advance(end);
            self.deadline = None;
        };
        if !builder.is_empty() {
            taken.events.push(builder.finish());
        }
        (ended, taken)
    }

    async fn store(&self, batches: Vec<Batch>) {
        for batch in batches {
            let mut stored = 0;
            let is_done = {
                let storing = self.context.outlet.deliver_patiently(&batch, &mut stored);
                tokio::pin!(storing);
                tokio::select! {
                    () = &mut storing => true,
                    () = self.context.stop.requested() => timeout(STORE_WITHIN, storing).await.is_ok(),
                }
            };
            if !is_done {
                self.context
                    .outlet
                    .give_up("thriftLegacy: no room when the agent stopped", batch.len() - stored);
            }
        }
    }
}

fn add_event(
    event: &event::OldEvent<'_>,
    builder: &mut BatchBuilder,
    full: &mut Vec<Batch>,
    context: &SourceContext,
) {
    let mut added = event.add_to(builder);
    if added == Err(LimitExceeded::BatchFull) {
        full.push(builder.finish());
        added = event.add_to(builder);
    }
    if added.is_err() {
        context.outlet.give_up("thriftLegacy: too many headers", 1);
    }
}

fn unknown(name: &str, sequence: i32) -> Vec<u8> {
    let call = message::Call { protocol: Protocol::Binary, name, sequence };
    call.exception(&Exception::unknown_method(name))
}

async fn read(
    stream: &mut TcpStream,
    held: &mut BytesMut,
    deadline: Option<Instant>,
) -> Result<usize, Broken> {
    match deadline {
        None => Ok(stream.read_buf(held).await?),
        Some(deadline) => match timeout_at(deadline, stream.read_buf(held)).await {
            Ok(read) => Ok(read?),
            Err(_late) => Err(Broken::TooSlow),
        },
    }
}

fn closed(sequence: i32) -> Vec<u8> {
    message::Call { protocol: Protocol::Binary, name: "close", sequence }.nothing()
}
