//! `null`: takes events and forgets them.

use async_trait::async_trait;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use flumen_event::Batch;

use crate::ComponentError;
use crate::catalog::SinkType;
use crate::sink::{Delivery, Sink};

options! {
    /// Takes events and forgets them: for measuring, and for legs of a configuration that are switched off.
    pub struct NullOptions {
        /// Most events in one transaction.
        "batchSize" => batch_size: Count = Count(100),
        /// A line is logged each time this many events have been taken.
        "logEveryNEvents" => log_every_n_events: Count = Count(10_000),
    }
}

pub(super) const NULL: SinkType = SinkType {
    spec: ComponentSpec {
        batch_size: Some(|settings| NullOptions::of(settings).map_or(0, |o| o.batch_size.0)),
        ..ComponentSpec::of::<NullOptions>(ComponentKind::Sink, "null", &["org.apache.flume.sink.NullSink"])
    },
    build: |settings| {
        let options = NullOptions::of(settings)?;
        Ok(Box::new(NullSink { name: settings.name().to_owned(), options, taken: 0 }))
    },
};

struct NullSink {
    name: String,
    options: NullOptions,
    taken: usize,
}

#[async_trait]
impl Sink for NullSink {
    fn batch_size(&self) -> usize {
        self.options.batch_size.0
    }
    async fn open(&mut self) -> Result<(), ComponentError> {
        Ok(())
    }
    async fn deliver(&mut self, events: &[Batch]) -> Result<Delivery, ComponentError> {
        let every = self.options.log_every_n_events.0;
        let before = self.taken / every;
        self.taken += events.iter().map(Batch::len).sum::<usize>();
        for times in before + 1..=self.taken / every {
            tracing::info!(
                target: "org.apache.flume.sink.NullSink",
                "Null sink {} successful processed {} events.", self.name, times * every
            );
        }
        Ok(Delivery::default())
    }
    async fn close(&mut self) -> Result<(), ComponentError> {
        Ok(())
    }
}
