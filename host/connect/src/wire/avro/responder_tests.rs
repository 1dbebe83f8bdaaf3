use super::super::frame::{Frame, FrameLimits, Framer};
use super::super::requestor::{Answer, Requestor};
use super::super::vectors::{self, bytes};
use super::*;

const LIMITS: FrameLimits = FrameLimits { bytes_max: 1 << 20, buffers_max: 1000 };

fn frame(stream: &[u8]) -> Frame {
    let mut input = stream;
    let frame = Framer::new(LIMITS).feed(&mut input).expect("within the limits").expect("a whole frame");
    assert!(input.is_empty());
    frame
}
/// What is answered when every batch is stored (or none is), and how many events came.
fn answer_with(session: &mut Session, stream: &[u8], status: Status) -> (Vec<u8>, usize) {
    let frame = frame(stream);
    let mut out = Vec::new();
    match session.request(&frame.payload) {
        Request::Events { batches, handshake, .. } => {
            put_answer(frame.serial, &handshake, &Outcome::Status(status), &mut out);
            (out, batches.iter().map(Batch::len).sum())
        }
        Request::Done { handshake, outcome } => {
            put_answer(frame.serial, &handshake, &outcome, &mut out);
            (out, 0)
        }
    }
}
fn answer(session: &mut Session, stream: &[u8]) -> (Vec<u8>, usize) {
    answer_with(session, stream, Status::Ok)
}
fn request(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_head(1, 1, &mut out);
    put_buffer(payload, &mut out);
    out
}
fn handshake(client_hash: [u8; 16], text: Option<&str>, server_hash: [u8; 16]) -> Vec<u8> {
    let mut out = Vec::new();
    HandshakeRequest { client_hash, client_text: text.map(str::as_bytes), server_hash }.write(&mut out);
    out
}
fn exception(answer: &[u8]) -> String {
    let payload = frame(answer).payload;
    let at = payload.windows(4).position(|w| w == b"org.").unwrap_or_else(|| panic!("{payload:?}"));
    String::from_utf8_lossy(&payload[at..]).into_owned()
}

#[test]
fn what_flumes_clients_send_is_answered_as_by_flume() {
    let mut session = Session::default();
    assert_eq!(answer(&mut session, &bytes(vectors::APPEND)), (bytes(vectors::APPEND_OK), 1));
    let second = bytes(vectors::SECOND);
    assert_eq!(answer(&mut session, &second), (bytes(vectors::SECOND_OK), 1));
    let failed = answer_with(&mut session, &second, Status::Failed);
    assert_eq!(failed, (bytes(vectors::SECOND_FAILED), 1));
    assert_eq!(answer(&mut Session::default(), &bytes(vectors::BATCH)), (bytes(vectors::APPEND_OK), 2));
}

#[test]
fn the_event_is_the_event() {
    let frame = frame(&bytes(vectors::BATCH));
    let Request::Events { method, batches, .. } = Session::default().request(&frame.payload) else {
        panic!("no events")
    };
    assert_eq!(method, Method::AppendBatch);
    let events: Vec<_> = batches[0].iter().map(|e| (e.header("k"), e.body())).collect();
    assert_eq!(events, [(Some("v"), &b"hello"[..]), (None, b"x")]);
}

#[test]
fn an_exception_looks_as_in_flume() {
    let mut out = Vec::new();
    let outcome = Outcome::Exception("java.io.EOFException".to_owned());
    put_answer(2, &Handshake::default(), &outcome, &mut out);
    assert_eq!(out, bytes(vectors::EXCEPTION));
}

#[test]
fn an_unknown_client_is_asked_for_its_protocol_and_nothing_is_executed() {
    let mut session = Session::default();
    let call = [&handshake([1; 16], None, FLUME_HASH)[..], b"\0\x0cappend\0\x02x"].concat();
    let (none, events) = answer(&mut session, &request(&call));
    assert_eq!(events, 0);
    let mut wanted = Vec::new();
    let server = Some((TEXT.as_bytes(), TEXT_HASH));
    HandshakeResponse { matched: Match::None, server }.write(&mut wanted);
    let mut framed = Vec::new();
    put_head(1, 1, &mut framed);
    put_buffer(&wanted, &mut framed);
    assert_eq!(none, framed);
    // With its text, and knowing ours now.
    let call = [&handshake([1; 16], Some(TEXT), TEXT_HASH)[..], b"\0\x0cappend\0\x02x"].concat();
    assert_eq!(answer(&mut session, &request(&call)), (bytes(vectors::APPEND_OK), 1));
    assert_eq!(answer(&mut session, &request(b"\0\x0cappend\0\x02x")).1, 1);
}

