//! World `interceptor-simple`: `drop…` goes, everything else gets `seen = yes`.

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "interceptor-simple" });

use exports::flumen::plugin::intercept_events::Guest;
use flumen::plugin::types::{Error, Event};

struct Fixture;

impl Guest for Fixture {
    fn configure(_options: Vec<(String, String)>) -> Result<(), Error> {
        Ok(())
    }
    fn intercept(mut events: Vec<Event>) -> Result<Vec<Event>, Error> {
        events.retain(|event| !event.body.starts_with(b"drop"));
        for event in &mut events {
            event.headers.push(("seen".into(), "yes".into()));
        }
        Ok(events)
    }
}

export!(Fixture);
