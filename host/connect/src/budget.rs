//! What all sources of one tenant may bring in together: events a second, and bytes that wait in channels.
//!
//! ```text
//! outlet ─ admit: above a ceiling? wait ─▶ put ─ spend: what was stored ─▶ bucket
//! ```
//!
//! The rate is a bucket that may go below zero by one batch and lets nothing in until it is above again, so that
//! batches need not be cut. Bytes are those of bodies in all the tenant's channels; what is on its way counts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use flumen_channel::{Channel, Patience};
use tokio::time::Instant;

/// How long a put waits for bytes to be taken out of the channels, as long as Flume's channels wait for room.
const BYTES_PATIENCE: Duration = Duration::from_secs(3);
/// How often is looked whether there is room.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What is not used is kept for so long, so that a burst after silence is no fault.
const BURST_SECONDS: f64 = 0.1;

/// A tenant's ceiling is reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverBudget {
    /// Too many events a second; only said to those who do not wait.
    #[error("tenant {tenant}: events_per_second_max = {max} is reached")]
    Rate {
        /// Whose ceiling.
        tenant: Arc<str>,
        /// The ceiling.
        max: u64,
    },
    /// Too many bytes wait in channels.
    #[error(
        "tenant {tenant}: {held} bytes wait in its channels, {wanted} more are above channel_bytes_max = {max}"
    )]
    Bytes {
        /// Whose ceiling.
        tenant: Arc<str>,
        /// What waits in the channels.
        held: usize,
        /// What was to be added.
        wanted: usize,
        /// The ceiling.
        max: usize,
    },
}

/// The budget of one tenant, shared by all its sources.
pub struct Budget {
    tenant: Arc<str>,
    events_per_second_max: Option<u64>,
    channel_bytes_max: Option<usize>,
    channels: Mutex<Vec<Weak<dyn Channel>>>,
    bucket: Mutex<Bucket>,
    /// Bytes of puts that are under way.
    coming_bytes: AtomicUsize,
    waited_ms: AtomicU64,
    refused: AtomicU64,
}

struct Bucket {
    events: f64,
    at: Instant,
}

/// Room for the bytes of a put; given back when it is over, as the bytes are in the channel then.
pub struct Room<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.budget.coming_bytes.fetch_sub(self.bytes, Relaxed);
    }
}

impl Budget {
    /// A budget with these ceilings.
    #[must_use]
    pub fn new(
        tenant: Arc<str>,
        events_per_second_max: Option<u64>,
        channel_bytes_max: Option<usize>,
    ) -> Self {
        let events = events_per_second_max.unwrap_or(0) as f64 * BURST_SECONDS;
        Self {
            tenant,
            events_per_second_max,
            channel_bytes_max,
            channels: Mutex::default(),
            bucket: Mutex::new(Bucket { events, at: Instant::now() }),
            coming_bytes: AtomicUsize::new(0),
            waited_ms: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }
    /// Adds a channel to those whose bytes count.
    pub fn watch(&self, channel: &Arc<dyn Channel>) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|channel| channel.strong_count() > 0);
        channels.push(Arc::downgrade(channel));
    }
    /// The tenant's name.
    #[must_use]
    pub fn tenant(&self) -> &Arc<str> {
        &self.tenant
    }
    /// Milliseconds that sources waited because a ceiling was reached.
    #[must_use]
    pub fn waited_ms(&self) -> u64 {
        self.waited_ms.load(Relaxed)
    }
    /// Puts that were refused because a ceiling was reached.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
    /// Bytes of bodies that wait in its channels now.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.iter().filter_map(Weak::upgrade).map(|channel| channel.status().bytes).sum()
    }

    /// Lets a put of so many bytes begin. Waits for the rate as long as it takes, for bytes as long as a channel
    /// waits for room.
    ///
    /// # Errors
    /// The ceiling that is reached.
    pub async fn admit(&self, bytes: usize, patience: Patience) -> Result<Room<'_>, OverBudget> {
        let since = Instant::now();
        let admitted = self.wait(bytes, patience, since).await;
        let waited_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.waited_ms.fetch_add(waited_ms, Relaxed);
        if admitted.is_err() {
            self.refused.fetch_add(1, Relaxed);
        }
        admitted
    }

    async fn wait(&self, bytes: usize, patience: Patience, since: Instant) -> Result<Room<'_>, OverBudget> {
        while let Some(pause) = self.until_refilled() {
            if patience == Patience::None {
                let max = self.events_per_second_max.unwrap_or(0);
                return Err(OverBudget::Rate { tenant: self.tenant.clone(), max });
            }
            tokio::time::sleep(pause).await;
        }
        loop {
            match self.try_room(bytes) {
                Ok(room) => return Ok(room),
                Err(over) if patience == Patience::None || since.elapsed() >= BYTES_PATIENCE => {
                    return Err(over);
                }
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// How long until events may come in again; none: now.
    fn until_refilled(&self) -> Option<Duration> {
        let rate = self.events_per_second_max? as f64;
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let refilled = bucket.events + now.duration_since(bucket.at).as_secs_f64() * rate;
        *bucket = Bucket { events: refilled.min((rate * BURST_SECONDS).max(1.0)), at: now };
        (bucket.events < 0.0).then(|| Duration::from_secs_f64((-bucket.events / rate).max(0.001)))
    }

    /// Takes the events that were stored out of the bucket.
    pub fn spend(&self, events: usize) {
        if self.events_per_second_max.is_some() {
            self.bucket.lock().unwrap_or_else(PoisonError::into_inner).events -= events as f64;
        }
    }

    fn try_room(&self, bytes: usize) -> Result<Room<'_>, OverBudget> {
        let room = Room { budget: self, bytes };
        // Taken first, looked afterwards: of two that come together at most one too few gets in, never one too many.
        let coming = self.coming_bytes.fetch_add(bytes, Relaxed) + bytes;
        let Some(max) = self.channel_bytes_max else { return Ok(room) };
        let held = self.held_bytes();
        // What is larger than everything goes in alone, or it would wait for ever.
        let is_alone = held == 0 && coming == bytes;
        if is_alone || held.saturating_add(coming) <= max {
            return Ok(room);
        }
        Err(OverBudget::Bytes { tenant: self.tenant.clone(), held, wanted: bytes, max })
    }
}