#[test]
fn a_client_that_does_not_know_us_is_told_and_the_call_is_executed() {
    let call = [&handshake(FLUME_HASH, None, [9; 16])[..], b"\0\x0cappend\0\x02x"].concat();
    let (out, events) = answer(&mut Session::default(), &request(&call));
    assert_eq!(events, 1);
    let payload = frame(&out).payload;
    let mut reader = Reader::new(&payload);
    let response = HandshakeResponse::read(&mut reader).expect("a handshake");
    assert_eq!(response.matched, Match::Client);
    assert_eq!(response.server, Some((TEXT.as_bytes(), TEXT_HASH)));
    assert_eq!(reader.fixed(3, "rest"), Ok(&b"\0\0\0"[..]));
}

#[test]
fn a_compatible_protocol_is_resolved_by_name() {
    let text = TEXT
        .replace(
            r#"{"name":"body","type":"bytes"}"#,
            r#"{"name":"extra","type":"long"},{"name":"body","type":"string"}"#,
        )
        .replace(r#"[{"name":"event","#, r#"[{"name":"why","type":"string"},{"name":"event","#);
    let call = [&handshake([1; 16], Some(&text), FLUME_HASH)[..], b"\0\x0cappend\x02?\0\x0e\x02x"].concat();
    let mut session = Session::default();
    let Request::Events { batches, .. } = session.request(&Bytes::from(call)) else { panic!("no events") };
    assert_eq!(batches[0].event(0).body(), b"x");
}

#[test]
fn an_unfit_protocol_is_answered_with_what_is_wrong() {
    let try_text = |text: &str| {
        let call = [&handshake([1; 16], Some(text), FLUME_HASH)[..], b"\0\x0cappend\0\x02x"].concat();
        exception(&answer(&mut Session::default(), &request(&call)).0)
    };
    let no_body = TEXT.replace(r#","fields":[{"name":"headers""#, r#","fields":[{"name":"titles""#);
    assert!(try_text(&no_body).contains("must have `headers` and `body`"));
    assert!(try_text(&TEXT.replace(r#""append":"#, r#""send":"#)).contains("No such remote message: append"));
    assert!(try_text("{}").contains("it has no messages"));
    assert!(try_text("no JSON").contains("cannot be read"));
    let one_way = TEXT.replace(r#""response":"Status"}"#, r#""response":"null","one-way":true}"#);
    assert!(try_text(&one_way).contains("one-way"));
}

#[test]
fn pipelined_requests_may_all_carry_the_handshake() {
    let mut session = Session::default();
    for _ in 0..3 {
        assert_eq!(answer(&mut session, &bytes(vectors::APPEND)), (bytes(vectors::APPEND_OK), 1));
    }
    assert_eq!(answer(&mut session, &bytes(vectors::SECOND)), (bytes(vectors::SECOND_OK), 1));
}

#[test]
fn calls_that_cannot_be_read_are_answered_and_the_session_goes_on() {
    let mut session = Session::default();
    assert!(exception(&answer(&mut session, &request(b"GET / HTTP/1.1")).0).contains("ends inside"));
    answer(&mut session, &bytes(vectors::APPEND));
    let unknown = answer(&mut session, &request(b"\0\x06foo")).0;
    assert_eq!(exception(&unknown), "org.apache.avro.AvroRuntimeException: No such remote message: foo");
    assert!(exception(&answer(&mut session, &request(b"\0\x0cappend\x02")).0).contains("it ends inside"));
    assert!(exception(&answer(&mut session, &request(b"")).0).contains("it ends inside"));
    assert_eq!(answer(&mut session, &bytes(vectors::SECOND)), (bytes(vectors::SECOND_OK), 1));
}

#[test]
fn metadata_is_passed_over_and_a_ping_is_answered_with_the_handshake_alone() {
    let mut session = Session::default();
    let ping = [&handshake(FLUME_HASH, None, FLUME_HASH)[..], b"\0\0"].concat();
    let (out, _) = answer(&mut session, &request(&ping));
    assert_eq!(&frame(&out).payload[..], [0, 0, 0, 0]);
    let with_metadata = b"\x01\x08\x02a\x02b\x02\x02a\x02b\0\x0cappend\0\x02x";
    assert_eq!(answer(&mut session, &request(with_metadata)).1, 1);
}

#[test]
fn our_own_two_sides_understand_each_other_whatever_they_know() {
    let batch = Batch::from_arena(Bytes::from_static(b"ab"), vec![flumen_event::Span::new(0..1); 3]);
    let (mut requestor, mut session) = (Requestor::default(), Session::default());
    for _ in 0..2 {
        let mut call = Vec::new();
        requestor.put_call(Method::AppendBatch, std::slice::from_ref(&batch), &mut call);
        let (out, events) = answer(&mut session, &call);
        assert_eq!(events, 3);
        assert_eq!(requestor.answer(&frame(&out).payload), Ok(Answer::Status(Status::Ok)));
    }
}
