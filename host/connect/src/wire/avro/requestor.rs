//! The client's side of one connection: calls as frames, answers to statuses.
//!
//! The first call of a connection carries the handshake. We say that we are Flume's client, whose hash every Flume
//! knows. A server that does not answers NONE and executes nothing; then the call is made again, with our text.

use bytes::Bytes;
use flumen_event::Batch;

use super::events::put_events;
use super::frame::put_head;
use super::handshake::{HandshakeRequest, HandshakeResponse, Match};
use super::protocol::{Dialect, FLUME_HASH, Hash, Method, Status, TEXT, TEXT_HASH};
use super::reader::{Malformed, Reader, put_bytes, put_long};

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The call was executed.
    Status(Status),
    /// It was not: the server must see our protocol first. Make the same call again.
    Repeat,
    /// The server says why it was not, or not to the end.
    Exception(String),
}

/// Where the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hands {
    /// The next call begins with one.
    Offered,
    /// The next call begins with one that has our text.
    OfferedWithText,
    Shaken,
}

/// One connection's state.
#[derive(Debug)]
pub struct Requestor {
    serial: u32,
    hands: Hands,
    server_hash: Hash,
    statuses: Vec<Status>,
}

impl Default for Requestor {
    fn default() -> Self {
        let statuses = Dialect::flume().statuses;
        Self { serial: 0, hands: Hands::Offered, server_hash: FLUME_HASH, statuses }
    }
}

impl Requestor {
    /// Appends a call as a frame: two buffers, as Flume's client. Gives its serial.
    pub fn put_call(&mut self, method: Method, events: &[Batch], out: &mut Vec<u8>) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        put_head(self.serial, 2, out);
        let head = Buffer::begin(out);
        match self.hands {
            Hands::Offered => self.handshake(FLUME_HASH, None).write(out),
            Hands::OfferedWithText => self.handshake(TEXT_HASH, Some(TEXT.as_bytes())).write(out),
            Hands::Shaken => {}
        }
        // No metadata.
        out.push(0);
        put_bytes(method.name().as_bytes(), out);
        head.end(out);
        let parameters = Buffer::begin(out);
        match method {
            Method::Append => events.iter().for_each(|batch| put_events(batch, out)),
            Method::AppendBatch => {
                let count: usize = events.iter().map(Batch::len).sum();
                if count > 0 {
                    put_long(count as i64, out);
                    events.iter().for_each(|batch| put_events(batch, out));
                }
                out.push(0);
            }
        }
        parameters.end(out);
        self.serial
    }

    fn handshake(&self, client_hash: Hash, client_text: Option<&'static [u8]>) -> HandshakeRequest<'static> {
        HandshakeRequest { client_hash, client_text, server_hash: self.server_hash }
    }

    /// Reads the answer to the last call.
    ///
    /// # Errors
    /// If it is none. The connection is of no use then.
    pub fn answer(&mut self, payload: &Bytes) -> Result<Answer, Malformed> {
        let mut reader = Reader::new(payload);
        if self.hands != Hands::Shaken {
            let handshake = HandshakeResponse::read(&mut reader)?;
            if let Some((text, hash)) = handshake.server {
                self.learn(text, hash)?;
            }
            match handshake.matched {
                Match::Both | Match::Client => self.hands = Hands::Shaken,
                Match::None if self.hands == Hands::Offered => {
                    self.hands = Hands::OfferedWithText;
                    return Ok(Answer::Repeat);
                }
                Match::None => {
                    let why = "the server does not accept our protocol; is it an avro source?";
                    return Err(Malformed::Protocol(why.to_owned()));
                }
            }
        }
        reader.skip_metadata()?;
        let has_failed = reader.boolean()?;
        let at = reader.position();
        let number = usize::try_from(reader.long()?).unwrap_or(usize::MAX);
        if !has_failed {
            let status = self.statuses.get(number).copied();
            return status.map(Answer::Status).ok_or(Malformed::Impossible("a status", at));
        }
        match number {
            0 => {
                let text = String::from_utf8_lossy(reader.bytes("the text of an exception")?).into_owned();
                Ok(Answer::Exception(text))
            }
            _ => Err(Malformed::Impossible("the kind of an exception", at)),
        }
    }

    fn learn(&mut self, text: &[u8], hash: Hash) -> Result<(), Malformed> {
        let text = str::from_utf8(text);
        let text = text.map_err(|_| Malformed::Protocol("the server's protocol is not UTF-8".to_owned()))?;
        let server = Dialect::read(text)?;
        server
            .parameters(Method::AppendBatch)
            .map_err(|why| Malformed::Protocol(format!("the server's protocol does not fit: {why}")))?;
        self.statuses = server.statuses;
        self.server_hash = hash;
        Ok(())
    }
}

/// A buffer whose length is put in front of it when it is known.
struct Buffer(usize);

impl Buffer {
    fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&[0; 4]);
        Self(out.len())
    }
    fn end(self, out: &mut [u8]) {
        let length = u32::try_from(out.len() - self.0).unwrap_or(u32::MAX);
        out[self.0 - 4..self.0].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
#[path = "requestor_tests.rs"]
mod tests;
