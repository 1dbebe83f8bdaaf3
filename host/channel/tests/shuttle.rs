//! The concurrent core under the model checker: thousands of random schedules, each replayable by its seed.

use flumen_channel::model::{Demand, Queue, QueueTake};
use flumen_event::{Batch, Span};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use shuttle::{future, thread};

fn events(count: usize) -> Batch {
    Batch::from_arena(bytes::Bytes::from_static(b"x"), vec![Span::new(0..1); count])
}

fn queue(capacity: usize) -> Queue {
    Queue::new(Demand { events: capacity, slots: 1000 }, Batch::body_bytes)
}

fn take(queue: &Queue, max: usize) -> QueueTake {
    loop {
        if let Some(take) = queue.try_take(max) {
            return take;
        }
        future::block_on(queue.wait_for_events());
    }
}

fn schedules() -> usize {
    std::env::var("SHUTTLE_SCHEDULES").ok().and_then(|n| n.parse().ok()).unwrap_or(3000)
}

#[test]
fn no_event_is_lost_or_doubled_and_none_waits_for_ever() {
    shuttle::check_random(
        || {
            let queue = queue(3);
            let delivered = Arc::new(AtomicUsize::new(0));
            let producers: Vec<_> = [1, 2, 3]
                .map(|size| {
                    let queue = queue.clone();
                    thread::spawn(move || {
                        for _ in 0..2 {
                            let batch = events(size);
                            let reserved = future::block_on(queue.reserve(queue.demand(&batch)));
                            reserved.commit(batch);
                        }
                    })
                })
                .into();
            let consumers: Vec<_> = [1, 2]
                .map(|max| {
                    let (queue, delivered) = (queue.clone(), delivered.clone());
                    // Each consumer takes half of the twelve events; the first take is rolled back.
                    thread::spawn(move || {
                        drop(take(&queue, max));
                        let mut mine = 0;
                        while mine < 6 {
                            let take = take(&queue, max.min(6 - mine));
                            mine += take.batches().iter().map(Batch::len).sum::<usize>();
                            take.commit();
                        }
                        delivered.fetch_add(mine, SeqCst);
                    })
                })
                .into();
            producers.into_iter().chain(consumers).for_each(|t| t.join().expect("no panic"));
            assert_eq!((delivered.load(SeqCst), queue.len()), (12, 0));
        },
        schedules(),
    );
}

#[test]
fn who_waits_for_many_is_woken_and_keeps_no_put_waiting_for_ever() {
    shuttle::check_random(
        || {
            let queue = queue(3);
            let producers = [1, 2, 3].map(|size| {
                let queue = queue.clone();
                thread::spawn(move || {
                    for _ in 0..2 {
                        let batch = events(size);
                        future::block_on(queue.reserve(queue.demand(&batch))).commit(batch);
                    }
                })
            });
            let mut left = 12;
            while left > 0 {
                future::block_on(queue.wait_for_many(2.min(left)));
                let take = queue.try_take(2).expect("nobody else takes");
                left -= take.batches().iter().map(Batch::len).sum::<usize>();
                take.commit();
            }
            producers.into_iter().for_each(|t| t.join().expect("no panic"));
            assert_eq!(queue.len(), 0);
        },
        schedules(),
    );
}

#[test]
fn a_waiter_that_leaves_at_any_moment_passes_its_turn_on() {
    shuttle::check_random(
        || {
            let queue = queue(2);
            queue.try_reserve(Demand { events: 2, slots: 2 }).expect("room").commit(events(2));
            // One putter gives up after its first poll, at a moment the checker chooses.
            let quitter = {
                let queue = queue.clone();
                thread::spawn(move || {
                    future::block_on(async {
                        let mut waiting = std::pin::pin!(queue.reserve(Demand { events: 2, slots: 2 }));
                        let polled =
                            std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx)));
                        drop(polled.await);
                        future::yield_now().await;
                    });
                })
            };
            let putter = {
                let queue = queue.clone();
                thread::spawn(move || {
                    future::block_on(queue.reserve(Demand { events: 1, slots: 1 })).commit(events(1))
                })
            };
            let taker = {
                let queue = queue.clone();
                thread::spawn(move || {
                    let mut count = 0;
                    while count < 3 {
                        let take = take(&queue, 3);
                        count += take.batches().iter().map(Batch::len).sum::<usize>();
                        take.commit();
                    }
                })
            };
            [quitter, putter, taker].into_iter().for_each(|t| t.join().expect("no panic"));
            assert!(queue.is_empty());
        },
        schedules(),
    );
}
