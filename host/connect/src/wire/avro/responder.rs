//! The server's side of one connection: a payload comes in, and either is answered at once or holds events that
//! must be stored before there is an answer.
//!
//! Apache Avro's rules are kept: the handshake is asked for until one has succeeded, a call of an unknown method
//! or with unreadable parameters is answered with an exception, and an empty method name is a ping. In one thing
//! we are more patient: a client that repeats the handshake (it sent several requests before the first answer
//! came) is answered with a handshake again, where Java answers `java.io.EOFException`.

use std::sync::Arc;

use bytes::Bytes;
use flumen_event::Batch;

use super::events::read_events;
use super::frame::{put_buffer, put_head};
use super::handshake::{HandshakeRequest, HandshakeResponse, Match};
use super::protocol::{Dialect, FLUME_HASH, Method, Parameter, Status, TEXT, TEXT_HASH};
use super::reader::{Malformed, Reader, put_bytes};

/// Most characters of a peer's text that are repeated to it.
const QUOTED_MAX: usize = 100;

/// What is known about the peer of a connection.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Set by a successful handshake.
    peer: Option<Arc<Dialect>>,
}

/// What a payload was.
#[derive(Debug)]
pub enum Request {
    /// Events, which are to be stored and then answered with a status behind this.
    Events {
        /// The call.
        method: Method,
        /// None if there were no events.
        batches: Vec<Batch>,
        /// The start of the answer.
        handshake: Handshake,
    },
    /// Nothing to store.
    Done {
        /// The start of the answer.
        handshake: Handshake,
        /// The rest of it.
        outcome: Outcome,
    },
}

/// The handshake in front of an answer, mostly empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handshake(Vec<u8>);

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A status.
    Status(Status),
    /// An exception, as Java prints it: class, colon, text.
    Exception(String),
    /// There was no call, or none that was executed.
    Nothing,
}

impl Outcome {
    /// Something is wrong with the request.
    fn refused(why: impl std::fmt::Display) -> Self {
        Outcome::Exception(format!("org.apache.avro.AvroRuntimeException: {why}"))
    }
}

/// The head of a call could not be read.
enum NoCall {
    Malformed(Malformed),
    Unknown(String),
}

impl From<Malformed> for NoCall {
    fn from(malformed: Malformed) -> Self {
        NoCall::Malformed(malformed)
    }
}

impl Session {
    /// Reads one request.
    pub fn request(&mut self, payload: &Bytes) -> Request {
        let mut reader = Reader::new(payload);
        let mut handshake = Handshake::default();
        let mut call = match &self.peer {
            None => Err(NoCall::Malformed(Malformed::Ends("the handshake"))),
            Some(_) => read_call(&mut reader),
        };
        if call.is_err() {
            let mut from_start = Reader::new(payload);
            match self.shake_hands(&mut from_start) {
                Ok((made, Match::None)) => {
                    return Request::Done { handshake: made, outcome: Outcome::Nothing };
                }
                Ok((made, Match::Both | Match::Client)) => {
                    handshake = made;
                    call = read_call(&mut from_start);
                    reader = from_start;
                }
                Err(refused) if self.peer.is_none() => {
                    return Request::Done { handshake, outcome: Outcome::refused(refused) };
                }
                // The second attempt was a guess; the first error is the one to tell.
                Err(_) => {}
            }
        }
        let method = match call {
            Ok(Some(method)) => method,
            Ok(None) => return Request::Done { handshake, outcome: Outcome::Nothing },
            Err(NoCall::Malformed(why)) => {
                return Request::Done { handshake, outcome: Outcome::refused(why) };
            }
            Err(NoCall::Unknown(name)) => {
                let outcome = Outcome::refused(format!("No such remote message: {name}"));
                return Request::Done { handshake, outcome };
            }
        };
        match self.parameters(payload, &mut reader, method) {
            Ok(batches) => Request::Events { method, batches, handshake },
            Err(outcome) => Request::Done { handshake, outcome },
        }
    }

    fn parameters(
        &self,
        payload: &Bytes,
        reader: &mut Reader<'_>,
        method: Method,
    ) -> Result<Vec<Batch>, Outcome> {
        let Some(peer) = &self.peer else { return Err(Outcome::refused("there was no handshake")) };
        let mut batches = Vec::new();
        for parameter in peer.parameters(method).map_err(Outcome::refused)? {
            match parameter {
                Parameter::Events(shape) => {
                    let read = read_events(payload, reader, method, shape, &peer.schemas);
                    batches = read.map_err(Outcome::refused)?;
                }
                Parameter::Other(id) => peer.schemas.skip(*id, reader).map_err(Outcome::refused)?,
            }
        }
        Ok(batches)
    }

    fn shake_hands(&mut self, reader: &mut Reader<'_>) -> Result<(Handshake, Match), Malformed> {
        let request = HandshakeRequest::read(reader)?;
        let is_known = |hash| hash == FLUME_HASH || hash == TEXT_HASH;
        let peer = match request.client_text {
            _ if is_known(request.client_hash) => Some(Dialect::flume()),
            // Not kept for other connections: another client's text under this hash would be believed there.
            Some(text) => {
                let text = str::from_utf8(text);
                let text = text.map_err(|_| Malformed::Protocol("its protocol is not UTF-8".to_owned()))?;
                Some(Dialect::read(text)?)
            }
            None => None,
        };
        let matched = match &peer {
            None => Match::None,
            Some(_) if is_known(request.server_hash) => Match::Both,
            Some(_) => Match::Client,
        };
        if let Some(peer) = peer {
            self.peer = Some(Arc::new(peer));
        }
        let server = (matched != Match::Both).then_some((TEXT.as_bytes(), TEXT_HASH));
        let mut out = Vec::new();
        HandshakeResponse { matched, server }.write(&mut out);
        Ok((Handshake(out), matched))
    }
}

/// Metadata and the name of the method; none for a ping.
fn read_call(reader: &mut Reader<'_>) -> Result<Option<Method>, NoCall> {
    reader.skip_metadata()?;
    match reader.bytes("the name of the method")? {
        b"append" => Ok(Some(Method::Append)),
        b"appendBatch" => Ok(Some(Method::AppendBatch)),
        b"" => Ok(None),
        other => {
            let name = String::from_utf8_lossy(other);
            Err(NoCall::Unknown(name.chars().take(QUOTED_MAX).collect()))
        }
    }
}

/// Appends the answer as a frame, cut into buffers as Java's responder cuts it.
pub fn put_answer(serial: u32, handshake: &Handshake, outcome: &Outcome, out: &mut Vec<u8>) {
    if *outcome == Outcome::Nothing {
        put_head(serial, 1, out);
        put_buffer(&handshake.0, out);
        return;
    }
    put_head(serial, 3, out);
    put_buffer(&handshake.0, out);
    // No metadata.
    put_buffer(&[0], out);
    match outcome {
        Outcome::Status(status) => {
            let number = match status {
                Status::Ok => 0,
                Status::Failed => 1,
                Status::Unknown => 2,
            };
            put_buffer(&[0, number << 1], out);
        }
        Outcome::Exception(text) => {
            let mut value = vec![1, 0];
            put_bytes(text.as_bytes(), &mut value);
            put_buffer(&value, out);
        }
        Outcome::Nothing => {}
    }
}

#[cfg(test)]
#[path = "responder_tests.rs"]
mod tests;
