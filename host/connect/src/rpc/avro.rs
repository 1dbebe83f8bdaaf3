//! A connection to an avro source: made, asked, given up when anything goes wrong.
//!
//! There is one request under way at a time. So events arrive in their order, and after an error it is known which
//! of them may have been stored: those of that request.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use flumen_event::{Batch, Column};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{RpcClient, RpcError};
use crate::tls::ClientTls;
use crate::wire::AnyWire;
use crate::wire::avro::frame::{Frame, FrameLimits, Framer};
use crate::wire::avro::protocol::{Method, Status};
use crate::wire::avro::requestor::{Answer, Requestor};
use crate::wire::deflate::{Deflated, Writing};

/// What an answer may be: a handshake with a protocol's text is the longest.
const ANSWER_LIMITS: FrameLimits = FrameLimits { bytes_max: 4 << 20, buffers_max: 10_000 };
/// Events of more bytes go in several requests: a receiver with a small heap, or with Flumen's default limit, could
/// otherwise never take them.
const REQUEST_BYTES_MAX: usize = 16 << 20;
/// An answer is mostly 27 bytes.
const READ_BYTES: usize = 512;
/// The buffer of requests is given back when it has grown beyond this.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Where a client sends to, and how.
#[derive(Clone)]
pub struct AvroTarget {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// To connect, TLS included.
    pub connect_timeout: Duration,
    /// From the first byte of a request to the last of its answer.
    pub request_timeout: Duration,
    /// Level of compression; none: not compressed.
    pub compression_level: Option<u32>,
    /// TLS.
    pub tls: Option<ClientTls>,
    /// With both: compression outside of TLS, as Flume 1.10 and later have it.
    pub compresses_outside: bool,
}

impl AvroTarget {
    /// Host and port, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects.
    ///
    /// # Errors
    /// If that fails, or takes too long.
    pub async fn connect(&self) -> Result<AvroConnection, RpcError> {
        let within = self.connect_timeout;
        let connecting = timeout(within, self.layered());
        let wire =
            connecting.await.map_err(|_| RpcError::ConnectTimeout { target: self.name(), within })??;
        Ok(AvroConnection {
            target: self.name(),
            request_timeout: self.request_timeout,
            wire,
            requestor: Requestor::default(),
            framer: Framer::new(ANSWER_LIMITS),
            request: Vec::new(),
        })
    }

    async fn layered(&self) -> Result<AnyWire, RpcError> {
        let refused = |error| RpcError::Connect { target: self.name(), error };
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        // Read for each connection: a certificate that was replaced is used from the next one on.
        let connector = self.tls.as_ref().map(ClientTls::connector).transpose();
        let connector = connector.map_err(|why| self.no_tls(why.to_string()))?;
        let deflated = |wire: AnyWire| -> AnyWire {
            match self.compression_level {
                None => wire,
                Some(level) => Box::new(Deflated::new(wire, Writing::Level(level), Vec::new())),
            }
        };
        let Some(connector) = connector else { return Ok(deflated(Box::new(stream))) };
        if self.compression_level.is_some() && self.compresses_outside {
            // What TLS writes cannot be compressed.
            let stored = Deflated::new(stream, Writing::Stored, Vec::new());
            let stream = connector.connect(&self.host, stored).await;
            return Ok(Box::new(stream.map_err(|why| self.no_tls(why.to_string()))?));
        }
        let stream = connector.connect(&self.host, stream).await;
        Ok(deflated(Box::new(stream.map_err(|why| self.no_tls(why.to_string()))?)))
    }

    fn no_tls(&self, why: String) -> RpcError {
        RpcError::Tls { target: self.name(), why }
    }
}

/// An open connection. After an error it must not be used again.
pub struct AvroConnection {
    target: String,
    request_timeout: Duration,
    wire: AnyWire,
    requestor: Requestor,
    framer: Framer,
    request: Vec<u8>,
}

impl AvroConnection {
    /// Delivers events, in several requests if they are many bytes.
    ///
    /// # Errors
    /// If any of them may not have been stored.
    pub async fn append_batch(&mut self, events: &[Batch]) -> Result<(), RpcError> {
        if events.iter().map(wire_bytes_max).sum::<usize>() <= REQUEST_BYTES_MAX {
            return self.call(events).await;
        }
        for batch in events {
            let mut rest = batch.clone();
            while !rest.is_empty() {
                let mut count = rest.len();
                while count > 1 && wire_bytes_max(&rest.slice(0..count)) > REQUEST_BYTES_MAX {
                    count /= 2;
                }
                self.call(&[rest.split_to(count)]).await?;
            }
        }
        Ok(())
    }

