//! `exec` with real commands.

#[path = "source_agent/mod.rs"]
mod agent;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use agent::{Agent, processes, until};
use flumen_channel::MemoryLimits;
use flumen_connect::SourceEnd;

/// An amount of sleep that only this run of the tests asks for, so that its processes can be found.
fn nap(seconds: u32) -> String {
    format!("{seconds}.{}", std::process::id())
}

const SH: (&str, &str) = ("shell", "/bin/sh -c");

#[tokio::test]
async fn every_line_is_an_event_and_the_source_finishes_with_the_command() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("in");
    std::fs::write(&file, "hello\n\nkey=value user=alice\r\nlast").expect("written");
    let command = format!("cat {}", file.display());
    let mut agent = Agent::start("exec", 100, &[("command", &command)]);
    assert_eq!(agent.end().await, SourceEnd::Finished);
    assert_eq!(agent.lines(4).await, ["hello", "", "key=value user=alice", "last"]);
    assert_eq!((agent.received(), agent.in_channel()), (4, 0));
}

#[tokio::test]
async fn a_shell_runs_pipes_and_without_one_words_are_plain() {
    let agent = Agent::start("exec", 100, &[("command", "echo \"a b\" | tr a-z A-Z"), SH]);
    assert_eq!(agent.lines(1).await, ["A B"]);
    let agent = Agent::start("exec", 100, &[("command", "echo \"a  b\" | tr")]);
    assert_eq!(agent.lines(1).await, ["\"a b\" | tr"]);
}

#[tokio::test]
async fn lines_are_handed_on_as_read_and_a_text_sink_can_write_them_as_they_are() {
    let mut agent = Agent::start("exec", 100_000, &[("command", "seq 1 50000")]);
    agent.end().await;
    let batches = agent.batches().await;
    assert_eq!(batches.iter().map(|b| b.len()).sum::<usize>(), 50_000);
    let text: Vec<u8> = batches.iter().flat_map(|b| b.as_lines().expect("lines").to_vec()).collect();
    let expected: String = (1..=50_000).map(|n| format!("{n}\n")).collect();
    assert!(text == expected.as_bytes());
    assert!(batches.len() < 2_500, "{} batches: larger than batchSize when much is there", batches.len());
}

#[tokio::test]
async fn few_lines_go_on_after_the_batch_timeout() {
    let options = [("command", "echo one; exec sleep 100"), SH, ("batchTimeout", "10")];
    let mut agent = Agent::start("exec", 100, &options);
    assert_eq!(agent.lines(1).await, ["one"]);
    agent.stop().await;
}

#[tokio::test]
async fn few_lines_wait_for_the_batch_to_fill_within_the_timeout() {
    let command = "echo one; sleep 0.1; echo two; sleep 0.1; echo three; exec sleep 100";
    let options = [("command", command), SH, ("batchTimeout", "60000"), ("batchSize", "3")];
    let mut agent = Agent::start("exec", 100, &options);
    let batches = agent.batches().await;
    assert_eq!(batches.iter().map(|b| b.len()).collect::<Vec<_>>(), [3]);
    agent.stop().await;
}

#[tokio::test]
async fn a_full_channel_makes_the_command_wait_and_loses_nothing() {
    let mut agent = Agent::start("exec", 10, &[("command", "seq 1 5000")]);
    until("the channel is full", || agent.in_channel() == 10).await;
    let expected: Vec<String> = (1..=5000).map(|n| n.to_string()).collect();
    assert_eq!(agent.lines(5000).await, expected);
    assert_eq!(agent.end().await, SourceEnd::Finished);
    assert_eq!((agent.received(), agent.accepted(), agent.dropped()), (5000, 5000, 0));
}

#[tokio::test]
async fn a_channel_with_little_room_for_bytes_takes_the_lines_in_parts() {
    let limits = MemoryLimits {
        capacity: 10_000,
        transaction_capacity: 100,
        keep_alive: Duration::from_millis(50),
        body_bytes_max: 1_000,
    };
    let long = "x".repeat(2_000);
    let command = format!("seq 1 100; echo {long}; echo end");
    let mut agent = Agent::with_channel("exec", limits, &[("command", &command), SH]);
    let lines = agent.lines(101).await;
    assert_eq!((lines[99].as_str(), lines[100].as_str()), ("100", "end"));
    agent.end().await;
    assert_eq!((agent.received(), agent.dropped()), (102, 1), "the line that can never fit is counted");
}

