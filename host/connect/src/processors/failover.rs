//! `failover`: the best sink that works.
//!
//! ```text
//!            failed                        delivered on trial
//!   live ───────────▶ cooling down ──────────────────────────────▶ live
//!   (by priority)     2 s, 4 s, 8 s … up to maxpenalty
//!                     └─ time is up: tried before the live ones; failed again: twice the pause
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};
use flumen_event::java_hash_order;

use super::SinkProcessor;
use crate::catalog::ProcessorType;
use flumen_config::options::Below;

options! {
    /// Delivers through the sink of the highest priority that works. A sink that fails is left alone for 2 s,
    /// then tried again with the next events; each further failure doubles the pause.
    pub struct FailoverOptions {
        /// `priority.SINK = 10`: the higher goes first. Sinks without a whole number here come after all
        /// others, in the order of Flume's hash table. No two sinks may have the same: Flume leaves one of
        /// them out.
        "priority." => priority: Below,
        /// The longest pause of a failed sink, in milliseconds. 0: no pause.
        "maxpenalty" => max_penalty_ms: i32 = 30_000, lenient;
    }
}

pub(super) const FAILOVER: ProcessorType = ProcessorType {
    spec: ComponentSpec {
        check,
        ..ComponentSpec::of::<FailoverOptions>(
            ComponentKind::SinkProcessor,
            "failover",
            &["org.apache.flume.sink.FailoverSinkProcessor"],
        )
    },
    build,
};

fn check(settings: &Settings, diagnostics: &mut Diagnostics) -> bool {
    let mut seen: BTreeMap<i32, &str> = BTreeMap::new();
    let priorities = settings.below("priority.");
    for (sink, setting) in priorities.iter() {
        let warning = match setting.value.parse::<i32>() {
            Err(_) => {
                format!("`priority.{sink} = {}` is no whole number: the sink comes last", setting.value)
            }
            Ok(priority) => match seen.insert(priority, sink) {
                None => continue,
                Some(other) => {
                    format!("sinks `{other}` and `{sink}` have the same priority: only one of them is used")
                }
            },
        };
        let path = format!("{}.{sink}", priorities.path());
        let finding = Diagnostic::warning("sink-priority", warning).on(path).at(&setting.origin);
        diagnostics.push(finding.help("give every sink of the group a priority of its own"));
    }
    FailoverOptions::read(settings, diagnostics).is_some()
}

fn build(settings: &Settings, sinks: &[String]) -> Result<Box<dyn SinkProcessor>, Diagnostics> {
    let options = FailoverOptions::of(settings)?;
    if sinks.is_empty() {
        let message = "a failover group needs a sink".to_owned();
        return Err(super::wrong_count(settings, message, "list the group's sinks in `sinks`"));
    }
    let penalty_max = Duration::from_millis(u64::try_from(options.max_penalty_ms).unwrap_or(0));
    Ok(Box::new(Failover { live: by_priority(settings, sinks), cooling: Vec::new(), penalty_max }))
}

/// The sinks in use. Flume hands out priorities, and decides which of two sinks with the same one is left
/// out, while it walks over a hash table of the sinks' names.
fn by_priority(settings: &Settings, sinks: &[String]) -> BTreeMap<i32, usize> {
    let mut live: BTreeMap<i32, usize> = BTreeMap::new();
    let mut automatic = 0;
    for sink in java_hash_order(sinks.iter().map(String::as_str)) {
        let sink = sink as usize;
        let given = settings.text(&format!("priority.{}", sinks[sink])).and_then(|text| text.parse().ok());
        let priority = given.unwrap_or_else(|| {
            automatic -= 1;
            automatic
        });
        match live.get(&priority) {
            None => drop(live.insert(priority, sink)),
            Some(&other) => tracing::warn!(
                sink = %sinks[sink], other = %sinks[other], priority,
                "the sink is not used, as another one has the same priority"
            ),
        }
    }
    live
}

struct Failover {
    /// Sinks that work, by priority.
    live: BTreeMap<i32, usize>,
    cooling: Vec<Cooling>,
    penalty_max: Duration,
}

/// A sink that failed.
struct Cooling {
    sink: usize,
    priority: i32,
    /// Failures in a row.
    failures: u32,
    until: Instant,
}

impl Failover {
    fn until(&self, failures: u32, now: Instant) -> Instant {
        let penalty = Duration::from_secs(1).saturating_mul(2u32.saturating_pow(failures));
        now + penalty.min(self.penalty_max)
    }
}

