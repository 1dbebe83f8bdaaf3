//! Answers to a call: a result or an exception.

use super::{Malformed, Protocol, Reader, Type, Writer, framed};

pub(crate) const CALL: u8 = 1;
pub(crate) const REPLY: u8 = 2;
pub(crate) const EXCEPTION: u8 = 3;

/// Longest text of an exception that is kept.
const TEXT_BYTES_MAX: usize = 1024;

/// Thrift's own exception, `TApplicationException`: the call itself went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} (TApplicationException {kind})")]
pub struct Exception {
    /// What libthrift calls the type.
    pub kind: i32,
    /// What it says.
    pub text: String,
}

impl Exception {
    /// There is no such method.
    pub(crate) fn unknown_method(name: &str) -> Self {
        Self { kind: 1, text: format!("Invalid method name: '{name}'") }
    }
    /// The method failed in a way that its answer has no word for.
    pub(crate) fn internal(name: &str) -> Self {
        Self { kind: 6, text: format!("Internal error processing {name}") }
    }
    /// The arguments are malformed.
    pub(crate) fn protocol(text: String) -> Self {
        Self { kind: 7, text }
    }
}

/// Which call an answer belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub protocol: Protocol,
    pub name: &'a str,
    pub sequence: i32,
}

impl Call<'_> {
    /// The answer, in its frame, to a method whose result is a number: a status.
    pub(crate) fn reply(&self, status: i32) -> Vec<u8> {
        self.answer(REPLY, |writer| {
            writer.field(0, 0, Type::I32);
            writer.i32(status);
        })
    }
    /// The answer, in its frame, to a method without a result.
    pub(crate) fn nothing(&self) -> Vec<u8> {
        self.answer(REPLY, |_| ())
    }
    /// The answer, in its frame, that says why there is no result.
    pub(crate) fn exception(&self, exception: &Exception) -> Vec<u8> {
        self.answer(EXCEPTION, |writer| {
            writer.field(0, 1, Type::Binary);
            writer.binary(exception.text.as_bytes());
            writer.field(1, 2, Type::I32);
            writer.i32(exception.kind);
        })
    }
    fn answer(&self, kind: u8, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        framed(&mut out, |out| {
            let mut writer = Writer::new(self.protocol, out);
            writer.head(self.name, kind, self.sequence);
            write(&mut writer);
            writer.stop();
        });
        out
    }
}

/// What was answered to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Status(i32),
    /// A result without its value.
    Nothing,
    Exception(Exception),
}

/// Reads the answer behind the head.
pub(crate) fn read_answer(reader: &mut Reader<'_>, kind: u8) -> Result<Answer, Malformed> {
    if kind == EXCEPTION {
        return read_exception(reader).map(Answer::Exception);
    }
    let (mut before, mut status) = (0, None);
    while let Some(field) = reader.field(&mut before)? {
        match (field.id, field.kind) {
            (0, Type::I32) => status = Some(reader.i32()?),
            (_, kind) => reader.skip(kind)?,
        }
    }
    Ok(status.map_or(Answer::Nothing, Answer::Status))
}

fn read_exception(reader: &mut Reader<'_>) -> Result<Exception, Malformed> {
    let mut exception = Exception { kind: 0, text: String::new() };
    let mut before = 0;
    while let Some(field) = reader.field(&mut before)? {
        match (field.id, field.kind) {
            (1, Type::Binary) => {
                let text = reader.binary()?;
                let bytes = reader.bytes(text);
                let bytes = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
                exception.text = String::from_utf8_lossy(bytes).into_owned();
            }
            (2, Type::I32) => exception.kind = reader.i32()?,
            (_, kind) => reader.skip(kind)?,
        }
    }
    Ok(exception)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_in_every_protocol() {
        for protocol in [Protocol::Compact, Protocol::Binary, Protocol::BinaryUnversioned] {
            let call = Call { protocol, name: "append", sequence: -7 };
            let exception = Exception::unknown_method("nothing");
            let answers = [
                (call.reply(1), Answer::Status(1)),
                (call.exception(&exception), Answer::Exception(exception)),
            ];
            for (bytes, expected) in answers {
                assert_eq!(
                    i32::from_be_bytes(*bytes.first_chunk().expect("a frame")),
                    bytes.len() as i32 - 4
                );
                let mut reader = Reader::new(protocol, &bytes[4..]);
                let head = reader.head().expect("a head");
                assert_eq!((reader.bytes(head.name), head.sequence), (&b"append"[..], -7));
                assert_eq!(read_answer(&mut reader, head.kind), Ok(expected));
                assert_eq!(reader.position(), bytes.len() - 4);
            }
        }
    }

    // What libthrift 0.14.1 writes for a result of OK.
    #[test]
    fn a_status_is_written_byte_by_byte_as_libthrift_does() {
        let compact = Call { protocol: Protocol::Compact, name: "append", sequence: 1 }.reply(0);
        assert_eq!(compact, b"\0\0\0\x0e\x82\x41\x01\x06append\x05\x00\x00\x00");
        let binary = Call { protocol: Protocol::Binary, name: "append", sequence: 1 }.reply(0);
        assert_eq!(binary, b"\0\0\0\x1a\x80\x01\0\x02\0\0\0\x06append\0\0\0\x01\x08\0\0\0\0\0\0\0");
    }
}
