//! A sink that is a plugin.
//!
//! ```text
//! batch ─▶ deliver ─┬─ stored ─▶ leaves the channel
//!                   ├─ pending ─▶ given again, after a pause, in the same delivery
//!                   ├─ rejected ─▶ as `onError`: pending (retry), dropped, dead letter, or the plugin stops
//!                   ├─ retry ─▶ the delivery fails: everything stays in the channel and comes again
//!                   └─ trap, overrun, breach, invalid, fatal ─▶ `start` again and the same events once more;
//!                      after a few times as `onError` says
//! ```
//!
//! Events that were stored by a delivery that fails later come again: at least once, as with every sink.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flumen_connect::{ComponentError, Delivery, Drops, Sink as Deliver};
use flumen_event::Batch;

use crate::error::{CallError, GuestError, LoadError};
use crate::host::Host;
use crate::intercept::Letter;
use crate::plugin::{Lease, Plugin};
use crate::spec::{OnError, PluginSpec};
use crate::world::v0_1_0::columns::Bounds;
use crate::world::v0_1_0::sink::{self, Sink};

/// How often events may be pending in a row without one of them being stored, before the delivery fails.
const VAIN_MAX: u32 = 8;
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often the same events are given to a new instance before `onError` decides on them.
const TRIALS_MAX: u32 = 3;

/// A sink plugin.
pub struct SinkPlugin {
    plugin: Arc<Plugin<Sink>>,
    lease: Lease<Sink>,
    bounds: Bounds,
    batch_size: usize,
    /// The instance that was started and has not failed since; 0: none.
    started: u64,
}

impl SinkPlugin {
    /// Takes up to `batch_size` events at once. Nothing is read before [`load`](Self::load) or `open`.
    #[must_use]
    pub fn new(host: &Arc<Host>, spec: PluginSpec, batch_size: usize) -> Self {
        let plugin = Plugin::new(host, spec, Sink);
        let bounds = Bounds::new(plugin.limits().output_bytes_max);
        Self { lease: plugin.lease(), bounds, batch_size, started: 0, plugin }
    }
    /// Compiles and configures it.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(&self) -> Result<(), Arc<LoadError>> {
        self.plugin.load().await
    }
    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Arc<Plugin<Sink>> {
        &self.plugin
    }

    /// An instance that was started.
    async fn start(&mut self) -> Result<(), CallError> {
        let incarnation = self.lease.ready().await?;
        if self.started != incarnation {
            self.lease.call(0, sink::start).await?;
            self.started = incarnation;
        }
        Ok(())
    }

    /// Delivers one batch; what is not delivered is in `drops`.
    async fn deliver_batch(&mut self, batch: &Batch, drops: &mut Drops) -> Result<(), CallError> {
        let mut left = batch.clone();
        let (mut vain, mut trials) = (0, 0);
        let mut pause = PAUSE_MIN;
        while !left.is_empty() {
            let before = left.len();
            match self.give(&left).await {
                Ok(delivery) => {
                    trials = 0;
                    left = self.accept(&left, delivery, drops)?;
                }
                Err(error) if error.is_of_input() && trials + 1 < TRIALS_MAX => {
                    self.plugin.complain(&error, left.len());
                    trials += 1;
                }
                Err(error) => {
                    self.fail(&left, &error, drops)?;
                    return Ok(());
                }
            }
            if left.len() == before {
                vain += 1;
                if vain > VAIN_MAX {
                    let text = format!("{before} events are pending after {vain} attempts");
                    return Err(CallError::Guest(GuestError::Retry(text)));
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            } else if !left.is_empty() {
                (vain, pause) = (0, PAUSE_MIN);
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }

    async fn give(&mut self, batch: &Batch) -> Result<sink::Delivery, CallError> {
        self.start().await?;
        let (own, bounds) = (batch.clone(), self.bounds);
        let given = self.lease.call(batch.len(), move |live| sink::deliver(live, own, bounds)).await;
        if given.is_err() {
            // `start` is called again, also by an instance that is still there.
            self.started = 0;
        }
        given
    }

    /// What is still to be delivered of a batch that was answered.
    fn accept(&self, batch: &Batch, delivery: sink::Delivery, drops: &mut Drops) -> Result<Batch, CallError> {
        let sink::Delivery { mut pending, rejected, reasons } = delivery;
        if !rejected.is_empty() {
            let first = CallError::Guest(GuestError::Invalid(reasons.first().cloned().unwrap_or_default()));
            match self.plugin.spec().on_error {
                OnError::Retry => {
                    self.plugin.complain(&first, rejected.len());
                    pending.extend(&rejected);
                    pending.sort_unstable();
                }
                OnError::Stop => {
                    self.plugin.stop(&first);
                    return Err(CallError::Stopped(first.to_string()));
                }
                OnError::Drop | OnError::DeadLetter(_) => {
                    self.plugin.complain(&first, rejected.len());
                    let events = batch.select(&rejected);
                    self.dispose(&events, &Letter::Each(&reasons), "rejected", drops)?;
                }
            }
        }
        Ok(batch.select(&pending))
    }

    /// A batch that failed as a whole, and will again.
    fn fail(&self, batch: &Batch, error: &CallError, drops: &mut Drops) -> Result<(), CallError> {
        self.plugin.stop_if_asked(error);
        let disposes = matches!(self.plugin.spec().on_error, OnError::Drop | OnError::DeadLetter(_));
        if !disposes || !error.is_of_input() {
            return Err(error.clone());
        }
        self.plugin.complain(error, batch.len());
        self.dispose(batch, &Letter::Same(&error.to_string()), error.kind(), drops)
    }

    /// Drops events, or makes dead letters of them.
    fn dispose(
        &self,
        events: &Batch,
        letter: &Letter<'_>,
        kind: &str,
        drops: &mut Drops,
    ) -> Result<(), CallError> {
        let spec = self.plugin.spec();
        let OnError::DeadLetter(target) = &spec.on_error else {
            drops.add(format!("{}: {kind}", spec.path), events.len());
            return Ok(());
        };
        let Some(channel) = self.plugin.host().dead_letters().find(&spec.agent, target) else {
            let text = format!("{target:?} for its dead letters is not there");
            return Err(CallError::Guest(GuestError::Retry(text)));
        };
        drops.dead_letter(channel, letter.of(events, &spec.path, &self.plugin.digest()));
        Ok(())
    }

    fn named(&self, error: &CallError) -> ComponentError {
        format!("sink {}: {error}", self.plugin.spec().path).into()
    }
}

#[async_trait]
impl Deliver for SinkPlugin {
    fn batch_size(&self) -> usize {
        self.batch_size
    }
    async fn open(&mut self) -> Result<(), ComponentError> {
        self.start().await.map_err(|error| self.named(&error))
    }
    async fn deliver(&mut self, events: &[Batch]) -> Result<Delivery, ComponentError> {
        let mut delivery = Delivery::default();
        for batch in events {
            let delivered = self.deliver_batch(batch, &mut delivery.dropped).await;
            delivered.map_err(|error| self.named(&error))?;
        }
        Ok(delivery)
    }
    async fn close(&mut self) -> Result<(), ComponentError> {
        if self.started == 0 {
            return Ok(());
        }
        self.started = 0;
        self.lease.call(0, sink::stop).await.map_err(|error| self.named(&error))
    }
}
