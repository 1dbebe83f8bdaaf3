//! `pass`: looks at nothing and changes nothing. What it costs is what the crossing costs.

use flumen_plugin_sdk::interceptor::*;

/// The plugin.
#[derive(Debug)]
pub struct Pass;

impl Interceptor for Pass {
    fn configure(_: &Options) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    fn needs(&self) -> Needs {
        Needs::nothing()
    }
    fn intercept(&mut self, batch: Batch) -> Result<Batch> {
        Ok(batch)
    }
}

export!(Pass);
