//! World `http-handler`: a line of the body is an event with the request's `method`, `path` and `agent`.
//!
//! Paths that do otherwise: `/refuse` (422), `/lie` (status 200 for a refusal), `/trap`.

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "http-handler" });

use exports::flumen::plugin::handle::{Guest, Refusal, Request};
use flumen::plugin::types::{Column, Error, Events, Packed, Rows, Values};

struct Fixture;

impl Guest for Fixture {
    fn configure(_options: Vec<(String, String)>) -> Result<(), Error> {
        Ok(())
    }
    fn handle(request: Request) -> Result<Events, Refusal> {
        match request.path.as_str() {
            "/trap" => panic!("trap in handle"),
            "/lie" => return Err(Refusal { status: 200, message: "no refusal".into() }),
            "/refuse" => return Err(Refusal { status: 422, message: "not like this".into() }),
            _ => {}
        }
        let mut spans = Vec::new();
        let mut start = 0;
        for line in request.body.split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                spans.extend([start, start + line.len() as u32]);
            }
            start += line.len() as u32 + 1;
        }
        let agent = request.headers.iter().find(|(name, _)| name == "user-agent");
        let agent = agent.map_or(String::new(), |(_, value)| value.clone());
        let same = |name: &str, value: String| Column { name: name.into(), rows: Rows::All, values: Values::Same(value) };
        let headers = vec![same("method", request.method), same("path", request.path), same("agent", agent)];
        Ok(Events { bodies: Packed { data: request.body, spans }, headers })
    }
}

export!(Fixture);
