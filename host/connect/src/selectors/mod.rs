//! All selectors.

mod channels;
mod load_balancing;
mod multiplexing;
mod replicating;

use crate::catalog::SelectorType;

/// All selectors.
pub static TYPES: &[SelectorType] =
    &[replicating::REPLICATING, multiplexing::MULTIPLEXING, load_balancing::LOAD_BALANCING];

#[cfg(test)]
mod fixtures {
    //! What the tests of all selectors share.
    use flumen_config::{Diagnostics, Settings};
    use flumen_event::{Batch, BatchBuilder};

    use crate::selector::{Leg, Rows, Selector};

    pub const CHANNELS: [&str; 3] = ["c1", "c2", "c3"];

    pub fn build(kind: &str, pairs: &[(&str, &str)]) -> Result<Box<dyn Selector>, Vec<String>> {
        let settings = Settings::from_pairs("a1.sources.r1.selector", pairs.iter().copied());
        let chosen = super::TYPES.iter().find(|t| t.spec.name == kind).expect("a type");
        (chosen.build)(&settings, &CHANNELS.map(str::to_owned)).map_err(texts)
    }
    fn texts(diagnostics: Diagnostics) -> Vec<String> {
        diagnostics.into_iter().map(|d| d.message + " | " + &d.help.unwrap_or_default()).collect()
    }
    /// Events with this header; `None` for one without.
    pub fn events(header: &str, values: &[Option<&str>]) -> Batch {
        let mut builder = BatchBuilder::default();
        for value in values {
            builder.push(b"x", value.map(|v| (header, v))).expect("within limits");
        }
        builder.finish()
    }
    pub fn all(channel: usize, required: bool) -> Leg {
        Leg { channel, required, rows: Rows::All }
    }
    pub fn some(channel: usize, required: bool, rows: &[u32]) -> Leg {
        Leg { channel, required, rows: Rows::Some(rows.to_vec()) }
    }
}
