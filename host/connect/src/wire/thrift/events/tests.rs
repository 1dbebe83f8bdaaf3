//! The vectors of Flume 1.9 and 1.11, random events, and hostile bytes.

use flumen_event::BatchBuilder;
use proptest::prelude::*;

use super::*;

const PROTOCOLS: [Protocol; 2] = [Protocol::Compact, Protocol::Binary];

type Event = (Vec<(String, String)>, Vec<u8>);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(u8::is_ascii_hexdigit)
        .map(|d| char::from(d).to_digit(16).expect("hex") as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
fn batch(events: &[Event]) -> Batch {
    let mut builder = BatchBuilder::default();
    for (headers, body) in events {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        builder.push(body, headers).expect("fits");
    }
    builder.finish()
}
fn events(batches: &[Batch]) -> Vec<Event> {
    let event = |event: EventRef<'_>| {
        let mut headers: Vec<(String, String)> =
            event.headers().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        headers.sort();
        (headers, event.body().to_vec())
    };
    batches.iter().flat_map(Batch::iter).map(event).collect()
}
/// Reads a frame with its length in front.
fn read_call(protocol: Protocol, call: &[u8]) -> Result<(Method, i32, Vec<Batch>), BadArguments> {
    let frame = Bytes::copy_from_slice(&call[4..]);
    assert_eq!(i32::from_be_bytes(*call.first_chunk().expect("a length")), frame.len() as i32);
    let mut reader = Reader::new(protocol, &frame);
    let head = reader.head()?;
    let method = Method::named(reader.bytes(head.name)).expect("a method of ours");
    Ok((method, head.sequence, read(protocol, &frame, reader.position(), method)?))
}
fn hello(header: (&str, &str), body: &str) -> Event {
    (vec![(header.0.to_owned(), header.1.to_owned())], body.as_bytes().to_vec())
}

// Captured from flume-ng-sdk 1.9.0 and 1.11.0, which write the same bytes.
const APPEND_COMPACT: &str = "0000001b82210106617070656e641c1b0188016b0176180568656c6c6f0000";
const APPEND_BINARY: &str = "000000368001000100000006617070656e64000000010c00010d00010b0b00000001000000016b00000001760b00020000000568656c6c6f0000";
const BATCH_COMPACT: &str =
    "000000278221010b617070656e644261746368192c1b0188016b0176180568656c6c6f001b001801780000";

#[test]
fn vectors_of_flumes_clients_are_read_byte_by_byte() {
    let one = vec![hello(("k", "v"), "hello")];
    let two = vec![hello(("k", "v"), "hello"), (vec![], b"x".to_vec())];
    for (protocol, text, method, expected) in [
        (Protocol::Compact, APPEND_COMPACT, Method::Append, &one),
        (Protocol::Binary, APPEND_BINARY, Method::Append, &one),
        (Protocol::Compact, BATCH_COMPACT, Method::AppendBatch, &two),
    ] {
        let (found, sequence, batches) = read_call(protocol, &hex(text)).expect("valid");
        assert_eq!((found, sequence, &events(&batches)), (method, 1, expected));
    }
}

#[test]
fn calls_are_written_byte_by_byte_as_flumes_clients_do() {
    let one = batch(&[hello(("k", "v"), "hello")]);
    for (protocol, text) in [(Protocol::Compact, APPEND_COMPACT), (Protocol::Binary, APPEND_BINARY)] {
        let mut out = Vec::new();
        write_one(protocol, 1, one.event(0), &mut out);
        assert_eq!(out, hex(text));
    }
    let two = batch(&[hello(("k", "v"), "hello"), (vec![], b"x".to_vec())]);
    let mut out = Vec::new();
    write_batch(Protocol::Compact, 1, &[two], &mut out);
    assert_eq!(out, hex(BATCH_COMPACT));
}

#[test]
fn bodies_and_values_lie_in_the_frame() {
    let mut call = Vec::new();
    let many: Vec<Event> = (0..100).map(|n| hello(("n", &n.to_string()), &format!("body {n}"))).collect();
    write_batch(Protocol::Compact, 1, &[batch(&many)], &mut call);
    let frame = Bytes::from(call.split_off(4));
    let mut reader = Reader::new(Protocol::Compact, &frame);
    reader.head().expect("a head");
    let batches = read(Protocol::Compact, &frame, reader.position(), Method::AppendBatch).expect("valid");
    assert_eq!((batches.len(), batches[0].arena().as_ptr()), (1, frame.as_ptr()));
    assert_eq!(events(&batches), many);
}

/// A call of `append` whose event is written by hand.
fn append_with(protocol: Protocol, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    framed(&mut out, |out| {
        let mut writer = Writer::new(protocol, out);
        writer.head("append", 1, 1);
        writer.field(0, 1, Type::Struct);
        write(&mut writer);
        writer.stop();
        writer.stop();
    });
    out
}

