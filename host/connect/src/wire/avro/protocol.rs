//! What the two sides call what: our protocol, and that of a peer who has another text of it.
//!
//! Flume's classes carry a text with its licence inside, whose digest is the hash that Java peers send. We know
//! that hash, so that they never need a text; ours has the same names and types, and a digest of its own.

use serde_json::Value;

use super::events::{EventField, EventShape};
use super::reader::Malformed;
use super::schema::{Schema, SchemaId, Schemas};

/// MD5 of a protocol's text.
pub type Hash = [u8; 16];

/// The hash of Flume's protocol, the same in 1.9.0 and 1.11.0.
pub const FLUME_HASH: Hash = *b"\x86\xaa\xda\xe2\xc4\x54\x74\xc0\xfe\x93\xff\xd0\xf2\x35\x0a\x65";

/// Our text of the same protocol.
pub const TEXT: &str = concat!(
    r#"{"protocol":"AvroSourceProtocol","namespace":"org.apache.flume.source.avro","types":["#,
    r#"{"type":"enum","name":"Status","symbols":["OK","FAILED","UNKNOWN"]},"#,
    r#"{"type":"record","name":"AvroFlumeEvent","fields":["#,
    r#"{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}],"#,
    r#""messages":{"append":{"request":[{"name":"event","type":"AvroFlumeEvent"}],"response":"Status"},"#,
    r#""appendBatch":{"request":[{"name":"events","type":{"type":"array","items":"AvroFlumeEvent"}}],"#,
    r#""response":"Status"}}}"#,
);
/// Its digest.
pub const TEXT_HASH: Hash = *b"\x30\xda\x54\x05\x9d\xf7\x2d\x95\x84\xb8\x67\xd5\x20\x2e\x20\x69";

/// Longest text of a peer's protocol that is read.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One event.
    Append,
    /// Many.
    AppendBatch,
}

impl Method {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Append => "append",
            Method::AppendBatch => "appendBatch",
        }
    }
    /// The name of its parameter.
    fn parameter(self) -> &'static str {
        match self {
            Method::Append => "event",
            Method::AppendBatch => "events",
        }
    }
}

/// What a receiver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Stored.
    Ok,
    /// Not stored; the events are still the sender's.
    Failed,
    /// Whatever that means.
    Unknown,
}

impl Status {
    fn named(name: &str) -> Self {
        match name {
            "OK" => Status::Ok,
            "FAILED" => Status::Failed,
            _ => Status::Unknown,
        }
    }
}

/// One parameter of a call as the peer writes it.
#[derive(Clone, Debug)]
pub enum Parameter {
    /// The event, or the events, whichever the method has.
    Events(EventShape),
    /// Something of which we know nothing.
    Other(SchemaId),
}

/// How one peer speaks.
#[derive(Clone, Debug)]
pub struct Dialect {
    append: Result<Vec<Parameter>, String>,
    append_batch: Result<Vec<Parameter>, String>,
    /// The peer's statuses by their number.
    pub statuses: Vec<Status>,
    /// What its parameters consist of.
    pub schemas: Schemas,
}

impl Dialect {
    /// Flume's own, and ours.
    #[must_use]
    pub fn flume() -> Self {
        let plain = || Ok(vec![Parameter::Events(EventShape::Plain)]);
        Self {
            append: plain(),
            append_batch: plain(),
            statuses: vec![Status::Ok, Status::Failed, Status::Unknown],
            schemas: Schemas::default(),
        }
    }

