//! One connection: read, parse, store, and read again when all of it is stored, so that a full channel makes the
//! sender wait.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{BufMut, BytesMut};
use flumen_event::Batch;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::select;
use tokio::time::timeout;

use crate::ledger::add;
use crate::outlet::Outlet;
use crate::source::SourceContext;
use crate::sources::large_reads::{LargeReads, Share};

use super::buffers::{Buffers, READ_BYTES_MAX, TAIL_BYTES_MAX};
use super::client::Constants;
use super::decoder::{Decoder, End, Rules};

/// When asked to stop, what has arrived already is still read for so long.
const LAST_READS: Duration = Duration::from_millis(500);
/// A goodbye that the sender does not take is given up.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// A source says this often that messages are not what they should be.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// What the connections of a source share.
pub(super) struct Shared {
    pub kind: &'static str,
    pub buffers: Buffers,
    pub large_reads: LargeReads,
    /// Size of a read when large ones are too many.
    pub read_bytes_min: usize,
    /// Most events of one put.
    pub batch_events_max: usize,
    /// Whether invalid messages count as `EventReadFail`, as in one of Flume's sources.
    pub counts_invalid: bool,
    pub complaints: Complaints,
}

impl Shared {
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            buffers: Buffers::default(),
            large_reads: LargeReads::default(),
            read_bytes_min: 4096,
            batch_events_max: usize::MAX,
            counts_invalid: false,
            complaints: Complaints::default(),
        }
    }
}

/// Invalid and incomplete messages, for a warning now and then.
#[derive(Default)]
pub(super) struct Complaints(Mutex<Complained>);

#[derive(Default)]
struct Complained {
    invalid: usize,
    incomplete: usize,
    at: Option<Instant>,
}

impl Complaints {
    /// Takes what a decoder has counted, and sets that to zero.
    pub fn take(&self, decoder: &mut Decoder, kind: &str) {
        let (invalid, incomplete) =
            (std::mem::take(&mut decoder.invalid), std::mem::take(&mut decoder.incomplete));
        if invalid + incomplete == 0 {
            return;
        }
        let mut said = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        said.invalid += invalid;
        said.incomplete += incomplete;
        if said.at.is_some_and(|at| at.elapsed() < COMPLAIN_EVERY) {
            return;
        }
        let Complained { invalid, incomplete, .. } =
            std::mem::replace(&mut *said, Complained { at: Some(Instant::now()), ..Complained::default() });
        tracing::warn!(
            source = kind,
            invalid,
            incomplete,
            "messages that are no syslog messages, or longer than `eventSize`, go on with a status header"
        );
    }
}

/// Serves a stream until the sender or the agent ends it.
pub(super) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    rules: &Arc<Rules>,
    shared: &Shared,
    constants: Constants,
    context: &SourceContext,
) -> io::Result<()> {
    read_all(&mut stream, rules, shared, constants, context).await?;
    // RFC 5425: who says goodbye over TLS is told the same. Whether he hears it makes no difference.
    let _unheard = timeout(GOODBYE_WITHIN, stream.shutdown()).await;
    Ok(())
}

async fn read_all(
    stream: &mut (impl AsyncRead + Unpin),
    rules: &Arc<Rules>,
    shared: &Shared,
    constants: Constants,
    context: &SourceContext,
) -> io::Result<()> {
    let mut connection = Connection {
        decoder: Decoder::new(rules.clone()),
        held: BytesMut::new(),
        shared,
        constants,
        context,
    };
    let mut stopped = pin!(context.stop.requested());
    loop {
        let read = select! {
            biased;
            () = &mut stopped => break,
            read = std::future::poll_fn(|cx| connection.poll_read(stream, cx)) => read,
        };
        match read {
            Ok(read) if read.count == 0 => return connection.take_in(read, End::Closed).await,
            Ok(read) => connection.take_in(read, End::Open).await?,
            Err(error) => {
                connection.give_up_held("broke");
                return Err(error);
            }
        }
    }
    connection.read_what_is_there(stream).await;
    Ok(())
}

struct Connection<'a> {
    decoder: Decoder,
    /// A message that has not ended.
    held: BytesMut,
    shared: &'a Shared,
    constants: Constants,
    context: &'a SourceContext,
}

/// What was read, behind the unfinished message.
struct Read<'a> {
    buffer: BytesMut,
    count: usize,
    share: Share<'a>,
}