    async fn call(&mut self, events: &[Batch]) -> Result<(), RpcError> {
        let (within, target) = (self.request_timeout, self.target.clone());
        let answer = match timeout(within, self.ask(events)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(RpcError::RequestTimeout { target, within }),
        };
        let answer = match answer {
            Answer::Status(Status::Ok) => return Ok(()),
            Answer::Status(Status::Failed) => "FAILED: its channel has no room, or failed".to_owned(),
            Answer::Status(Status::Unknown) | Answer::Repeat => "UNKNOWN".to_owned(),
            Answer::Exception(text) => text,
        };
        Err(RpcError::Refused { target, answer })
    }

    async fn ask(&mut self, events: &[Batch]) -> Result<Answer, RpcError> {
        loop {
            self.request.clear();
            self.request.shrink_to(KEPT_BYTES_MAX);
            let serial = self.requestor.put_call(Method::AppendBatch, events, &mut self.request);
            let target = || self.target.clone();
            let broken = |error| RpcError::Broken { target: target(), error };
            self.wire.write_all(&self.request).await.map_err(broken)?;
            self.wire.flush().await.map_err(broken)?;
            let frame = loop {
                let frame = next_frame(&mut self.wire, &mut self.framer, &self.target).await?;
                // Answers to nothing we asked are passed over, as Netty's client does.
                if frame.serial == serial {
                    break frame;
                }
            };
            let answer = self.requestor.answer(&frame.payload);
            match answer.map_err(|why| RpcError::Malformed { target: target(), why })? {
                Answer::Repeat => {}
                answer => return Ok(answer),
            }
        }
    }

    /// Whether the other side has closed the connection: seen before something is sent into nothing.
    pub async fn has_ended(&mut self) -> bool {
        let mut bytes = [0; 1];
        let mut buffer = ReadBuf::new(&mut bytes);
        // Nothing is expected now, so whatever comes is the end.
        poll_fn(|task| Poll::Ready(Pin::new(&mut self.wire).poll_read(task, &mut buffer).is_ready())).await
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // Whether the other side hears it makes no difference.
        let _unheard = timeout(Duration::from_secs(1), self.wire.shutdown()).await;
    }
}

async fn next_frame(wire: &mut AnyWire, framer: &mut Framer, target: &str) -> Result<Frame, RpcError> {
    let mut bytes = [0; READ_BYTES];
    loop {
        let count = wire.read(&mut bytes).await;
        let count = count.map_err(|error| RpcError::Broken { target: target.to_owned(), error })?;
        if count == 0 {
            return Err(RpcError::Closed { target: target.to_owned() });
        }
        let mut input = &bytes[..count];
        let frame = framer.feed(&mut input);
        // Of several frames in one read all but the first are answers to nothing: one request is under way.
        if let Some(frame) = frame.map_err(|why| RpcError::Frame { target: target.to_owned(), why })? {
            return if input.is_empty() {
                Ok(frame)
            } else {
                let error = io::Error::new(io::ErrorKind::InvalidData, "more than one answer to a request");
                Err(RpcError::Broken { target: target.to_owned(), error })
            };
        }
    }
}

/// What the events take on the wire, at most.
fn wire_bytes_max(batch: &Batch) -> usize {
    /// Lengths, counts and ends of an event or a header.
    const NUMBERS: usize = 12;
    let rows = batch.len();
    let values = |column: &Column| match column {
        Column::Constant(value) => value.len() * rows,
        Column::Each { spans, .. } => {
            spans[batch.first_row()..batch.first_row() + rows].iter().map(|span| span.len as usize).sum()
        }
        Column::Some { spans, .. } => spans.iter().map(|span| span.len as usize).sum(),
    };
    let names = |name: &str, column: &Column| match column {
        Column::Some { rows: some, .. } => (name.len() + NUMBERS) * some.len().min(rows),
        _ => (name.len() + NUMBERS) * rows,
    };
    let headers = batch.headers().columns().map(|(name, column)| names(name, column) + values(column));
    batch.body_bytes() + rows * NUMBERS + headers.sum::<usize>()
}

/// A client of one host that connects when it must.
pub struct AvroClient {
    target: AvroTarget,
    batch_size: usize,
    connection: Option<AvroConnection>,
}

impl AvroClient {
    /// A client that is not connected yet.
    #[must_use]
    pub fn new(target: AvroTarget, batch_size: usize) -> Self {
        Self { target, batch_size, connection: None }
    }

    /// Connects, if there is no connection.
    ///
    /// # Errors
    /// If that fails.
    pub async fn connect(&mut self) -> Result<(), RpcError> {
        if self.connection.is_none() {
            self.connection = Some(self.target.connect().await?);
        }
        Ok(())
    }
}

#[async_trait]
impl RpcClient for AvroClient {
    fn batch_size(&self) -> usize {
        self.batch_size
    }
    async fn append_batch(&mut self, events: &[Batch]) -> Result<(), RpcError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.target.connect().await?,
        };
        connection.append_batch(events).await?;
        self.connection = Some(connection);
        Ok(())
    }
}
