//! `load_balancing`: each event into one of the channels.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Options, Settings, options};
use flumen_event::Batch;

use crate::catalog::SelectorType;
use crate::selector::{Leg, Rows, Selector};
use crate::turns::Turns;

options! {
    /// Puts each event into one channel of the source, so that the channels share the load. A batch is split
    /// among them, event by event; all of its parts are stored or none.
    pub struct LoadBalancingOptions {
        /// How the channel of the next event is found: `round_robin` or `random`.
        "policy" => policy: Turns = Turns::RoundRobin,
    }
}

pub(super) const LOAD_BALANCING: SelectorType = SelectorType {
    spec: ComponentSpec::of::<LoadBalancingOptions>(
        ComponentKind::Selector,
        "load_balancing",
        &["org.apache.flume.channel.LoadBalancingChannelSelector"],
    ),
    build,
};

fn build(settings: &Settings, names: &[String]) -> Result<Box<dyn Selector>, Diagnostics> {
    let options = LoadBalancingOptions::of(settings)?;
    Ok(Box::new(LoadBalancing { policy: options.policy, channels: names.len(), next: AtomicUsize::new(0) }))
}

struct LoadBalancing {
    policy: Turns,
    channels: usize,
    /// Events routed so far: the turn of the next one.
    next: AtomicUsize,
}

impl Selector for LoadBalancing {
    fn route(&self, batch: &Batch) -> Vec<Leg> {
        if self.channels == 1 {
            return vec![Leg { channel: 0, required: true, rows: Rows::All }];
        }
        let share = batch.len().div_ceil(self.channels.max(1));
        let mut rows = vec![Vec::with_capacity(share); self.channels];
        match self.policy {
            Turns::RoundRobin => {
                let first = self.next.fetch_add(batch.len(), Relaxed);
                for row in 0..batch.len() {
                    rows[first.wrapping_add(row) % self.channels].push(row as u32);
                }
            }
            Turns::Random => {
                (0..batch.len() as u32).for_each(|row| rows[fastrand::usize(..self.channels)].push(row));
            }
        }
        let legs = rows.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty());
        legs.map(|(channel, rows)| {
            let rows = if rows.len() == batch.len() { Rows::All } else { Rows::Some(rows) };
            Leg { channel, required: true, rows }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{all, build, events, some};
    use crate::selector::Rows;

    #[test]
    fn events_take_turns_over_batches() {
        let selector = build("load_balancing", &[]).expect("valid");
        let legs = selector.route(&events("h", &[None; 4]));
        assert_eq!(legs, [some(0, true, &[0, 3]), some(1, true, &[1]), some(2, true, &[2])]);
        assert_eq!(selector.route(&events("h", &[None])), [all(1, true)]);
        assert_eq!(selector.route(&events("h", &[None; 2])), [some(0, true, &[1]), some(2, true, &[0])]);
    }

    #[test]
    fn random_gives_every_event_one_channel_and_every_channel_some() {
        let selector = build("load_balancing", &[("policy", "RANDOM")]).expect("valid");
        let legs = selector.route(&events("h", &[None; 300]));
        assert_eq!(legs.len(), 3);
        let mut seen: Vec<u32> = Vec::new();
        for leg in &legs {
            let Rows::Some(rows) = &leg.rows else { panic!("one channel took all of 300 events") };
            assert!(leg.required && rows.is_sorted());
            seen.extend(rows);
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..300));
    }

    #[test]
    fn an_unknown_policy_is_an_error() {
        let problems = build("load_balancing", &[("policy", "fair")]).err().expect("refused");
        assert!(problems[0].contains("neither `round_robin` nor `random`"), "{problems:?}");
    }
}
