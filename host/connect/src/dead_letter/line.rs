//! One event as a line of JSON: the format of dead letters, of `plugin test` and of `replay`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flumen_event::EventRef;
use serde_json::{Map, Value};

/// Why a line is no event.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON of another shape.
    #[error("{0}")]
    Shape(&'static str),
    /// `bodyBase64` is none.
    #[error("`bodyBase64` is no Base64: {0}")]
    Base64(#[from] base64::DecodeError),
}

/// An event read from a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineEvent {
    /// In the order of the names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Appends the event and a line feed.
pub fn write(event: EventRef<'_>, out: &mut Vec<u8>) {
    let mut headers: Vec<(&str, &str)> = event.headers().collect();
    headers.sort_unstable();
    let headers: Map<String, Value> =
        headers.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let (key, body) = match std::str::from_utf8(event.body()) {
        Ok(text) => ("body", Cow::from(text)),
        Err(_) => ("bodyBase64", Cow::from(BASE64.encode(event.body()))),
    };
    let object = Value::Object(Map::from_iter([
        ("headers".to_owned(), Value::Object(headers)),
        (key.to_owned(), Value::from(body)),
    ]));
    out.extend_from_slice(object.to_string().as_bytes());
    out.push(b'\n');
}

/// Reads one line.
///
/// # Errors
/// If it is no event.
pub fn read(line: &[u8]) -> Result<LineEvent, LineError> {
    let Value::Object(object) = serde_json::from_slice(line)? else {
        return Err(LineError::Shape("not an object with `headers` and `body`"));
    };
    let mut event = LineEvent::default();
    let mut has_body = false;
    for (key, value) in object {
        match (&*key, value) {
            ("headers", Value::Object(headers)) => {
                for (name, value) in headers {
                    let Value::String(value) = value else {
                        return Err(LineError::Shape("a header's value is no text"));
                    };
                    event.headers.push((name, value));
                }
            }
            ("body" | "bodyBase64", _) if has_body => return Err(LineError::Shape("it has two bodies")),
            ("body", Value::String(text)) => (event.body, has_body) = (text.into_bytes(), true),
            ("bodyBase64", Value::String(text)) => (event.body, has_body) = (BASE64.decode(text)?, true),
            ("headers", _) => return Err(LineError::Shape("`headers` is no object")),
            ("body" | "bodyBase64", _) => return Err(LineError::Shape("the body is no text")),
            _ => return Err(LineError::Shape("it has keys besides `headers`, `body` and `bodyBase64`")),
        }
    }
    if !has_body {
        return Err(LineError::Shape("it has no `body`"));
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use flumen_event::BatchBuilder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_text_and_other_bytes_are_base64() {
        let mut builder = BatchBuilder::default();
        builder.push("line \"1\"\n".as_bytes(), [("b", "2"), ("a", "1")]).expect("small");
        builder.push(&[0xFF, 0], []).expect("small");
        let mut out = Vec::new();
        builder.finish().iter().for_each(|event| write(event, &mut out));
        let expected = "{\"body\":\"line \\\"1\\\"\\n\",\"headers\":{\"a\":\"1\",\"b\":\"2\"}}\n\
                        {\"bodyBase64\":\"/wA=\",\"headers\":{}}\n";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn what_is_no_event_says_why() {
        for (line, why) in [
            ("x", "not JSON"),
            ("[]", "not an object"),
            ("{}", "no `body`"),
            ("{\"body\":1}", "the body is no text"),
            ("{\"body\":\"\",\"bodyBase64\":\"\"}", "two bodies"),
            ("{\"bodyBase64\":\"*\"}", "no Base64"),
            ("{\"body\":\"\",\"headers\":{\"a\":1}}", "value is no text"),
            ("{\"body\":\"\",\"header\":{}}", "keys besides"),
        ] {
            let error = read(line.as_bytes()).expect_err(line).to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_event_comes_back_as_it_was(
            body in prop::collection::vec(any::<u8>(), 0..50),
            headers in prop::collection::btree_map(".*", ".*", 0..4),
        ) {
            let mut builder = BatchBuilder::default();
            let pairs: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            builder.push(&body, pairs).expect("small");
            let mut out = Vec::new();
            write(builder.finish().event(0), &mut out);
            prop_assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
            let back = read(&out[..out.len() - 1]).expect("what was written");
            prop_assert_eq!(back, LineEvent { headers: headers.into_iter().collect(), body });
        }
    }
}
