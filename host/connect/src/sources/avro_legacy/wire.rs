//! Avro IPC over HTTP, as Flume 0.9 sends events: `append` of `FlumeOGEventAvroServer`.
//!
//! ```text
//! body      ( length u32 │ bytes )…  │ 0 u32                 request and answer: the buffers in a row, and an end
//! request   handshake │ metadata │ "append" │ event          a handshake each time: HTTP has no sessions
//! event     timestamp │ priority │ body │ nanos │ host │ fields: map of bytes
//! answer    handshake │ metadata │ failed? │ (failed: union branch 0 │ text)
//! ```

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use flumen_event::{Batch, Span};
use serde_json::Value;

use crate::wire::avro::handshake::{HandshakeRequest, HandshakeResponse, Match};
use crate::wire::avro::protocol::Hash;
use crate::wire::avro::reader::{Malformed, Reader, put_bytes};

/// What we say of ourselves: Flume's protocol without its comment.
const TEXT: &str = concat!(
    r#"{"protocol":"FlumeOGEventAvroServer","namespace":"com.cloudera.flume.handlers.avro","types":["#,
    r#"{"type":"enum","name":"Priority","symbols":["FATAL","ERROR","WARN","INFO","DEBUG","TRACE"]},"#,
    r#"{"type":"record","name":"AvroFlumeOGEvent","fields":[{"name":"timestamp","type":"long"},"#,
    r#"{"name":"priority","type":"Priority"},{"name":"body","type":"bytes"},{"name":"nanos","type":"long"},"#,
    r#"{"name":"host","type":"string"},{"name":"fields","type":{"type":"map","values":"bytes"}}]}],"#,
    r#""messages":{"append":{"request":[{"name":"evt","type":"AvroFlumeOGEvent"}],"response":"null"}}}"#
);
/// MD5 of `TEXT`.
const TEXT_HASH: Hash = *b"\x47\xfd\x3a\x2e\x23\x6f\xb7\xe9\x8d\x0c\xc0\x1f\xdf\x78\x33\xb1";
/// MD5 of Flume's own text, which its clients have without asking.
const FLUME_HASH: Hash = *b"\x84\xf2\x6a\x5a\x74\xaf\x57\x26\xd8\xbc\x68\x10\x56\x69\xc9\x96";
const PRIORITIES: [&str; 6] = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
/// The fields of an event, in their order, with how their types are written.
const FIELDS: [(&str, &str); 6] = [
    ("timestamp", "long"),
    ("priority", "enum"),
    ("body", "bytes"),
    ("nanos", "long"),
    ("host", "string"),
    ("fields", "map of bytes"),
];
/// A protocol that a client sends is not longer than this.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Clients have a handful of versions; a flood of invented ones is forgotten.
const KNOWN_MAX: usize = 256;
/// More fields than this has no event.
const FIELDS_MAX: usize = 4096;

/// The protocols of clients that can be understood, by their hashes.
#[derive(Default)]
pub(super) struct Clients(Mutex<HashSet<Hash>>);

/// What a request asks for.
pub(super) enum Call {
    /// To store this event.
    Append(Box<Event>),
    /// To say who we are: the call was not understood yet, or is none.
    Greeting,
    /// Something that is not there: the text says what.
    Unknown(String),
}

/// An event, as a batch of one.
pub(super) struct Event {
    pub batch: Batch,
}

/// A request that was read as far as it goes.
pub(super) struct Request {
    pub call: Call,
    answer_head: Vec<u8>,
}

impl Clients {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<Hash>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// If it is not Avro.
    pub(super) fn read(&self, body: &Bytes) -> Result<Request, Malformed> {
        let payload = payload(body)?;
        let mut reader = Reader::new(&payload);
        let handshake = HandshakeRequest::read(&mut reader)?;
        let is_known = match handshake.client_text {
            _ if [TEXT_HASH, FLUME_HASH].contains(&handshake.client_hash) => true,
            None => self.lock().contains(&handshake.client_hash),
            Some(text) => {
                if let Err(why) = check(text) {
                    let call = Call::Unknown(format!("the client's protocol cannot be understood: {why}"));
                    return Ok(Request { call, answer_head: head(Match::Client) });
                }
                let mut known = self.lock();
                if known.len() >= KNOWN_MAX {
                    known.clear();
                }
                known.insert(handshake.client_hash);
                true
            }
        };
        if !is_known {
            return Ok(Request { call: Call::Greeting, answer_head: head(Match::None) });
        }
        let knows_us = [TEXT_HASH, FLUME_HASH].contains(&handshake.server_hash);
        let matched = if knows_us { Match::Both } else { Match::Client };
        let call = call(&payload, &mut reader)?;
        Ok(Request { call, answer_head: head(matched) })
    }
}

