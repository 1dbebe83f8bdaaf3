//! A deserializer that is a plugin: an instance for each stream.
//!
//! After a trap the stream is opened again, by whoever reads it, at the position that was answered last; everything
//! before it has been answered.

use std::sync::Arc;

use async_trait::async_trait;
use flumen_connect::{ComponentError, Decoded, Deserializer as Deserialize, DeserializerFactory};

use crate::error::{CallError, LoadError};
use crate::host::Host;
use crate::plugin::{Lease, Plugin};
use crate::spec::PluginSpec;
use crate::world::v0_1_0::columns::Bounds;
use crate::world::v0_1_0::deserializer::{Allowed, Deserializer, Step, step};

/// Most bytes that a guest gets at once.
const BYTES_MAX: usize = 1 << 20;

/// A deserializer plugin of one source.
pub struct DeserializerPlugin(Arc<Plugin<Deserializer>>);

impl DeserializerPlugin {
    /// Nothing is read before [`load`](Self::load) or the first stream.
    #[must_use]
    pub fn new(host: &Arc<Host>, spec: PluginSpec) -> Self {
        Self(Plugin::new(host, spec, Deserializer))
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
    pub fn plugin(&self) -> &Arc<Plugin<Deserializer>> {
        &self.0
    }
}

#[async_trait]
impl DeserializerFactory for DeserializerPlugin {
    async fn open(&self, name: &str, position: u64) -> Result<Box<dyn Deserialize>, ComponentError> {
        let bounds = Bounds::new(self.0.limits().output_bytes_max);
        let mut decoder = Decoder { lease: self.0.lease(), bounds, answered: position, given: position };
        let opened = async {
            decoder.lease.ready().await?;
            decoder.step(Step::Open(name.to_owned(), position), (0, 0)).await
        };
        opened.await.map_err(|error| failed(&self.0, &error))?;
        Ok(Box::new(decoder))
    }
}

/// The deserializer of one stream.
struct Decoder {
    lease: Lease<Deserializer>,
    bounds: Bounds,
    /// The position that was answered last.
    answered: u64,
    /// Behind the last byte that was given.
    given: u64,
}

impl Decoder {
    async fn step(&mut self, next: Step, (bytes, events_max): (usize, usize)) -> Result<Decoded, CallError> {
        let allowed = Allowed {
            bounds: self.bounds.with_events_max(events_max),
            least: self.answered,
            most: self.given.saturating_add(bytes as u64),
        };
        let (batch, position) = self.lease.call(events_max, move |live| step(live, next, allowed)).await?;
        (self.answered, self.given) = (position, allowed.most);
        Ok(Decoded { batch, position })
    }
    async fn take(
        &mut self,
        next: Step,
        (bytes, events_max): (usize, usize),
    ) -> Result<Decoded, ComponentError> {
        let result = self.step(next, (bytes, events_max)).await;
        result.map_err(|error| failed(self.lease.plugin(), &error))
    }
}

#[async_trait]
impl Deserialize for Decoder {
    async fn decode(&mut self, bytes: &[u8], events_max: usize) -> Result<Decoded, ComponentError> {
        if bytes.len() > BYTES_MAX {
            return Err(format!("{} bytes at once, a plugin takes at most {BYTES_MAX}", bytes.len()).into());
        }
        self.take(Step::Decode(bytes.to_vec()), (bytes.len(), events_max)).await
    }
    async fn finish(&mut self, events_max: usize) -> Result<Decoded, ComponentError> {
        self.take(Step::Finish, (0, events_max)).await
    }
}

fn failed(plugin: &Plugin<Deserializer>, error: &CallError) -> ComponentError {
    plugin.stop_if_asked(error);
    format!("deserializer {}: {error}", plugin.spec().path).into()
}
