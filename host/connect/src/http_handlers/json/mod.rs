//! `org.apache.flume.source.http.JSONHandler`: a list of events as JSON.

mod columns;
mod events;
mod form;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use flumen_event::{Batch, Span};

use super::content_type;
use crate::catalog::HttpHandlerType;
use crate::charset::Charset;
use crate::http_handler::{HttpHandler, HttpRequest, Refusal};

pub use events::read;
pub use scan::Fault;

/// Reading more than this at once is left to a thread that nobody else waits for.
const LARGE_BYTES: usize = 4 << 20;

options! {
    /// Reads a JSON array of events: `[{"headers": {"name": "value"}, "body": "text"}]`. The default handler.
    ///
    /// `headers` and `body` may be absent or null; other names are passed over. Numbers and booleans become text.
    /// The array may be empty. Text is taken as leniently as Flume's reader takes it: comments, single quotes and
    /// text without quotes are no error.
    ///
    /// The charset is that of the request's `Content-Type`: UTF-8, which is also the default, UTF-16 or UTF-32.
    /// Bodies become bytes of that charset.
    ///
    /// What is not JSON, or not of this form, is answered with 400; another charset, an empty request and a null
    /// in place of an event with 500, as in Flume. More than 4,096 different header names in one request are
    /// answered with 413.
    pub struct JsonHandlerOptions {}
}

pub(super) const JSON: HttpHandlerType = HttpHandlerType {
    spec: ComponentSpec::of::<JsonHandlerOptions>(
        ComponentKind::HttpHandler,
        "org.apache.flume.source.http.JSONHandler",
        &["json"],
    ),
    build: |settings| JsonHandlerOptions::of(settings).map(|_| Box::new(JsonHandler) as _),
};

struct JsonHandler;

#[async_trait]
impl HttpHandler for JsonHandler {
    async fn handle(&self, request: HttpRequest) -> Result<Batch, Refusal> {
        let charset = charset(&request)?;
        if request.body.len() < LARGE_BYTES {
            return events_of(&request.body, charset).map_err(refusal);
        }
        let reading = tokio::task::spawn_blocking(move || events_of(&request.body, charset));
        match reading.await {
            Ok(read) => read.map_err(refusal),
            Err(error) => Err(Refusal { status: 500, message: error.to_string() }),
        }
    }
}

fn charset(request: &HttpRequest) -> Result<Charset, Refusal> {
    let name = content_type(request).and_then(super::parameters::charset_of);
    let known = match name.as_deref().unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "utf-8" | "utf8" => Some(Charset::Utf8),
        "utf-16" | "utf16" => Charset::named("UTF-16"),
        "utf-32" => Charset::named("UTF-32"),
        _ => None,
    };
    known.ok_or_else(|| {
        let message =
            "Deserializer threw unexpected exception. JSON handler supports UTF-8, UTF-16 and UTF-32 only.";
        Refusal { status: 500, message: message.to_owned() }
    })
}

/// The events of a request of that charset.
fn events_of(body: &Bytes, charset: Charset) -> Result<Batch, Fault> {
    if charset == Charset::Utf8 {
        return match as_java_reads(body) {
            Cow::Borrowed(_) => read(body),
            Cow::Owned(text) => read(&text.into()),
        };
    }
    let batch = read(&charset.decode(body).into())?;
    let mut arena = Vec::with_capacity(batch.body_bytes() * 2);
    let spans = batch.iter().map(|event| {
        let start = arena.len();
        charset.encode(&String::from_utf8_lossy(event.body()), &mut arena);
        Span::new(start..arena.len())
    });
    let spans = spans.collect();
    Ok(batch.with_bodies(arena.into(), spans))
}

/// The text as UTF-8. What is not becomes U+FFFD: one for each of Java's malformed sequences, which differ from
/// Rust's in one point only, a surrogate is one and not three.
fn as_java_reads(body: &[u8]) -> Cow<'_, [u8]> {
    if simdutf8::basic::from_utf8(body).is_ok() {
        return Cow::Borrowed(body);
    }
    let mut text = Vec::with_capacity(body.len() + 8);
    for chunk in body.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        let Some(&first) = chunk.invalid().first() else { continue };
        let at = chunk.invalid().as_ptr() as usize - body.as_ptr() as usize;
        // Rust reports the three bytes of a surrogate one by one; only the first of them stands for it.
        let is_rest = first & 0xc0 == 0x80 && in_surrogate(body, at);
        if !is_rest {
            text.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    Cow::Owned(text)
}

/// Whether the byte is the second or third one of a surrogate that was written as if it were a character.
fn in_surrogate(body: &[u8], at: usize) -> bool {
    let is_surrogate =
        |start: usize| matches!(body.get(start..start + 3), Some([0xed, 0xa0..=0xbf, 0x80..=0xbf]));
    (at >= 1 && is_surrogate(at - 1)) || (at >= 2 && is_surrogate(at - 2))
}

fn refusal(fault: Fault) -> Refusal {
    let (status, message) = match fault {
        Fault::Syntax { at, what } => {
            let text = "Bad request from client. Request has invalid JSON Syntax.";
            (400, format!("{text} Near byte {at}: {what}."))
        }
        Fault::Unusable(what) => (500, format!("Deserializer threw unexpected exception. {what}.")),
        Fault::TooDiverse => {
            (413, "The events have too many different header names: send fewer in one request.".to_owned())
        }
    };
    Refusal { status, message }
}
