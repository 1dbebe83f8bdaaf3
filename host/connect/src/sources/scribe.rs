//! `org.apache.flume.source.scribe.ScribeSource`: log entries from clients of Facebook's Scribe.
//!
//! ```text
//! ResultCode Log(1: list<LogEntry> messages)      OK 0, TRY_LATER 1
//! LogEntry { 1: string category, 2: string message }
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use flumen_event::{ArenaBuilder, Batch, Limits};

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::wire::thrift::message::{Call, Exception};
use crate::wire::thrift::serve::{Complaints, Server, Service};
use crate::wire::thrift::{FRAME_BYTES_MAX, Malformed, Protocol, Reader, Type};
use crate::{listen, serve};

const OK: i32 = 0;
const TRY_LATER: i32 = 1;
const CATEGORY: &str = "category";

options! {
    /// Listens for clients of Scribe: Thrift in the binary protocol, framed. Each log entry is an event: the body is
    /// its message, byte by byte (Flume replaces what is not UTF-8), and the header `category` its category.
    ///
    /// The entries of a call are stored together and answered with `OK`, or with `TRY_LATER` if there is no room or
    /// one of them has no message: the client keeps them. Limits are those of the `thrift` source.
    pub struct ScribeOptions {
        /// Port to listen on; 0 lets the system choose one, which is logged.
        "port" => port: u16 = 1499,
        /// Most calls that are worked on at the same time, over all connections; others wait for their turn. (In
        /// Flume it is a number of threads; here connections need none.)
        "workerThreads" => worker_threads: Count = Count(5), lenient;
        /// The largest frame in bytes that is taken. A larger one ends its connection.
        "maxReadBufferBytes" => max_read_buffer_bytes: Count = Count(FRAME_BYTES_MAX), lenient;
        /// Flumen only: host name or address to listen on. `0.0.0.0` means all, IPv6 included; Flume always listens
        /// on all.
        "bind" => bind: String = "0.0.0.0".to_owned(),
        /// Flumen only: most connections at a time; further ones are closed at once.
        "connectionsMax" => connections_max: Count = Count(100_000),
    }
}

pub(super) const SCRIBE: SourceType = SourceType {
    spec: ComponentSpec::of::<ScribeOptions>(
        ComponentKind::Source,
        "org.apache.flume.source.scribe.ScribeSource",
        &[],
    ),
    build: |settings| Ok(Box::new(ScribeSource { options: ScribeOptions::of(settings)? })),
};

struct ScribeSource {
    options: ScribeOptions,
}

#[async_trait]
impl Source for ScribeSource {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let options = &self.options;
        let listener = listen::tcp(&options.bind, options.port).await?;
        tracing::info!(address = %listener.local_addr()?, "scribe source listens");
        context.ready();
        let frame_bytes_max = options.max_read_buffer_bytes.0.min(i32::MAX as usize);
        let service = Log::default();
        let server =
            Server::new(service, Protocol::BinaryUnversioned, frame_bytes_max, options.worker_threads.0);
        serve::connections(listener, options.connections_max.0, context, |stream, peer| {
            let (server, context) = (Arc::clone(&server), context.clone());
            async move { server.serve(stream, peer, &context).await }
        })
        .await;
        Ok(SourceEnd::Stopped)
    }
}

#[derive(Default)]
struct Log {
    complaints: Complaints,
}

impl Service for Log {
    async fn call(
        &self,
        call: Call<'_>,
        frame: &Bytes,
        arguments_at: usize,
        context: &SourceContext,
    ) -> Result<i32, Exception> {
        if call.name != "Log" {
            return Err(Exception::unknown_method(call.name));
        }
        let entries = read(call.protocol, frame, arguments_at);
        let Some(batch) = entries.map_err(|bad| Exception::protocol(bad.to_string()))? else {
            return Ok(self.later("an entry has no message, or there is no list of entries"));
        };
        if let Err(refused) = context.outlet.here().deliver(batch).await {
            return Ok(self.later(&refused.to_string()));
        }
        Ok(OK)
    }
}

impl Log {
    fn later(&self, reason: &str) -> i32 {
        if let Some(unsaid) = self.complaints.may_complain() {
            tracing::warn!(
                not_logged_since = unsaid,
                "answered TRY_LATER, the client still has the entries: {reason}"
            );
        }
        TRY_LATER
    }
}

/// The entries of a call; none if there is no list of them, or one has no message.
fn read(protocol: Protocol, frame: &Bytes, arguments_at: usize) -> Result<Option<Batch>, Malformed> {
    let mut reader = Reader::new(protocol, frame);
    reader.set_position(arguments_at);
    let (mut before, mut entries) = (0, None);
    while let Some(field) = reader.field(&mut before)? {
        match (field.id, field.kind) {
            (1, Type::List) => entries = read_list(&mut reader, frame)?,
            (_, kind) => reader.skip(kind)?,
        }
    }
    Ok(entries)
}

fn read_list(reader: &mut Reader<'_>, frame: &Bytes) -> Result<Option<Batch>, Malformed> {
    let (kind, size) = reader.list()?;
    if size > 0 && kind != Type::Struct {
        return Err(Malformed::WrongType);
    }
    let mut builder = ArenaBuilder::new(Limits::default(), frame.clone());
    let mut are_complete = true;
    for _ in 0..size {
        let (mut before, mut category, mut message) = (0, None, None);
        while let Some(field) = reader.field(&mut before)? {
            match (field.id, field.kind) {
                (1, Type::Binary) => category = Some(reader.binary()?),
                (2, Type::Binary) => message = Some(reader.binary()?),
                (_, kind) => reader.skip(kind)?,
            }
        }
        if let Some(category) = category {
            builder.header_named(CATEGORY, category).expect("one header is below every limit");
        }
        match message {
            Some(message) => builder.event(message),
            None => are_complete = false,
        }
    }
    Ok(are_complete.then(|| builder.finish()))
}
