//! `StressSource`: one event again and again, for load tests. Flume's class of the same name.

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};
use flumen_event::{Batch, Span};
use tokio::select;
use tokio::time::{Instant, sleep, sleep_until};

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::source::{Source, SourceContext, SourceEnd};

options! {
    /// Makes the same event again and again, as fast as the channels take it: for load tests. The body is
    /// `size` bytes of 0x7F. Events that a channel refuses count as made, and are gone; the source then
    /// pauses. After the last event the source ends, and the agent goes on without it.
    pub struct StressOptions {
        /// Bytes of a body.
        "size" => size: u32 = 500,
        /// How many events to make, refused ones included. Below zero: no end.
        "maxTotalEvents" => max_total: i64 = -1,
        /// How many events to have stored; looked at between batches. Below zero: no end.
        "maxSuccessfulEvents" => max_successful: i64 = -1,
        /// Events in one transaction.
        "batchSize" => batch_size: Count = Count(1),
        /// Most events in a second. Zero: no limit.
        "maxEventsPerSecond" => max_per_second: i32 = 0,
        /// Milliseconds by which the pause after a refusal grows with each refusal in a row.
        "backoffSleepIncrement" => backoff_increment_ms: u64 = 1_000,
        /// The longest pause after a refusal, in milliseconds.
        "maxBackoffSleep" => backoff_max_ms: u64 = 5_000,
    }
}

pub(super) const STRESS: SourceType = SourceType {
    spec: ComponentSpec {
        check: |settings, diagnostics| read(settings, diagnostics).is_some(),
        batch_size: Some(|settings| {
            read(settings, &mut Diagnostics::default()).map_or(1, |o| o.batch_size.0)
        }),
        ..ComponentSpec::of::<StressOptions>(
            ComponentKind::Source,
            "org.apache.flume.source.StressSource",
            &[],
        )
    },
    build: |settings: &Settings| {
        let options = Diagnostics::or(|diagnostics| read(settings, diagnostics))?;
        Ok(Box::new(Stress { options, made: 0, stored: 0, refusals: 0 }))
    },
};

/// Java's largest array, which a body of Flume is.
const SIZE_BYTES_MAX: u32 = i32::MAX as u32;

fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<StressOptions> {
    let options = StressOptions::read(settings, diagnostics)?;
    if options.size > SIZE_BYTES_MAX {
        let message = format!("`size = {}`: not a whole number from 0 to {SIZE_BYTES_MAX}", options.size);
        let finding =
            Diagnostic::error("bad-value", message).on(settings.path()).at(&settings.origin("size"));
        diagnostics.push(finding);
        return None;
    }
    Some(options)
}

struct Stress {
    options: StressOptions,
    made: u64,
    stored: u64,
    refusals: u64,
}

#[async_trait]
impl Source for Stress {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        context.ready();
        let whole = self.batch();
        let mut pace = Pace::new(self.options.max_per_second);
        let mut stop = pin!(context.stop.requested());
        loop {
            let count = self.wanted();
            if count == 0 {
                return Ok(SourceEnd::Finished);
            }
            select! {
                biased;
                () = self.step(context, whole.slice(0..count), &mut pace) => {}
                () = &mut stop => return Ok(SourceEnd::Stopped),
            }
            if context.stop.is_requested() {
                return Ok(SourceEnd::Stopped);
            }
            // A channel that always has room would never make this task wait, nor let others have the thread.
            tokio::task::consume_budget().await;
        }
    }
}

impl Stress {
    /// All events over the same bytes.
    fn batch(&self) -> Batch {
        let size = self.options.size as usize;
        Batch::from_arena(Bytes::from(vec![0x7F; size]), vec![Span::new(0..size); self.options.batch_size.0])
    }
    /// Events in the next batch; none when it is over.
    fn wanted(&self) -> usize {
        if u64::try_from(self.options.max_successful).is_ok_and(|max| self.stored >= max) {
            return 0;
        }
        let left =
            u64::try_from(self.options.max_total).map_or(u64::MAX, |max| max.saturating_sub(self.made));
        usize::try_from(left).unwrap_or(usize::MAX).min(self.options.batch_size.0)
    }
    async fn step(&mut self, context: &SourceContext, batch: Batch, pace: &mut Pace) {
        let count = batch.len();
        pace.wait_for(count).await;
        let outcome = context.outlet.here().deliver(batch).await;
        self.made += count as u64;
        match outcome {
            Ok(()) => {
                self.stored += count as u64;
                self.refusals = 0;
            }
            Err(refused) => {
                self.stored += refused.accepted as u64;
                self.refusals += 1;
                tracing::debug!(%refused, "events refused");
                let pause = self.options.backoff_increment_ms.saturating_mul(self.refusals);
                sleep(Duration::from_millis(pause.min(self.options.backoff_max_ms))).await;
            }
        }
    }
}

/// Spreads events over time. What was not used in the last second may be made up for.
struct Pace {
    per_second: f64,
    free_at: Instant,
}

const CATCH_UP: Duration = Duration::from_secs(1);

impl Pace {
    fn new(per_second: i32) -> Self {
        Self { per_second: f64::from(per_second.max(0)), free_at: Instant::now() }
    }
    async fn wait_for(&mut self, events: usize) {
        if self.per_second == 0.0 {
            return;
        }
        sleep_until(self.free_at).await;
        let earliest = Instant::now().checked_sub(CATCH_UP).unwrap_or(self.free_at);
        self.free_at = self.free_at.max(earliest) + Duration::from_secs_f64(events as f64 / self.per_second);
    }
}
