//! Clients of other agents: what the sinks and `flumen avro-client` send with.
//!
//! ```text
//! properties ─▶ default        one host ───────────────┐
//!               failover       the first that works    ├─▶ avro: a connection, made when it is needed
//!               load balance   in turns                ┘
//!               thrift         one host ──────────────────▶ thrift: the same
//! ```

pub mod avro;
pub mod balance;
pub mod properties;
pub mod thrift;

use std::time::Duration;

use async_trait::async_trait;
use flumen_event::Batch;

use crate::wire::avro::frame::FrameError;
use crate::wire::avro::reader::Malformed;
use crate::wire::thrift::client::ClientError;

/// Why events were not delivered. They may have been stored all the same if the answer was lost.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// No connection.
    #[error("cannot connect to {target}: {error}")]
    Connect {
        /// Host and port.
        target: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// No connection in time.
    #[error("cannot connect to {target} within {within:?} (connect-timeout)")]
    ConnectTimeout {
        /// Host and port.
        target: String,
        /// The limit.
        within: Duration,
    },
    /// The connection broke.
    #[error("the connection to {target} broke: {error}")]
    Broken {
        /// Host and port.
        target: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The other side closed the connection instead of answering.
    #[error("{target} closed the connection without an answer")]
    Closed {
        /// Host and port.
        target: String,
    },
    /// No answer in time.
    #[error("{target} did not answer within {within:?} (request-timeout)")]
    RequestTimeout {
        /// Host and port.
        target: String,
        /// The limit.
        within: Duration,
    },
    /// It could not store the events.
    #[error("{target} did not accept the events: it answered {answer}")]
    Refused {
        /// Host and port.
        target: String,
        /// Its status, or the text of its exception.
        answer: String,
    },
    /// What it said is not Flume's protocol.
    #[error("{target} does not answer as an avro source does: {why}")]
    Malformed {
        /// Host and port.
        target: String,
        /// What is wrong.
        why: Malformed,
    },
    /// Its answer is too long.
    #[error("{target} does not answer as an avro source does: {why}")]
    Frame {
        /// Host and port.
        target: String,
        /// What is wrong.
        why: FrameError,
    },
    /// TLS.
    #[error("no TLS with {target}: {why}")]
    Tls {
        /// Host and port.
        target: String,
        /// What is wrong.
        why: String,
    },
    /// A call over Thrift failed.
    #[error("events for {target} were not accepted: {why}")]
    Thrift {
        /// Host and port.
        target: String,
        /// What is wrong.
        why: ClientError,
    },
    /// Some of the events fit no frame of Thrift; the others were stored.
    #[error("{events} events are larger than a frame may be, {bytes_max} bytes; the others were accepted")]
    TooLarge {
        /// How many.
        events: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// All hosts failed; the last error.
    #[error("all {hosts} hosts failed, the last so: {last}")]
    AllFailed {
        /// How many.
        hosts: usize,
        /// Of the last.
        last: Box<RpcError>,
    },
}

/// Sends events, and says when they are stored.
#[async_trait]
pub trait RpcClient: Send {
    /// Most events to give at once.
    fn batch_size(&self) -> usize;
    /// Delivers the events: when it returns without error, the other side has said that they are stored.
    ///
    /// # Errors
    /// If they may not be. They are given again by whoever wants that.
    async fn append_batch(&mut self, events: &[Batch]) -> Result<(), RpcError>;
}
