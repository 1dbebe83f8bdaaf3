//! Any bytes as what a syslog sender sends, with every parser and framing: nothing panics, nothing is lost, and how the
//! bytes are cut into reads changes nothing. The first byte chooses, the second says how long reads are.

#![no_main]

use bytes::BytesMut;
use flumen_config::Settings;
use flumen_connect::sources::syslog::{Decoder, End};
use libfuzzer_sys::fuzz_target;

const NOW_MS: i64 = 1_795_361_200_151;

fn decoder(choice: u8) -> Decoder {
    let port = if choice & 1 == 0 { ("port", "0") } else { ("ports", "0") };
    // What `auto` makes of a first message may depend on how much of it is there.
    let framing = if choice & 2 == 0 { "lines" } else { "octet-counting" };
    let keep = ["none", "all", "priority version timestamp hostname", "hostname"][usize::from(choice >> 2 & 3)];
    let as_flume = if choice & 16 == 0 { "false" } else { "true" };
    let pairs = [
        port,
        ("framing", framing),
        ("keepFields", keep),
        ("eventSize", if choice & 32 == 0 { "2500" } else { "40" }),
        ("flumeTimestamps", as_flume),
        ("flumeLineEnds", as_flume),
    ];
    Decoder::of(&Settings::from_pairs("a1.sources.r1", pairs)).expect("valid settings")
}

fn events(decoder: &mut Decoder, input: &[u8], read_bytes: usize) -> Vec<(Vec<(String, String)>, Vec<u8>)> {
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    let mut take = |buffer: &mut BytesMut, end| {
        for batch in decoder.batches(buffer, end, NOW_MS) {
            for event in batch.iter() {
                let headers = event.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
                found.push((headers.collect(), event.body().to_vec()));
            }
        }
    };
    for piece in input.chunks(read_bytes.max(1)) {
        buffer.extend_from_slice(piece);
        take(&mut buffer, End::Open);
    }
    take(&mut buffer, End::Closed);
    assert!(buffer.is_empty());
    found
}

fuzz_target!(|input: &[u8]| {
    let [choice, read_bytes, input @ ..] = input else { return };
    let whole = events(&mut decoder(*choice), input, input.len());
    let in_reads = events(&mut decoder(*choice), input, usize::from(*read_bytes));
    let sorted = |mut found: Vec<(Vec<(String, String)>, Vec<u8>)>| {
        found.iter_mut().for_each(|(headers, _)| headers.sort());
        found
    };
    assert_eq!(sorted(whole), sorted(in_reads));
    let auto = Settings::from_pairs("a1.sources.r1", [("port", "0"), ("keepFields", "all")]);
    events(&mut Decoder::of(&auto).expect("valid settings"), input, usize::from(*read_bytes));
});
