//! Frames of Thrift, in both protocols: whatever they hold is refused, or makes events that survive being written
//! and read again.
#![no_main]

use bytes::Bytes;
use flumen_connect::wire::thrift::events::{Method, read, write_batch};
use flumen_connect::wire::thrift::{Protocol, Reader, Type};
use flumen_event::Batch;
use libfuzzer_sys::fuzz_target;

fn shown(batches: &[Batch]) -> Vec<(Vec<u8>, Vec<(&str, &str)>)> {
    let mut all = Vec::new();
    for event in batches.iter().flat_map(Batch::iter) {
        let mut headers: Vec<(&str, &str)> = event.headers().collect();
        headers.sort_unstable();
        all.push((event.body().to_vec(), headers));
    }
    all
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, frame)) = input.split_first() else { return };
    let protocol = if choice & 1 == 0 { Protocol::Compact } else { Protocol::Binary };
    let method = if choice & 2 == 0 { Method::Append } else { Method::AppendBatch };
    let frame = Bytes::copy_from_slice(frame);
    let mut reader = Reader::new(protocol, &frame);
    // Half of the inputs need no head, so that the fuzzer gets to the events sooner.
    if choice & 4 == 0 && reader.head().is_err() {
        return;
    }
    let at = reader.position();
    let _skipped = reader.skip(Type::Struct);
    if let Ok(batches) = read(protocol, &frame, at, method) {
        let mut again = Vec::new();
        write_batch(protocol, 1, &batches, &mut again);
        let again = Bytes::from(again).slice(4..);
        let mut reader = Reader::new(protocol, &again);
        reader.head().expect("we wrote it");
        let same = read(protocol, &again, reader.position(), Method::AppendBatch).expect("we wrote it");
        assert_eq!(shown(&same), shown(&batches));
    }
});
