//! Bytes that Flume's SDK 1.9.0 and 1.11.0 and Avro's server of 1.11.0 really sent. The event is header `k` = `v`,
//! body `hello`.

/// The first call of a connection, `append`.
pub const APPEND: &str = "00000001 00000002 0000002b
    86aadae2c45474c0fe93ffd0f2350a65 00 86aadae2c45474c0fe93ffd0f2350a65 0200 00 0c617070656e64
    0000000c 02 026b 0276 00 0a68656c6c6f";
/// Its answer: OK.
pub const APPEND_OK: &str = "00000001 00000003 00000004 00000000 00000001 00 00000002 0000";
/// The second call.
pub const SECOND: &str = "00000002 00000002 00000008 00 0c617070656e64 0000000c 02026b0276000a68656c6c6f";
/// Its answer.
pub const SECOND_OK: &str = "00000002 00000003 00000000 00000001 00 00000002 0000";
/// The same, refused.
pub const SECOND_FAILED: &str = "00000002 00000003 00000000 00000001 00 00000002 0002";
/// `appendBatch` of the event and of one with no headers and body `x`.
pub const BATCH: &str = "00000001 00000002 00000030
    86aadae2c45474c0fe93ffd0f2350a65 00 86aadae2c45474c0fe93ffd0f2350a65 0200 00 16617070656e644261746368
    00000011 04 02026b0276000a68656c6c6f 000278 00";
/// What Flume answers to a second handshake of a connection.
pub const EXCEPTION: &str =
    "00000002 00000003 00000000 00000001 00 00000017 01 00 28 6a6176612e696f2e454f46457863657074696f6e";
/// A client's whole first flight through a zlib stream of level 6: `APPEND`, sync-flushed.
pub const DEFLATED: &str = "789c62606060646060600262edb655b71e1d092939f06ff2ff0b9f4cb95219d00580aa78120b0a52f35280ca799898b299ca18b832527372f201000000ffff";

/// Bytes of a text of hexadecimal digits and white space.
pub fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    digits.chunks(2).map(pair).collect()
}
