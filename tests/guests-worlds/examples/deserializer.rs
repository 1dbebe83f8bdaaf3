//! World `deserializer`: lines. Each event has `file`, the stream's name, and `at`, where its line begins.
//!
//! Lines that make it fail: `trap`, `invalid`, `ahead` (a position behind the bytes), `back` (one before the last),
//! `many` (more events than asked for).

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "deserializer" });

use std::cell::RefCell;

use exports::flumen::plugin::deserialize::{Decoded, Guest, GuestDecoder};
use flumen::plugin::types::{Column, Error, Events, Packed, PackedText, Rows, Values};

struct Fixture;

struct Decoder {
    name: String,
    state: RefCell<State>,
}

struct State {
    position: u64,
    rest: Vec<u8>,
}

impl Guest for Fixture {
    type Decoder = Decoder;
    fn configure(_options: Vec<(String, String)>) -> Result<(), Error> {
        Ok(())
    }
}

impl GuestDecoder for Decoder {
    fn new(name: String, position: u64) -> Self {
        Self { name, state: RefCell::new(State { position, rest: Vec::new() }) }
    }
    fn decode(&self, bytes: Vec<u8>, max: u32) -> Result<Decoded, Error> {
        let mut state = self.state.borrow_mut();
        state.rest.extend_from_slice(&bytes);
        state.lines(&self.name, max as usize, false)
    }
    fn finish(&self, max: u32) -> Result<Decoded, Error> {
        self.state.borrow_mut().lines(&self.name, max as usize, true)
    }
}

impl State {
    fn lines(&mut self, name: &str, max: usize, ended: bool) -> Result<Decoded, Error> {
        let mut bodies = Packed { data: Vec::new(), spans: Vec::new() };
        let mut at = PackedText { data: String::new(), spans: Vec::new() };
        let mut position = None;
        let mut count = 0;
        while count < max && !self.rest.is_empty() {
            let end = self.rest.iter().position(|byte| *byte == b'\n');
            let (line_end, next) = match end {
                Some(end) => (end, end + 1),
                None if ended => (self.rest.len(), self.rest.len()),
                None => break,
            };
            let line = self.rest[..line_end].to_vec();
            match &line[..] {
                b"trap" => panic!("trap in decode"),
                b"invalid" => return Err(Error::Invalid("an invalid line".into())),
                b"ahead" => position = Some(u64::MAX),
                b"back" => position = Some(0),
                _ => {}
            }
            for _ in 0..if line == b"many" { max + 1 } else { 1 } {
                push(&mut bodies, &line);
                at.spans.push(at.data.len() as u32);
                at.data.push_str(&self.position.to_string());
                at.spans.push(at.data.len() as u32);
                count += 1;
            }
            self.rest.drain(..next);
            self.position += next as u64;
        }
        let headers = vec![
            Column { name: "file".into(), rows: Rows::All, values: Values::Same(name.into()) },
            Column { name: "at".into(), rows: Rows::All, values: Values::Each(at) },
        ];
        Ok(Decoded { events: Events { bodies, headers }, position: position.unwrap_or(self.position) })
    }
}

fn push(packed: &mut Packed, bytes: &[u8]) {
    packed.spans.push(packed.data.len() as u32);
    packed.data.extend_from_slice(bytes);
    packed.spans.push(packed.data.len() as u32);
}

export!(Fixture);
