//! A channel on the simulated disk beside what must be true of it.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::file::storage::simulated::SimulatedDisk;
use flumen_channel::file::{FileChannel, FileLimits, LogOptions, SyncPolicy};
use flumen_channel::{Channel, Gate, Patience, Take, put_all_here};
use flumen_event::{Batch, BatchBuilder};

pub const SEGMENT_BYTES: u64 = 4096;

/// What the channel must hold, whatever happens to its disk.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Acknowledged and not taken for good, in order.
    pub pending: VecDeque<u64>,
    /// Refused or withdrawn: nobody relies on them, and they may come all the same.
    pub unsure: BTreeSet<u64>,
    pub next: u64,
    /// So many more batches may be put side by side. Only in one folder: two folders do not agree on whose is first.
    pub beside: u64,
}

/// What is under way when the power goes.
#[derive(Clone, Debug)]
pub enum Doing {
    Nothing,
    /// Batches that were put side by side.
    Put(Vec<Vec<u64>>),
    Take(Vec<u64>),
}

pub struct Subject {
    pub channel: Arc<FileChannel>,
    pub gate: Arc<Gate>,
}

pub fn limits(dirs: usize, window_bytes: usize) -> FileLimits {
    limits_with(dirs, window_bytes, SyncPolicy::EachTransaction)
}
pub fn limits_with(dirs: usize, window_bytes: usize, sync: SyncPolicy) -> FileLimits {
    let dir = Path::new("/channel");
    FileLimits {
        capacity: 100_000,
        transaction_capacity: 1000,
        keep_alive: Duration::ZERO,
        spill: None,
        log: LogOptions {
            data_dirs: (0..dirs).map(|n| dir.join(format!("data{n}"))).collect(),
            backup_checkpoint_dir: Some(dir.join("backup")),
            segment_bytes: SEGMENT_BYTES,
            window_bytes,
            load_bytes: window_bytes,
            retry_pause: Duration::ZERO,
            // A thread of its own: calls would not come in the same order when a seed is run again.
            prepares_segments: false,
            sync,
            ..LogOptions::below(dir)
        },
    }
}

/// Events have bodies of every length, so that no two are alike and some fill a page.
pub fn body(number: u64) -> Vec<u8> {
    let mut body = format!("{number} ").into_bytes();
    body.resize(body.len() + (number * 37 % 400) as usize, b'a' + (number % 26) as u8);
    body
}
pub fn batch(numbers: &[u64]) -> Batch {
    let mut builder = BatchBuilder::default();
    for number in numbers {
        let text = number.to_string();
        builder.push(&body(*number), [("n", text.as_str())]).expect("fits");
    }
    builder.finish()
}
pub fn numbers(take: &dyn Take) -> Vec<u64> {
    let read = take.batches().iter().flat_map(Batch::iter).map(|event| {
        let number: u64 = event.header("n").and_then(|n| n.parse().ok()).expect("an event of ours");
        assert_eq!(event.body(), body(number), "event {number} was changed");
        number
    });
    read.collect()
}

impl Subject {
    pub fn closed(disk: &SimulatedDisk, limits: FileLimits) -> Self {
        let gate = Arc::new(Gate::default());
        let channel = FileChannel::on(Arc::new(disk.clone()), limits, None, gate.clone());
        Self { channel: Arc::new(channel), gate }
    }
    pub fn open(disk: &SimulatedDisk, limits: FileLimits) -> Self {
        let subject = Self::closed(disk, limits);
        subject.channel.try_open().expect("the channel always starts");
        subject
    }
    pub async fn put(&self, numbers: &[u64]) -> bool {
        let channel: Arc<dyn Channel> = self.channel.clone();
        put_all_here(&[(channel, batch(numbers))], Patience::None, &self.gate, || ()).await.is_ok()
    }
    /// A put that is made durable and then given up.
    pub async fn withdraw(&self, numbers: &[u64]) {
        let events = batch(numbers);
        if let Ok(mut reserved) = self.channel.reserve(&events, Patience::None).await {
            drop(reserved.persist(&events).await);
        }
    }
    /// Everything that can be taken, each event once.
    pub async fn drain(&self) -> Vec<u64> {
        let mut all = Vec::new();
        while let Some(take) = self.channel.try_take(7).await.expect("the storage works") {
            all.extend(numbers(&*take));
            take.commit(&mut || ()).await.expect("the storage works");
        }
        all
    }
    pub fn quarantined(&self) -> u64 {
        let metrics = self.channel.metrics();
        LogMetrics::get(&metrics.quarantined_records) + LogMetrics::get(&metrics.quarantined_events)
    }
}

impl Truth {
    pub fn fresh(&mut self, count: u64) -> Vec<u64> {
        self.next += count;
        (self.next - count..self.next).collect()
    }
    /// Whether these are what a channel may deliver that went down while doing this.
    pub fn judge(&self, delivered: &[u64], doing: &Doing) {
        assert!(delivered.windows(2).all(|pair| pair[0] < pair[1]), "out of order or twice: {delivered:?}");
        let delivered: BTreeSet<u64> = delivered.iter().copied().collect();
        let (puts, taken): (&[Vec<u64>], &[u64]) = match doing {
            Doing::Nothing => (&[], &[]),
            Doing::Put(puts) => (puts, &[]),
            Doing::Take(taken) => (&[], taken),
        };
        let lost: Vec<_> =
            self.pending.iter().filter(|n| !delivered.contains(n) && !taken.contains(n)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}; {doing:?}");
        let put = |n: &u64| puts.iter().any(|put| put.contains(n));
        let known = |n: &u64| self.pending.contains(n) || self.unsure.contains(n) || put(n);
        let strange: Vec<_> = delivered.iter().filter(|n| !known(n)).collect();
        assert!(strange.is_empty(), "taken for good and delivered again: {strange:?}; {doing:?}");
        for put in puts {
            let came = put.iter().filter(|n| delivered.contains(n)).count();
            assert!(came == 0 || came == put.len(), "half of a put: {put:?}");
        }
    }
}
