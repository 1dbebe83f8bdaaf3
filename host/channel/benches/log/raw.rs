//! The disk without a channel.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::SECONDS;

/// What is written to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// Preallocated and never written: an append. The file system notes the first write to each block.
    Fresh,
    /// Written before: an overwrite, the least that a sync can take.
    Written,
}

/// Writes groups of this size one behind the other to files of the log's size, and syncs each; `pace` is the time from
/// the beginning of one to the beginning of the next. Says how long each took, in milliseconds.
pub fn sync_ms(dir: &Path, group_bytes: usize, pace: Duration, blocks: Blocks) -> Vec<f64> {
    let data = vec![b'x'; group_bytes];
    let segment_bytes = flumen_channel::file::SEGMENT_BYTES;
    let mut offset = segment_bytes;
    let mut file = None;
    let mut took_ms = Vec::new();
    let mut since = Instant::now();
    while since.elapsed().as_secs_f64() < SECONDS {
        if offset + group_bytes as u64 > segment_bytes && file.is_some() && blocks == Blocks::Written {
            offset = 0;
        } else if offset + group_bytes as u64 > segment_bytes {
            let path = dir.join(format!("raw-{}", took_ms.len()));
            let made = std::fs::File::create_new(&path).expect("a file");
            rustix::fs::fallocate(&made, rustix::fs::FallocateFlags::empty(), 0, segment_bytes)
                .expect("room");
            if blocks == Blocks::Written {
                made.write_all_at(&vec![0; segment_bytes as usize], 0).expect("written");
            }
            made.sync_all().expect("synced");
            std::fs::File::open(dir).and_then(|d| d.sync_all()).expect("synced");
            (file, offset) = (Some(made), 0);
            if blocks == Blocks::Written {
                since = Instant::now();
            }
        }
        let file = file.as_ref().expect("made above");
        let begun = Instant::now();
        file.write_all_at(&data, offset).expect("written");
        file.sync_data().expect("synced");
        took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        offset += group_bytes as u64;
        std::thread::sleep(pace.saturating_sub(begun.elapsed()));
    }
    took_ms
}

/// Puts that arrive at even intervals, and a loop without threads that writes all that have arrived and syncs: how long
/// each then takes, in milliseconds. No channel can be quicker on this disk.
pub fn ideal_ms(dir: &Path, put_bytes: usize, interval: Duration) -> Vec<f64> {
    let length = flumen_channel::file::SEGMENT_BYTES;
    let file = std::fs::File::create_new(dir.join("ideal")).expect("a file");
    file.write_all_at(&vec![0; length as usize], 0).expect("written");
    file.sync_all().expect("synced");
    let data = vec![b'x'; put_bytes * 64];
    let (mut offset, mut took_ms) = (0, Vec::new());
    let (since, mut due) = (Instant::now(), Duration::ZERO);
    while since.elapsed().as_secs_f64() < SECONDS {
        let now = since.elapsed();
        let arrived =
            if now < due { 0 } else { 1 + ((now - due).as_nanos() / interval.as_nanos().max(1)) as usize };
        let arrived = arrived.min(64);
        if arrived == 0 {
            // Sleeping would be late by more than a sync takes.
            std::hint::spin_loop();
            continue;
        }
        let bytes = put_bytes * arrived;
        offset = if offset + bytes as u64 > length { 0 } else { offset };
        file.write_all_at(&data[..bytes], offset).expect("written");
        file.sync_data().expect("synced");
        offset += bytes as u64;
        let done = since.elapsed();
        took_ms.extend((0..arrived as u32).map(|n| (done - (due + interval * n)).as_secs_f64() * 1e3));
        due += interval * arrived as u32;
    }
    took_ms
}

pub fn groups_per_s(dir: &Path, group_bytes: usize) -> f64 {
    let since = Instant::now();
    sync_ms(dir, group_bytes, Duration::ZERO, Blocks::Fresh).len() as f64 / since.elapsed().as_secs_f64()
}

/// What fio says of the same: sequential writes, an fdatasync after each. An overwrite goes round in a file of the log's
/// size; an append into one that it does not fill, or it would soon be overwriting.
pub fn fio_groups_per_s(dir: &Path, group_bytes: usize, blocks: Blocks) -> Option<f64> {
    // It wants whole sectors for its file's layout; a group is never a part of one by much.
    let block = group_bytes.next_multiple_of(512).to_string();
    let size = if blocks == Blocks::Written { "--size=64m" } else { "--size=512m" };
    let output = Command::new("fio")
        .args(["--name=append", "--rw=write", "--ioengine=psync", "--fdatasync=1", size, "--time_based"])
        .args(["--output-format=json", &format!("--runtime={}ms", SECONDS * 1e3), &format!("--bs={block}")])
        .arg(format!("--overwrite={}", u8::from(blocks == Blocks::Written)))
        .arg(format!("--directory={}", dir.display()))
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // The rate of the part `write`; the bench has no other use for a parser.
    let write = text.split("\"write\" : {").nth(1)?;
    let rate = write.split("\"iops\" : ").nth(1)?;
    rate.split(',').next()?.trim().parse().ok()
}
