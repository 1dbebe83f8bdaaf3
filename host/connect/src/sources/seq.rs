//! `seq`: the numbers from zero on. Flume's `SequenceGeneratorSource`.

use std::pin::pin;

use async_trait::async_trait;
use bytes::BytesMut;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Options, Settings, options};
use flumen_event::{Batch, Span};
use tokio::select;

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::source::{Source, SourceContext, SourceEnd};

options! {
    /// Makes events whose bodies count 0, 1, 2, … in decimal digits, as fast as the channels take them. For
    /// trying a configuration out. While a channel is full the next numbers wait; none is left out. After
    /// the last one the source ends, and the agent goes on without it.
    pub struct SeqOptions {
        /// Events in one transaction.
        "batchSize" => batch_size: Count = Count(1),
        /// How many events to make.
        "totalEvents" => total_events: i64 = i64::MAX,
    }
}

pub(super) const SEQ: SourceType = SourceType {
    spec: ComponentSpec {
        batch_size: Some(|settings| SeqOptions::of(settings).map_or(1, |o| o.batch_size.0)),
        ..ComponentSpec::of::<SeqOptions>(
            ComponentKind::Source,
            "seq",
            &["org.apache.flume.source.SequenceGeneratorSource"],
        )
    },
    build: |settings: &Settings| {
        let options = SeqOptions::of(settings)?;
        let left = u64::try_from(options.total_events).unwrap_or(0);
        Ok(Box::new(Seq { batch_size: options.batch_size.0, left, next: Counter::default() }))
    },
};

/// A batch with more numbers goes on in parts: one arena stays well below the 4 GiB that spans can address.
const BATCH_EVENTS_MAX: usize = 1 << 20;

struct Seq {
    batch_size: usize,
    left: u64,
    next: Counter,
}

#[async_trait]
impl Source for Seq {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        context.ready();
        let mut stop = pin!(context.stop.requested());
        while self.left > 0 {
            let count = self.left.min(self.batch_size.min(BATCH_EVENTS_MAX) as u64);
            let batch = self.next.batch(count as usize);
            let mut stored = 0;
            select! {
                biased;
                () = context.outlet.deliver_patiently(&batch, &mut stored) => {}
                () = &mut stop => return Ok(SourceEnd::Stopped),
            }
            self.left -= count;
            if context.stop.is_requested() {
                return Ok(SourceEnd::Stopped);
            }
            // A channel that always has room would never make this task wait, nor let others have the thread.
            tokio::task::consume_budget().await;
        }
        Ok(SourceEnd::Finished)
    }
}

/// A number as its digits: counting on costs less than printing anew.
struct Counter(Vec<u8>);

impl Default for Counter {
    fn default() -> Self {
        Self(vec![b'0'])
    }
}

impl Counter {
    fn batch(&mut self, count: usize) -> Batch {
        let mut arena = BytesMut::with_capacity(count * (self.0.len() + 2));
        let mut spans = Vec::with_capacity(count);
        for _ in 0..count {
            let start = arena.len();
            arena.extend_from_slice(&self.0);
            spans.push(Span::new(start..arena.len()));
            // The line feed belongs to no body; a text sink writes the arena as it is.
            arena.extend_from_slice(b"\n");
            self.count_on();
        }
        Batch::from_arena(arena.freeze(), spans)
    }
    fn count_on(&mut self) {
        for digit in self.0.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        self.0.insert(0, b'1');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_the_numbers_and_go_on_in_the_next_batch() {
        let mut counter = Counter::default();
        let mut expected = 0u32..;
        for count in [1, 9, 2, 1000, 100_000] {
            let batch = counter.batch(count);
            assert_eq!(batch.len(), count);
            assert!(batch.as_lines().is_some());
            for event in batch.iter() {
                assert_eq!(event.body(), expected.next().expect("endless").to_string().as_bytes());
            }
        }
    }
}
