//! A disk that is full: puts are refused with the reason, takes go on, and puts work again when there is room.

#![allow(clippy::print_stdout, reason = "seeds and counts of a run, seen when it fails")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::file::{FileChannel, FileLimits, LogOptions};
use flumen_channel::{Channel, Gate, Patience, PutError, put_all};
use flumen_event::{Batch, Span};

struct Mounted(tempfile::TempDir);

impl Mounted {
    fn tmpfs(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(dir.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}
impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(
            unmounted.is_ok_and(|s| s.success()) || std::thread::panicking(),
            "the tmpfs is left mounted"
        );
    }
}

fn open(dir: &Path, minimum_free_bytes: u64) -> (Arc<FileChannel>, Arc<Gate>) {
    let log = LogOptions {
        segment_bytes: 1 << 20,
        minimum_free_bytes,
        retry_pause: Duration::ZERO,
        window_bytes: 0,
        load_bytes: 0,
        ..LogOptions::below(dir)
    };
    let limits = FileLimits {
        capacity: 100_000,
        transaction_capacity: 1000,
        keep_alive: Duration::ZERO,
        spill: None,
        log,
    };
    let gate = Arc::new(Gate::default());
    let channel = Arc::new(FileChannel::new(limits, None, gate.clone()));
    channel.try_open().expect("opened");
    (channel, gate)
}

fn events(count: usize) -> Batch {
    let spans = (0..count).map(|n| Span::new(n * 1000..n * 1000 + 999)).collect();
    Batch::from_arena(vec![b'x'; count * 1000].into(), spans)
}

async fn put(channel: &Arc<FileChannel>, gate: &Gate) -> Result<(), PutError> {
    let channel: Arc<dyn Channel> = channel.clone();
    put_all(&[(channel, events(100))], Patience::None, gate, || ()).await.map_err(|e| e.error)
}

async fn fill_and_drain(dir: &Path, minimum_free_bytes: u64, reason: &str) {
    let (channel, gate) = open(dir, minimum_free_bytes);
    for round in 0..3 {
        let mut acked = 0;
        let refused = loop {
            match put(&channel, &gate).await {
                Ok(()) => acked += 100,
                Err(refused) => break refused,
            }
            assert!(acked < 100_000, "the disk does not fill");
        };
        assert!(matches!(&refused, PutError::Storage(text) if text.contains(reason)), "{refused}");
        assert!(acked >= 2000, "round {round}: only {acked} events found room");
        assert_eq!(channel.status().events, acked, "what was refused is not there");
        let mut delivered = 0;
        while let Some(take) = channel.try_take(1000).await.expect("the disk can be read") {
            delivered += take.len();
            take.commit(&mut || ()).await.expect("a take finds room on a full disk");
        }
        assert_eq!(delivered, acked, "round {round}");
        put(&channel, &gate).await.expect("there is room again");
        channel.take(1000).await.expect("it").commit(&mut || ()).await.expect("recorded");
        assert_eq!(LogMetrics::get(&channel.metrics().unhealthy), 0);
    }
    channel.close();
}

#[test]
fn a_full_disk_refuses_puts_and_heals_when_events_are_taken() {
    let Some(mounted) = Mounted::tmpfs(8 << 20) else {
        println!("SKIPPED, NOT TESTED: a full disk needs the right to mount a tmpfs (run as root)");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(fill_and_drain(mounted.0.path(), 0, "No space left"));
}

#[test]
fn minimum_required_space_is_kept_free() {
    let Some(mounted) = Mounted::tmpfs(8 << 20) else {
        println!("SKIPPED, NOT TESTED: a full disk needs the right to mount a tmpfs (run as root)");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(fill_and_drain(mounted.0.path(), 3 << 20, "Usable space exhausted"));
}
