//! One put over several channels: all or nothing.

use std::sync::Arc;

use flumen_event::Batch;

use crate::channel::{Channel, Patience};
use crate::error::PutError;
use crate::gate::Gate;

/// A put over several channels failed; no channel has any of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct PutAllError {
    /// Which of the given channels refused, as an index.
    pub channel: usize,
    /// Why.
    pub error: PutError,
}

/// Puts each batch into its channel, or none into any.
///
/// Room is reserved in the order given; callers that share channels give them in the same order, so two puts
/// cannot wait for each other in a circle. `settled` is called in the same movement through the gate as the
/// commits. Flume commits channel after channel and leaves duplicates when the second is full (complaints C2).
///
/// # Errors
/// The first refusal. Everything reserved before is given back.
pub async fn put_all(
    parts: &[(Arc<dyn Channel>, Batch)],
    patience: Patience,
    gate: &Gate,
    settled: impl FnOnce(),
) -> Result<(), PutAllError> {
    put(parts, patience, (gate, Task::GoesOn), settled).await
}

/// [`put_all`] for a task that does nothing else meanwhile: its thread may be held until the disk has the batches, see
/// [`Reservation::persist_here`](crate::Reservation::persist_here).
///
/// # Errors
/// As for [`put_all`].
pub async fn put_all_here(
    parts: &[(Arc<dyn Channel>, Batch)],
    patience: Patience,
    gate: &Gate,
    settled: impl FnOnce(),
) -> Result<(), PutAllError> {
    put(parts, patience, (gate, Task::Waits), settled).await
}

/// What the caller's task does while the disk is at work.
#[derive(Clone, Copy)]
enum Task {
    Waits,
    GoesOn,
}

async fn put(
    parts: &[(Arc<dyn Channel>, Batch)],
    patience: Patience,
    (gate, task): (&Gate, Task),
    settled: impl FnOnce(),
) -> Result<(), PutAllError> {
    let refused = |channel| move |error| PutAllError { channel, error };
    let mut reserved = Vec::with_capacity(parts.len());
    for (at, (channel, batch)) in parts.iter().enumerate() {
        reserved.push(channel.reserve(batch, patience).await.map_err(refused(at))?);
    }
    for (at, (reservation, (_, batch))) in reserved.iter_mut().zip(parts).enumerate() {
        let persisted = match task {
            Task::Waits => reservation.persist_here(batch).await,
            Task::GoesOn => reservation.persist(batch).await,
        };
        persisted.map_err(refused(at))?;
    }
    let _movement = gate.movement();
    for (reservation, (_, batch)) in reserved.into_iter().zip(parts) {
        reservation.commit(batch.clone());
    }
    settled();
    Ok(())
}
