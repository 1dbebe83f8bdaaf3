//! `multiplexing`: the value of a header decides.

use std::collections::{BTreeMap, HashMap};

use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Options, Settings, options};
use flumen_event::{Batch, Column};

use super::channels::{ChannelLists, Channels};
use crate::catalog::SelectorType;
use crate::selector::{Leg, Rows, Selector};
use flumen_config::options::Below;

options! {
    /// Chooses channels by the value of a header. An event without the header, with a blank one, or with a
    /// value that has no mapping goes to the default channels. If there are none it is dropped, and counted
    /// as `selector: no channel`; its sender is told that it was accepted, as in Flume.
    pub struct MultiplexingOptions {
        /// The header.
        "header" => header: String = "flume.selector.header".to_owned(),
        /// `mapping.VALUE = c1 c2`: the channels of events with this value.
        "mapping." => mapping: Below,
        /// The channels of all other events.
        "default" => default: Option<flumen_config::options::Words>,
        /// `optional.VALUE = c3`: further channels for events with this value, best effort: what they have no
        /// room for is dropped there and counted, and no sender waits for them. Channels that the value's events need anyway do not count.
        "optional." => optional: Below,
    }
}

pub(super) const MULTIPLEXING: SelectorType = SelectorType {
    spec: ComponentSpec {
        check: |settings, diagnostics| {
            let mut lists = ChannelLists::new(settings, &[]);
            let mapped = settings.below("mapping.").iter().fold(true, |good, (value, setting)| {
                good & (!setting.value.trim().is_empty() || lists.refuse_empty(value))
            });
            diagnostics.extend(lists.diagnostics);
            MultiplexingOptions::read(settings, diagnostics).is_some() && mapped
        },
        ..ComponentSpec::of::<MultiplexingOptions>(
            ComponentKind::Selector,
            "multiplexing",
            &["org.apache.flume.channel.MultiplexingChannelSelector"],
        )
    },
    build,
};

impl ChannelLists<'_> {
    /// Flume: "This should not go to default channel(s) because this seems to be a bad way to configure."
    fn refuse_empty(&mut self, value: &str) -> bool {
        let message = format!("no channel is configured for the header value `{value}`");
        let help = "name at least one channel, or remove the line to use the default channels";
        self.error("empty-mapping", &format!("mapping.{value}"), message, help.to_owned());
        false
    }
}

/// Where the events with one value of the header go.
#[derive(Clone, Default)]
struct Route {
    required: Channels,
    optional: Channels,
}

struct Multiplexing {
    header: String,
    channels: usize,
    by_value: HashMap<String, Route>,
    /// Events without the header, and with values that are not in `by_value`.
    others: Route,
}

fn build(settings: &Settings, names: &[String]) -> Result<Box<dyn Selector>, Diagnostics> {
    let options = MultiplexingOptions::of(settings)?;
    let mut lists = ChannelLists::new(settings, names);
    let default = lists.of("default");
    let mut required = BTreeMap::new();
    for (value, setting) in settings.below("mapping.").iter() {
        if setting.value.trim().is_empty() {
            lists.refuse_empty(value);
        }
        required.insert(value.to_owned(), lists.of(&format!("mapping.{value}")));
    }
    let mut by_value: HashMap<String, Route> = required
        .iter()
        .filter(|(value, _)| !is_blank(value))
        .map(|(value, channels)| (value.clone(), Route { required: channels.clone(), ..Route::default() }))
        .collect();
    for (value, _) in settings.below("optional.").iter() {
        let wanted = lists.of(&format!("optional.{value}"));
        // Flume subtracts what the value is mapped to, even where a blank value is not looked up there.
        let mapped = required.get(value).unwrap_or(&default);
        let route = by_value
            .entry(value.to_owned())
            .or_insert_with(|| Route { required: default.clone(), ..Route::default() });
        route.optional = &wanted - mapped;
    }
    let others = Route { required: default, ..Route::default() };
    lists.finish(Box::new(Multiplexing { header: options.header, channels: names.len(), by_value, others }))
}

/// As Java's `trim`: everything up to the blank is white space.
fn is_blank(value: &str) -> bool {
    value.chars().all(|c| c <= ' ')
}

