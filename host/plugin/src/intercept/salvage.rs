//! Gets out of a failing batch what can be processed.
//!
//! ```text
//! [a b c d e f g h] fails ─▶ once more on a fresh instance (not after `invalid`) ─▶ fails ─▶ halves
//!   [a b c d] ok    [e f g h] fails ─▶ [e f] fails ─▶ [e] ok  [f] fails: poison     [g h] ok
//! result: a b c d e g h; failed: f
//! ```
//! Bounded: after [`TRIALS_MAX`] trials, or when the time is over, what is not known to be good goes as it is.

use std::time::{Duration, Instant};

use flumen_event::{Batch, BatchBuilder, Limits};

use super::InterceptorPlugin;
use crate::error::{CallError, GuestError};
use crate::world::v0_1_0::columns::Applied;

/// Calls that one failing batch may cause. Finds 3 poison events in 1,000.
const TRIALS_MAX: usize = 64;
/// Time-outs of the plugin that may be waited for: enough to find an event that loops among 1,000.
const TIMEOUTS_MAX: u32 = 12;
/// Time beyond these.
const TIME_MAX: Duration = Duration::from_secs(1);

/// What became of a batch that failed as a whole.
#[derive(Default)]
pub(super) struct Salvaged {
    /// What the plugin made of the good part, in order.
    pub(super) applied: Applied,
    /// What failed, and how.
    pub(super) failed: Vec<(Batch, CallError)>,
}

impl Salvaged {
    pub(super) fn nothing(batch: &Batch, error: CallError) -> Self {
        Self { failed: vec![(batch.clone(), error)], ..Self::default() }
    }
}

/// What may still be spent on a batch.
struct Budget {
    trials: usize,
    time: Duration,
    /// A trial costs no more than this: what a crowded machine adds is not the batch's fault.
    trial_max: Duration,
}

impl Budget {
    fn new(time_out: Duration) -> Self {
        let time = time_out.saturating_mul(TIMEOUTS_MAX).saturating_add(TIME_MAX);
        Self { trials: TRIALS_MAX, time, trial_max: time_out }
    }
    fn is_spent(&self) -> bool {
        self.trials == 0 || self.time.is_zero()
    }
    fn spend(&mut self, since: Instant) {
        self.trials = self.trials.saturating_sub(1);
        self.time = self.time.saturating_sub(since.elapsed().min(self.trial_max));
    }
}

impl InterceptorPlugin {
    /// # Errors
    /// If the whole batch has to be given again: the plugin asks for a retry, or there is no instance.
    pub(super) async fn salvage(&self, batch: &Batch, error: CallError) -> Result<Salvaged, CallError> {
        let mut budget = Budget::new(self.plugin.limits().batch_time_max);
        let mut error = error;
        if !matches!(error, CallError::Guest(GuestError::Invalid(_))) {
            match self.trial(batch, &mut budget).await? {
                Ok(applied) => return Ok(Salvaged { applied, failed: Vec::new() }),
                Err(again) => error = again,
            }
        }
        self.halve(batch, error, budget).await
    }

    async fn halve(
        &self,
        batch: &Batch,
        error: CallError,
        mut budget: Budget,
    ) -> Result<Salvaged, CallError> {
        let mut good = Vec::new();
        let mut failed = Vec::new();
        // Parts in reverse order; with the error of those that are known to fail.
        let mut parts = vec![(batch.clone(), Some(error))];
        let mut last: Option<CallError> = None;
        while let Some((part, known)) = parts.pop() {
            let error = match known {
                Some(error) => error,
                None if budget.is_spent() => {
                    let why = last.clone().unwrap_or(CallError::Lost);
                    failed.push((part, why));
                    continue;
                }
                None => match self.trial(&part, &mut budget).await? {
                    Ok(applied) => {
                        good.push(applied);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            last = Some(error.clone());
            if part.len() == 1 {
                failed.push((part, error));
            } else {
                let middle = part.len() / 2;
                parts.push((part.slice(middle..part.len()), None));
                parts.push((part.slice(0..middle), None));
            }
        }
        Ok(Salvaged { applied: joined(good)?, failed })
    }

    /// The outer error means that the whole batch has to be given again.
    async fn trial(
        &self,
        part: &Batch,
        budget: &mut Budget,
    ) -> Result<Result<Applied, CallError>, CallError> {
        let since = Instant::now();
        let tried = self.try_once(part.clone()).await;
        budget.spend(since);
        match tried {
            Err(
                error @ (CallError::Guest(GuestError::Retry(_))
                | CallError::NotLoaded(_)
                | CallError::Busy(_)
                | CallError::Lost),
            ) => Err(error),
            other => Ok(other),
        }
    }
}

/// The parts as one. Copies: this is the way of failing batches only.
fn joined(mut parts: Vec<Applied>) -> Result<Applied, CallError> {
    if parts.len() < 2 {
        return Ok(parts.pop().unwrap_or_default());
    }
    let too_large =
        |_| CallError::Breach("the parts of its answer are larger together than a batch may be".to_owned());
    let (mut batch, mut rejected) =
        (BatchBuilder::new(Limits::default()), BatchBuilder::new(Limits::default()));
    let mut whole = Applied::default();
    for part in parts {
        append(&mut batch, &part.batch).map_err(too_large)?;
        append(&mut rejected, &part.rejected.events).map_err(too_large)?;
        whole.rejected.reasons.extend(part.rejected.reasons);
        whole.filtered += part.filtered;
        whole.added += part.added;
    }
    whole.batch = batch.finish();
    whole.rejected.events = rejected.finish();
    Ok(whole)
}

fn append(to: &mut BatchBuilder, events: &Batch) -> Result<(), flumen_event::LimitExceeded> {
    let mut headers = Vec::new();
    for event in events.iter() {
        headers.clear();
        headers.extend(event.headers());
        to.push(event.body(), headers.iter().copied())?;
    }
    Ok(())
}
