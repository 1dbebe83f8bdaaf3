//! Random damage, with good checksums where that lets it get further: the channel opens, and works.

#![allow(clippy::print_stdout, reason = "seeds and counts of a run, seen when it fails")]

#[path = "crash/model.rs"]
#[allow(dead_code, reason = "shared with the tests of power cuts")]
mod model;

use std::path::PathBuf;

use flumen_channel::Channel;
use flumen_channel::file::record::{
    ALIGN, HEAD_BYTES, RECORD_BYTES, RECORDS_AT, RecordHead, SegmentHead, checksum,
};
use flumen_channel::file::storage::simulated::SimulatedDisk;
use model::{Subject, limits};

/// Changes a number in a random record and makes its checksums good again: a lie, and no damage.
fn lie(bytes: &mut [u8], rng: &mut fastrand::Rng) {
    let Ok(head) = SegmentHead::decode(&bytes[..bytes.len().min(2 * HEAD_BYTES)]) else { return };
    let mut records = Vec::new();
    let mut at = RECORDS_AT as usize;
    while let Some(record) =
        bytes.get(at..).and_then(|rest| RecordHead::decode(rest, head.segment, head.seed()))
    {
        records.push((at, record));
        at += record.stored_bytes() as usize;
    }
    let Some(&(at, mut record)) = rng.choice(&records) else { return };
    let strange = [0, 1, 2, rng.u32(0..100), u32::MAX - 1, u32::MAX];
    let number = strange[rng.usize(0..strange.len())];
    match rng.u8(0..7) {
        0 => record.events = number,
        1 => record.first_event = number,
        2 => record.sequence = u64::from(number) << rng.u8(0..32),
        3 => record.durable = u64::from(number),
        4 => record.put_at_ms = u64::MAX - u64::from(number),
        5 => record.payload_bytes = number % 300,
        _ => {
            let payload =
                at + RECORD_BYTES..(at + RECORD_BYTES + record.payload_bytes as usize).min(bytes.len());
            if !payload.is_empty() {
                bytes[rng.usize(payload)] = rng.u8(..);
            }
        }
    }
    let end = (at + RECORD_BYTES + record.payload_bytes as usize).min(bytes.len());
    record.payload_crc = checksum(&bytes[at + RECORD_BYTES..end]);
    bytes[at..at + RECORD_BYTES].copy_from_slice(&record.encode(head.seed()));
}

async fn one(rng: &mut fastrand::Rng) -> u64 {
    let disk = SimulatedDisk::default();
    let subject = Subject::open(&disk, limits(1, 0));
    for put in 0..6u64 {
        assert!(subject.put(&[put * 2, put * 2 + 1]).await);
    }
    let take = subject.channel.take(5).await.expect("events");
    take.commit(&mut || ()).await.expect("recorded");
    if rng.bool() {
        subject.channel.close();
    }
    drop(subject);
    let paths: Vec<PathBuf> = disk.paths();
    for _ in 0..rng.usize(1..4) {
        let path = &paths[rng.usize(0..paths.len())];
        let is_segment = path.extension().is_some_and(|e| e == "log");
        let mut changes = rng.fork();
        disk.damage(path, |bytes| match changes.u8(0..4) {
            _ if bytes.is_empty() => {}
            0 => bytes.truncate(changes.usize(0..bytes.len())),
            1 => {
                let at = changes.usize(0..bytes.len());
                let end = (at + changes.usize(1..200)).min(bytes.len());
                bytes[at..end].fill(changes.u8(..));
            }
            2 => {
                let from = changes.usize(0..bytes.len()) / ALIGN * ALIGN;
                let piece: Vec<u8> = bytes[from..(from + 200).min(bytes.len())].to_vec();
                bytes.extend(piece);
            }
            _ if is_segment => lie(bytes, &mut changes),
            _ => {
                let at = changes.usize(0..bytes.len());
                bytes[at] = changes.u8(..);
            }
        });
    }
    let subject = Subject::open(&disk, limits(1, 0));
    let mut given = 0;
    // A lie may make an event come under another number, so bodies are not compared here.
    for _ in 0..50 {
        let Some(take) = subject.channel.try_take(100).await.expect("the storage works") else { break };
        given += take.len() as u64;
        take.commit(&mut || ()).await.expect("recorded");
    }
    assert_eq!(subject.channel.status().events, 0, "it can be emptied");
    assert!(subject.put(&[500]).await && subject.drain().await == [500], "it works");
    given
}

#[test]
fn any_damage_can_be_opened_and_emptied() {
    let given = std::env::var("FLUMEN_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| fastrand::u64(..));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut events = 0;
    for life in 0..3000 {
        println!("FLUMEN_TEST_SEED={}", seed.wrapping_add(life));
        events += runtime.block_on(one(&mut fastrand::Rng::with_seed(seed.wrapping_add(life))));
    }
    assert!(events > 3000, "nearly everything was lost: the damage is too great to test anything");
}