impl Request {
    /// The answer's body: stored, or why not.
    pub(super) fn answer(self, outcome: Result<(), String>) -> Vec<u8> {
        let mut payload = self.answer_head;
        if !matches!(self.call, Call::Greeting) {
            // No metadata.
            payload.push(0);
            match outcome {
                Ok(()) => payload.push(0),
                Err(why) => {
                    payload.extend_from_slice(&[1, 0]);
                    put_bytes(why.as_bytes(), &mut payload);
                }
            }
        }
        framed(&payload)
    }
}

fn head(matched: Match) -> Vec<u8> {
    let server = (matched != Match::Both).then_some((TEXT.as_bytes(), TEXT_HASH));
    let mut head = Vec::new();
    HandshakeResponse { matched, server }.write(&mut head);
    head
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 8);
    // An answer is a few hundred bytes.
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&[0; 4]);
    out
}

/// The buffers of a body in a row.
fn payload(body: &Bytes) -> Result<Bytes, Malformed> {
    let mut rest = &body[..];
    let mut pieces = Vec::new();
    loop {
        let (length, behind) = rest.split_at_checked(4).ok_or(Malformed::Ends("the length of a buffer"))?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        if length == 0 {
            break;
        }
        let (piece, behind) = behind.split_at_checked(length).ok_or(Malformed::Ends("a buffer"))?;
        pieces.push(piece);
        rest = behind;
    }
    Ok(match pieces[..] {
        [one] => body.slice_ref(one),
        _ => pieces.concat().into(),
    })
}

fn call(payload: &Bytes, reader: &mut Reader<'_>) -> Result<Call, Malformed> {
    reader.skip_metadata()?;
    match reader.bytes("the name of a method")? {
        // A client that only wants to know who we are calls nothing.
        b"" => Ok(Call::Greeting),
        b"append" => Ok(Call::Append(Box::new(event(payload, reader)?))),
        other => Ok(Call::Unknown(format!("there is no method {}", String::from_utf8_lossy(other)))),
    }
}

fn event(payload: &Bytes, reader: &mut Reader<'_>) -> Result<Event, Malformed> {
    let timestamp = reader.long()?;
    let at = reader.position();
    let priority = usize::try_from(reader.long()?).ok().and_then(|at| PRIORITIES.get(at));
    let priority = priority.ok_or(Malformed::Impossible("a priority", at))?;
    let body: Span = reader.span("the body")?;
    let nanos = reader.long()?;
    let host = text(reader.bytes("the host")?);
    let mut headers = vec![
        ("host".to_owned(), host),
        ("timestamp".to_owned(), timestamp.to_string()),
        ("pri".to_owned(), (*priority).to_owned()),
        ("nanos".to_owned(), nanos.to_string()),
    ];
    loop {
        let count = reader.block("the fields")?;
        if count == 0 {
            break;
        }
        for _ in 0..count {
            if headers.len() >= FIELDS_MAX {
                return Err(Malformed::TooManyHeaders(FIELDS_MAX));
            }
            let name = text(reader.bytes("the name of a field")?);
            headers.push((name, text(reader.bytes("the value of a field")?)));
        }
    }
    headers.push(("FlumeOG".to_owned(), "yes".to_owned()));
    let batch = Batch::from_arena(payload.clone(), vec![body]).compacted();
    let columns = headers.into_iter().map(|(name, value)| {
        (name.as_str().into(), Some(flumen_event::Column::Constant(value.as_str().into())))
    });
    Ok(Event { batch: batch.with_columns(columns.collect()) })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a client's protocol means by `append` what we mean.
fn check(protocol: &[u8]) -> Result<(), String> {
    if protocol.len() > TEXT_BYTES_MAX {
        return Err(format!("it is longer than {TEXT_BYTES_MAX} bytes"));
    }
    let protocol: Value = serde_json::from_slice(protocol).map_err(|error| error.to_string())?;
    let parameters = &protocol["messages"]["append"]["request"];
    let parameter = match parameters.as_array().map(Vec::as_slice) {
        Some([parameter]) => &parameter["type"],
        _ => return Err("it has no message `append` with one parameter".to_owned()),
    };
    let record = named(&protocol, parameter);
    let fields = record["fields"].as_array().ok_or("the parameter of `append` is no record")?;
    let ours = FIELDS.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()));
    let theirs = fields.iter().map(|field| {
        (field["name"].as_str().unwrap_or_default().to_owned(), kind(&protocol, &field["type"]))
    });
    if ours.eq(theirs) { Ok(()) } else { Err("its events have other fields".to_owned()) }
}

/// A type, looked up if only its name is given.
fn named<'a>(protocol: &'a Value, of: &'a Value) -> &'a Value {
    let Some(name) = of.as_str() else { return of };
    let short = |name: &'a str| name.rsplit('.').next().unwrap_or(name);
    let mut types = protocol["types"].as_array().into_iter().flatten();
    types.find(|known| known["name"].as_str().is_some_and(|known| short(known) == short(name))).unwrap_or(of)
}

