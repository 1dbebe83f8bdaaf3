use super::super::frame::{FrameLimits, Framer};
use super::super::vectors::{self, bytes};
use super::*;
use flumen_event::BatchBuilder;

fn payload(stream: &[u8]) -> Bytes {
    let mut framer = Framer::new(FrameLimits { bytes_max: 1 << 20, buffers_max: 1000 });
    framer.feed(&mut &stream[..]).expect("within the limits").expect("a whole frame").payload
}
fn event(body: &[u8], headers: &[(&str, &str)]) -> Batch {
    let mut builder = BatchBuilder::default();
    builder.push(body, headers.iter().copied()).expect("fits");
    builder.finish()
}
fn call(requestor: &mut Requestor, method: Method, events: &[Batch]) -> Vec<u8> {
    let mut out = Vec::new();
    requestor.put_call(method, events, &mut out);
    out
}
fn answered(requestor: &mut Requestor, handshake: &[u8], rest: &[u8]) -> Result<Answer, Malformed> {
    requestor.answer(&Bytes::from([handshake, rest].concat()))
}

#[test]
fn what_we_send_is_what_flumes_client_sends() {
    let hello = event(b"hello", &[("k", "v")]);
    let mut requestor = Requestor::default();
    assert_eq!(call(&mut requestor, Method::Append, std::slice::from_ref(&hello)), bytes(vectors::APPEND));
    let ok = requestor.answer(&payload(&bytes(vectors::APPEND_OK)));
    assert_eq!(ok, Ok(Answer::Status(Status::Ok)));
    assert_eq!(call(&mut requestor, Method::Append, std::slice::from_ref(&hello)), bytes(vectors::SECOND));
    let failed = requestor.answer(&payload(&bytes(vectors::SECOND_FAILED)));
    assert_eq!(failed, Ok(Answer::Status(Status::Failed)));
    let exception = requestor.answer(&payload(&bytes(vectors::EXCEPTION)));
    assert_eq!(exception, Ok(Answer::Exception("java.io.EOFException".to_owned())));
    let both = [hello, event(b"x", &[])];
    assert_eq!(call(&mut Requestor::default(), Method::AppendBatch, &both), bytes(vectors::BATCH));
}

/// A server's text that has the statuses in another order.
fn server(matched: Match) -> Vec<u8> {
    let text = TEXT.replace(r#"["OK","FAILED","UNKNOWN"]"#, r#"["FAILED","OK"]"#);
    let mut out = Vec::new();
    HandshakeResponse { matched, server: Some((text.as_bytes(), [7; 16])) }.write(&mut out);
    out
}

#[test]
fn a_server_that_does_not_know_us_gets_our_text_once() {
    let mut requestor = Requestor::default();
    call(&mut requestor, Method::Append, &[event(b"x", &[])]);
    assert_eq!(answered(&mut requestor, &server(Match::None), b""), Ok(Answer::Repeat));
    let again = payload(&call(&mut requestor, Method::Append, &[event(b"x", &[])]));
    let handshake = HandshakeRequest::read(&mut Reader::new(&again)).expect("a handshake");
    assert_eq!((handshake.client_hash, handshake.server_hash), (TEXT_HASH, [7; 16]));
    assert_eq!(handshake.client_text, Some(TEXT.as_bytes()));
    assert!(matches!(answered(&mut requestor, &server(Match::None), b""), Err(Malformed::Protocol(_))));
}

#[test]
fn statuses_are_those_of_the_servers_protocol() {
    let mut requestor = Requestor::default();
    call(&mut requestor, Method::Append, &[event(b"x", &[])]);
    let answer = answered(&mut requestor, &server(Match::Client), b"\0\0\0");
    assert_eq!(answer, Ok(Answer::Status(Status::Failed)));
    assert_eq!(requestor.answer(&Bytes::from_static(b"\0\0\x02")), Ok(Answer::Status(Status::Ok)));
    assert!(requestor.answer(&Bytes::from_static(b"\0\0\x04")).is_err(), "it has no third");
}

#[test]
fn answers_that_are_none_are_errors() {
    for garbage in [&b""[..], b"\0", b"\0\x02", b"\0\x01\x02", b"\x06\0\0\0\0\0\0"] {
        let mut requestor = Requestor::default();
        assert!(requestor.answer(&Bytes::copy_from_slice(garbage)).is_err(), "{garbage:?}");
    }
}
