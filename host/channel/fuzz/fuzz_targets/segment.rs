//! Any bytes behind a good head as the records of a segment: the channel opens, gives what is there, and works.
//!
//! The checksums of heads and records are made good where the fuzzer has left them bad, so that it gets behind them.
#![no_main]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flumen_channel::file::record::{ALIGN, RECORD_BYTES, RecordHead, SegmentHead};
use flumen_channel::file::storage::simulated::SimulatedDisk;
use flumen_channel::file::storage::{Storage, write_all_at};
use flumen_channel::file::{FileChannel, FileLimits, LogOptions};
use flumen_channel::{Channel, Gate};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let head = SegmentHead {
        segment: 1,
        made_at_ms: 0,
        channel: [1; 16],
        random: [0; 16],
        cipher: String::new(),
        key: String::new(),
    };
    let mut records = data.to_vec();
    repair_checksums(&mut records, &head);
    let disk = SimulatedDisk::default();
    let dir = Path::new("/channel");
    let file = disk.create(&dir.join("data/segment-0000000000000001.log")).expect("a simulated file");
    let encoded = head.encode();
    write_all_at(&*file, &[&encoded, &encoded, &records], 0).expect("a simulated disk");
    let limits = FileLimits {
        capacity: usize::MAX,
        transaction_capacity: 1000,
        keep_alive: Duration::ZERO,
        spill: None,
        log: LogOptions { segment_bytes: 4096, ..LogOptions::below(dir) },
    };
    let channel = FileChannel::on(Arc::new(disk), limits, None, Arc::new(Gate::default()));
    channel.try_open().expect("any bytes can be opened");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        // A head may claim any number of events; what is not there is lost, and counted.
        for _ in 0..100 {
            let Some(take) = channel.try_take(1000).await.expect("the storage works") else { break };
            take.commit(&mut || ()).await.expect("the storage works");
        }
    });
});

/// Gives every place that looks like a record the checksums it should have.
fn repair_checksums(records: &mut [u8], head: &SegmentHead) {
    let mut at = 0;
    while at + RECORD_BYTES <= records.len() {
        if records[at] != b'f' {
            at += ALIGN;
            continue;
        }
        let number = |from: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| records[at + from + n]));
        let number64 = |from: usize| u64::from(number(from)) | u64::from(number(from + 4)) << 32;
        let payload_bytes = number(12) as usize % (records.len() - at - RECORD_BYTES + 1);
        let payload = &records[at + RECORD_BYTES..at + RECORD_BYTES + payload_bytes];
        let kind = match records[at + 8] % 4 {
            1 => flumen_channel::file::record::Kind::Put,
            2 => flumen_channel::file::record::Kind::Take,
            3 => flumen_channel::file::record::Kind::State,
            _ => flumen_channel::file::record::Kind::Unknown(5),
        };
        let record = RecordHead {
            kind,
            flags: 0,
            payload_bytes: payload_bytes as u32,
            payload_crc: flumen_channel::file::record::checksum(payload),
            events: number(20),
            segment: 1,
            sequence: number64(32),
            durable: number64(40),
            put_at_ms: number64(48),
            body_bytes: number(56),
            first_event: number(60),
        };
        records[at..at + RECORD_BYTES].copy_from_slice(&record.encode(head.seed()));
        at += (RECORD_BYTES + payload_bytes).next_multiple_of(ALIGN);
    }
}
