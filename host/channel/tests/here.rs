//! Puts of tasks that have nothing else to do: the channel may hold their thread for the disk. And of those that have.

#[path = "crash/model.rs"]
#[allow(dead_code, reason = "shared with the tests of power cuts")]
mod model;

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{JoinHandle, ThreadId};

use flumen_channel::file::storage::simulated::{Fault, SimulatedDisk};
use flumen_channel::file::{FileChannel, FileLimits, LogOptions};
use flumen_channel::{Channel, Gate, Patience, put_all};
use model::{Subject, batch, limits};
use tokio::runtime::{Builder, Handle, Runtime};
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
        behind(move || go_on.send(())).await;
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

/// A take was committed while a put held its thread; the put is stored.
struct Meanwhile {
    subject: Arc<Subject>,
    commit: tokio::task::JoinHandle<bool>,
    /// Of the disk, before the put.
    calls_before: u64,
}

/// With event 1 taken and event 2 put.
async fn commit_while_a_put_holds_its_thread(disk: &SimulatedDisk) -> Meanwhile {
    let subject = Arc::new(Subject::open(disk, limits(1, 1 << 20)));
    assert!(subject.put(&[1]).await);
    let calls_before = disk.calls();
    let (hangs, go_on) = hang(disk);
    let putting = tokio::spawn({
        let subject = subject.clone();
        async move { subject.put(&[2]).await }
    });
    hangs.await.expect("the put has come so far");
    let commit = commit_of_one(&subject);
    behind(move || go_on.send(())).await;
    assert!(putting.await.expect("no panic"));
    Meanwhile { subject, commit, calls_before }
}

fn commit_of_one(subject: &Arc<Subject>) -> tokio::task::JoinHandle<bool> {
    let subject = subject.clone();
    tokio::spawn(async move {
        let take = subject.channel.try_take(1).await.expect("open").expect("an event");
        take.commit(&mut || ()).await.is_ok()
    })
}
/// Tells something when what was spawned before, on the only thread, waits.
async fn behind(tell: impl FnOnce() -> Result<(), mpsc::SendError<()>> + Send + 'static) {
    tokio::spawn(async move { tell() }).await.expect("runs").expect("somebody waits");
}

async fn pending_after_power_cut(disk: &SimulatedDisk) -> Vec<u64> {
    let after = disk.after_power_cut(&mut fastrand::Rng::with_seed(1));
    Subject::open(&after, limits(1, 1 << 20)).drain().await
}

#[test]
fn a_take_that_is_left_to_the_next_put_is_recorded_although_none_comes() {
    let disk = SimulatedDisk::default();
    runtime().block_on(async {
        let Meanwhile { commit, .. } = commit_while_a_put_holds_its_thread(&disk).await;
        assert!(commit.await.expect("no panic"));
        assert_eq!(pending_after_power_cut(&disk).await, [2]);
    });
}

#[test]
fn a_take_that_is_left_to_the_next_put_is_recorded_before_the_channel_is_closed() {
    let disk = SimulatedDisk::default();
    runtime().block_on(async {
        let Meanwhile { commit, subject, .. } = commit_while_a_put_holds_its_thread(&disk).await;
        tokio::task::block_in_place(|| subject.channel.close());
        assert!(commit.await.expect("no panic"));
        assert_eq!(pending_after_power_cut(&disk).await, [2]);
    });
}

/// The disk's panic stands for any below a leader, be it the next put's or the one that stands by, whichever is first.
#[test]
fn a_leader_that_panics_beside_one_that_stands_by_keeps_nobody_waiting_and_nobody_from_leading() {
    let disk = SimulatedDisk::default();
    runtime().block_on(async {
        let Meanwhile { commit, subject, .. } = commit_while_a_put_holds_its_thread(&disk).await;
        let mut panics = true;
        disk.watch(move || {
            assert!(!std::mem::take(&mut panics), "on purpose");
            false
        });
        let third = tokio::spawn({
            let subject = subject.clone();
            async move { subject.put(&[3]).await }
        });
        let is_stored = third.await.unwrap_or(false);
        let is_recorded = commit.await.expect("no panic");
        assert!(!is_stored || !is_recorded, "one of them was refused");
        assert!(subject.put(&[4]).await);
        tokio::task::block_in_place(|| subject.channel.close());
        let mut pending = pending_after_power_cut(&disk).await;
        // Its taker was done with it when it committed.
        pending.retain(|n| *n != 1);
        let expected: &[u64] = if is_stored { &[2, 3, 4] } else { &[2, 4] };
        assert_eq!(pending, expected);
    });
}

/// Not each time: where the next put is late, the take is written without it.
#[test]
fn a_take_that_came_meanwhile_shares_the_sync_of_the_next_put_and_its_thread() {
    let goes_along = || {
        let disk = SimulatedDisk::default();
        runtime().block_on(async {
            let Meanwhile { subject, commit, calls_before } =
                commit_while_a_put_holds_its_thread(&disk).await;
            let threads: Arc<Mutex<Vec<ThreadId>>> = Arc::default();
            let seen = threads.clone();
            disk.watch(move || {
                seen.lock().expect("whole").push(std::thread::current().id());
                false
            });
            assert!(subject.put(&[3]).await);
            assert!(commit.await.expect("no panic"));
            // A write and a sync for each of the two puts, and nothing for the take.
            let own_threads = vec![std::thread::current().id(); 2];
            let goes_along =
                disk.calls() == calls_before + 4 && *threads.lock().expect("whole") == own_threads;
            assert_eq!(subject.drain().await, [2, 3]);
            goes_along
        })
    };
    assert!((0..1000).any(|_| goes_along()));
}

