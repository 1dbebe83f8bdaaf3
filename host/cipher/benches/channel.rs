//! The file channel with encryption beside the same without: puts a second, on the disk of DIR.
//!
//! `cargo bench -p flumen-cipher --bench channel [-- DIR]`; DIR (default: the target folder). Events of 200 bytes; each
//! producer puts its next batch when the last one is durable, a consumer takes and commits. Both take turns; the ratio
//! is the median of the rounds.

#![allow(clippy::print_stdout, reason = "its table is what it is for")]

#[path = "../../channel/benches/log/disk.rs"]
mod disk;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use flumen_channel::file::cipher::RecordCipher;
use flumen_channel::file::{FileChannel, FileLimits, LogOptions};
use flumen_channel::{Channel, Gate, Patience, put_all};
use flumen_cipher::{AesRecordCipher, Keys, Mode};
use flumen_event::{Batch, Span};
use flumen_keystore::SecretKey;

/// The agent's: with the system's, each buffer of a sealed record would be zeroed by the kernel.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENT_BYTES: usize = 200;
const SECONDS: f64 = 1.5;
const ROUNDS: usize = 5;

fn cipher(mode: Mode) -> Arc<dyn RecordCipher> {
    let keys = vec![("key-0".to_owned(), SecretKey::new("AES", vec![3; 16]))];
    Arc::new(AesRecordCipher::new(mode, Keys::new("key-0", keys).expect("a good key")))
}

/// Bodies that differ, as a disk or file system might treat equal ones better.
fn events(count: usize) -> Batch {
    let spans = (0..count).map(|n| Span::new(n * EVENT_BYTES..(n + 1) * EVENT_BYTES)).collect();
    let bytes: Vec<u8> = (0..count * EVENT_BYTES).map(|n| (n * 7 + n / 251) as u8).collect();
    Batch::from_arena(bytes.into(), spans)
}

async fn events_per_s(
    dir: &Path,
    batch: usize,
    producers: usize,
    cipher: Option<Arc<dyn RecordCipher>>,
) -> f64 {
    let gate = Arc::new(Gate::default());
    let limits = FileLimits {
        capacity: 1_000_000,
        transaction_capacity: 10_000,
        keep_alive: Duration::from_secs(60),
        spill: None,
        log: LogOptions::below(dir),
    };
    let channel: Arc<dyn Channel> = Arc::new(FileChannel::new(limits, cipher, gate.clone()));
    channel.open().expect("opened");
    let count = Arc::new(AtomicUsize::new(0));
    let since = Instant::now();
    let mut tasks: Vec<_> = (0..producers)
        .map(|_| {
            let (parts, gate) = ([(channel.clone(), events(batch))], gate.clone());
            tokio::spawn(async move {
                while since.elapsed().as_secs_f64() < SECONDS {
                    put_all(&parts, Patience::KeepAlive, &gate, || ()).await.expect("room");
                }
            })
        })
        .collect();
    let (taken_from, taken) = (channel.clone(), count.clone());
    let consumer = tokio::spawn(async move {
        // Until the channel is closed.
        while let Ok(take) = taken_from.take(10_000).await {
            let events = take.len();
            if take.commit(&mut || ()).await.is_err() {
                return;
            }
            taken.fetch_add(events, Relaxed);
        }
    });
    for task in tasks.drain(..) {
        task.await.expect("a producer");
    }
    // What passed through, and not what was put: both directions cost what they cost.
    let rate = count.load(Relaxed) as f64 / since.elapsed().as_secs_f64();
    consumer.abort();
    channel.close();
    rate
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let dir = std::env::args().skip(1).find(|a| !a.starts_with('-')).map(PathBuf::from);
    let dir =
        dir.unwrap_or_else(|| std::env::current_exe().expect("this bench").with_file_name("cipher-bench"));
    let dir = dir.join("flumen-cipher-bench");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    disk::touch(&dir);
    let rate = |batch, producers, cipher| {
        disk::in_fresh(&dir, |dir| runtime.block_on(events_per_s(dir, batch, producers, cipher)))
    };
    println!("batch  producers |  plain events/s |  CTR events/s  ratio |  GCM events/s  ratio");
    for (batch, producers) in [(1, 8), (100, 8), (1000, 1), (1000, 8)] {
        let rounds: Vec<[f64; 3]> = (0..ROUNDS)
            .map(|_| {
                [None, Some(Mode::Ctr), Some(Mode::Gcm)].map(|mode| rate(batch, producers, mode.map(cipher)))
            })
            .collect();
        let of = |at: usize| median(rounds.iter().map(|round| round[at]));
        let ratio = |at: usize| median(rounds.iter().map(|round| round[at] / round[0]));
        println!(
            "{batch:>5}  {producers:>9} | {:>15.0} | {:>13.0}  {:>5.2} | {:>13.0}  {:>5.2}",
            of(0),
            of(1),
            ratio(1),
            of(2),
            ratio(2)
        );
    }
}
