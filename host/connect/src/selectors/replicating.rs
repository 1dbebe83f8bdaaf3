//! `replicating`: every event into every channel.

use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Settings, options};
use flumen_event::Batch;

use super::channels::ChannelLists;
use crate::catalog::SelectorType;
use crate::selector::{Leg, Rows, Selector};

options! {
    /// Puts every event into every channel of the source: into all of the required ones or, if one has no
    /// room, into none. The selector of a source that names none.
    pub struct ReplicatingOptions {
        /// Channels that are best effort: what they have no room for is dropped there and counted, and no sender
        /// waits for them, however slow their disk or database is. Up to 16 MiB wait for each. A source that reads
        /// files or commands goes no faster than a channel that is slow, and waits a second, once, for one that hangs.
        "optional" => optional: Option<flumen_config::options::Words>,
    }
}

pub(super) const REPLICATING: SelectorType = SelectorType {
    spec: ComponentSpec::of::<ReplicatingOptions>(
        ComponentKind::Selector,
        "replicating",
        &["org.apache.flume.channel.ReplicatingChannelSelector"],
    ),
    build,
};

fn build(settings: &Settings, names: &[String]) -> Result<Box<dyn Selector>, Diagnostics> {
    let mut lists = ChannelLists::new(settings, names);
    let optional = lists.of("optional");
    let legs = (0..names.len()).map(|channel| {
        let required = !optional.contains(&channel);
        Leg { channel, required, rows: Rows::All }
    });
    lists.finish(Box::new(Replicating(legs.collect())))
}

struct Replicating(Vec<Leg>);

impl Selector for Replicating {
    fn route(&self, _: &Batch) -> Vec<Leg> {
        self.0.clone()
    }
    fn requires(&self, channel: usize) -> bool {
        self.0.iter().any(|leg| leg.channel == channel && leg.required)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{all, build, events};

    // Golden cases sel_replicating and sel_replicating_optional.
    #[test]
    fn all_events_go_to_all_channels_and_optional_ones_are_marked() {
        let batch = events("h", &[None, Some("v")]);
        let plain = build("replicating", &[]).expect("valid");
        assert_eq!(plain.route(&batch), [all(0, true), all(1, true), all(2, true)]);
        let optional = build("replicating", &[("optional", "c2 c3")]).expect("valid");
        assert_eq!(optional.route(&batch), [all(0, true), all(1, false), all(2, false)]);
    }

    #[test]
    fn an_unknown_channel_is_an_error() {
        let problems = build("replicating", &[("optional", "c9")]).err().expect("refused");
        assert_eq!(problems, ["the source has no channel `c9` | did you mean `c1`?"]);
    }
}