/// A thread of its own that holds it for the disk.
fn put_on_a_thread(runtime: &Handle, subject: &Arc<Subject>, events: [u64; 1]) -> JoinHandle<bool> {
    let (runtime, subject) = (runtime.clone(), subject.clone());
    std::thread::spawn(move || runtime.block_on(subject.put(&events)))
}

#[test]
fn a_leader_that_stands_by_late_finds_another_at_work_and_leads_behind_it() {
    let disk = SimulatedDisk::default();
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).max_blocking_threads(1).enable_time().build().expect("a runtime");
    let handle = runtime.handle().clone();
    runtime.block_on(async {
        let subject = Arc::new(Subject::open(&disk, limits(1, 1 << 20)));
        assert!(subject.put(&[1]).await);
        // No leader gets a thread until this one is told to go.
        let (free, occupied) = mpsc::channel::<()>();
        let occupying = tokio::task::spawn_blocking(move || occupied.recv());
        let (hangs, go_on) = hang(&disk);
        let second = put_on_a_thread(&handle, &subject, [2]);
        hangs.await.expect("the put has come so far");
        let commit = commit_of_one(&subject);
        behind(move || go_on.send(())).await;
        assert!(second.join().expect("no panic"));
        // The take is left, with a leader that has no thread yet. The next put takes it along.
        let (hangs, go_on) = hang(&disk);
        let third = put_on_a_thread(&handle, &subject, [3]);
        hangs.await.expect("the put has come so far");
        let fourth = tokio::spawn({
            let subject = subject.clone();
            async move {
                let channel: Arc<dyn Channel> = subject.channel.clone();
                put_all(&[(channel, batch(&[4]))], Patience::None, &subject.gate, || ()).await.is_ok()
            }
        });
        behind(move || free.send(())).await;
        occupying.await.expect("no panic").expect("told by the test");
        behind(move || go_on.send(())).await;
        assert!(third.join().expect("no panic"));
        assert!(fourth.await.expect("no panic"));
        assert!(commit.await.expect("no panic"));
        tokio::task::block_in_place(|| subject.channel.close());
        assert_eq!(pending_after_power_cut(&disk).await, [2, 3, 4]);
    });
}

/// Producers whose threads may be held, others, and two takers, each at its own pace; and the end of the channel, which
/// waits for whoever leads or stands by.
fn all_side_by_side(holding: u64, others: u64, puts: u64) {
    // A real disk, for its syncs take time.
    let dir = tempfile::tempdir().expect("a folder");
    let gate = Arc::new(Gate::default());
    let limits = FileLimits { log: LogOptions::below(dir.path()), ..limits(1, 1 << 20) };
    let channel = Arc::new(FileChannel::new(limits, None, gate.clone()));
    channel.try_open().expect("opened");
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime");
    let left = AtomicU64::new((holding + others) * puts);
    let subject = Subject { channel, gate };
    let mut delivered = std::thread::scope(|scope| {
        let (subject, left, runtime) = (&subject, &left, &runtime);
        for producer in 0..holding + others {
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(producer);
                for n in 0..puts {
                    let events = [producer * puts + n];
                    let is_stored = runtime.block_on(async {
                        if producer < holding {
                            return subject.put(&events).await;
                        }
                        let channel: Arc<dyn Channel> = subject.channel.clone();
                        put_all(&[(channel, batch(&events))], Patience::None, &subject.gate, || ())
                            .await
                            .is_ok()
                    });
                    assert!(is_stored);
                    (0..rng.u32(0..200)).for_each(|_| std::thread::yield_now());
                }
            });
        }
        let takers = [1, 2].map(|max| {
            scope.spawn(move || {
                let mut mine = Vec::new();
                while left.load(SeqCst) > 0 {
                    let taken = runtime.block_on(async {
                        let take = subject.channel.try_take(max).await.expect("open")?;
                        let taken = model::numbers(&*take);
                        take.commit(&mut || ()).await.expect("recorded");
                        Some(taken)
                    });
                    let taken = taken.unwrap_or_default();
                    left.fetch_sub(taken.len() as u64, SeqCst);
                    mine.extend(taken);
                    std::thread::yield_now();
                }
                mine
            })
        });
        takers.into_iter().flat_map(|taker| taker.join().expect("no panic")).collect::<Vec<_>>()
    });
    subject.channel.close();
    delivered.sort_unstable();
    assert_eq!(delivered, (0..(holding + others) * puts).collect::<Vec<_>>());
}

#[test]
fn puts_of_both_kinds_and_takes_side_by_side_are_all_answered_and_every_event_is_delivered_once() {
    for (holding, others) in [(1, 0), (2, 0), (3, 0), (8, 0), (1, 1), (3, 3)] {
        all_side_by_side(holding, others, 100);
    }
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
