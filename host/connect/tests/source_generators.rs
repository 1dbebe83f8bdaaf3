//! `seq` and `StressSource`.

#[path = "source_agent/mod.rs"]
mod agent;

use agent::{Agent, until};
use flumen_connect::SourceEnd;

const STRESS: &str = "org.apache.flume.source.StressSource";

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn seq_counts_to_its_total_and_finishes() {
    let mut agent = Agent::start("seq", 10_000, &[("totalEvents", "25"), ("batchSize", "10")]);
    assert_eq!(agent.end().await, SourceEnd::Finished);
    let batches = agent.batches().await;
    assert_eq!(batches.iter().map(|b| b.len()).collect::<Vec<_>>(), [10, 10, 5]);
    let text: Vec<u8> = batches.iter().flat_map(|b| b.as_lines().expect("lines").to_vec()).collect();
    assert_eq!(String::from_utf8_lossy(&text), numbers(0..25).join("\n") + "\n");
}

#[tokio::test]
async fn seq_leaves_no_number_out_while_the_channel_is_full() {
    let mut agent = Agent::start("seq", 10, &[("totalEvents", "1000"), ("batchSize", "300")]);
    until("the channel is full", || agent.in_channel() == 10).await;
    assert_eq!(agent.lines(1000).await, numbers(0..1000));
    assert_eq!(agent.end().await, SourceEnd::Finished);
}

#[tokio::test]
async fn seq_makes_one_transaction_per_event_by_default_and_stops_when_asked() {
    let mut agent = Agent::start("seq", 10, &[]);
    until("the channel is full", || agent.in_channel() == 10).await;
    agent.stop().await;
    assert!(agent.batches().await.iter().all(|b| b.len() == 1));
    assert_eq!(agent.received(), 10);
}

#[tokio::test]
async fn an_endless_seq_lets_others_have_the_thread() {
    let mut agent = Agent::start("seq", 2_000_000_000, &[("batchSize", "100")]);
    until("it counts", || agent.in_channel() > 1_000).await;
    agent.stop().await;
}

#[tokio::test]
async fn stress_makes_its_total_of_constant_events() {
    let options = [("size", "100"), ("maxTotalEvents", "25"), ("batchSize", "10")];
    let mut agent = Agent::start(STRESS, 10_000, &options);
    assert_eq!(agent.end().await, SourceEnd::Finished);
    assert_eq!(agent.take(25).await, vec![vec![0x7F; 100]; 25]);
    assert_eq!(agent.in_channel(), 0);
}

#[tokio::test]
async fn stress_counts_refused_events_as_made_but_not_as_successful() {
    let pause = [("backoffSleepIncrement", "1"), ("maxBackoffSleep", "1")];
    let mut agent = Agent::start(STRESS, 10, &[("maxTotalEvents", "15"), pause[0], pause[1]]);
    assert_eq!(agent.end().await, SourceEnd::Finished);
    assert_eq!((agent.accepted(), agent.rejected(), agent.received()), (10, 5, 15));

    let mut agent = Agent::start(STRESS, 10, &[("maxSuccessfulEvents", "12"), pause[0], pause[1]]);
    until("some are refused", || agent.rejected() > 0).await;
    agent.take(12).await;
    assert_eq!(agent.end().await, SourceEnd::Finished);
    assert_eq!(agent.accepted(), 12);
}

#[tokio::test(start_paused = true)]
async fn stress_keeps_to_its_rate() {
    let before = tokio::time::Instant::now();
    let mut agent = Agent::start(STRESS, 10_000, &[("maxTotalEvents", "501"), ("maxEventsPerSecond", "100")]);
    assert_eq!(agent.end().await, SourceEnd::Finished);
    let took = before.elapsed().as_secs_f64();
    assert!((4.99..5.1).contains(&took), "{took} s for 501 events at 100 a second, the first at once");
}
