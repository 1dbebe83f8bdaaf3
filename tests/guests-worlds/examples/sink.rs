//! World `sink`: keeps what it stores in memory; an event `report` is rejected with all calls and stored bodies.
//!
//! Bodies that are no plain ones: `bad` rejected, `later-N` pending N times, `retry` (the call fails, once),
//! `trap`, `trap-once-ID` (only where ID was not stored by this instance: never twice for `trap-once-started`),
//! `invalid`, `both` (pending and rejected), `loop`.

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "sink" });

use std::cell::RefCell;
use std::collections::BTreeMap;

use exports::flumen::plugin::deliver::{Delivery, Guest};
use flumen::plugin::columns::{Batch, HeaderNeed, Needs};
use flumen::plugin::types::{Error, Rejection};

struct Fixture;

#[derive(Default)]
struct State {
    calls: String,
    stored: Vec<String>,
    seen: BTreeMap<String, u32>,
    started: bool,
}

thread_local! { static STATE: RefCell<State> = RefCell::new(State::default()) }

impl Guest for Fixture {
    fn configure(options: Vec<(String, String)>) -> Result<Needs, Error> {
        assert!(options.iter().all(|(key, _)| key != "trap"), "trap in configure");
        Ok(Needs { body: true, headers: HeaderNeed::Nothing })
    }
    fn start() -> Result<(), Error> {
        STATE.with_borrow_mut(|state| {
            state.calls.push_str("start ");
            state.started = true;
        });
        Ok(())
    }
    fn deliver(batch: Batch) -> Result<Delivery, Error> {
        STATE.with_borrow_mut(|state| {
            assert!(state.started, "deliver before start");
            state.calls.push_str(&format!("deliver({}) ", batch.count));
            state.deliver(&batch)
        })
    }
    fn stop() {
        STATE.with_borrow_mut(|state| state.calls.push_str("stop "));
    }
}

impl State {
    fn deliver(&mut self, batch: &Batch) -> Result<Delivery, Error> {
        let bodies = batch.bodies.as_ref().expect("asked for");
        let bodies: Vec<String> = (bodies.spans.chunks(2))
            .map(|span| String::from_utf8_lossy(&bodies.data[span[0] as usize..span[1] as usize]).into_owned())
            .collect();
        for body in &bodies {
            let seen = self.seen.entry(body.clone()).or_default();
            *seen += 1;
            match body.as_str() {
                "trap" => panic!("trap in deliver"),
                "invalid" => return Err(Error::Invalid("it is invalid".into())),
                "retry" if *seen == 1 => {
                    self.started = false;
                    return Err(Error::Retry("not now".into()));
                }
                "loop" => {
                    let mut turns = 0u64;
                    while core::hint::black_box(turns) < u64::MAX {
                        turns += 1;
                    }
                }
                _ => {}
            }
        }
        let mut pending = vec![0u64; bodies.len().div_ceil(64)];
        let mut rejected = Vec::new();
        for (row, body) in bodies.into_iter().enumerate() {
            let later = body.strip_prefix("later-").and_then(|times| times.parse::<u32>().ok());
            let waits = later.is_some_and(|times| self.seen[&body] <= times) || body == "both";
            if waits {
                pending[row / 64] |= 1 << (row % 64);
            }
            let reason = match body.as_str() {
                "bad" | "both" => Some("it is bad".to_owned()),
                "report" => Some(format!("{}| {}", self.calls, self.stored.join(" "))),
                _ => None,
            };
            match reason {
                Some(reason) => rejected.push(Rejection { row: row as u32, reason }),
                None if !waits => self.stored.push(body),
                None => {}
            }
        }
        let pending = pending.iter().any(|word| *word != 0).then_some(pending);
        Ok(Delivery { pending, rejected })
    }
}

export!(Fixture);