fn kind(protocol: &Value, of: &Value) -> String {
    let of = named(protocol, of);
    let name = of.as_str().or_else(|| of["type"].as_str()).unwrap_or_default();
    match name {
        "map" => format!("map of {}", kind(protocol, &of["values"])),
        "enum"
            if of["symbols"]
                .as_array()
                .is_some_and(|all| all.iter().map(Value::as_str).eq(PRIORITIES.map(Some))) =>
        {
            "enum".to_owned()
        }
        "enum" => "another enum".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What Flume 1.11's own classes send (Avro 1.11's HttpTransceiver).
    const APPEND: &str = "0000002b 84f26a5a74af5726d8bc68105669c996 00 84f26a5a74af5726d8bc68105669c996 0200 00 0c617070656e64 \
        0000001d f6a1abfef962 04 0e68656c6c6f2030 54 0877656231 02 026b 0676c3a9 00 00000000";

    fn bytes(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2).map(|pair| str::from_utf8(pair).expect("ASCII"));
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
    }
    /// The vector with another hash of the client, and its protocol if one is given.
    fn from_stranger(text: Option<&str>) -> Bytes {
        let mut payload = vec![7; 16];
        match text {
            None => payload.push(0),
            Some(text) => {
                payload.push(2);
                put_bytes(text.as_bytes(), &mut payload);
            }
        }
        payload.extend_from_slice(&[9; 16]);
        payload.extend_from_slice(&bytes(
            "0200 00 0c617070656e64 f6a1abfef962 04 0e68656c6c6f2030 54 0877656231 00",
        ));
        framed(&payload).into()
    }

    #[test]
    fn an_event_of_flumes_own_client_is_read_and_answered_as_flume_answers() {
        let request = Clients::default().read(&bytes(APPEND).into()).expect("a request");
        let Call::Append(event) = &request.call else { panic!("no append") };
        let event_ref = event.batch.event(0);
        assert_eq!(event_ref.body(), b"hello 0");
        let mut headers: Vec<_> = event_ref.headers().collect();
        headers.sort_unstable();
        assert_eq!(
            headers,
            [
                ("FlumeOG", "yes"),
                ("host", "web1"),
                ("k", "vé"),
                ("nanos", "42"),
                ("pri", "WARN"),
                ("timestamp", "1700000000123")
            ]
        );
        let answer = request.answer(Ok(()));
        assert_eq!(payload(&answer.into()).expect("framed"), bytes("00000000 00 00"));
    }

    #[test]
    fn an_event_that_was_not_stored_is_answered_with_the_reason() {
        let request = Clients::default().read(&bytes(APPEND).into()).expect("a request");
        let answer = payload(&request.answer(Err("full".into())).into()).expect("framed");
        assert_eq!(answer, bytes("00000000 00 01 00 0866756c6c"));
    }

    #[test]
    fn a_stranger_is_told_our_protocol_and_understood_once_it_has_told_its_own() {
        let clients = Clients::default();
        let request = clients.read(&from_stranger(None)).expect("a request");
        assert!(matches!(request.call, Call::Greeting));
        let answer = payload(&request.answer(Ok(())).into()).expect("framed");
        let told = HandshakeResponse::read(&mut Reader::new(&answer)).expect("a handshake");
        assert_eq!((told.matched, told.server), (Match::None, Some((TEXT.as_bytes(), TEXT_HASH))));
        let same = TEXT.replace("\"namespace\"", "\"doc\":\"words\",\"namespace\"");
        let request = clients.read(&from_stranger(Some(&same))).expect("a request");
        assert!(matches!(request.call, Call::Append(_)));
        let request = clients.read(&from_stranger(None)).expect("a request");
        assert!(matches!(request.call, Call::Append(_)), "its hash is known now");
    }

    #[test]
    fn another_protocol_is_refused_with_the_reason() {
        for (old, new, words) in [
            ("\"nanos\",\"type\":\"long\"", "\"nanos\",\"type\":\"string\"", "other fields"),
            ("\"append\"", "\"other\"", "no message `append`"),
            ("FATAL", "WORSE", "other fields"),
            ("{", "", "cannot be understood"),
        ] {
            let text = TEXT.replacen(old, new, 1);
            let request = Clients::default().read(&from_stranger(Some(&text))).expect("a request");
            let Call::Unknown(why) = &request.call else { panic!("{new} was understood") };
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn claims_of_more_than_there_is_are_refused() {
        for text in ["", "00", "7fffffff", "0000000101", "00000000", "00000001 00 00000000"] {
            assert!(Clients::default().read(&bytes(text).into()).is_err(), "{text}");
        }
        let whole = bytes(APPEND);
        for end in 0..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..end]);
            assert!(Clients::default().read(&cut).is_err(), "{end}");
        }
    }
}