#[test]
fn unknown_fields_are_skipped_and_any_order_will_do() {
    for protocol in PROTOCOLS {
        let call = append_with(protocol, |writer| {
            writer.field(0, 2, Type::Binary);
            writer.binary(b"body");
            writer.field(2, 7, Type::List);
            writer.list(Type::Map, 1);
            writer.map(Type::I32, Type::Binary, 1);
            writer.i32(-5);
            writer.binary(b"unknown");
            writer.field(7, 8, Type::Struct);
            writer.field(0, 100, Type::I64);
            writer.i64(i64::MIN);
            writer.stop();
            writer.field(8, 9, Type::I64);
            writer.i64(7);
            writer.field(9, 1, Type::Map);
            writer.map(Type::Binary, Type::Binary, 1);
            writer.binary(b"k");
            writer.binary(b"v");
            writer.field(1, 2, Type::Binary);
            writer.binary(b"the later body");
        });
        let (.., batches) = read_call(protocol, &call).expect("valid");
        assert_eq!(events(&batches), [hello(("k", "v"), "the later body")]);
    }
}

#[test]
fn an_event_without_headers_or_body_is_refused_as_by_libthrift() {
    for protocol in PROTOCOLS {
        let no_headers = append_with(protocol, |writer| {
            writer.field(0, 2, Type::Binary);
            writer.binary(b"body");
        });
        let no_body = append_with(protocol, |writer| {
            writer.field(0, 1, Type::Map);
            writer.map(Type::Binary, Type::Binary, 0);
        });
        assert_eq!(read_call(protocol, &no_headers).err(), Some(BadArguments::Incomplete("headers")));
        assert_eq!(read_call(protocol, &no_body).err(), Some(BadArguments::Incomplete("body")));
        // A field of another type is an unknown one.
        let other_type = append_with(protocol, |writer| {
            writer.field(0, 1, Type::Map);
            writer.map(Type::Binary, Type::Binary, 0);
            writer.field(1, 2, Type::I32);
            writer.i32(1);
        });
        assert_eq!(read_call(protocol, &other_type).err(), Some(BadArguments::Incomplete("body")));
    }
}

#[test]
fn no_argument_at_all_is_told_apart_from_an_empty_list() {
    for protocol in PROTOCOLS {
        let mut nothing = Vec::new();
        framed(&mut nothing, |out| {
            let mut writer = Writer::new(protocol, out);
            writer.head("appendBatch", 1, 1);
            writer.stop();
        });
        assert_eq!(read_call(protocol, &nothing).err(), Some(BadArguments::Nothing));
        let mut empty = Vec::new();
        write_batch(protocol, 1, &[], &mut empty);
        assert!(read_call(protocol, &empty).expect("valid").2.is_empty());
    }
}

#[test]
fn claims_of_gigabytes_are_refused_by_what_is_there() {
    // Lists, maps and strings that claim 2³¹ - 1.
    let huge = i32::MAX.to_be_bytes();
    let binary = |head: &[u8]| [&hex(APPEND_BINARY)[4..22], head, &huge[..]].concat();
    let list = [&b"\x80\x01\0\x01\0\0\0\x0bappendBatch\0\0\0\x01\x0f\0\x01\x0c"[..], &huge[..]].concat();
    let map = binary(&[12, 0, 1, 13, 0, 1, 11, 11]);
    let text = binary(&[12, 0, 1, 11, 0, 2]);
    let compact: &[u8] = b"\x82\x21\x01\x0bappendBatch\x19\xfc\xff\xff\xff\xff\x07";
    for (protocol, message, method) in [
        (Protocol::Binary, &list[..], Method::AppendBatch),
        (Protocol::Binary, &map, Method::Append),
        (Protocol::Binary, &text, Method::Append),
        (Protocol::Compact, compact, Method::AppendBatch),
    ] {
        let frame = Bytes::copy_from_slice(message);
        let mut reader = Reader::new(protocol, &frame);
        reader.head().expect("a head");
        let refused = read(protocol, &frame, reader.position(), method).err();
        assert!(
            matches!(refused, Some(BadArguments::Malformed(Malformed::Claim { claimed: 0x7FFF_FFFF, .. }))),
            "{refused:?}"
        );
    }
}

#[test]
fn nesting_has_a_limit() {
    for protocol in PROTOCOLS {
        let call = append_with(protocol, |writer| {
            writer.field(0, 9, Type::Struct);
            (0..100_000).for_each(|_| writer.field(0, 1, Type::Struct));
        });
        assert_eq!(read_call(protocol, &call).err(), Some(BadArguments::Malformed(Malformed::TooDeep)));
    }
}

