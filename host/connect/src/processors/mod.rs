//! Sink processors: which sink of a group gets the next batch.

mod default;
mod failover;
mod load_balance;

use std::time::Instant;

use flumen_config::{Diagnostic, Diagnostics, Settings};

use crate::catalog::ProcessorType;

/// All sink processors.
pub static TYPES: &[ProcessorType] = &[default::DEFAULT, failover::FAILOVER, load_balance::LOAD_BALANCE];

/// Decides, for a group whose sinks share one runner, which sink to try. Pure: it knows times and outcomes,
/// the runner does the work. Sinks are indexes into the group's list.
///
/// The runner asks for [`candidates`](Self::candidates) once events wait, tries them in order until one
/// delivers, and reports each outcome. When all fail it pauses and asks again.
pub trait SinkProcessor: Send {
    /// The sinks to try now, in order. Empty if all are cooling down.
    fn candidates(&mut self, now: Instant) -> Vec<usize>;
    /// A sink delivered.
    fn succeeded(&mut self, sink: usize, now: Instant);
    /// A sink failed; its events are back in the channel.
    fn failed(&mut self, sink: usize, now: Instant);
    /// When to ask again if there was no candidate.
    fn retry_at(&self) -> Option<Instant>;
}

/// A group with a number of sinks that its processor cannot serve.
fn wrong_count(settings: &Settings, message: String, help: &str) -> Diagnostics {
    let finding = Diagnostic::error("processor-sinks", message);
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(finding.on(settings.path()).at(&settings.origin("type")).help(help));
    diagnostics
}

#[cfg(test)]
mod fixtures {
    //! What the tests of all processors share.
    use std::time::{Duration, Instant};

    use flumen_config::Settings;

    use super::SinkProcessor;

    /// A processor whose clock is the test's.
    pub struct Group {
        pub processor: Box<dyn SinkProcessor>,
        start: Instant,
    }

    pub fn build(kind: &str, sinks: &[&str], pairs: &[(&str, &str)]) -> Result<Group, Vec<String>> {
        let settings = Settings::from_pairs("a1.sinkgroups.g1.processor", pairs.iter().copied());
        let chosen = super::TYPES.iter().find(|t| t.spec.name == kind).expect("a type");
        let names: Vec<String> = sinks.iter().map(|s| (*s).to_owned()).collect();
        match (chosen.build)(&settings, &names) {
            Ok(processor) => Ok(Group { processor, start: Instant::now() }),
            Err(diagnostics) => Err(diagnostics.into_iter().map(|d| d.message).collect()),
        }
    }

    impl Group {
        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }
        pub fn candidates(&mut self, ms: u64) -> Vec<usize> {
            self.processor.candidates(self.at(ms))
        }
        pub fn failed(&mut self, sink: usize, ms: u64) {
            self.processor.failed(sink, self.at(ms));
        }
        pub fn succeeded(&mut self, sink: usize, ms: u64) {
            self.processor.succeeded(sink, self.at(ms));
        }
        /// In milliseconds since the start.
        pub fn retry_at(&self) -> Option<u128> {
            self.processor.retry_at().map(|at| at.duration_since(self.start).as_millis())
        }
    }
}
