//! How bytes become events.

use async_trait::async_trait;
use flumen_event::Batch;

use crate::ComponentError;

/// Events cut out of a stream.
#[derive(Debug)]
pub struct Decoded {
    /// The events.
    pub batch: Batch,
    /// Every event that begins before this place of the stream has been answered: reading can start there again.
    pub position: u64,
}

/// Cuts one stream into events. Called in the order: any number of `decode`, `finish`.
#[async_trait]
pub trait Deserializer: Send {
    /// The next bytes. Answers at most `events_max` events; when it answers that many it is called again without
    /// bytes before it gets more.
    ///
    /// # Errors
    /// If the stream cannot be read any further. What was answered before stays good.
    async fn decode(&mut self, bytes: &[u8], events_max: usize) -> Result<Decoded, ComponentError>;
    /// The stream has ended: what is left; called again while it answers `events_max` events.
    ///
    /// # Errors
    /// If what is left cannot be read.
    async fn finish(&mut self, events_max: usize) -> Result<Decoded, ComponentError>;
}

/// Makes a deserializer for each stream.
#[async_trait]
pub trait DeserializerFactory: Send + Sync {
    /// A deserializer for the stream called `name` (a file's name, or empty), whose next byte is the one at
    /// `position`.
    ///
    /// # Errors
    /// If none can be made now.
    async fn open(&self, name: &str, position: u64) -> Result<Box<dyn Deserializer>, ComponentError>;
}
