//! A source that is a plugin: the host asks it for events, and says what became of them.
//!
//! ```text
//!            ┌────────────────────────── again, behind the stored checkpoint ◀── trap, overrun, breach, new version
//!            ▼                                                                          (pause, growing)
//! ready ─▶ start(checkpoint) ─▶ next-batch ─┬─ batch ─▶ channels ─▶ checkpoint to the disk ─▶ committed ─┐
//!                                   ▲       │              └ refused: rolled-back(stored checkpoint)     │
//!                                   │       ├─ idle ─▶ wait, or stop                                     │
//!                                   │       └─ done ─▶ stop, finished                                    │
//!                                   └────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Promises: an event is in the channels before its checkpoint is on the disk, and that before `committed`. So nothing
//! is lost, whatever dies when; and what may come twice is the one batch whose events were in the channels and whose
//! checkpoint was not on the disk yet when the process died. A trap doubles nothing.

mod checkpoint;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flumen_connect::{ComponentError, Source as Run, SourceContext, SourceEnd};
use flumen_event::Batch;

use crate::error::{CallError, GuestError, LoadError};
use crate::host::Host;
use crate::plugin::{Lease, Plugin};
use crate::spec::{OnError, PluginSpec};
use crate::world::v0_1_0::columns::Bounds;
use crate::world::v0_1_0::source::{Poll, Source, Tell, next_batch, tell};

pub use checkpoint::{CheckpointError, CheckpointFile};

/// Most events that are asked for at once.
const EVENTS_MAX: usize = 1000;
/// How long a guest may wait for events at most; half of its time where that is less.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// A source that always says "none now, ask again at once" is asked this often.
const IDLE_MIN: Duration = Duration::from_millis(10);
const IDLE_MAX: Duration = Duration::from_secs(3600);
/// How long a batch waits for room in the channels before it is rolled back.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// After this many failures without a batch in between the agent is told, and shows it.
const FAILURES_SHOWN: u32 = 4;

/// A source plugin.
pub struct SourcePlugin {
    plugin: Arc<Plugin<Source>>,
    checkpoint: CheckpointFile,
    patience: Duration,
}

impl SourcePlugin {
    /// Nothing is read before [`load`](Self::load) or the run.
    #[must_use]
    pub fn new(host: &Arc<Host>, spec: PluginSpec) -> Self {
        let checkpoint = CheckpointFile::new(&host.options().state_dir, &spec.path);
        Self { checkpoint, plugin: Plugin::new(host, spec, Source), patience: PATIENCE }
    }
    /// The same, with another time that a batch waits for room before it is rolled back; 30 s by default.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
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
    pub fn plugin(&self) -> &Arc<Plugin<Source>> {
        &self.plugin
    }
}

#[async_trait]
impl Run for SourcePlugin {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let mut pause = Pause::default();
        while !context.stop.is_requested() {
            let mut session = Session {
                lease: self.plugin.lease(),
                checkpoint: &self.checkpoint,
                context,
                pause: &mut pause,
                patience: self.patience,
                stored: None,
            };
            let error = match session.run().await {
                Ok(Next::End(end)) => return Ok(end),
                Ok(Next::Again) => continue,
                Err(error) => error,
            };
            if let Ended::Call(error) = &error {
                self.plugin.complain(error, 0);
                self.plugin.stop_if_asked(error);
            }
            if !error.passes() || pause.failures >= FAILURES_SHOWN {
                return Err(format!("source {}: {error}", self.plugin.spec().path).into());
            }
            pause.take(context, error.wait()).await;
        }
        Ok(SourceEnd::Stopped)
    }
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Call(#[from] CallError),
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
}

impl Ended {
    /// Whether it may go on without anybody's doing.
    fn passes(&self) -> bool {
        !matches!(self, Self::Checkpoint(_) | Self::Call(CallError::NotLoaded(_) | CallError::Stopped(_)))
    }
    /// How long the plugin is left alone at least.
    fn wait(&self) -> Duration {
        match self {
            Self::Call(CallError::Broken { wait, .. }) => *wait,
            _ => Duration::ZERO,
        }
    }
}

/// Pauses that grow while nothing succeeds.
#[derive(Default)]
struct Pause {
    failures: u32,
}

