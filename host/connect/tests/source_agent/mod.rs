//! A source with one memory channel: what each of these tests is about.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use flumen_channel::{Channel, Gate, MemoryChannel, MemoryLimits};
use flumen_config::Settings;
use flumen_connect::catalog::by_name;
use flumen_connect::outlet::NamedChannel;
use flumen_connect::{
    ComponentError, Leg, Outlet, Rows, Selector, SourceContext, SourceCounters, SourceEnd, StopSignal,
    Stopper, sources,
};
use flumen_event::Batch;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

struct ToTheOne;
impl Selector for ToTheOne {
    fn route(&self, _: &Batch) -> Vec<Leg> {
        vec![Leg { channel: 0, required: true, rows: Rows::All }]
    }
}

/// A running source and its channel.
pub struct Agent {
    pub channel: Arc<MemoryChannel>,
    pub counters: Arc<SourceCounters>,
    pub stopper: Stopper,
    pub ready: Arc<Notify>,
    pub run: JoinHandle<Result<SourceEnd, ComponentError>>,
}

impl Agent {
    /// Starts a source of this type; the channel holds so many events.
    pub fn start(kind: &'static str, capacity: usize, options: &[(&str, &str)]) -> Self {
        Self::with_channel(
            kind,
            MemoryLimits {
                capacity,
                transaction_capacity: capacity,
                keep_alive: Duration::from_millis(50),
                body_bytes_max: 0,
            },
            options,
        )
    }
    pub fn with_channel(kind: &'static str, limits: MemoryLimits, options: &[(&str, &str)]) -> Self {
        let gate = Arc::new(Gate::default());
        let channel = Arc::new(MemoryChannel::new(limits, gate.clone()));
        let counters = Arc::<SourceCounters>::default();
        let named = NamedChannel { name: "c1".into(), channel: channel.clone() };
        let outlet = Outlet::new(vec![], Box::new(ToTheOne), vec![named], gate, counters.clone());
        let (stopper, stop): (Stopper, StopSignal) = Stopper::new();
        let ready = Arc::new(Notify::new());
        let context = SourceContext { outlet, stop, counters: counters.clone(), ready: ready.clone() };
        let settings = Settings::from_pairs("a1.sources.r1", options.iter().copied());
        let kind = by_name(sources::TYPES, kind).expect("a known source");
        let mut source = (kind.build)(&settings).unwrap_or_else(|d| panic!("{d:?}"));
        let run = tokio::spawn(async move { source.run(&context).await });
        Self { channel, counters, stopper, ready, run }
    }
    /// Takes events out until there are `count`, or the patience ends.
    pub async fn take(&self, count: usize) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while bodies.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            let take = tokio::time::timeout(left, self.channel.take(count - bodies.len())).await;
            let Ok(take) = take else { panic!("{} of {count} events came", bodies.len()) };
            let take = take.expect("memory does not fail");
            let events = take.batches().iter().flat_map(Batch::iter).map(|e| e.body().to_vec());
            bodies.extend(events.collect::<Vec<_>>());
            take.commit(&mut || ()).await.expect("memory does not fail");
        }
        bodies
    }
    /// As [`take`](Self::take), as text.
    pub async fn lines(&self, count: usize) -> Vec<String> {
        self.take(count).await.into_iter().map(|b| String::from_utf8(b).expect("UTF-8")).collect()
    }
    /// The batches that are there, in one take.
    pub async fn batches(&self) -> Vec<Batch> {
        let take = tokio::time::timeout(PATIENCE, self.channel.take(usize::MAX)).await.expect("events come");
        let take = take.expect("memory does not fail");
        let batches = take.batches().to_vec();
        take.commit(&mut || ()).await.expect("memory does not fail");
        batches
    }
    pub fn in_channel(&self) -> usize {
        self.channel.status().events
    }
    pub fn dropped(&self) -> u64 {
        self.counters.dropped.total()
    }
    pub fn received(&self) -> u64 {
        self.counters.received.load(Relaxed)
    }
    pub fn accepted(&self) -> u64 {
        self.counters.accepted.load(Relaxed)
    }
    pub fn rejected(&self) -> u64 {
        self.counters.rejected.load(Relaxed)
    }
    /// Waits for the end of the source's run.
    pub async fn end(&mut self) -> SourceEnd {
        let ended = tokio::time::timeout(PATIENCE, &mut self.run).await.expect("the source ends");
        ended.expect("no panic").expect("no error")
    }
    /// Asks to stop and waits for the end.
    pub async fn stop(&mut self) {
        self.stopper.stop();
        assert_eq!(self.end().await, SourceEnd::Stopped);
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Processes whose command line has this text.
pub fn processes(text: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if pid != std::process::id() as i32 && String::from_utf8_lossy(&words).contains(text) {
            found.push(pid);
        }
    }
    found
}
