//! An HTTP handler that is a plugin.

use std::sync::Arc;

use async_trait::async_trait;
use flumen_connect::{HttpHandler as Handle, HttpRequest, Refusal};
use flumen_event::Batch;

use crate::error::LoadError;
use crate::host::Host;
use crate::plugin::Plugin;
use crate::spec::PluginSpec;
use crate::world::v0_1_0::columns::Bounds;
use crate::world::v0_1_0::http_handler::{HttpHandler, handle};

/// An HTTP handler plugin of one source.
pub struct HandlerPlugin {
    plugin: Arc<Plugin<HttpHandler>>,
    bounds: Bounds,
}

impl HandlerPlugin {
    /// Nothing is read before [`load`](Self::load) or the first request.
    #[must_use]
    pub fn new(host: &Arc<Host>, spec: PluginSpec) -> Self {
        let plugin = Plugin::new(host, spec, HttpHandler);
        Self { bounds: Bounds::new(plugin.limits().output_bytes_max), plugin }
    }
    /// Compiles, configures and tests it.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(&self) -> Result<(), Arc<LoadError>> {
        self.plugin.load().await
    }
    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Arc<Plugin<HttpHandler>> {
        &self.plugin
    }
}

#[async_trait]
impl Handle for HandlerPlugin {
    /// A failure of the plugin at this request is 500, and 503 when another try may succeed. What went wrong inside
    /// is for the operator's log, not for a client.
    async fn handle(&self, request: HttpRequest) -> Result<Batch, Refusal> {
        let bounds = self.bounds;
        let error = match self.plugin.call(1, move |live| handle(live, request, bounds)).await {
            Ok(answer) => return answer,
            Err(error) => error,
        };
        self.plugin.complain(&error, 0);
        if error.is_of_input() {
            return Err(Refusal { status: 500, message: "the request could not be processed".to_owned() });
        }
        Err(Refusal { status: 503, message: "the request cannot be processed now".to_owned() })
    }
}
