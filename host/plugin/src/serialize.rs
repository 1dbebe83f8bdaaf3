//! A serializer that is a plugin: an instance for each open file.
//!
//! ```text
//! file_roll ── begin, write, flush ──▶ instance ── bytes ──▶ file
//!     │                                   └ trap, overrun, error ──▶ io::Error
//!     └ cuts the file back to the last flush; the batch stays in its channel and goes into a new file,
//!       with a new instance and a new encoder
//! ```
//!
//! Called on a sink's own thread, which waits for the guest.

use std::io;
use std::sync::Arc;

use flumen_connect::{Serializer as Serialize, SerializerFactory};
use flumen_event::Batch;

use crate::call::block_on;
use crate::error::{CallError, LoadError};
use crate::host::Host;
use crate::plugin::{Lease, Plugin};
use crate::spec::PluginSpec;
use crate::world::v0_1_0::serializer::{Serializer, Step, step};

/// A serializer plugin of one sink.
pub struct SerializerPlugin(Arc<Plugin<Serializer>>);

impl SerializerPlugin {
    /// Nothing is read before [`load`](Self::load) or the first file.
    #[must_use]
    pub fn new(host: &Arc<Host>, spec: PluginSpec) -> Self {
        Self(Plugin::new(host, spec, Serializer))
    }
    /// Compiles, configures and tests it.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(&self) -> Result<(), Arc<LoadError>> {
        self.0.load().await
    }
    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Arc<Plugin<Serializer>> {
        &self.0
    }
}

impl SerializerFactory for SerializerPlugin {
    fn create(&self) -> Box<dyn Serialize> {
        Box::new(Encoder { lease: self.0.lease(), is_open: false })
    }
}

/// The serializer of one file.
struct Encoder {
    lease: Lease<Serializer>,
    /// Whether `begin` has succeeded and no call has failed since in a way that cost the instance.
    is_open: bool,
}

impl Encoder {
    fn step(&mut self, events: usize, next: Step, out: &mut dyn io::Write) -> io::Result<()> {
        let bytes = block_on(self.call(events, next)).map_err(|error| {
            let plugin = self.lease.plugin();
            plugin.stop_if_asked(&error);
            io::Error::other(format!("serializer {}: {error}", plugin.spec().path))
        })?;
        out.write_all(&bytes)
    }

    async fn call(&mut self, events: usize, next: Step) -> Result<Vec<u8>, CallError> {
        if matches!(next, Step::Begin) {
            self.lease.ready().await?;
        } else if !self.is_open {
            return Err(CallError::Lost);
        }
        let bytes_max = self.lease.plugin().limits().output_bytes_max;
        let result = self.lease.call(events, move |live| step(live, next, bytes_max)).await;
        // An instance that was lost has taken with it what it kept back: this file cannot go on.
        self.is_open = self.lease.answer().is_some();
        result
    }
}

impl Serialize for Encoder {
    fn begin(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        self.step(0, Step::Begin, out)
    }
    fn write(&mut self, batch: &Batch, out: &mut dyn io::Write) -> io::Result<()> {
        self.step(batch.len(), Step::Write(batch.clone()), out)
    }
    fn flush(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        self.step(0, Step::Flush, out)
    }
    fn discard(&mut self) {
        if !self.is_open {
            return;
        }
        if let Err(error) = block_on(self.call(0, Step::Discard)) {
            // It may still hold the events that are written again: it must not go on.
            self.lease.discard();
            self.is_open = false;
            let plugin = self.lease.plugin();
            plugin.stop_if_asked(&error);
            tracing::warn!(plugin = %plugin.spec().path, %error, "a serializer could not discard events");
        }
    }
    fn end(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        self.step(0, Step::Finish, out)
    }
}
