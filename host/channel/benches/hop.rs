//! What one event costs on its way through the memory channel, in batches of 1,000.
//! `cargo bench -p flumen-channel --bench hop`; divan prints the rate in events.

use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use flumen_channel::{Channel, Gate, MemoryChannel, MemoryLimits, Patience, put_all};
use flumen_event::{Batch, Span};

fn main() {
    divan::main();
}

const BATCHES: usize = 800;

fn events(count: usize) -> Batch {
    let spans = (0..count).map(|n| Span::new(n * 200..n * 200 + 199)).collect();
    Batch::from_arena(vec![b'x'; count * 200].into(), spans)
}

/// `producers` tasks put BATCHES batches in all, one consumer takes and commits them.
#[divan::bench(args = [1, 2, 4, 8, 16], sample_count = 30)]
fn hop_of_batches_of_1000(bencher: divan::Bencher, producers: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    let batch = events(1000);
    bencher.counter(ItemsCount::new(BATCHES * 1000)).bench(|| {
        runtime.block_on(async {
            let gate = Arc::new(Gate::default());
            let limits = MemoryLimits {
                capacity: 100_000,
                transaction_capacity: 10_000,
                keep_alive: Duration::from_secs(3),
                body_bytes_max: 1 << 30,
            };
            let channel: Arc<dyn Channel> = Arc::new(MemoryChannel::new(limits, gate.clone()));
            for _ in 0..producers {
                let (parts, gate) = ([(channel.clone(), batch.clone())], gate.clone());
                tokio::spawn(async move {
                    for _ in 0..BATCHES / producers {
                        put_all(&parts, Patience::KeepAlive, &gate, || ()).await.expect("room");
                    }
                });
            }
            let mut left = BATCHES / producers * producers * 1000;
            while left > 0 {
                let take = channel.take(1000).await.expect("events");
                left -= take.len();
                take.commit(&mut || ()).await.expect("committed");
            }
        });
    });
}