impl Pause {
    fn success(&mut self) {
        self.failures = 0;
    }
    /// Waits, but not beyond a stop.
    async fn take(&mut self, context: &SourceContext, least: Duration) {
        let grown = PAUSE_MIN.saturating_mul(1 << self.failures.min(16)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        wait(context, grown.max(least)).await;
    }
}

async fn wait(context: &SourceContext, time: Duration) {
    tokio::select! {
        () = context.stop.requested() => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// How a session goes on.
enum Next {
    End(SourceEnd),
    /// With another instance.
    Again,
}

/// The time of one instance.
struct Session<'a> {
    lease: Lease<Source>,
    checkpoint: &'a CheckpointFile,
    context: &'a SourceContext,
    pause: &'a mut Pause,
    patience: Duration,
    /// The newest checkpoint on the disk.
    stored: Option<Vec<u8>>,
}

impl Session<'_> {
    async fn run(&mut self) -> Result<Next, Ended> {
        let incarnation = self.lease.ready().await?;
        self.stored = aside(self.checkpoint, CheckpointFile::load).await?;
        self.tell(Tell::Start(self.stored.clone())).await?;
        self.context.ready();
        loop {
            if self.context.stop.is_requested() {
                return Ok(self.end(SourceEnd::Stopped).await);
            }
            // Between two batches another version may take over.
            if self.lease.ready().await? != incarnation {
                return Ok(Next::Again);
            }
            let Some(polled) = self.poll().await? else { continue };
            match polled {
                Poll::Batch(batch, checkpoint) => {
                    self.store(batch, checkpoint).await?;
                    self.pause.success();
                }
                Poll::Idle(ms) => {
                    self.pause.success();
                    let time = Duration::from_millis(u64::from(ms)).clamp(IDLE_MIN, IDLE_MAX);
                    wait(self.context, time).await;
                }
                Poll::Done => return Ok(self.end(SourceEnd::Finished).await),
            }
        }
    }

    /// Asks for events. None: the guest wants to be asked again, and the pause before that is over.
    async fn poll(&mut self) -> Result<Option<Poll>, Ended> {
        let limits = *self.lease.plugin().limits();
        let events_max = EVENTS_MAX.min(self.context.outlet.events_max()).max(1);
        let bounds = Bounds::new(limits.output_bytes_max).with_events_max(events_max);
        let wait_max = WAIT_MAX.min(limits.batch_time_max / 2);
        let wait_ms = u32::try_from(wait_max.as_millis()).unwrap_or(u32::MAX);
        let polled = self.lease.call(events_max, move |live| next_batch(live, bounds, wait_ms)).await;
        match polled {
            Err(error @ CallError::Guest(GuestError::Retry(_) | GuestError::Invalid(_))) => {
                self.again_later(error).await?;
                Ok(None)
            }
            polled => Ok(Some(polled?)),
        }
    }

    /// The instance goes on after a pause; after many the agent is told.
    async fn again_later(&mut self, error: CallError) -> Result<(), Ended> {
        let plugin = self.lease.plugin();
        plugin.complain(&error, 0);
        let stops = error.is_of_input() && plugin.spec().on_error == OnError::Stop;
        if stops || self.pause.failures >= FAILURES_SHOWN {
            return Err(error.into());
        }
        self.pause.take(self.context, Duration::ZERO).await;
        Ok(())
    }

    /// The events into the channels, then the checkpoint to the disk, then the word to the guest.
    async fn store(&mut self, batch: Batch, checkpoint: Vec<u8>) -> Result<(), Ended> {
        if !deliver(self.context, &batch, self.patience).await {
            let stored = self.stored.clone();
            self.tell(Tell::RolledBack(stored)).await?;
            wait(self.context, PAUSE_MIN).await;
            return Ok(());
        }
        if batch.is_empty() && self.stored.as_ref() == Some(&checkpoint) {
            wait(self.context, IDLE_MIN).await;
        }
        // The events are stored: giving them up now would double them, so the disk is waited for.
        let mut pause = PAUSE_MIN;
        loop {
            let own = checkpoint.clone();
            match aside(self.checkpoint, move |file| file.store(&own)).await {
                Ok(()) => break,
                Err(error) if self.context.stop.is_requested() => return Err(error.into()),
                Err(error) => tracing::error!(plugin = %self.lease.plugin().spec().path, %error,
                    "events are stored, but not how far the source has come: it waits"),
            }
            wait(self.context, pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        self.stored = Some(checkpoint.clone());
        self.tell(Tell::Committed(checkpoint)).await
    }

    /// Tells the guest something. What it wants to be told again is told again, unless the agent stops.
    async fn tell(&mut self, what: Tell) -> Result<(), Ended> {
        let mut pause = Pause::default();
        loop {
            let own = what.clone();
            match self.lease.call(0, move |live| tell(live, own)).await {
                Ok(()) => return Ok(()),
                Err(error @ CallError::Guest(GuestError::Retry(_) | GuestError::Invalid(_)))
                    if matches!(what, Tell::Committed(_)) =>
                {
                    self.lease.plugin().complain(&error, 0);
                    // What was stored stays stored: a source that will not hear of it is not told for ever.
                    if !matches!(error, CallError::Guest(GuestError::Retry(_)))
                        || pause.failures >= FAILURES_SHOWN
                        || self.context.stop.is_requested()
                    {
                        return Ok(());
                    }
                    pause.take(self.context, Duration::ZERO).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn end(&mut self, end: SourceEnd) -> Next {
        if let Err(Ended::Call(error)) = self.tell(Tell::Stop).await {
            self.lease.plugin().complain(&error, 0);
        }
        Next::End(end)
    }
}

/// Whether all of the events are in the channels; otherwise none is.
async fn deliver(context: &SourceContext, batch: &Batch, patience: Duration) -> bool {
    let mut progress = 0;
    let given_up = tokio::select! {
        () = context.outlet.deliver_patiently(batch, &mut progress) => false,
        () = context.stop.requested() => true,
        () = tokio::time::sleep(patience) => true,
    };
    if given_up && progress < batch.len() {
        context.outlet.refuse(batch.len() - progress);
        return false;
    }
    true
}

/// File work, off the runtime's threads.
async fn aside<T: Send + 'static>(
    file: &CheckpointFile,
    work: impl FnOnce(&CheckpointFile) -> Result<T, CheckpointError> + Send + 'static,
) -> Result<T, CheckpointError> {
    let file = file.clone();
    let done = tokio::task::spawn_blocking(move || work(&file)).await;
    // The work has no way to panic but its assertions, and those must not pass for success.
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
