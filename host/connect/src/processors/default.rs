//! `default`: one sink, tried whenever there are events.

use std::time::Instant;

use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Settings, options};

use super::SinkProcessor;
use crate::catalog::ProcessorType;

options! {
    /// Drives one sink. What every sink outside of a group has; a group with it has exactly one sink.
    pub struct DefaultOptions {}
}

pub(super) const DEFAULT: ProcessorType = ProcessorType {
    spec: ComponentSpec::of::<DefaultOptions>(
        ComponentKind::SinkProcessor,
        "default",
        &["org.apache.flume.sink.DefaultSinkProcessor"],
    ),
    build,
};

fn build(settings: &Settings, sinks: &[String]) -> Result<Box<dyn SinkProcessor>, Diagnostics> {
    if sinks.len() == 1 {
        return Ok(Box::new(OneSink));
    }
    let message = format!("the default processor takes one sink, the group has {}", sinks.len());
    Err(super::wrong_count(settings, message, "set `type` to `failover` or `load_balance`"))
}

struct OneSink;

impl SinkProcessor for OneSink {
    fn candidates(&mut self, _: Instant) -> Vec<usize> {
        vec![0]
    }
    fn succeeded(&mut self, _: usize, _: Instant) {}
    fn failed(&mut self, _: usize, _: Instant) {}
    fn retry_at(&self) -> Option<Instant> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::build;

    #[test]
    fn one_sink_is_tried_whatever_happened_before() {
        let mut group = build("default", &["k1"], &[]).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(group.candidates(0), [0]);
        group.failed(0, 1);
        assert_eq!((group.candidates(2), group.retry_at()), (vec![0], None));
    }

    #[test]
    fn more_sinks_are_an_error() {
        let problems = build("default", &["k1", "k2"], &[]).err().expect("refused");
        assert_eq!(problems, ["the default processor takes one sink, the group has 2"]);
    }
}
