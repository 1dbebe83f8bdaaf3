//! The source that stands in for the agent's own during a replay.
//!
//! ```text
//! read lines ─▶ batch ─▶ outlet, patiently ─▶ wait until volatile channels are empty ─▶ position moved
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::time::Duration;

use async_trait::async_trait;
use flumen_connect::dead_letter::{HEADER_PREFIX, PLUGIN_HEADER, line};
use flumen_connect::{ComponentError, Source, SourceContext, SourceEnd};
use flumen_event::{Batch, BatchBuilder};

use super::Progress;
use super::position::Position;

/// Events in one put, and so what may come twice after a SIGKILL.
const BATCH_EVENTS: usize = 500;
/// How often is looked whether the channels are empty.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Which dead letters, and what of them.
pub(super) struct Letters {
    /// The plugin that they are of.
    pub(super) plugin: String,
    /// Whether the headers that say why they were put aside stay.
    pub(super) keeps_headers: bool,
}

/// The source.
pub(super) struct Replay {
    letters: Letters,
    position: Position,
    progress: Progress,
}

impl Replay {
    pub(super) fn new(letters: Letters, position: Position) -> (Self, Progress) {
        let progress = Progress::default();
        (Self { letters, position, progress: progress.clone() }, progress)
    }

    /// The next events of the plugin, and where the file goes on behind them; none at the end.
    fn next(
        &self,
        reader: &mut BufReader<io::Take<File>>,
        offset: &mut u64,
    ) -> Result<Batch, ComponentError> {
        let mut builder = BatchBuilder::default();
        let mut text = Vec::new();
        while builder.len() < BATCH_EVENTS {
            text.clear();
            let read = reader.read_until(b'\n', &mut text)?;
            let Some(one) = text.strip_suffix(b"\n") else { break };
            let at = *offset;
            let event = line::read(one)
                .map_err(|error| format!("{}, byte {at}: {error}", self.position.letters().display()))?;
            let is_ours = event
                .headers
                .iter()
                .any(|(name, value)| name == PLUGIN_HEADER && *value == self.letters.plugin);
            if is_ours {
                let kept = event
                    .headers
                    .iter()
                    .filter(|(name, _)| self.letters.keeps_headers || !name.starts_with(HEADER_PREFIX));
                let headers: Vec<(&str, &str)> =
                    kept.map(|(name, value)| (name.as_str(), value.as_str())).collect();
                if builder.push(&event.body, headers).is_err() {
                    if builder.is_empty() {
                        return Err(format!(
                            "{}, byte {at}: too large for a batch",
                            self.position.letters().display()
                        )
                        .into());
                    }
                    // It begins the next batch.
                    reader.seek_relative(-i64::try_from(read)?)?;
                    break;
                }
            }
            *offset += read as u64;
        }
        Ok(builder.finish())
    }

    async fn deliver(&self, context: &SourceContext, batch: &Batch) -> Option<usize> {
        let mut stored = 0;
        let all = async {
            context.outlet.deliver_patiently(batch, &mut stored).await;
            // What a volatile channel holds would be lost with this process.
            while context.outlet.volatile_events() > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let is_whole = tokio::select! {
            biased;
            () = all => true,
            () = context.stop.requested() => false,
        };
        is_whole.then_some(stored)
    }
}

#[async_trait]
impl Source for Replay {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let mut file = File::open(self.position.letters())?;
        let mut offset = file.seek(SeekFrom::Start(self.position.offset))?;
        let left = self.position.end.saturating_sub(offset);
        let mut reader = BufReader::new(file.take(left));
        context.ready();
        loop {
            let before = offset;
            let batch = self.next(&mut reader, &mut offset)?;
            if offset == before {
                return Ok(SourceEnd::Finished);
            }
            if !batch.is_empty() {
                // Stopped in the middle: what is in the channels is drained by the agent's stop, and comes again.
                let Some(events) = self.deliver(context, &batch).await else { return Ok(SourceEnd::Stopped) };
                self.progress.add(events);
            }
            self.position.save(offset)?;
        }
    }
}