impl Multiplexing {
    fn of(&self, value: Option<&str>) -> &Route {
        value.and_then(|v| self.by_value.get(v)).unwrap_or(&self.others)
    }
    fn of_each(&self, batch: &Batch) -> Vec<Leg> {
        let mut required = vec![Vec::new(); self.channels];
        let mut optional = vec![Vec::new(); self.channels];
        // Neighbours often have the same value; what was found for one serves the next.
        let mut last = (None, self.of(None));
        for (row, event) in (0u32..).zip(batch.iter()) {
            let value = event.header(&self.header);
            if value != last.0 {
                last = (value, self.of(value));
            }
            last.1.required.iter().for_each(|&channel| required[channel].push(row));
            last.1.optional.iter().for_each(|&channel| optional[channel].push(row));
        }
        let leg = |channel, required, rows: Vec<u32>| {
            let rows = if rows.len() == batch.len() { Rows::All } else { Rows::Some(rows) };
            Leg { channel, required, rows }
        };
        let legs = required.into_iter().zip(optional).enumerate();
        legs.flat_map(|(at, (required, optional))| [leg(at, true, required), leg(at, false, optional)])
            .filter(|leg| !matches!(&leg.rows, Rows::Some(rows) if rows.is_empty()))
            .collect()
    }
}

impl Selector for Multiplexing {
    fn route(&self, batch: &Batch) -> Vec<Leg> {
        let route = match batch.headers().column(&self.header) {
            None => self.of(None),
            Some(Column::Constant(value)) => self.of(Some(value)),
            Some(_) => return self.of_each(batch),
        };
        let legs = (0..self.channels).filter_map(|channel| {
            let required = route.required.contains(&channel);
            (required || route.optional.contains(&channel)).then_some(Leg {
                channel,
                required,
                rows: Rows::All,
            })
        });
        legs.collect()
    }
    fn requires(&self, channel: usize) -> bool {
        let mut routes = self.by_value.values().chain([&self.others]);
        routes.any(|route| route.required.contains(&channel))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{all, build, events, some};
    use crate::selector::{Leg, Selector};

    const MAPPED: &[(&str, &str)] = &[("header", "state"), ("mapping.CZ", "c1"), ("mapping.US", "c2 c3")];

    fn selector(more: &[(&str, &str)]) -> Box<dyn Selector> {
        build("multiplexing", &[MAPPED, more].concat()).expect("valid")
    }
    fn routes(more: &[(&str, &str)], values: &[Option<&str>]) -> Vec<Leg> {
        selector(more).route(&events("state", values))
    }

    // Golden case sel_multiplexing.
    #[test]
    fn values_go_to_their_channels_and_all_else_to_the_default() {
        let values = [Some("CZ"), Some("US"), Some("XX"), None, Some(" \t"), Some("US")];
        let legs = routes(&[("default", "c3")], &values);
        assert_eq!(legs, [some(0, true, &[0]), some(1, true, &[1, 5]), some(2, true, &[1, 2, 3, 4, 5])]);
    }

    // Golden case sel_multiplexing_nodefault.
    #[test]
    fn without_a_default_other_events_have_no_way() {
        let legs = routes(&[], &[Some("XX"), Some("CZ"), None, Some("")]);
        assert_eq!(legs, [some(0, true, &[1])]);
        assert_eq!(routes(&[], &[None, None]), []);
    }

    #[test]
    fn a_constant_header_makes_one_set_of_legs_for_all_events() {
        let batch = events("other", &[None, Some("x")]).with_constant(&"state".into(), "US");
        assert_eq!(selector(&[]).route(&batch), [all(1, true), all(2, true)]);
    }

    #[test]
    fn optional_channels_are_those_that_are_not_required() {
        let more = [("default", "c3"), ("optional.US", "c1 c2"), ("optional.XX", "c1 c3")];
        assert_eq!(routes(&more, &[Some("US")]), [all(0, false), all(1, true), all(2, true)]);
        assert_eq!(routes(&more, &[Some("XX")]), [all(0, false), all(2, true)]);
        assert_eq!(
            routes(&more, &[Some("US"), Some("CZ"), Some("XX"), None]),
            [some(0, true, &[1]), some(0, false, &[0, 2]), some(1, true, &[0]), some(2, true, &[0, 2, 3])]
        );
    }

    #[test]
    fn the_rows_of_a_window_are_its_own() {
        let batch = events("state", &[Some("CZ"), Some("US"), Some("CZ")]).slice(1..3);
        assert_eq!(
            selector(&[]).route(&batch),
            [some(0, true, &[1]), some(1, true, &[0]), some(2, true, &[0])]
        );
    }

    #[test]
    fn no_mapping_at_all_is_legal() {
        let alone = build("multiplexing", &[("default", "c2")]).expect("valid");
        assert_eq!(alone.route(&events("state", &[Some("CZ")])), [all(1, true)]);
    }

    #[test]
    fn mistakes_are_reported_at_once() {
        let pairs =
            [("mapping.CZ", ""), ("mapping.US", "c4"), ("default", "nowhere"), ("optional.CZ", "c22")];
        let problems = build("multiplexing", &pairs).err().expect("refused");
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].starts_with("the source has no channel `nowhere` | the source's channels are:"));
        assert!(problems[1].starts_with("no channel is configured for the header value `CZ`"));
        assert!(problems[2].ends_with("did you mean `c1`?") && problems[3].ends_with("did you mean `c2`?"));
    }
}