#[test]
fn the_other_protocol_is_named() {
    for (protocol, bytes, words) in [
        (Protocol::Binary, APPEND_COMPACT, "set `protocol = compact`"),
        (Protocol::Compact, APPEND_BINARY, "set `protocol = binary`"),
    ] {
        let refused = read_call(protocol, &hex(bytes)).expect_err("another protocol").to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn many_different_headers_make_several_batches_and_too_many_are_refused() {
    let diverse = |count: usize| -> Vec<Event> {
        (0..count).map(|n| hello((&format!("name{n}"), "v"), "body")).collect()
    };
    let written = |events: &[Event]| {
        let mut out = Vec::new();
        let batches: Vec<Batch> = events.chunks(1_000).map(batch).collect();
        write_batch(Protocol::Compact, 1, &batches, &mut out);
        out
    };
    let some = diverse(10_000);
    let (.., batches) = read_call(Protocol::Compact, &written(&some)).expect("valid");
    assert_eq!((batches.len(), events(&batches)), (3, some));
    assert_eq!(read_call(Protocol::Compact, &written(&diverse(70_000))).err(), Some(BadArguments::Names));

    let one = append_with(Protocol::Compact, |writer| {
        writer.field(0, 1, Type::Map);
        writer.map(Type::Binary, Type::Binary, 5_000);
        for n in 0..5_000 {
            writer.binary(format!("name{n}").as_bytes());
            writer.binary(b"v");
        }
        writer.field(1, 2, Type::Binary);
        writer.binary(b"body");
    });
    assert_eq!(read_call(Protocol::Compact, &one).err(), Some(BadArguments::EventHeaders(4096)));
}

fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let headers = prop::collection::btree_map("[a-d]{0,2}|.*", ".*", 0..5);
    let event = (headers.prop_map(|map| map.into_iter().collect()), any::<Vec<u8>>());
    prop::collection::vec(event, 0..8)
}

proptest! {
    #[test]
    fn events_come_back_in_both_protocols(events_in in any_events()) {
        for protocol in PROTOCOLS {
            let mut out = Vec::new();
            write_batch(protocol, 7, &[batch(&events_in)], &mut out);
            let (method, sequence, batches) = read_call(protocol, &out).expect("valid");
            prop_assert_eq!((method, sequence), (Method::AppendBatch, 7));
            prop_assert_eq!(events(&batches), events_in.clone());
        }
    }

    #[test]
    fn events_are_measured_as_they_are_written(events_in in any_events(), room in 0usize..400) {
        for protocol in PROTOCOLS {
            let whole = batch(&events_in);
            let (count, bytes) = fit(protocol, &whole, room);
            let (mut some, mut none) = (Vec::new(), Vec::new());
            write_batch(protocol, 7, &[whole.slice(0..count)], &mut some);
            write_batch(protocol, 7, &[], &mut none);
            prop_assert_eq!(some.len() - none.len(), bytes);
            prop_assert!(bytes <= room && none.len() <= MESSAGE_BYTES);
            if count < whole.len() {
                let next = fit(protocol, &whole.slice(count..count + 1), usize::MAX).1;
                prop_assert!(bytes + next > room);
            }
        }
    }

    #[test]
    fn a_cut_message_is_refused_wherever_it_is_cut(events_in in any_events(), at: prop::sample::Index) {
        for protocol in PROTOCOLS {
            let mut out = Vec::new();
            write_batch(protocol, 7, &[batch(&events_in)], &mut out);
            let message = &out[4..4 + at.index(out.len() - 4)];
            let frame = Bytes::copy_from_slice(message);
            let mut reader = Reader::new(protocol, &frame);
            if reader.head().is_ok() {
                let refused = read(protocol, &frame, reader.position(), Method::AppendBatch);
                prop_assert!(matches!(refused, Err(BadArguments::Malformed(_))), "{:?}", refused);
            }
        }
    }

    #[test]
    fn changed_bytes_make_other_events_or_an_error(
        events_in in any_events(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for protocol in PROTOCOLS {
            let mut out = Vec::new();
            write_batch(protocol, 7, &[batch(&events_in)], &mut out);
            let mut message = out.split_off(4);
            for (at, byte) in &changes {
                let at = at.index(message.len());
                message[at] = *byte;
            }
            let frame = Bytes::from(message);
            let mut reader = Reader::new(protocol, &frame);
            if reader.head().is_ok() {
                for method in [Method::Append, Method::AppendBatch] {
                    if let Ok(batches) = read(protocol, &frame, reader.position(), method) {
                        // Whatever it is, it can be written again.
                        let mut again = Vec::new();
                        write_batch(protocol, 7, &batches, &mut again);
                        let (.., same) = read_call(protocol, &again).expect("valid");
                        prop_assert_eq!(events(&same), events(&batches));
                    }
                }
            }
        }
    }
}