impl<'a> Connection<'a> {
    /// Reads, into a buffer that is held only if there is something.
    fn poll_read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Read<'a>>> {
        let shared = self.shared;
        let share = shared.large_reads.share(READ_BYTES_MAX, shared.read_bytes_min);
        let mut buffer = if self.held.len() > TAIL_BYTES_MAX {
            self.held.reserve(READ_BYTES_MAX);
            std::mem::take(&mut self.held)
        } else {
            let mut buffer = shared.buffers.take();
            buffer.extend_from_slice(&self.held);
            buffer
        };
        let mut room = (&mut buffer).limit(share.read_bytes());
        let polled = pin!(stream.read_buf(&mut room)).poll(cx);
        match polled {
            Poll::Ready(Ok(count)) => {
                self.held.clear();
                Poll::Ready(Ok(Read { buffer, count, share }))
            }
            Poll::Ready(Err(error)) => {
                self.put_back(buffer);
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                self.put_back(buffer);
                Poll::Pending
            }
        }
    }

    /// Nothing was read into it.
    fn put_back(&mut self, buffer: BytesMut) {
        if self.held.is_empty() && !buffer.is_empty() {
            self.held = buffer;
        } else {
            self.shared.buffers.give(buffer);
        }
    }

    /// Parses and stores. The buffer goes back before anything waits.
    async fn take_in(&mut self, read: Read<'a>, end: End) -> io::Result<()> {
        let Read { mut buffer, share, .. } = read;
        let batches = self.decoder.batches(&mut buffer, end, now_ms());
        if buffer.len() > TAIL_BYTES_MAX {
            self.held = buffer;
        } else {
            if self.held.capacity() > TAIL_BYTES_MAX || buffer.is_empty() {
                self.held = BytesMut::new();
            }
            self.held.extend_from_slice(&buffer);
            self.shared.buffers.give(buffer);
        }
        if self.shared.counts_invalid {
            add(&self.context.counters.event_read_fail, self.decoder.invalid);
        }
        self.shared.complaints.take(&mut self.decoder, self.shared.kind);
        self.store(batches).await;
        drop(share);
        Ok(())
    }

    async fn store(&self, batches: Vec<Batch>) {
        let batches = batches.into_iter().map(|batch| batch.with_columns(self.constants.clone())).collect();
        let outlet = &self.context.outlet;
        let mut moving = Moving { outlet, kind: self.shared.kind, batches, stored: 0 };
        while let Some(batch) = moving.batches.front() {
            let part = batch.slice(0..batch.len().min(self.shared.batch_events_max));
            outlet.here().deliver_patiently(&part, &mut moving.stored).await;
            moving.advance(part.len());
        }
    }

    /// What arrived before the stop is the agent's: a sender of syslog does not send it again.
    async fn read_what_is_there(&mut self, stream: &mut (impl AsyncRead + Unpin)) {
        let since = Instant::now();
        while since.elapsed() < LAST_READS {
            let read = std::future::poll_fn(|cx| Poll::Ready(self.poll_read(stream, cx))).await;
            match read {
                Poll::Ready(Ok(read)) if read.count > 0 => {
                    if self.take_in(read, End::Open).await.is_err() {
                        break;
                    }
                }
                Poll::Ready(Ok(read)) => {
                    let _nothing_left = self.take_in(read, End::Closed).await;
                    return;
                }
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        self.give_up_held("was ended by the stop");
    }

    /// Counts a message of which only a part came.
    fn give_up_held(&self, how: &str) {
        if !self.held.is_empty() {
            let kind = self.shared.kind;
            self.context.outlet.give_up(&format!("{kind}: the connection {how} within a message"), 1);
        }
    }
}

/// Batches on their way; what is not stored when the task ends is counted.
struct Moving<'a> {
    outlet: &'a Outlet,
    kind: &'static str,
    batches: VecDeque<Batch>,
    /// So many from the front of the first are stored.
    stored: usize,
}

impl Moving<'_> {
    fn advance(&mut self, count: usize) {
        if let Some(batch) = self.batches.front_mut() {
            drop(batch.split_to(count));
            if batch.is_empty() {
                self.batches.pop_front();
            }
        }
        self.stored = 0;
    }
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        let left: usize = self.batches.iter().map(Batch::len).sum();
        self.outlet
            .give_up(&format!("{}: stopped while the channel was full", self.kind), left - self.stored);
    }
}

/// The time, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
