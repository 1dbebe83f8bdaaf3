//! The rate of the SQL channel in SQLite, on the disk that holds the temporary folder: put, take and commit of
//! 200-byte events. `cargo bench -p flumen-channel --bench sql`; divan prints the rate in events.
//!
//! Its limit is one sync of the disk for each group of puts, and one for each group of commits of takes.

use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use flumen_channel::sql::{Database, SqlChannel, SqlLimits};
use flumen_channel::{Channel, Gate, Patience, put_all};
use flumen_event::{Batch, Span};

fn main() {
    divan::main();
}

fn events(count: usize) -> Batch {
    let spans = (0..count).map(|n| Span::new(n * 200..n * 200 + 199)).collect();
    Batch::from_arena(vec![b'x'; count * 200].into(), spans)
}

struct Work {
    producers: usize,
    batch: usize,
    batches: usize,
}

fn pass(bencher: divan::Bencher, work: &Work) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let all = work.batches / work.producers * work.producers * work.batch;
    bencher.counter(ItemsCount::new(all)).bench(|| {
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("a folder");
            let gate = Arc::new(Gate::default());
            let limits = SqlLimits {
                capacity: 0,
                transaction_capacity: 10_000,
                keep_alive: Duration::from_secs(3),
                database: Database::Sqlite(dir.path().join("c1.sqlite")),
                create_schema: true,
            };
            let channel: Arc<dyn Channel> = Arc::new(SqlChannel::new(limits, gate.clone()));
            channel.open().expect("opens");
            for _ in 0..work.producers {
                let (parts, gate) = ([(channel.clone(), events(work.batch))], gate.clone());
                let batches = work.batches / work.producers;
                tokio::spawn(async move {
                    for _ in 0..batches {
                        put_all(&parts, Patience::KeepAlive, &gate, || ()).await.expect("stored");
                    }
                });
            }
            let mut left = all;
            while left > 0 {
                let take = channel.take(1000).await.expect("events");
                left -= take.len();
                take.commit(&mut || ()).await.expect("recorded");
            }
        });
    });
}

#[divan::bench(args = [1, 8], sample_count = 5, sample_size = 1)]
fn batches_of_1000(bencher: divan::Bencher, producers: usize) {
    pass(bencher, &Work { producers, batch: 1000, batches: 400 });
}
#[divan::bench(args = [1, 8], sample_count = 5, sample_size = 1)]
fn batches_of_100(bencher: divan::Bencher, producers: usize) {
    pass(bencher, &Work { producers, batch: 100, batches: 800 });
}
#[divan::bench(args = [1, 8], sample_count = 5, sample_size = 1)]
fn batches_of_1(bencher: divan::Bencher, producers: usize) {
    pass(bencher, &Work { producers, batch: 1, batches: 1600 });
}
