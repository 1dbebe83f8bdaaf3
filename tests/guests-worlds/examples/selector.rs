//! World `selector`: a body names its required channel, and behind a `?` its optional one: `c1`, `c1?c2`, `?c2`.
//! Other names go nowhere. All events of a batch with the option `all = NAME` go there.
//!
//! Bodies that make it fail: `trap`, `invalid`, `beyond` (a channel that is not there), `short` (a set too few).

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "selector" });

use std::cell::RefCell;

use exports::flumen::plugin::route::{ChannelSets, Choice, Guest};
use flumen::plugin::columns::{Batch, HeaderNeed, Needs};
use flumen::plugin::types::Error;

struct Fixture;

thread_local! {
    static CHANNELS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static ALL: RefCell<Option<String>> = const { RefCell::new(None) };
}

impl Guest for Fixture {
    fn configure(options: Vec<(String, String)>, channels: Vec<String>) -> Result<Needs, Error> {
        CHANNELS.replace(channels);
        let all = options.into_iter().find(|(key, _)| key == "all").map(|(_, value)| value);
        let body = all.is_none();
        ALL.replace(all);
        Ok(Needs { body, headers: HeaderNeed::Nothing })
    }
    fn route(batch: Batch) -> Result<Choice, Error> {
        if let Some(all) = ALL.with_borrow(Clone::clone) {
            return Ok(Choice { required: ChannelSets::Same(bit(&all)), optional: ChannelSets::Same(0) });
        }
        let bodies = batch.bodies.expect("asked for");
        let (mut required, mut optional) = (Vec::new(), Vec::new());
        for span in bodies.spans.chunks(2) {
            let body = String::from_utf8_lossy(&bodies.data[span[0] as usize..span[1] as usize]).into_owned();
            match body.as_str() {
                "trap" => panic!("trap in route"),
                "invalid" => return Err(Error::Invalid("it is invalid".into())),
                "beyond" => required.push(1 << 40),
                "short" => {}
                _ => {
                    let (first, second) = body.split_once('?').unwrap_or((&body, ""));
                    required.push(bit(first));
                    optional.push(bit(second));
                    continue;
                }
            }
            optional.push(0);
        }
        Ok(Choice { required: ChannelSets::Each(required), optional: ChannelSets::Each(optional) })
    }
}

fn bit(name: &str) -> u64 {
    CHANNELS.with_borrow(|channels| channels.iter().position(|own| own == name).map_or(0, |at| 1 << at))
}

export!(Fixture);
