//! What transforms or drops events between a source and its channels.

use flumen_event::Batch;

/// A batch could not be transformed. The source is told that it was not accepted, and may send it again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("interceptor {interceptor}: {reason}")]
pub struct InterceptError {
    /// The interceptor's name in the configuration.
    pub interceptor: String,
    /// What went wrong.
    pub reason: String,
}

/// Events that an interceptor removed, by cause; counted only once the rest of the batch is stored.
#[derive(Debug, Default)]
pub struct Drops(Vec<(String, usize)>);

impl Drops {
    /// Notes removed events.
    pub fn add(&mut self, cause: impl Into<String>, events: usize) {
        if events > 0 {
            self.0.push((cause.into(), events));
        }
    }
    /// All notes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(cause, events)| (cause.as_str(), *events))
    }
    /// How many events were removed.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.iter().map(|(_, events)| events).sum()
    }
}

/// One interceptor of one source. Called from many tasks at once (one per connection of the source).
pub trait Interceptor: Send + Sync {
    /// Gives the batch that goes on. May return fewer events; each removed one is noted in `drops`.
    /// May be called again for the same events when a channel was full, so it must not count by itself.
    ///
    /// # Errors
    /// If nothing can be said about the batch: it is then refused as a whole.
    fn intercept(&self, batch: Batch, drops: &mut Drops) -> Result<Batch, InterceptError>;
}