impl SinkProcessor for Failover {
    fn candidates(&mut self, now: Instant) -> Vec<usize> {
        self.cooling.sort_by_key(|c| c.until);
        let rested = self.cooling.iter().take_while(|c| c.until <= now).map(|c| c.sink);
        rested.chain(self.live.values().rev().copied()).collect()
    }
    fn succeeded(&mut self, sink: usize, _: Instant) {
        if let Some(at) = self.cooling.iter().position(|c| c.sink == sink) {
            let recovered = self.cooling.swap_remove(at);
            self.live.insert(recovered.priority, sink);
        }
    }
    fn failed(&mut self, sink: usize, now: Instant) {
        if let Some(at) = self.cooling.iter().position(|c| c.sink == sink) {
            let failures = self.cooling[at].failures.saturating_add(1);
            let until = self.until(failures, now);
            let again = &mut self.cooling[at];
            (again.failures, again.until) = (failures, until);
            return;
        }
        let Some(priority) = self.live.iter().find(|(_, s)| **s == sink).map(|(p, _)| *p) else { return };
        self.live.remove(&priority);
        self.cooling.push(Cooling { sink, priority, failures: 1, until: self.until(1, now) });
    }
    fn retry_at(&self) -> Option<Instant> {
        if !self.live.is_empty() {
            return None;
        }
        self.cooling.iter().map(|c| c.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Group, build};
    use super::*;

    const THREE: &[&str] = &["k1", "k2", "k3"];
    const PRIORITIES: &[(&str, &str)] = &[("priority.k1", "5"), ("priority.k2", "10"), ("priority.k3", "-4")];

    fn group(more: &[(&str, &str)]) -> Group {
        build("failover", THREE, &[PRIORITIES, more].concat()).unwrap_or_else(|e| panic!("{e:?}"))
    }

    // Golden case proc_failover_prefers_high.
    #[test]
    fn the_higher_priority_goes_first() {
        assert_eq!(group(&[]).candidates(0), [1, 0, 2]);
    }

    // Golden case proc_failover.
    #[test]
    fn a_failed_sink_rests_two_seconds_and_twice_as_long_each_time() {
        let mut group = group(&[]);
        group.failed(1, 0);
        assert_eq!(group.candidates(1_999), [0, 2]);
        assert_eq!(group.candidates(2_000), [1, 0, 2], "on trial before the live ones");
        group.failed(1, 2_000);
        assert_eq!(group.candidates(5_999), [0, 2]);
        assert_eq!(group.candidates(6_000), [1, 0, 2]);
        group.succeeded(1, 6_000);
        group.failed(1, 6_001);
        assert_eq!((group.candidates(8_000), group.candidates(8_001)), (vec![0, 2], vec![1, 0, 2]));
    }

    #[test]
    fn sinks_on_trial_come_in_the_order_of_their_times() {
        let mut group = group(&[]);
        group.failed(2, 0);
        group.failed(1, 1);
        assert_eq!(group.candidates(3_000), [2, 1, 0]);
        group.succeeded(2, 3_000);
        assert_eq!(group.candidates(3_000), [1, 0, 2]);
    }

    #[test]
    fn the_pause_ends_at_the_maximum() {
        let mut group = group(&[("maxpenalty", "3000")]);
        for failure in 0..80 {
            group.failed(1, failure);
        }
        assert_eq!((group.candidates(3_078), group.candidates(3_079)), (vec![0, 2], vec![1, 0, 2]));
    }

    #[test]
    fn when_all_rest_the_first_time_is_told() {
        let mut group = group(&[]);
        assert_eq!(group.retry_at(), None);
        group.failed(1, 7);
        assert_eq!(group.retry_at(), None);
        group.failed(0, 8);
        group.failed(2, 9);
        assert_eq!((group.candidates(10), group.retry_at()), (vec![], Some(2_007)));
    }

    #[test]
    fn no_pause_can_be_asked_for() {
        let mut group = group(&[("maxpenalty", "0")]);
        group.failed(1, 5);
        assert_eq!(group.candidates(5), [1, 0, 2]);
    }

    #[test]
    fn sinks_without_a_priority_come_last_in_order() {
        let mut group = build("failover", THREE, &[("priority.k3", "1"), ("priority.k1", "high")])
            .unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(group.candidates(0), [2, 0, 1]);
    }

    #[test]
    fn of_two_sinks_with_the_same_priority_one_is_left_out_with_a_warning() {
        let pairs = [("priority.k1", "1"), ("priority.k2", "1"), ("priority.k3", "x")];
        let mut group = build("failover", THREE, &pairs).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(group.candidates(0), [0, 2]);
        let mut diagnostics = Diagnostics::default();
        assert!(check(&Settings::from_pairs("g1.processor", pairs), &mut diagnostics));
        let texts: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(
            texts[0].contains("`k1` and `k2` have the same priority") && texts[1].contains("no whole number")
        );
    }
}
