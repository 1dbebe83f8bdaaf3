//! `exec` with a real `tail -F` that is killed and restarted, and with a Flumen that is: every line exactly once.

#[path = "source_agent/mod.rs"]
mod agent;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agent::{Agent, processes, until};
use flumen_connect::SourceEnd;
use rustix::fs::{FlockOperation, flock};
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
    fn position_file(&self) -> PathBuf {
        self.path.with_extension("pos")
    }
    /// A Flumen that keeps its position.
    fn keeping(&self, how: &str, capacity: usize) -> Agent {
        let command = format!("tail {how} {}", self.path.display());
        let position_file = self.position_file();
        let options = [
            ("command", command.as_str()),
            ("batchTimeout", "5"),
            ("positionFile", position_file.to_str().expect("UTF-8")),
        ];
        Agent::start("exec", capacity, &options)
    }
    /// The offset that the position file has, if it is of the present file.
    fn saved_offset(&self) -> Option<u64> {
        let text = std::fs::read_to_string(self.position_file()).ok()?;
        let value =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok());
        let inode = std::fs::metadata(&self.path).ok()?.ino();
        value("offset").filter(|_| value("inode") == Some(inode))
    }
    async fn is_saved_to_the_end(&self) {
        let size = std::fs::metadata(&self.path).expect("a file").len();
        until("the position is saved", || self.saved_offset() == Some(size)).await;
    }
    /// A Flumen that is gone at once. Its last write to the disk may still be under way.
    async fn kill(&self, agent: &mut Agent) {
        agent.run.abort();
        until("it is gone", || agent.run.is_finished() && self.tails().is_empty()).await;
        let lock = self.path.with_extension("pos.lock");
        until("the position is free", || {
            let lock = File::open(&lock).expect("a lock file");
            let free = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
            // Not only closed: a `tail` that is just being started may have the file open as well.
            free && flock(&lock, FlockOperation::Unlock).is_ok()
        })
        .await;
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
/// Everything that a stopped source has stored.
async fn stored(agent: &Agent) -> Vec<String> {
    match agent.in_channel() {
        0 => Vec::new(),
        count => agent.lines(count).await,
    }
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

/// Flumen is stopped in the midst of it, again and again, and the file is rotated now and then.
#[tokio::test]
async fn restarts_of_flumen_while_the_file_grows_lose_and_repeat_nothing() {
    let mut log = Log::new();
    let mut found = Vec::new();
    for round in 1..=8 {
        let mut agent = log.keeping("-n +1 -F", 1_000_000);
        log.write(2_000);
        until("some came", || agent.received() > 500).await;
        log.write(2_000);
        agent.stop().await;
        found.extend(stored(&agent).await);
        log.write(500);
        if round % 3 == 0 {
            log.rotate();
            log.write(500);
        }
    }
    let mut agent = log.keeping("-n +1 -F", 1_000_000);
    found.extend(agent.lines(log.written as usize - found.len()).await);
    agent.stop().await;
    assert!(found == lines(0..log.written), "lost, repeated or out of order");
    assert_eq!(agent.in_channel(), 0, "not one twice");
}

#[tokio::test]
async fn what_is_appended_after_a_first_start_without_a_line_is_not_missed() {
    let mut log = Log::new();
    log.write(100);
    let mut agent = log.keeping("-n 0 -F", 1_000);
    until("tail runs", || !log.tails().is_empty()).await;
    log.kill(&mut agent).await;
    log.write(100);
    let mut agent = log.keeping("-n 0 -F", 1_000);
    assert_eq!(agent.lines(100).await, lines(100..200));
    agent.stop().await;
}

#[tokio::test]
async fn a_file_rotated_twice_while_flumen_is_down_is_read_to_its_end_first() {
    let mut log = Log::new();
    log.write(3);
    let mut agent = log.keeping("-F", 1_000_000);
    assert_eq!(agent.lines(3).await, lines(0..3));
    agent.stop().await;
    for _ in 0..2 {
        log.write(1_000);
        log.rotate();
    }
    log.write(1_000);
    let mut agent = log.keeping("-F", 1_000_000);
    assert_eq!(agent.lines(3_000).await, lines(3..3_003));
    log.write(10);
    assert_eq!(agent.lines(10).await, lines(3_003..3_013));
    agent.stop().await;
    assert_eq!(agent.received(), 3_010, "not one twice");
}

#[tokio::test]
async fn a_stop_in_the_rest_of_a_rotated_file_goes_on_there() {
    let mut log = Log::new();
    log.write(3);
    let mut agent = log.keeping("-F", 100);
    let mut found = agent.lines(3).await;
    agent.stop().await;
    log.write(1_000);
    log.rotate();
    log.write(50);
    let mut agent = log.keeping("-F", 100);
    until("the channel is full", || agent.in_channel() == 100).await;
    agent.stop().await;
    found.extend(stored(&agent).await);
    let mut agent = log.keeping("-F", 10_000);
    found.extend(agent.lines(950).await);
    agent.stop().await;
    assert_eq!((found, agent.in_channel()), (lines(0..1_053), 0));
}

#[tokio::test]
async fn when_the_rotated_file_is_gone_the_new_one_is_read_from_its_start() {
    let mut log = Log::new();
    log.write(3);
    let mut agent = log.keeping("-F", 1_000);
    assert_eq!(agent.lines(3).await, lines(0..3));
    agent.stop().await;
    log.rotate();
    std::fs::remove_file(log.path.with_extension("log.3")).expect("removed");
    log.write(50);
    let mut agent = log.keeping("-F", 1_000);
    assert_eq!(agent.lines(50).await, lines(3..53));
    agent.stop().await;
}

#[tokio::test]
async fn a_file_truncated_while_flumen_is_down_is_read_from_its_start() {
    let mut log = Log::new();
    log.write(100);
    let mut agent = log.keeping("-n +1 -F", 1_000);
    assert_eq!(agent.lines(100).await, lines(0..100));
    agent.stop().await;
    for more in [20, 200] {
        let from = log.written;
        log.file.set_len(0).expect("truncated");
        log.write(more);
        let mut agent = log.keeping("-n +1 -F", 1_000);
        assert_eq!(agent.lines(more as usize).await, lines(from..from + more), "also if it is longer again");
        agent.stop().await;
    }
}

#[tokio::test]
async fn after_a_kill_only_lines_that_were_not_yet_saved_come_twice_and_none_is_missing() {
    let mut log = Log::new();
    log.write(1_000);
    let mut agent = log.keeping("-n +1 -F", 1_000_000);
    assert_eq!(agent.lines(1_000).await, lines(0..1_000));
    log.is_saved_to_the_end().await;
    log.write(1_000);
    until("some came", || agent.in_channel() > 10).await;
    log.kill(&mut agent).await;
    let first = stored(&agent).await;
    assert_eq!(first, lines(1_000..1_000 + first.len() as u32));
    log.write(100);
    let saved = log.saved_offset().expect("a position") / "line 000000\n".len() as u64;
    assert!((1_000..=1_000 + first.len() as u64).contains(&saved), "{saved}");
    let mut agent = log.keeping("-n +1 -F", 1_000_000);
    let second = agent.lines((2_100 - saved) as usize).await;
    assert_eq!(second, lines(saved as u32..2_100));
    agent.stop().await;
}

#[tokio::test]
async fn a_position_file_that_is_none_makes_the_file_be_read_from_its_start() {
    let mut log = Log::new();
    log.write(100);
    std::fs::write(log.position_file(), "{\"offset\": 12").expect("written");
    let mut agent = log.keeping("-F", 1_000);
    assert_eq!(agent.lines(100).await, lines(0..100), "not from the last ten lines");
    agent.stop().await;
    log.is_saved_to_the_end().await;
}

#[tokio::test]
async fn lines_without_room_at_a_stop_come_again_and_are_not_counted() {
    let mut log = Log::new();
    log.write(1_000);
    let mut found = Vec::new();
    while found.len() < 100 {
        let mut agent = log.keeping("-n +1 -F", 7);
        until("the channel is full", || agent.in_channel() == 7).await;
        agent.stop().await;
        assert_eq!((agent.received(), agent.accepted(), agent.dropped()), (7, 7, 0));
        found.extend(stored(&agent).await);
    }
    let mut agent = log.keeping("-n +1 -F", 10_000);
    found.extend(agent.lines(1_000 - found.len()).await);
    agent.stop().await;
    assert_eq!((found, agent.in_channel()), (lines(0..1_000), 0));
}

#[tokio::test]
async fn an_unfinished_line_comes_as_a_whole_after_a_restart_of_flumen() {
    let mut log = Log::new();
    log.write(1);
    log.file.write_all(b"line 00").expect("written");
    let mut agent = log.keeping("-F", 100);
    assert_eq!(agent.lines(1).await, lines(0..1));
    agent.stop().await;
    log.file.write_all(b"0001\n").expect("written");
    assert_eq!((agent.in_channel(), agent.dropped()), (0, 0));
    let mut agent = log.keeping("-F", 100);
    assert_eq!(agent.lines(1).await, lines(1..2));
    agent.stop().await;
}

#[tokio::test]
async fn a_source_that_ends_with_its_killed_tail_is_gone_on_with_at_the_next_start() {
    let mut log = Log::new();
    log.write(5);
    let mut agent = log.keeping("-F", 1_000);
    assert_eq!(agent.lines(5).await, lines(0..5));
    log.kill_tail().await;
    assert_eq!(agent.end().await, SourceEnd::Finished);
    log.write(50);
    let mut agent = log.keeping("-F", 1_000);
    assert_eq!(agent.lines(50).await, lines(5..55));
    agent.stop().await;
}

#[tokio::test]
async fn a_position_file_in_use_is_refused_until_it_is_free() {
    let mut log = Log::new();
    log.write(1);
    let mut agent = log.keeping("-F", 100);
    assert_eq!(agent.lines(1).await, lines(0..1));
    let mut second = log.keeping("-F", 100);
    let ended = tokio::time::timeout(agent::PATIENCE, &mut second.run).await.expect("it ends");
    let error = ended.expect("no panic").expect_err("refused").to_string();
    assert!(error.contains("in use by another source or agent"), "{error}");
    agent.stop().await;
    log.write(1);
    let mut third = log.keeping("-F", 100);
    assert_eq!(third.lines(1).await, lines(1..2));
    third.stop().await;
}

#[tokio::test]
async fn a_position_file_that_cannot_be_written_does_not_stop_the_events() {
    let mut log = Log::new();
    log.write(3);
    let command = format!("tail -F {}", log.path.display());
    let position_file = log.path.with_extension("missing").join("pos");
    let position_file = position_file.to_str().expect("UTF-8");
    let options = [("command", command.as_str()), ("batchTimeout", "5"), ("positionFile", position_file)];
    let mut agent = Agent::start("exec", 100, &options);
    assert_eq!(agent.lines(3).await, lines(0..3));
    log.write(3);
    assert_eq!(agent.lines(3).await, lines(3..6));
    agent.stop().await;
}
