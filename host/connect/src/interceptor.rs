//! What transforms or drops events between a source and its channels.

use std::sync::Arc;

use async_trait::async_trait;
use flumen_channel::Channel;
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
#[derive(Default)]
pub struct Drops {
    counts: Vec<(String, usize)>,
    dead_letters: Vec<(Arc<dyn Channel>, Batch)>,
    added: usize,
}

impl std::fmt::Debug for Drops {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dead_letters: usize = self.dead_letters.iter().map(|(_, batch)| batch.len()).sum();
        write!(out, "Drops({:?}, {dead_letters} dead letters, {} added)", self.counts, self.added)
    }
}

impl Drops {
    /// Notes removed events.
    pub fn add(&mut self, cause: impl Into<String>, events: usize) {
        if events > 0 {
            self.counts.push((cause.into(), events));
        }
    }
    /// Notes events that are stored in `target` together with the rest of the batch: all or nothing.
    pub fn dead_letter(&mut self, target: Arc<dyn Channel>, events: Batch) {
        if !events.is_empty() {
            self.dead_letters.push((target, events));
        }
    }
    /// Notes events that the interceptor made.
    pub fn made(&mut self, events: usize) {
        self.added += events;
    }
    /// All notes about removed events, without dead letters.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.counts.iter().map(|(cause, events)| (cause.as_str(), *events))
    }
    /// How many events were removed, without dead letters.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.iter().map(|(_, events)| events).sum()
    }
    /// The dead letters and where they go.
    #[must_use]
    pub fn dead_letters(&self) -> &[(Arc<dyn Channel>, Batch)] {
        &self.dead_letters
    }
    /// How many events were made.
    #[must_use]
    pub fn made_total(&self) -> usize {
        self.added
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

/// An interceptor that may have to wait (a plugin whose call takes long gives its thread back meanwhile).
/// Called from many tasks at once.
#[async_trait]
pub trait AsyncInterceptor: Send + Sync {
    /// As [`Interceptor::intercept`]. Dropping the future leaves nothing behind: nothing is counted, and no dead
    /// letter stored, before the rest of the batch is.
    ///
    /// # Errors
    /// If nothing can be said about the batch: it is then refused as a whole.
    async fn intercept(&self, batch: Batch, drops: &mut Drops) -> Result<Batch, InterceptError>;
}

/// Either kind. Native ones are called without a future around them.
pub enum AnyInterceptor {
    /// Answers at once.
    Native(Box<dyn Interceptor>),
    /// May wait.
    Waiting(Box<dyn AsyncInterceptor>),
}

impl From<Box<dyn Interceptor>> for AnyInterceptor {
    fn from(native: Box<dyn Interceptor>) -> Self {
        Self::Native(native)
    }
}
