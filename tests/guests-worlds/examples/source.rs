//! World `source`: the numbers from 1 to `total` (then done, or idle with `then = idle`), `step` of them in a batch;
//! the checkpoint is the last number as text. Every event has a header `calls`: the calls of this instance so far.
//!
//! `trap.FUNCTION = N` traps in that function at number N, `next` only if the instance has come there and did not
//! start there. `retry.FUNCTION = N` answers `retry` there, once. `large-checkpoint = N`: one that is too large.

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "source" });

use std::cell::RefCell;

use exports::flumen::plugin::produce::{Guest, Poll, SourceBatch};
use flumen::plugin::types::{Column, Error, Events, Packed, Rows, Values};

struct Fixture;

#[derive(Default)]
struct State {
    options: Vec<(String, String)>,
    calls: String,
    started_at: u64,
    last: u64,
    retried: bool,
}

thread_local! { static STATE: RefCell<State> = RefCell::new(State::default()) }

impl State {
    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
    fn number(&self, name: &str) -> Option<u64> {
        self.option(name)?.parse().ok()
    }
    fn called(&mut self, function: &str, at: u64) -> Result<(), Error> {
        self.calls.push_str(&format!("{function}({at}) "));
        let comes_anew = function != "next" || self.started_at != at;
        assert!(self.number(&format!("trap.{function}")) != Some(at) || !comes_anew, "trap in {function} at {at}");
        if self.number(&format!("retry.{function}")) == Some(at) && !std::mem::replace(&mut self.retried, true) {
            return Err(Error::Retry(format!("{function} at {at}")));
        }
        Ok(())
    }
}

fn number(checkpoint: Option<Vec<u8>>) -> u64 {
    checkpoint.map_or(0, |bytes| String::from_utf8(bytes).expect("ours").parse().expect("ours"))
}

impl Guest for Fixture {
    fn configure(options: Vec<(String, String)>) -> Result<(), Error> {
        STATE.with_borrow_mut(|state| state.options = options);
        Ok(())
    }
    fn start(checkpoint: Option<Vec<u8>>) -> Result<(), Error> {
        STATE.with_borrow_mut(|state| {
            state.last = number(checkpoint);
            state.started_at = state.last;
            state.called("start", state.last)
        })
    }
    fn next_batch(max: u32, _wait_millis: u32) -> Result<Poll, Error> {
        STATE.with_borrow_mut(|state| {
            state.called("next", state.last)?;
            let total = state.number("total").unwrap_or(u64::MAX);
            let step = state.number("step").unwrap_or(10).min(u64::from(max)).min(total - state.last);
            if step == 0 {
                let idle = state.option("then") == Some("idle");
                return Ok(if idle { Poll::Idle(3_600_000) } else { Poll::Done });
            }
            let mut bodies = Packed { data: Vec::new(), spans: Vec::new() };
            for number in state.last + 1..=state.last + step {
                bodies.spans.push(bodies.data.len() as u32);
                bodies.data.extend_from_slice(number.to_string().as_bytes());
                bodies.spans.push(bodies.data.len() as u32);
            }
            state.last += step;
            let mut checkpoint = state.last.to_string().into_bytes();
            if state.number("large-checkpoint") == Some(state.last) {
                checkpoint = vec![b'0'; (64 << 10) + 1];
            }
            let calls = Values::Same(state.calls.clone());
            let headers = vec![Column { name: "calls".into(), rows: Rows::All, values: calls }];
            Ok(Poll::Batch(SourceBatch { events: Events { bodies, headers }, checkpoint }))
        })
    }
    fn committed(checkpoint: Vec<u8>) -> Result<(), Error> {
        STATE.with_borrow_mut(|state| state.called("committed", number(Some(checkpoint))))
    }
    fn rolled_back(checkpoint: Option<Vec<u8>>) -> Result<(), Error> {
        STATE.with_borrow_mut(|state| {
            state.last = number(checkpoint);
            state.called("rolled-back", state.last)
        })
    }
    fn stop() {
        STATE.with_borrow_mut(|state| {
            let at = state.last;
            let _stop_answers_nothing = state.called("stop", at);
        });
    }
}

export!(Fixture);
