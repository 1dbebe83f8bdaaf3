//! A channel selector that is a plugin.
//!
//! A failure refuses the batch: the source tells its sender, or gives it again. With `onError = drop` what fails at its
//! input goes to no channel, which is counted as for every selector.

use std::sync::Arc;

use async_trait::async_trait;
use flumen_connect::{AsyncSelector, InterceptError, Leg};
use flumen_event::Batch;

use crate::error::LoadError;
use crate::host::Host;
use crate::plugin::Plugin;
use crate::spec::{OnError, PluginSpec};
use crate::world::v0_1_0::selector::{Selector, route};

/// A selector plugin of one source.
pub struct SelectorPlugin(Arc<Plugin<Selector>>);

impl SelectorPlugin {
    /// For a source with these channels. Nothing is read before [`load`](Self::load) or the first batch.
    #[must_use]
    pub fn new(host: &Arc<Host>, spec: PluginSpec, channels: &[String]) -> Self {
        Self(Plugin::new(host, spec, Selector { channels: channels.to_vec() }))
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
    pub fn plugin(&self) -> &Arc<Plugin<Selector>> {
        &self.0
    }
}

#[async_trait]
impl AsyncSelector for SelectorPlugin {
    async fn route(&self, batch: &Batch) -> Result<Vec<Leg>, InterceptError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (own, channels) = (batch.clone(), self.0.world().channels.len());
        let error = match self.0.call(batch.len(), move |live| route(live, own, channels)).await {
            Ok(legs) => return Ok(legs),
            Err(error) => error,
        };
        if self.0.spec().on_error == OnError::Drop && error.is_of_input() {
            self.0.complain(&error, batch.len());
            return Ok(Vec::new());
        }
        self.0.stop_if_asked(&error);
        Err(InterceptError { interceptor: self.0.spec().path.clone(), reason: error.to_string() })
    }
}
