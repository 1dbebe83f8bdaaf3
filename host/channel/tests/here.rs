//! Puts of tasks that have nothing else to do: the channel may hold their thread for the disk. And of those that have.

#[path = "crash/model.rs"]
#[allow(dead_code, reason = "shared with the tests of power cuts")]
mod model;

use std::sync::{Arc, Mutex, mpsc};
use std::thread::ThreadId;

use flumen_channel::file::storage::simulated::{Fault, SimulatedDisk};
use flumen_channel::{Channel, Patience, put_all};
use model::{Subject, batch, limits};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// With a single thread: who holds it without a word holds up everybody.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime")
}

/// The next call of the disk says that it has begun, and hangs until it is told to go on.
fn hang(disk: &SimulatedDisk) -> (oneshot::Receiver<()>, mpsc::Sender<()>) {
    let (begun, hangs) = oneshot::channel();
    let (go_on, told) = mpsc::channel();
    let mut begun = Some(begun);
    disk.watch(move || {
        if let Some(begun) = begun.take() {
            begun.send(()).expect("the test waits");
            told.recv().expect("told by the test");
        }
        false
    });
    (hangs, go_on)
}

#[test]
fn a_put_that_may_hold_its_thread_is_written_and_synced_on_it() {
    let disk = SimulatedDisk::default();
    runtime().block_on(async {
        let subject = Subject::open(&disk, limits(1, 1 << 20));
        assert!(subject.put(&[1]).await);
        let threads: Arc<Mutex<Vec<ThreadId>>> = Arc::default();
        let seen = threads.clone();
        disk.watch(move || {
            seen.lock().expect("whole").push(std::thread::current().id());
            false
        });
        assert!(subject.put(&[2]).await);
        let threads = std::mem::take(&mut *threads.lock().expect("whole"));
        assert!(threads.len() >= 2, "a write and a sync");
        assert!(threads.iter().all(|id| *id == std::thread::current().id()));
        assert_eq!(subject.drain().await, [1, 2]);
    });
}

#[test]
fn a_disk_that_hangs_below_such_a_put_stops_no_other_task_of_the_runtime() {
    let disk = SimulatedDisk::default();
    runtime().block_on(async {
        let subject = Arc::new(Subject::open(&disk, limits(1, 1 << 20)));
        let (hangs, go_on) = hang(&disk);
        let putting = tokio::spawn({
            let subject = subject.clone();
            async move { subject.put(&[1]).await }
        });
        hangs.await.expect("the put has come so far");
        tokio::spawn(async move { go_on.send(()) }).await.expect("runs").expect("the disk waits");
        assert!(putting.await.expect("no panic"));
        assert_eq!(subject.drain().await, [1]);
    });
}

#[test]
fn a_put_that_may_not_hold_its_thread_leaves_its_task_what_else_it_does() {
    let disk = SimulatedDisk::default();
    runtime().block_on(async {
        let subject = Subject::open(&disk, limits(1, 1 << 20));
        let (hangs, go_on) = hang(&disk);
        let channel: Arc<dyn Channel> = subject.channel.clone();
        let parts = [(channel, batch(&[1]))];
        let put = put_all(&parts, Patience::None, &subject.gate, || ());
        let other = async {
            hangs.await.expect("the put has come so far");
            go_on.send(()).expect("the disk waits");
        };
        let (put, ()) = tokio::join!(put, other);
        put.expect("stored");
        assert_eq!(subject.drain().await, [1]);
    });
}

#[test]
fn puts_that_come_while_one_holds_its_thread_are_stored_after_it() {
    let disk = SimulatedDisk::default();
    runtime().block_on(async {
        let subject = Arc::new(Subject::open(&disk, limits(1, 1 << 20)));
        let (hangs, go_on) = hang(&disk);
        let put = |events: Vec<u64>| {
            let subject = subject.clone();
            tokio::spawn(async move { subject.put(&events).await })
        };
        let first = put(vec![1]);
        hangs.await.expect("the put has come so far");
        let later = [put(vec![2]), put(vec![3, 4])];
        // Spawned behind them on the only thread: by now they wait.
        tokio::spawn(async move { go_on.send(()) }).await.expect("runs").expect("the disk waits");
        assert!(first.await.expect("no panic"));
        for later in later {
            assert!(later.await.expect("no panic"));
        }
        let mut stored = subject.drain().await;
        // Each is committed when its task has the thread.
        stored.sort_unstable();
        assert_eq!(stored, [1, 2, 3, 4]);
    });
}

#[test]
fn a_put_whose_sync_fails_on_its_own_thread_is_refused_and_the_next_one_stored() {
    let disk = SimulatedDisk::default();
    runtime().block_on(async {
        let subject = Subject::open(&disk, limits(1, 1 << 20));
        assert!(subject.put(&[1]).await);
        // Its write, then its sync.
        disk.fail(disk.calls() + 1..disk.calls() + 2, Fault::Io);
        assert!(!subject.put(&[2]).await);
        assert_eq!(disk.fired(), 1);
        assert!(subject.put(&[3]).await);
        assert_eq!(subject.drain().await, [1, 3]);
    });
}
