//! How events become the bytes of a file.

use std::io;

use flumen_event::Batch;

/// Writes the events of one file. Called in the order `begin`, any number of `write`, `flush` and `discard`,
/// `end`.
pub trait Serializer: Send {
    /// What stands at the start of a new file.
    ///
    /// # Errors
    /// What `out` returned.
    fn begin(&mut self, out: &mut dyn io::Write) -> io::Result<()>;
    /// Writes the events. May keep bytes back until `flush` (a compressed block).
    /// Large pieces are handed to `out` as they lie in the batch, without a copy.
    ///
    /// # Errors
    /// What `out` returned.
    fn write(&mut self, batch: &Batch, out: &mut dyn io::Write) -> io::Result<()>;
    /// Writes what was kept back, so that everything given so far is readable from the file.
    ///
    /// # Errors
    /// What `out` returned.
    fn flush(&mut self, out: &mut dyn io::Write) -> io::Result<()>;
    /// Forgets the events given since the last `flush`: the file could not take them all and was cut back to
    /// what that `flush` had made it. They will be written again, here or into another file.
    /// Right as it is for a serializer that never keeps bytes back.
    fn discard(&mut self) {}
    /// What stands at the end of a file.
    ///
    /// # Errors
    /// What `out` returned.
    fn end(&mut self, out: &mut dyn io::Write) -> io::Result<()>;
}

/// Makes a serializer for each new file.
pub trait SerializerFactory: Send + Sync {
    /// A serializer for a new file.
    fn create(&self) -> Box<dyn Serializer>;
}
