//! Why a channel did not do what was asked.

/// A put did not happen; the channel is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// No room for the events within the channel's keep-alive. Retry later. The text is Flume's own,
    /// because netcat clients see it.
    #[error(
        "Space for commit to queue couldn't be acquired. Sinks are likely not keeping up with sources, or the buffer size is too tight"
    )]
    Full,
    /// No room for the bytes within the keep-alive. Retry later. The text is Flume's own.
    #[error(
        "Cannot commit transaction. Byte capacity allocated to store event body {bytes_max}reached. Please increase heap space/byte capacity allocated to the channel as the sinks may not be keeping up with the sources"
    )]
    BytesFull {
        /// The channel's capacity as Flume prints it: bytes as a decimal number with a fraction.
        bytes_max: String,
    },
    /// The batch can never fit, even into the empty channel. Split it, or drop it and count.
    #[error("the batch of {events} events and {bytes} bytes is larger than the whole channel ({capacity})")]
    TooLarge {
        /// Events in the batch.
        events: usize,
        /// Bytes in the batch.
        bytes: usize,
        /// The limit that it breaks, with its unit.
        capacity: String,
    },
    /// The channel's storage failed. Retry later; the channel says more in its own log.
    #[error("the channel could not store the events: {0}")]
    Storage(String),
}

/// Events could not be taken, or a take could not be recorded; they are still in the channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// The channel's storage failed. Retry later.
    #[error("the channel could not give the events: {0}")]
    Storage(String),
}
