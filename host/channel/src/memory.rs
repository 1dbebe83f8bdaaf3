//! The memory channel: fast, bounded, gone when the process is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flumen_event::Batch;

use crate::channel::{Channel, ChannelLimits, ChannelStatus, Patience, Reservation, Take};
use crate::counters::ChannelCounters;
use crate::error::{PutError, TakeError};
use crate::gate::Gate;
use crate::queue::{Demand, Queue, QueueTake, Reserved};

/// Bodies are counted in slots of this many bytes, each body rounded up, as Flume's `MemoryChannel` does.
const SLOT_BYTES: usize = 100;
/// Flume's "no limit": the number of slots it falls back to.
const SLOTS_UNLIMITED: usize = 2_147_483_647;

/// The limits of a memory channel.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// Most events.
    pub capacity: usize,
    /// Most events in one take.
    pub transaction_capacity: usize,
    /// How long a put waits for room.
    pub keep_alive: Duration,
    /// Most bytes of bodies, the share for headers already taken off. Below one slot: no limit.
    pub body_bytes_max: usize,
}

/// Events in memory; see [`Channel`] for what it promises.
pub struct MemoryChannel {
    limits: MemoryLimits,
    queue: Queue,
    gate: Arc<Gate>,
    counters: Arc<ChannelCounters>,
}

impl MemoryChannel {
    /// An empty channel of the agent that `gate` belongs to.
    #[must_use]
    pub fn new(limits: MemoryLimits, gate: Arc<Gate>) -> Self {
        let slots = match limits.body_bytes_max / SLOT_BYTES {
            0 => SLOTS_UNLIMITED,
            slots => slots,
        };
        let capacity = Demand { events: limits.capacity, slots };
        Self { limits, queue: Queue::new(capacity, slots_of), gate, counters: Arc::default() }
    }

    async fn wait_for_room(&self, demand: Demand) -> Result<Reserved, PutError> {
        if let Some(reserved) = self.queue.try_reserve(demand) {
            return Ok(reserved);
        }
        let since = Instant::now();
        let waited = tokio::time::timeout(self.limits.keep_alive, self.queue.reserve(demand)).await;
        let waited_ms = usize::try_from(since.elapsed().as_millis()).unwrap_or(usize::MAX);
        ChannelCounters::add(&self.counters.put_wait_ms, waited_ms);
        waited.map_err(|_| self.full(demand))
    }

    fn full(&self, demand: Demand) -> PutError {
        if self.queue.lacks_slots_only(demand) {
            PutError::BytesFull {
                bytes_max: format!("{}.0", self.limits.body_bytes_max / SLOT_BYTES * SLOT_BYTES),
            }
        } else {
            PutError::Full
        }
    }
    fn taken(&self, max: usize, take: QueueTake) -> Box<dyn Take> {
        let take: Box<dyn Take> =
            Box::new(MemoryTake { take, gate: self.gate.clone(), counters: self.counters.clone() });
        let count = take.len();
        ChannelCounters::add(&self.counters.take_attempt, count + usize::from(count < max));
        take
    }
}

fn slots_of(batch: &Batch) -> usize {
    batch.spans().iter().map(|s| (s.len as usize).div_ceil(SLOT_BYTES)).sum()
}

#[async_trait]
impl Channel for MemoryChannel {
    fn limits(&self) -> ChannelLimits {
        ChannelLimits {
            capacity: self.limits.capacity,
            transaction_capacity: self.limits.transaction_capacity,
        }
    }
    fn status(&self) -> ChannelStatus {
        let (bytes, oldest) = self.queue.contents();
        ChannelStatus { events: self.queue.len(), bytes, oldest_age: oldest.map(|at| at.elapsed()) }
    }
    fn counters(&self) -> &ChannelCounters {
        &self.counters
    }

    async fn reserve(&self, batch: &Batch, patience: Patience) -> Result<Box<dyn Reservation>, PutError> {
        let demand = self.queue.demand(batch);
        ChannelCounters::add(&self.counters.put_attempt, demand.events);
        if !self.queue.could_fit(demand) {
            return Err(PutError::TooLarge {
                events: demand.events,
                bytes: batch.body_bytes(),
                capacity: format!(
                    "{} events, {} bytes of bodies",
                    self.limits.capacity, self.limits.body_bytes_max
                ),
            });
        }
        let reserved = match patience {
            Patience::None => self.queue.try_reserve(demand).ok_or_else(|| self.full(demand))?,
            Patience::KeepAlive => self.wait_for_room(demand).await?,
        };
        Ok(Box::new(MemoryReservation { reserved, counters: self.counters.clone() }))
    }

    async fn wait_for_events(&self) {
        self.queue.wait_for_events().await;
    }
    async fn wait_for_many(&self, count: usize) {
        self.queue.wait_for_many(count).await;
    }
    fn is_durable(&self) -> bool {
        false
    }

    async fn try_take(&self, max: usize) -> Result<Option<Box<dyn Take>>, TakeError> {
        let max = max.min(self.limits.transaction_capacity);
        match self.queue.try_take(max) {
            Some(take) => Ok(Some(self.taken(max, take))),
            None => {
                ChannelCounters::add(&self.counters.take_attempt, 1);
                Ok(None)
            }
        }
    }
}

struct MemoryReservation {
    reserved: Reserved,
    counters: Arc<ChannelCounters>,
}

#[async_trait]
impl Reservation for MemoryReservation {
    async fn persist(&mut self, _: &Batch) -> Result<(), PutError> {
        Ok(())
    }
    fn commit(self: Box<Self>, batch: Batch) {
        ChannelCounters::add(&self.counters.put_success, batch.len());
        self.reserved.commit(batch);
    }
}

struct MemoryTake {
    take: QueueTake,
    gate: Arc<Gate>,
    counters: Arc<ChannelCounters>,
}

#[async_trait]
impl Take for MemoryTake {
    fn batches(&self) -> &[Batch] {
        self.take.batches()
    }
    async fn commit(self: Box<Self>, settled: &mut (dyn FnMut() + Send)) -> Result<(), TakeError> {
        let count = self.take.batches().iter().map(Batch::len).sum();
        let _movement = self.gate.movement();
        settled();
        ChannelCounters::add(&self.counters.take_success, count);
        self.take.commit();
        Ok(())
    }
}
