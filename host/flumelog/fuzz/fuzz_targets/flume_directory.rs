//! `cargo +nightly fuzz run flume_directory`: no directory makes a panic, a hang or a large allocation. The
//! first bytes of the input choose how it is cut into checkpoint, its meta file, inflight takes, and a log.
#![no_main]

use flumen_flumelog::{FlumeChannel, FlumeDirectories};
use libfuzzer_sys::fuzz_target;

/// Version 3, number 1, no checkpoint: `LogFileMetaData` of `log-1`.
const META: &[u8] = &[
    28, 0x0D, 3, 0, 0, 0, 0x15, 1, 0, 0, 0, 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0, 0, 0, 0, 0, 0, 0,
];

fuzz_target!(|data: &[u8]| {
    flumen_flumelog::fuzzing::parse(data);
    let Some((cuts, data)) = data.split_first_chunk::<3>() else { return };
    let mut left = data;
    let mut cut = |share: u8| {
        let (part, rest) = left.split_at(left.len() * usize::from(share) / 512);
        left = rest;
        part
    };
    let [checkpoint, meta, takes] = cuts.map(|share| cut(share));
    let Ok(dir) = tempfile::tempdir() else { return };
    let files = [
        ("checkpoint", checkpoint),
        ("checkpoint.meta", meta),
        ("inflighttakes", takes),
        ("log-1.meta", META),
        ("log-1", left),
    ];
    for (name, content) in files {
        if std::fs::write(dir.path().join(name), content).is_err() {
            return;
        }
    }
    let Ok(directories) = FlumeDirectories::below(&[dir.path().to_owned()]) else { return };
    let Ok(channel) = FlumeChannel::open(&directories, &[]) else { return };
    channel.for_each(drop);
});
