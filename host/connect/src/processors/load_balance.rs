//! `load_balance`: the sinks take turns.

use std::time::{Duration, Instant};

use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Options, Settings, options};

use super::SinkProcessor;
use crate::catalog::ProcessorType;
use crate::turns::Turns;

/// A sink that has not failed for this long after its last pause starts again with the shortest one.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60 * 60);
/// The pause is doubled this often at most.
const DOUBLED_MAX: u32 = 16;
/// Flume's longest pause where none is configured, or 0.
const PAUSE_MAX_MS: u64 = 30_000;

options! {
    /// Spreads batches over two sinks or more: each batch goes to the next sink, and on to the others if that
    /// one fails. The sinks of a group share one thread.
    pub struct LoadBalanceOptions {
        /// The order of the sinks: `round_robin` or `random`.
        "selector" => selector: Turns = Turns::RoundRobin,
        /// Whether a sink that failed is left alone for a while: 2 s, and twice as long with each failure.
        "backoff" => backoff: bool = false,
        /// The longest time that a failed sink is left alone, in milliseconds. 0 stands for the default.
        "selector.maxTimeOut" => pause_max_ms: u64 = PAUSE_MAX_MS,
    }
}

pub(super) const LOAD_BALANCE: ProcessorType = ProcessorType {
    spec: ComponentSpec::of::<LoadBalanceOptions>(
        ComponentKind::SinkProcessor,
        "load_balance",
        &["org.apache.flume.sink.LoadBalancingSinkProcessor"],
    ),
    build,
};

fn build(settings: &Settings, sinks: &[String]) -> Result<Box<dyn SinkProcessor>, Diagnostics> {
    let options = LoadBalanceOptions::of(settings)?;
    if sinks.len() < 2 {
        let message = format!("load_balance needs two sinks or more, the group has {}", sinks.len());
        return Err(super::wrong_count(settings, message, "use the sink without a group"));
    }
    let pause_max_ms = if options.pause_max_ms == 0 { PAUSE_MAX_MS } else { options.pause_max_ms };
    Ok(Box::new(LoadBalance {
        order: options.selector,
        pause_max: options.backoff.then_some(Duration::from_millis(pause_max_ms)),
        sinks: vec![Failures::default(); sinks.len()],
        next: 0,
    }))
}

#[derive(Clone, Copy, Default)]
struct Failures {
    in_a_row: u32,
    last: Option<Instant>,
    rests_until: Option<Instant>,
}

struct LoadBalance {
    order: Turns,
    /// The longest pause; absent without `backoff`.
    pause_max: Option<Duration>,
    sinks: Vec<Failures>,
    /// Whose turn it is among those that do not rest.
    next: usize,
}

fn pause(failures: u32, max: Duration) -> Duration {
    Duration::from_secs(1 << failures.min(DOUBLED_MAX)).min(max)
}

impl SinkProcessor for LoadBalance {
    fn candidates(&mut self, now: Instant) -> Vec<usize> {
        let rested = |failures: &Failures| failures.rests_until.is_none_or(|until| until <= now);
        let sinks = self.sinks.iter().enumerate().filter(|(_, failures)| rested(failures));
        let mut sinks: Vec<usize> = sinks.map(|(sink, _)| sink).collect();
        match self.order {
            Turns::Random => fastrand::shuffle(&mut sinks),
            Turns::RoundRobin if sinks.is_empty() => {}
            Turns::RoundRobin => {
                let first = if self.next < sinks.len() { self.next } else { 0 };
                self.next = (first + 1) % sinks.len();
                sinks.rotate_left(first);
            }
        }
        sinks
    }
    fn succeeded(&mut self, _: usize, _: Instant) {}
    fn failed(&mut self, sink: usize, now: Instant) {
        let Some(max) = self.pause_max else { return };
        let failures = &mut self.sinks[sink];
        let in_a_row = failures
            .last
            .is_some_and(|last| now.duration_since(last) < pause(failures.in_a_row, max) + FORGIVEN_AFTER);
        failures.in_a_row = if in_a_row { (failures.in_a_row + 1).min(DOUBLED_MAX) } else { 1 };
        failures.last = Some(now);
        failures.rests_until = Some(now + pause(failures.in_a_row, max));
    }
    fn retry_at(&self) -> Option<Instant> {
        // If one sink does not rest there is a candidate; the earliest end among all is an answer then too.
        self.sinks.iter().map(|f| f.rests_until).collect::<Option<Vec<_>>>()?.into_iter().min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Group, build};

    fn group(pairs: &[(&str, &str)]) -> Group {
        build("load_balance", &["k1", "k2", "k3"], pairs).unwrap_or_else(|e| panic!("{e:?}"))
    }

    // Golden case proc_load_balance.
    #[test]
    fn sinks_take_turns_and_the_others_stand_behind() {
        let mut group = group(&[]);
        let turns: Vec<Vec<usize>> = (0..4).map(|_| group.candidates(0)).collect();
        assert_eq!(turns, [vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1], vec![0, 1, 2]]);
    }

    #[test]
    fn without_backoff_a_failed_sink_is_asked_again_at_once() {
        let mut group = group(&[]);
        group.failed(0, 0);
        assert_eq!((group.candidates(0), group.retry_at()), (vec![0, 1, 2], None));
    }

    #[test]
    fn with_backoff_a_failed_sink_rests_longer_each_time() {
        let mut group = group(&[("backoff", "true"), ("selector.maxTimeOut", "5000")]);
        group.failed(1, 0);
        assert_eq!((group.candidates(1_999), group.candidates(1_999)), (vec![0, 2], vec![2, 0]));
        assert_eq!(group.candidates(2_000), [0, 1, 2]);
        group.failed(1, 2_000);
        assert_eq!((group.candidates(5_999), group.candidates(6_000)), (vec![2, 0], vec![0, 1, 2]));
        group.failed(1, 6_000);
        assert_eq!((group.candidates(10_999).len(), group.candidates(11_000).len()), (2, 3), "5 s, not 8 s");
    }

    #[test]
    fn an_hour_without_failure_starts_the_pauses_anew() {
        let hour = 3_600_000;
        let mut group = group(&[("backoff", "true")]);
        group.failed(0, 0);
        group.failed(0, hour + 1_999);
        assert_eq!(group.candidates(hour + 1_999 + 3_999).len(), 2, "a second failure in a row: 4 s");
        group.failed(0, 3 * hour);
        assert_eq!(group.candidates(3 * hour + 2_000).len(), 3, "the first of a new row: 2 s");
    }

    #[test]
    fn when_all_rest_the_first_time_is_told() {
        let mut group = group(&[("backoff", "true")]);
        group.failed(0, 5);
        group.failed(1, 6);
        assert_eq!(group.retry_at(), None);
        group.failed(2, 7);
        assert_eq!((group.candidates(8), group.retry_at()), (vec![], Some(2_005)));
    }

    #[test]
    fn random_tries_every_sink_and_starts_with_each_of_them_some_time() {
        let mut group = group(&[("selector", "RANDOM")]);
        let mut first = [0; 3];
        for _ in 0..300 {
            let mut order = group.candidates(0);
            first[order[0]] += 1;
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2]);
        }
        assert!(first.iter().all(|&count| count > 30), "{first:?}");
    }

    #[test]
    fn one_sink_and_unknown_orders_are_errors() {
        assert!(build("load_balance", &["k1"], &[]).is_err());
        let problems =
            build("load_balance", &["k1", "k2"], &[("selector", "com.acme.S")]).err().expect("refused");
        assert!(problems[0].contains("Java classes cannot be loaded"), "{problems:?}");
    }
}
