//! Receives all datagrams that are there, into one arena.

use std::io;
use std::net::SocketAddr;

use flumen_event::{Batch, ColumnBuilder, HeaderName, Span};
use tokio::net::UdpSocket;

use crate::listen::as_java_prints;
use crate::sources::arena::Arena;

/// Most datagrams of one batch: more would only make the first ones wait.
const BATCH_DATAGRAMS_MAX: usize = 1_000;
/// Room that every receive needs, so that no datagram is cut.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
const ARENA_BYTES: usize = 512 * 1024;

/// Datagrams received and not yet handed on.
pub(super) struct Intake {
    arena: Arena,
    spans: Vec<Span>,
    header: Option<HeaderName>,
    /// One per span, if there is a header for them.
    senders: Vec<SocketAddr>,
}

impl Intake {
    /// Nothing received.
    pub fn new(header: Option<HeaderName>) -> Self {
        Self { arena: Arena::new(ARENA_BYTES), spans: Vec::new(), header, senders: Vec::new() }
    }

    /// Receives until nothing is there, or a batch is full.
    ///
    /// # Errors
    /// If the socket fails. What was received before is kept.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.arena.reserve(DATAGRAM_BYTES_MAX);
        while self.spans.len() < BATCH_DATAGRAMS_MAX && self.arena.room() >= DATAGRAM_BYTES_MAX {
            let start = self.arena.held().len();
            let (len, sender) = match socket.try_recv_buf_from(self.arena.input()) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let line = memchr::memchr(b'\n', &self.arena.held()[start..]).unwrap_or(len);
            self.spans.push(Span::new(start..start + line));
            if self.header.is_some() {
                self.senders.push(sender);
            }
        }
        Ok(())
    }

    /// All datagrams received.
    pub fn take(&mut self) -> Batch {
        let held = self.arena.held().len();
        let batch = Batch::from_arena(self.arena.take(held), std::mem::take(&mut self.spans));
        let senders = std::mem::take(&mut self.senders);
        match (&self.header, senders.first()) {
            (Some(header), Some(first)) if senders.iter().all(|s| s == first) => {
                batch.with_constant(header, as_java_prints(*first))
            }
            (Some(header), Some(_)) => {
                let mut column = ColumnBuilder::default();
                senders.iter().for_each(|sender| column.push(Some(&as_java_prints(*sender))));
                batch.with_column(header, column)
            }
            _ => batch,
        }
    }
}
