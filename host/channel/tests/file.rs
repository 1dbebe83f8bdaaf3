//! The file channel against the contract, on the machine's file system and on the simulated one.

use std::path::Path;
use std::sync::Arc;

use flumen_channel::contract::{Subject, Wanted};
use flumen_channel::file::storage::simulated::SimulatedDisk;
use flumen_channel::file::{FileChannel, FileLimits, LogOptions};
use flumen_channel::{Gate, SpillLimits, contract_tests};

fn limits(wanted: Wanted, log: LogOptions) -> FileLimits {
    FileLimits {
        capacity: wanted.capacity,
        transaction_capacity: wanted.transaction_capacity,
        keep_alive: wanted.keep_alive,
        spill: None,
        log,
    }
}

mod on_disk {
    use super::*;

    fn make(wanted: Wanted) -> Subject {
        let dir = tempfile::tempdir().expect("a folder");
        let gate = Arc::new(Gate::default());
        let limits = limits(wanted, LogOptions { segment_bytes: 1 << 20, ..LogOptions::below(dir.path()) });
        let channel = FileChannel::new(limits, None, gate.clone());
        channel.try_open().expect("opened");
        Subject { channel: Arc::new(channel), gate, rest: Box::new(dir) }
    }
    contract_tests!(make);
}

/// Four of the ten events that the tests ask for may be in memory.
mod spillable {
    use super::*;

    fn make(wanted: Wanted) -> Subject {
        let gate = Arc::new(Gate::default());
        let spill = SpillLimits {
            events_max: wanted.capacity * 2 / 5,
            slots_max: usize::MAX,
            slot_bytes: 500,
            overflow_timeout: wanted.keep_alive,
            resume_free_percent: 5,
        };
        let log = LogOptions {
            segment_bytes: 4096,
            window_bytes: 0,
            load_bytes: 0,
            ..LogOptions::below(Path::new("/channel"))
        };
        let limits = FileLimits { spill: Some(spill), ..limits(wanted, log) };
        let channel = FileChannel::on(Arc::new(SimulatedDisk::default()), limits, None, gate.clone());
        channel.try_open().expect("opened");
        Subject { channel: Arc::new(channel), gate, rest: Box::new(()) }
    }
    contract_tests!(make);
}

/// Segments as small as can be, and no memory: everything is read from disk, and rolls happen all the time.
mod without_memory {
    use super::*;

    fn make(wanted: Wanted) -> Subject {
        let gate = Arc::new(Gate::default());
        let dir = Path::new("/channel");
        let data_dirs = vec![dir.join("data1"), dir.join("data2")];
        let log = LogOptions {
            segment_bytes: 4096,
            window_bytes: 0,
            load_bytes: 0,
            data_dirs,
            ..LogOptions::below(dir)
        };
        let channel =
            FileChannel::on(Arc::new(SimulatedDisk::default()), limits(wanted, log), None, gate.clone());
        channel.try_open().expect("opened");
        Subject { channel: Arc::new(channel), gate, rest: Box::new(()) }
    }
    contract_tests!(make);
}
