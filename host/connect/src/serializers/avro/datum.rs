//! One event as an Avro datum.
//!
//! ```text
//! headers  map<string>   n (long), n × (name, value), 0       no headers: just 0
//! body     bytes         length (long), the bytes
//! ```
//! A long is zig-zag coded, seven bits per byte, lowest first. `Event` of `avro_event` files and
//! `AvroFlumeEvent` of Flume's Avro protocol and Kafka format are the same bytes: only their names differ.

use flumen_event::EventRef;

/// Appends an event's datum. `headers` is scratch space.
pub(crate) fn encode_event<'a>(
    event: EventRef<'a>,
    headers: &mut Vec<(&'a str, &'a str)>,
    out: &mut Vec<u8>,
) {
    // Flume walks a HashMap here. Taking its order makes our files comparable with Flume's byte by byte.
    event.headers_in_java_order(headers);
    if !headers.is_empty() {
        encode_len(headers.len(), out);
        for (name, value) in headers.iter() {
            encode_bytes(name.as_bytes(), out);
            encode_bytes(value.as_bytes(), out);
        }
    }
    out.push(0);
    encode_bytes(event.body(), out);
}

/// Appends a length and the bytes: Avro's `bytes` and `string`.
pub(crate) fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_len(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a length or count as a long. Zig-zag coding doubles numbers that are not negative.
pub(crate) fn encode_len(len: usize, out: &mut Vec<u8>) {
    let mut rest = (len as u64) << 1;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use flumen_event::BatchBuilder;

    fn datum(body: &[u8], headers: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = BatchBuilder::default();
        builder.push(body, headers.iter().copied()).expect("fits");
        let batch = builder.finish();
        let mut out = Vec::new();
        encode_event(batch.event(0), &mut Vec::new(), &mut out);
        out
    }

    // wire-formats.md §3, bytes of Flume's Kafka format.
    #[test]
    fn an_event_is_encoded_as_flume_does() {
        assert_eq!(datum(b"hello", &[("k", "v")]), b"\x02\x02k\x02v\x00\x0ahello");
        assert_eq!(datum(b"hello", &[]), b"\x00\x0ahello");
        assert_eq!(datum(b"", &[]), b"\x00\x00");
    }

    #[test]
    fn lengths_are_zig_zag_longs() {
        for (len, bytes) in
            [(0, &b"\x00"[..]), (1, b"\x02"), (63, b"\x7e"), (64, b"\x80\x01"), (133, b"\x8a\x02")]
        {
            let mut out = Vec::new();
            encode_len(len, &mut out);
            assert_eq!(out, bytes, "{len}");
        }
    }
}