#[tokio::test]
async fn a_stop_with_a_full_channel_stores_or_counts_every_line_read() {
    let mut agent = Agent::start("exec", 10, &[("command", "seq 1 100000000")]);
    until("the channel is full", || agent.in_channel() == 10).await;
    agent.stop().await;
    assert_eq!(agent.received(), agent.accepted() + agent.dropped());
    assert!(agent.dropped() > 0);
    assert_eq!(agent.lines(10).await, (1..=10).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stop_ends_a_silent_command_and_its_children() {
    let nap = nap(98761);
    let command = format!("sleep {nap} & sleep {nap}; true");
    let mut agent = Agent::start("exec", 10, &[("command", &command), SH]);
    until("both run", || processes(&format!("sleep\u{0}{nap}")).len() == 2).await;
    agent.stop().await;
    assert_eq!(processes(&nap), [0; 0]);
}

#[tokio::test]
async fn a_command_that_refuses_to_end_is_killed() {
    let nap = nap(98762);
    let command = format!("trap '' TERM; echo ready; while :; do sleep {nap}; done");
    let mut agent = Agent::start("exec", 10, &[("command", &command), SH, ("batchTimeout", "1")]);
    assert_eq!(agent.lines(1).await, ["ready"]);
    agent.stop().await;
    assert_eq!(processes(&nap), [0; 0]);
}

#[tokio::test]
async fn dropping_the_run_kills_the_command() {
    let nap = nap(98763);
    let agent = Agent::start("exec", 10, &[("command", &format!("sleep {nap}"))]);
    until("it runs", || processes(&nap).len() == 1).await;
    agent.run.abort();
    until("it is gone", || processes(&nap).is_empty()).await;
}

#[tokio::test]
async fn what_was_read_before_the_stop_is_delivered() {
    let nap = nap(98764);
    let command = format!("printf 'one\\ntwo'; exec sleep {nap}");
    let options = [("command", command.as_str()), SH, ("batchTimeout", "60000")];
    let mut agent = Agent::start("exec", 10, &options);
    until("it sleeps", || processes(&format!("sleep\u{0}{nap}")).len() == 1).await;
    // The lines are in the pipe; whether they were read before the stop is the scheduler's choice.
    agent.stop().await;
    assert_eq!(agent.received(), agent.in_channel() as u64);
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_arrive_as_they_are() {
    let agent = Agent::start("exec", 10, &[("command", "printf '\\377\\376\\n\\303\\050\\n'"), SH]);
    assert_eq!(agent.take(2).await, [vec![0xFF, 0xFE], vec![0xC3, 0x28]]);
}

#[tokio::test]
async fn a_line_beyond_all_memory_is_cut_into_bounded_events() {
    let command = "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end";
    let mut agent = Agent::start("exec", 10, &[("command", command), SH]);
    agent.end().await;
    let bodies = agent.take(3).await;
    assert_eq!(bodies.iter().map(Vec::len).collect::<Vec<_>>(), [64 << 20, 100_000_000 - (64 << 20), 3]);
    assert_eq!(agent.counters.event_read_fail.load(Relaxed), 1);
}

#[tokio::test]
async fn a_command_is_run_again_after_the_pause_whatever_its_code() {
    let options = [("command", "echo x; exit 3"), SH, ("restart", "true"), ("restartThrottle", "1")];
    let mut agent = Agent::start("exec", 100, &options);
    assert_eq!(agent.lines(3).await, ["x", "x", "x"]);
    agent.stop().await;
}

#[tokio::test]
async fn a_command_killed_from_outside_ends_the_source_after_its_lines() {
    let options = [("command", "echo one; kill -9 $$"), SH];
    let mut agent = Agent::start("exec", 100, &options);
    assert_eq!(agent.end().await, SourceEnd::Finished);
    assert_eq!(agent.lines(1).await, ["one"]);
}

#[tokio::test]
async fn complaints_never_block_the_command() {
    let command = "head -c 1000000 /dev/zero | tr '\\0' e >&2; echo done";
    for log in ["true", "false"] {
        let agent = Agent::start("exec", 100, &[("command", command), SH, ("logStdErr", log)]);
        assert_eq!(agent.lines(1).await, ["done"]);
    }
}

/// Keeps the messages of the thread that it is the default of.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().expect("no panic").push(message.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn complaints_and_the_exit_code_are_logged_as_flume_words_them() {
    let log = Log::default();
    let _here = tracing::subscriber::set_default(log.clone());
    let command = "echo out; echo no such thing >&2; echo really >&2; exit 3";
    let mut agent = Agent::start("exec", 100, &[("command", command), SH, ("logStdErr", "true")]);
    assert_eq!(agent.end().await, SourceEnd::Finished);
    let log = log.0.lock().expect("no panic");
    let said = |text: &str| assert!(log.iter().any(|line| line == text), "{text}: {log:?}");
    said("StderrLogger[1] = 'no such thing'");
    said("StderrLogger[2] = 'really'");
    said(&format!("Command [{command}] exited with 3"));
}

#[tokio::test]
async fn a_command_that_cannot_be_started_is_an_error() {
    let mut agent = Agent::start("exec", 100, &[("command", "/no/such/program -x")]);
    let ended = tokio::time::timeout(agent::PATIENCE, &mut agent.run).await.expect("it ends");
    let error = ended.expect("no panic").expect_err("cannot run").to_string();
    assert!(error.contains("/no/such/program"), "{error}");
}

#[tokio::test]
async fn utf_16_output_is_cut_at_its_own_line_ends() {
    let command = "printf 'a\\000\\n\\000b\\000\\n\\000'";
    let agent = Agent::start("exec", 100, &[("command", command), SH, ("charset", "UTF-16LE")]);
    assert_eq!(agent.take(2).await, [b"a\0", b"b\0"]);
}
