//! An interceptor that is a plugin.
//!
//! ```text
//! batch ─▶ breaker ─▶ call ─┬─ answered ─▶ batch goes on; filtered: counted; rejected rows: as `onError` says
//!            │ open         └─ failed ──▶ retry: refused      stop: refused, from now on
//!            ▼                            drop, dead-letter: salvage (the rest is tried again without the poison)
//!  retry, stop: refused
//!  drop, dead-letter: the whole batch goes that way
//! ```
//!
//! Invariant: every event of a batch is in the answer, or noted in `drops`, or the whole batch is refused.

mod letters;
mod salvage;

use std::sync::Arc;

use async_trait::async_trait;
use flumen_connect::interceptor::{AsyncInterceptor, Drops, InterceptError};
use flumen_event::Batch;

use crate::error::{CallError, GuestError, LoadError};
use crate::host::Host;
use crate::plugin::{BREAK_AFTER, Plugin, Trial};
use crate::spec::{OnError, PluginSpec};
use crate::world::v0_1_0::columns::{Applied, Bounds};
use crate::world::v0_1_0::interceptor::{self, Interceptor};

pub use letters::{DeadLetters, Letter};
use salvage::Salvaged;

/// An interceptor plugin of one source.
pub struct InterceptorPlugin {
    plugin: Arc<Plugin<Interceptor>>,
    bounds: Bounds,
    filtered: String,
}

impl InterceptorPlugin {
    /// Nothing is read before [`load`](Self::load) or the first batch.
    #[must_use]
    pub fn new(host: &Arc<Host>, spec: PluginSpec) -> Self {
        let filtered = format!("{}: filtered", spec.path);
        let plugin = Plugin::new(host, spec, Interceptor);
        Self { bounds: Bounds::new(plugin.limits().output_bytes_max), plugin, filtered }
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
    pub fn plugin(&self) -> &Arc<Plugin<Interceptor>> {
        &self.plugin
    }

    async fn try_once(&self, batch: Batch) -> Result<Applied, CallError> {
        let (events, bounds) = (batch.len(), self.bounds);
        self.plugin.call_in_any_case(events, move |live| interceptor::intercept(live, batch, bounds)).await
    }

    /// What goes on, with everything else noted.
    fn accept(&self, applied: Applied, drops: &mut Drops) -> Result<Batch, InterceptError> {
        if !applied.rejected.events.is_empty() {
            self.dispose_rejected(&applied, drops)?;
        }
        drops.add(self.filtered.as_str(), applied.filtered);
        drops.made(applied.added);
        Ok(applied.batch)
    }

    fn dispose_rejected(&self, applied: &Applied, drops: &mut Drops) -> Result<(), InterceptError> {
        let first = applied.rejected.reasons.first().cloned().unwrap_or_default();
        let error = CallError::Guest(GuestError::Invalid(first));
        if let Some(refusal) = self.refuse(&error) {
            return Err(refusal);
        }
        let letter = Letter::Each(&applied.rejected.reasons);
        self.dispose(&applied.rejected.events, &letter, error.kind(), drops)
    }

    /// `retry` and `stop` refuse the whole batch, whatever failed.
    fn refuse(&self, error: &CallError) -> Option<InterceptError> {
        match self.plugin.spec().on_error {
            OnError::Retry => self.plugin.fail(error, 1),
            OnError::Stop => self.plugin.stop(error),
            OnError::Drop | OnError::DeadLetter(_) => return None,
        }
        Some(self.refusal(error))
    }
    fn refusal(&self, error: &CallError) -> InterceptError {
        InterceptError { interceptor: self.plugin.spec().path.clone(), reason: error.to_string() }
    }

    /// Drops events, or makes dead letters of them.
    fn dispose(
        &self,
        events: &Batch,
        letter: &Letter<'_>,
        kind: &str,
        drops: &mut Drops,
    ) -> Result<(), InterceptError> {
        let spec = self.plugin.spec();
        let OnError::DeadLetter(target) = &spec.on_error else {
            drops.add(format!("{}: {kind}", spec.path), events.len());
            return Ok(());
        };
        let Some(channel) = self.plugin.host().dead_letters().find(&spec.agent, target) else {
            let reason = format!("{target:?} for its dead letters is not there");
            return Err(InterceptError { interceptor: spec.path.clone(), reason });
        };
        drops.dead_letter(channel, letter.of(events, &spec.path, &self.plugin.digest()));
        Ok(())
    }

    /// The breaker is open.
    fn while_broken(
        &self,
        batch: &Batch,
        error: &CallError,
        drops: &mut Drops,
    ) -> Result<Batch, InterceptError> {
        let passes_by = matches!(self.plugin.spec().on_error, OnError::Drop | OnError::DeadLetter(_));
        if !passes_by || !matches!(error, CallError::Broken { .. }) {
            return Err(self.refusal(error));
        }
        self.dispose(batch, &Letter::Same(&error.to_string()), error.kind(), drops)?;
        Ok(Batch::default())
    }

    async fn after_failure(
        &self,
        batch: &Batch,
        error: CallError,
        (is_trial, drops): (bool, &mut Drops),
    ) -> Result<Batch, InterceptError> {
        match error {
            // None of these is the input's fault, and none is the plugin's.
            CallError::NotLoaded(_) | CallError::Busy(_) | CallError::Lost => {
                self.plugin.breaker().no_verdict();
                return Err(self.refusal(&error));
            }
            CallError::Guest(GuestError::Retry(_)) => {
                self.plugin.fail(&error, 1);
                return Err(self.refusal(&error));
            }
            _ => {}
        }
        if let Some(refusal) = self.refuse(&error) {
            return Err(refusal);
        }
        let salvaged = if is_trial {
            Salvaged::nothing(batch, error)
        } else {
            self.salvage(batch, error).await.map_err(|error| self.refusal(&error))?
        };
        self.conclude(&salvaged, batch.len());
        for (events, error) in &salvaged.failed {
            self.dispose(events, &Letter::Same(&error.to_string()), error.kind(), drops)?;
        }
        self.accept(salvaged.applied, drops)
    }

    /// A plugin that got some event through, or said of its input that it cannot be processed, works.
    fn conclude(&self, salvaged: &Salvaged, events: usize) {
        let lost: usize = salvaged.failed.iter().map(|(part, _)| part.len()).sum();
        let Some((_, error)) = salvaged.failed.last() else { return self.plugin.breaker().success() };
        self.plugin.complain(error, lost);
        if lost < events || matches!(error, CallError::Guest(GuestError::Invalid(_))) {
            self.plugin.breaker().success();
        } else {
            self.plugin.fail(error, BREAK_AFTER);
        }
    }
}

#[async_trait]
impl AsyncInterceptor for InterceptorPlugin {
    async fn intercept(&self, batch: Batch, drops: &mut Drops) -> Result<Batch, InterceptError> {
        if batch.is_empty() {
            return Ok(batch);
        }
        let is_trial = match self.plugin.breaker().admit() {
            Ok(is_trial) => is_trial,
            Err(error) => return self.while_broken(&batch, &error, drops),
        };
        let undecided = Trial(self.plugin.breaker());
        let events = batch.len();
        let result = match self.try_once(batch.clone()).await {
            Ok(applied) => {
                self.plugin.breaker().success();
                self.accept(applied, drops)
            }
            Err(error) => self.after_failure(&batch, error, (is_trial, drops)).await,
        };
        undecided.decided();
        self.plugin.counters().events(events, result.as_ref().map_or(0, Batch::len));
        result
    }
}
