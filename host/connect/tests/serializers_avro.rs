//! What `avro_event` writes is read by an independent reader, and is what Flume writes.

use std::collections::HashMap;

use apache_avro::Reader;
use apache_avro::types::Value;
use flumen_config::Settings;
use flumen_connect::Serializer;
use flumen_connect::serializers::{avro::CODECS, build_serializer};
use flumen_event::{Batch, BatchBuilder};

/// A file of Flume 1.11 (`sink.serializer = avro_event`), 13 events in two blocks.
const FLUME_FILE: &[u8] = include_bytes!("fixtures/sinks_flume_avro_event.avro");
const SYNC_BYTES: usize = 16;

type Event = (Vec<u8>, Vec<(String, String)>);

fn serializer(codec: &str, sync_interval_bytes: &str) -> Box<dyn Serializer> {
    let pairs = [
        ("serializer", "avro_event"),
        ("serializer.compressionCodec", codec),
        ("serializer.syncIntervalBytes", sync_interval_bytes),
    ];
    let settings = Settings::from_pairs("a1.sinks.k1", pairs);
    build_serializer(&settings, "serializer").expect("valid settings").create()
}

fn batch(events: &[Event]) -> Batch {
    let mut builder = BatchBuilder::default();
    for (body, headers) in events {
        builder.push(body, headers.iter().map(|(n, v)| (n.as_str(), v.as_str()))).expect("fits");
    }
    builder.finish()
}

/// Each batch is flushed, as `file_roll` does.
fn file(serializer: &mut dyn Serializer, batches: &[Batch]) -> Vec<u8> {
    let mut out = Vec::new();
    serializer.begin(&mut out).expect("memory");
    for batch in batches {
        serializer.write(batch, &mut out).expect("memory");
        serializer.flush(&mut out).expect("memory");
    }
    serializer.end(&mut out).expect("memory");
    out
}

fn read(file: &[u8]) -> Vec<Event> {
    let reader = Reader::new(file).expect("a container file");
    reader.map(|record| event(record.expect("a whole record"))).collect()
}

fn event(record: Value) -> Event {
    let Value::Record(fields) = record else { panic!("not a record: {record:?}") };
    let mut fields: HashMap<String, Value> = fields.into_iter().collect();
    let (Some(Value::Map(map)), Some(Value::Bytes(body))) = (fields.remove("headers"), fields.remove("body"))
    else {
        panic!("not an event")
    };
    let mut headers: Vec<(String, String)> = map
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(value) => (name, value),
            other => panic!("not a string: {other:?}"),
        })
        .collect();
    headers.sort();
    (body, headers)
}

fn sample() -> Vec<Event> {
    let header = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    let mut events = vec![
        (b"plain".to_vec(), vec![]),
        (vec![], vec![header("empty", "")]),
        ((0..=255).collect(), vec![header("a", "1"), header("host", "w\u{fc}rzburg")]),
        (vec![0; 100_000], vec![]),
    ];
    events.extend((0..500).map(|n| (format!("line {n}").into_bytes(), vec![header("n", &n.to_string())])));
    events
}

#[test]
fn events_of_every_codec_are_read_back_by_another_reader() {
    for codec in CODECS {
        let events = sample();
        let batches: Vec<Batch> = events.chunks(100).map(batch).collect();
        let file = file(&mut *serializer(codec.name(), "2048000"), &batches);
        assert_eq!(read(&file), events, "{}", codec.name());
    }
}

#[test]
fn a_block_ends_at_the_sync_interval() {
    let events = sample();
    let file = file(&mut *serializer("null", "1000"), &[batch(&events)]);
    assert_eq!(read(&file), events);
    let sync = &file[file.len() - SYNC_BYTES..];
    let syncs = file.windows(SYNC_BYTES).filter(|w| *w == sync).count();
    assert!((8..20).contains(&syncs), "{syncs} sync markers for about 7 kB of small events and a large one");
}

#[test]
fn what_was_flushed_is_readable_before_the_file_ends() {
    let mut serializer = serializer("deflate", "2048000");
    let mut out = Vec::new();
    serializer.begin(&mut out).expect("memory");
    assert_eq!(read(&out), []);
    serializer.write(&batch(&sample()), &mut out).expect("memory");
    assert_eq!(read(&out), [], "kept back until the flush");
    serializer.flush(&mut out).expect("memory");
    assert_eq!(read(&out), sample());
}

#[test]
fn discarded_events_are_not_written() {
    let mut serializer = serializer("null", "2048000");
    let mut out = Vec::new();
    serializer.begin(&mut out).expect("memory");
    serializer.write(&batch(&[(b"failed".to_vec(), vec![])]), &mut out).expect("memory");
    serializer.discard();
    serializer.write(&batch(&[(b"again".to_vec(), vec![])]), &mut out).expect("memory");
    serializer.flush(&mut out).expect("memory");
    assert_eq!(read(&out), [(b"again".to_vec(), vec![])]);
}

#[test]
fn a_file_equals_flumes_byte_by_byte_but_for_the_sync_marker() {
    let events = read(FLUME_FILE);
    assert_eq!(events.len(), 13);
    // Flume had two transactions of 11 and 2 events.
    let ours = file(&mut *serializer("null", "2048000"), &[batch(&events[..11]), batch(&events[11..])]);
    assert_eq!(without_sync(&ours), without_sync(FLUME_FILE));
}

/// The file with the sync marker, which is random, replaced by zeros.
fn without_sync(file: &[u8]) -> Vec<u8> {
    let sync = file[file.len() - SYNC_BYTES..].to_vec();
    let mut file = file.to_vec();
    while let Some(at) = file.windows(SYNC_BYTES).position(|w| w == sync) {
        file[at..at + SYNC_BYTES].fill(0);
    }
    file
}

#[test]
fn an_unknown_codec_means_no_compression_as_in_flume() {
    for codec in ["lzo", "xz", "Deflate"] {
        let file = file(&mut *serializer(codec, "2048000"), &[batch(&sample())]);
        assert!(file.windows(5).any(|w| w == b"\x08null"), "{codec}");
    }
}
