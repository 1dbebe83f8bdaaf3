//! `exec` with a real `tail -F` that is killed and restarted: every line exactly once.

#[path = "source_agent/mod.rs"]
mod agent;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use agent::{Agent, processes, until};
use rustix::process::{Pid, Signal, kill_process};

/// A log file that is written and rotated, and the source that tails it.
struct Log {
    _dir: tempfile::TempDir,
    path: PathBuf,
    file: File,
    written: u32,
}

impl Log {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.log");
        let file = append_to(&path);
        Self { _dir: dir, path, file, written: 0 }
    }
    fn write(&mut self, lines: u32) {
        for _ in 0..lines {
            writeln!(self.file, "line {:06}", self.written).expect("written");
            self.written += 1;
        }
    }
    fn rotate(&mut self) {
        std::fs::rename(&self.path, self.path.with_extension(format!("log.{}", self.written)))
            .expect("renamed");
        self.file = append_to(&self.path);
    }
    fn tail(&self, how: &str, throttle_ms: &str) -> Agent {
        let command = format!("tail {how} {}", self.path.display());
        let options = [
            ("command", command.as_str()),
            ("restart", "true"),
            ("restartThrottle", throttle_ms),
            ("batchTimeout", "5"),
        ];
        Agent::start("exec", 1_000_000, &options)
    }
    fn tails(&self) -> Vec<i32> {
        processes(self.path.to_str().expect("UTF-8"))
    }
    async fn kill_tail(&self) {
        until("tail runs", || !self.tails().is_empty()).await;
        for pid in self.tails() {
            let _gone = kill_process(Pid::from_raw(pid).expect("a process id"), Signal::KILL);
        }
    }
}

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("opened")
}
fn lines(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| format!("line {n:06}")).collect()
}

#[tokio::test]
async fn the_first_start_is_at_the_last_ten_lines() {
    let mut log = Log::new();
    log.write(100);
    let mut agent = log.tail("-F", "1");
    assert_eq!(agent.lines(10).await, lines(90..100));
    log.write(5);
    assert_eq!(agent.lines(5).await, lines(100..105));
    agent.stop().await;
    assert_eq!(log.tails(), [0; 0]);
}

#[tokio::test]
async fn a_killed_tail_goes_on_at_the_next_line() {
    let mut log = Log::new();
    log.write(3);
    let mut agent = log.tail("-F", "1");
    assert_eq!(agent.lines(3).await, lines(0..3));
    for round in 1..=5 {
        log.write(5_000);
        log.kill_tail().await;
        log.write(5_000);
        let from = 3 + (round - 1) * 10_000;
        assert_eq!(agent.lines(10_000).await, lines(from..from + 10_000));
    }
    agent.stop().await;
    assert_eq!(agent.received(), u64::from(log.written), "not one twice");
}

#[tokio::test]
async fn a_file_renamed_while_tail_is_dead_is_read_to_its_end_first() {
    let mut log = Log::new();
    log.write(3);
    let mut agent = log.tail("-F", "300");
    assert_eq!(agent.lines(3).await, lines(0..3));
    log.kill_tail().await;
    log.write(1_000);
    log.rotate();
    log.write(1_000);
    assert_eq!(agent.lines(2_000).await, lines(3..2_003));
    log.write(10);
    assert_eq!(agent.lines(10).await, lines(2_003..2_013));
    agent.stop().await;
    assert_eq!(agent.received(), u64::from(log.written), "not one twice");
}

#[tokio::test]
async fn a_tail_killed_after_it_followed_a_rotation_goes_on_in_the_new_file() {
    let mut log = Log::new();
    log.write(3);
    let mut agent = log.tail("-n 5 -s 0.1 -F", "1");
    assert_eq!(agent.lines(3).await, lines(0..3));
    for _ in 0..3 {
        let from = log.written;
        log.write(500);
        assert_eq!(agent.lines(500).await, lines(from..from + 500));
        log.rotate();
        log.write(700);
        assert_eq!(agent.lines(700).await, lines(from + 500..from + 1_200), "tail follows by itself");
        log.kill_tail().await;
        log.write(300);
        assert_eq!(agent.lines(300).await, lines(from + 1_200..from + 1_500));
    }
    agent.stop().await;
    assert_eq!(agent.received(), u64::from(log.written), "not one twice");
}

#[tokio::test]
async fn a_file_cut_to_nothing_is_followed_and_a_killed_tail_goes_on_in_it() {
    let mut log = Log::new();
    log.write(50);
    let mut agent = log.tail("-n +1 -s 0.1 -F", "1");
    assert_eq!(agent.lines(50).await, lines(0..50));
    log.file.set_len(0).expect("truncated");
    log.write(20);
    assert_eq!(agent.lines(20).await, lines(50..70));
    log.kill_tail().await;
    log.write(20);
    assert_eq!(agent.lines(20).await, lines(70..90));
    agent.stop().await;
    assert_eq!(agent.received(), 90);
}

#[tokio::test]
async fn a_half_written_line_is_finished_by_the_next_tail() {
    let mut log = Log::new();
    log.write(1);
    let mut agent = log.tail("-F", "1");
    assert_eq!(agent.lines(1).await, lines(0..1));
    log.file.write_all(b"line 00").expect("written");
    log.kill_tail().await;
    log.file.write_all(b"0001\n").expect("written");
    assert_eq!(agent.lines(1).await, lines(1..2));
    agent.stop().await;
}

#[tokio::test]
async fn a_file_that_appears_later_is_read_from_its_start() {
    let mut log = Log::new();
    std::fs::remove_file(&log.path).expect("removed");
    let mut agent = log.tail("-s 0.1 -F", "1");
    until("tail waits", || !log.tails().is_empty()).await;
    log.file = append_to(&log.path);
    log.write(30);
    assert_eq!(agent.lines(30).await, lines(0..30));
    log.kill_tail().await;
    log.write(30);
    assert_eq!(agent.lines(30).await, lines(30..60));
    agent.stop().await;
}

/// A writer that never rests, rotation every few thousand lines, and a `tail` that is killed all the time.
#[tokio::test]
async fn under_constant_writing_rotation_and_killing_every_line_comes_exactly_once() {
    const LINES: u32 = 60_000;
    let mut log = Log::new();
    let mut agent = log.tail("-n +1 -F", "1");
    let mut rotated_at = 0;
    while log.written < LINES {
        log.write(100);
        if log.written.is_multiple_of(1_300) {
            for pid in log.tails() {
                let _gone = kill_process(Pid::from_raw(pid).expect("a process id"), Signal::KILL);
            }
        }
        // Of a file that came and went while no tail lived, nobody can know: each is seen before it goes.
        let seen = agent.received() > rotated_at;
        if seen && u64::from(log.written) >= rotated_at + 5_000 {
            rotated_at = u64::from(log.written);
            log.rotate();
        }
        tokio::time::sleep(std::time::Duration::from_micros(500)).await;
    }
    assert!(agent.lines(LINES as usize).await == lines(0..LINES), "lost, repeated or out of order");
    agent.stop().await;
    assert_eq!(agent.received(), u64::from(LINES), "not one twice");
}
