//! Any bytes as a checkpoint or a state: read or refused, and what was read is written as it was.
#![no_main]

use flumen_channel::file::checkpoint::Checkpoint;
use flumen_channel::file::record::checksum;
use flumen_channel::file::state::State;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(state) = State::decode(data) {
        assert_eq!(State::decode(&state.encode()).as_ref(), Some(&state));
    }
    let mut bytes = b"FLUMENCP".to_vec();
    bytes.extend_from_slice(&1u32.to_le_bytes());
    bytes.extend_from_slice(&checksum(data).to_le_bytes());
    bytes.extend_from_slice(data);
    if let Some(checkpoint) = Checkpoint::decode(&bytes) {
        assert_eq!(Checkpoint::decode(&checkpoint.encode()).as_ref(), Some(&checkpoint));
    }
});