    /// Understands the text of a peer's protocol as far as it concerns events. A call that the peer does not
    /// have, or has in a form that is of no use, becomes an error when it is made.
    ///
    /// # Errors
    /// If the text is no protocol at all.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        if text.len() > TEXT_BYTES_MAX {
            let why = format!("its protocol has {} bytes, more than {TEXT_BYTES_MAX}", text.len());
            return Err(Malformed::Protocol(why));
        }
        let no_protocol = |why: String| Malformed::Protocol(format!("its protocol cannot be read: {why}"));
        let json: Value = serde_json::from_str(text).map_err(|error| no_protocol(error.to_string()))?;
        let mut schemas = Schemas::default();
        for declared in json.get("types").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
            schemas.read(declared)?;
        }
        let messages = json.get("messages").ok_or_else(|| no_protocol("it has no messages".to_owned()))?;
        let mut call = |method: Method| match messages.get(method.name()) {
            None => Err(format!("No such remote message: {}", method.name())),
            Some(message) => parameters(method, message, &mut schemas).map_err(|why| why.to_string()),
        };
        let (append, append_batch) = (call(Method::Append), call(Method::AppendBatch));
        let statuses = schemas.symbols.get("Status").map(|symbols| symbols.iter());
        let statuses =
            statuses.map(|symbols| symbols.map(|symbol| Status::named(symbol)).collect::<Vec<_>>());
        Ok(Self { append, append_batch, statuses: statuses.unwrap_or_default(), schemas })
    }

    /// What the peer writes for a call.
    ///
    /// # Errors
    /// Why it cannot make that call.
    pub fn parameters(&self, method: Method) -> Result<&[Parameter], &str> {
        let call = if method == Method::Append { &self.append } else { &self.append_batch };
        call.as_deref().map_err(String::as_str)
    }
}

fn parameters(method: Method, message: &Value, schemas: &mut Schemas) -> Result<Vec<Parameter>, Malformed> {
    if message.get("one-way").and_then(Value::as_bool) == Some(true) {
        return Err(Malformed::Protocol(format!("Not both one-way: {}", method.name())));
    }
    let mut parameters = Vec::new();
    let mut has_events = false;
    for request in message.get("request").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
        let (Some(name), Some(schema)) = (request.get("name"), request.get("type")) else {
            return Err(Malformed::Protocol(format!("a parameter of {} has no name or type", method.name())));
        };
        let id = schemas.read(schema)?;
        if name.as_str() == Some(method.parameter()) {
            has_events = true;
            parameters.push(Parameter::Events(shape(method, id, schemas)?));
        } else {
            parameters.push(Parameter::Other(id));
        }
    }
    if !has_events {
        let why = format!("its {} has no parameter `{}`", method.name(), method.parameter());
        return Err(Malformed::Protocol(why));
    }
    Ok(parameters)
}

fn shape(method: Method, id: SchemaId, schemas: &Schemas) -> Result<EventShape, Malformed> {
    let unfit = |what: &str| Malformed::Protocol(format!("its AvroFlumeEvent does not fit: {what}"));
    let event = match (method, schemas.get(id)) {
        (Method::Append, Some(_)) => id,
        (Method::AppendBatch, Some(Schema::Array(items))) => *items,
        _ => return Err(unfit("`events` is no array")),
    };
    let Some(Schema::Record(fields)) = schemas.get(event) else { return Err(unfit("it is no record")) };
    let is_bytes = |id: SchemaId| schemas.get(id) == Some(&Schema::Bytes);
    let mut shape = Vec::new();
    for (name, id) in fields {
        shape.push(match name.as_str() {
            "headers" if matches!(schemas.get(*id), Some(Schema::Map(value)) if is_bytes(*value)) => {
                EventField::Headers
            }
            "headers" => return Err(unfit("`headers` is no map of strings")),
            "body" if is_bytes(*id) => EventField::Body,
            "body" => return Err(unfit("`body` is not bytes")),
            _ => EventField::Other(*id),
        });
    }
    if !shape.contains(&EventField::Headers) || !shape.contains(&EventField::Body) {
        return Err(unfit("it must have `headers` and `body`"));
    }
    Ok(if shape == [EventField::Headers, EventField::Body] {
        EventShape::Plain
    } else {
        EventShape::Fields(shape)
    })
}
