//! World `serializer`: `<`, a line for each event, `>`. Lines are kept back until `flush`.
//!
//! Bodies that make it fail: `trap-write`, `trap-flush`, `trap-discard`, `trap-finish` (in the call they name),
//! `invalid`, `retry`, `large` (a megabyte), `loop`.

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "serializer" });

use std::cell::RefCell;

use exports::flumen::plugin::serialize::{Format, Guest, GuestEncoder};
use flumen::plugin::columns::{Batch, HeaderNeed, Needs};
use flumen::plugin::types::{ConfigError, Error};

struct Fixture;

#[derive(Default)]
struct Encoder {
    kept_back: RefCell<Vec<u8>>,
    trap_in: RefCell<String>,
}

impl Guest for Fixture {
    type Encoder = Encoder;

    fn configure(options: Vec<(String, String)>) -> Result<Format, Error> {
        if let Some((key, value)) = options.iter().find(|(key, value)| key == "style" && value != "lines") {
            let message = format!("`{value}` is no style, `lines` is");
            return Err(Error::Config(ConfigError { key: Some(key.clone()), message }));
        }
        let needs = Needs { body: true, headers: HeaderNeed::Only(vec!["host".into()]) };
        Ok(Format { needs, suffix: ".lines".into(), content_type: "text/plain".into() })
    }
}

impl Encoder {
    fn trap(&self, function: &str) {
        assert_ne!(*self.trap_in.borrow(), function, "trap in {function}");
    }
}

impl GuestEncoder for Encoder {
    fn new() -> Self {
        Self::default()
    }
    fn begin(&self) -> Result<Vec<u8>, Error> {
        Ok(b"<\n".to_vec())
    }
    fn write(&self, batch: Batch) -> Result<Vec<u8>, Error> {
        let bodies = batch.bodies.expect("asked for");
        for span in bodies.spans.chunks(2) {
            let body = &bodies.data[span[0] as usize..span[1] as usize];
            match body {
                b"trap-write" => panic!("trap in write"),
                b"invalid" => return Err(Error::Invalid("it is invalid".into())),
                b"retry" => return Err(Error::Retry("not now".into())),
                b"large" => return Ok(vec![b'x'; 1 << 20]),
                b"loop" => {
                    let mut turns = 0u64;
                    while core::hint::black_box(turns) < u64::MAX {
                        turns += 1;
                    }
                }
                _ => {
                    if let Some(function) = body.strip_prefix(b"trap-") {
                        *self.trap_in.borrow_mut() = String::from_utf8_lossy(function).into_owned();
                    }
                }
            }
            let mut kept_back = self.kept_back.borrow_mut();
            kept_back.extend_from_slice(body);
            kept_back.push(b'\n');
        }
        Ok(Vec::new())
    }
    fn flush(&self) -> Result<Vec<u8>, Error> {
        self.trap("flush");
        Ok(self.kept_back.take())
    }
    fn discard(&self) {
        self.trap("discard");
        self.kept_back.take();
    }
    fn finish(&self) -> Result<Vec<u8>, Error> {
        self.trap("finish");
        let mut rest = self.kept_back.take();
        rest.extend_from_slice(b">\n");
        Ok(rest)
    }
}

export!(Fixture);
