//! The disk in the same state before every run.

use std::path::Path;
use std::time::{Duration, Instant};

use flumen_channel::file::SEGMENT_BYTES;

/// Longest wait for a disk that other work keeps busy.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// A disk that has done nothing for so long has nothing left to do.
const SETTLED: Duration = Duration::from_millis(100);
/// More than any run writes.
const TOUCHED_FILES: usize = 96;

/// Waits until no disk of the machine is at work.
fn settle() {
    rustix::fs::sync();
    let done = || std::fs::read_to_string("/proc/diskstats").unwrap_or_default();
    let (begun, mut since, mut last) = (Instant::now(), Instant::now(), done());
    while since.elapsed() < SETTLED && begun.elapsed() < SETTLE_MAX {
        std::thread::sleep(SETTLED / 10);
        let now = done();
        if now != last {
            (since, last) = (Instant::now(), now);
        }
    }
}

/// Writes files and removes them, so that the disk has had to do with the blocks that the runs will get. The first write to
/// a block of a virtual disk can take eight times as long as later ones, because its host looks for a place only then: that
/// would be measured, by chance, on either side. In vain where the file system tells the disk of freed blocks (`discard`).
pub fn touch(dir: &Path) {
    std::fs::create_dir_all(dir).expect("a folder");
    let piece = vec![b'x'; SEGMENT_BYTES as usize];
    for number in 0..TOUCHED_FILES {
        std::fs::write(dir.join(number.to_string()), &piece).expect("written");
    }
    rustix::fs::sync();
    std::fs::remove_dir_all(dir).expect("removed");
}

/// Runs something in a fresh folder, when the disk has nothing left to do from before: neither what a build has written nor
/// the freeing of the last folder's files.
pub fn in_fresh<T>(dir: &Path, work: impl FnOnce(&Path) -> T) -> T {
    std::fs::create_dir_all(dir).expect("a folder");
    settle();
    let done = work(dir);
    std::fs::remove_dir_all(dir).expect("removed");
    done
}
