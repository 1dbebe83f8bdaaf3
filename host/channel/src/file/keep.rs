//! What happens beside puts and takes: checkpoints, syncs by the clock, and the end.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::file::checkpoint::Checkpoint;
use crate::file::lane::{Failure, Lane};
use crate::file::log::{Log, SyncPolicy, now_ms};
use crate::file::metrics::LogMetrics;
use crate::file::record::Kind;
use crate::file::segment::{Draft, Pages};

/// Ends the keeper's thread when it is dropped.
pub(super) struct Keeper(
    #[allow(dead_code, reason = "dropping it is the signal")] std::sync::mpsc::Sender<()>,
);

impl Keeper {
    /// Starts the thread. It holds the log only while it works.
    pub(super) fn start(log: &Arc<Log>) -> std::io::Result<Self> {
        let (stop, stopped) = std::sync::mpsc::channel();
        let (log, options) = (Arc::downgrade(log), log.options.clone());
        let sync_every = match options.sync {
            SyncPolicy::EachTransaction => None,
            SyncPolicy::Every(interval) => Some(interval.max(Duration::from_millis(1))),
        };
        let tick = sync_every.unwrap_or(options.checkpoint_interval).min(options.checkpoint_interval);
        std::thread::Builder::new().name("flumen-file".into()).spawn(move || {
            let mut last_checkpoint = Instant::now();
            while stopped.recv_timeout(tick) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let Some(log) = Weak::upgrade(&log) else { return };
                log.sync_unsynced();
                if last_checkpoint.elapsed() >= options.checkpoint_interval {
                    last_checkpoint = Instant::now();
                    log.write_checkpoint();
                }
            }
        })?;
        Ok(Self(stop))
    }
}

impl Log {
    /// Makes durable what was put without waiting for it; says whether all of it is.
    pub(super) fn sync_unsynced(&self) -> bool {
        let mut is_durable = true;
        if self.options.sync == SyncPolicy::EachTransaction {
            return is_durable;
        }
        for lane in &self.lanes {
            let mut writer = lane.writer();
            if writer.active.as_ref().is_none_or(|active| active.durable == active.offset) {
                continue;
            }
            let since = Instant::now();
            if let Err(failure) = self.sync_rest(&mut writer) {
                self.end_segment(lane, &mut writer, &failure);
                is_durable = false;
            }
            self.metrics.synced(since.elapsed(), 0);
        }
        is_durable
    }

    /// Writes the checkpoint, and its copy if one is kept.
    pub(super) fn write_checkpoint(&self) {
        let checkpoint = {
            let index = self.index();
            Checkpoint { places: index.places(), state: index.state() }
        };
        // It must not speak of records that a power cut may still take away.
        if !self.sync_unsynced() {
            LogMetrics::add(&self.metrics.checkpoint_errors, 1);
            return;
        }
        let written = checkpoint.write(&*self.storage, &self.options.checkpoint_dir);
        match &written {
            Ok(()) => LogMetrics::add(&self.metrics.checkpoints, 1),
            Err(error) => {
                LogMetrics::add(&self.metrics.checkpoint_errors, 1);
                let dir = self.options.checkpoint_dir.display();
                tracing::warn!(%dir, %error, "the checkpoint could not be written; nothing depends on it but the time of the next start");
            }
        }
        if let Some(dir) = &self.options.backup_checkpoint_dir
            && let Err(error) = checkpoint.write(&*self.storage, dir)
        {
            LogMetrics::add(&self.metrics.backup_checkpoint_errors, 1);
            tracing::warn!(dir = %dir.display(), %error, "the second checkpoint could not be written");
        }
    }

    /// Writes what is left to write, and ends the segments in good order. Puts are refused from now on.
    pub(super) fn close(self: &Arc<Self>) {
        self.lanes.iter().for_each(|lane| lane.close());
        for lane in &self.lanes {
            lane.wait_for_leader();
            let rest = lane.rest();
            if rest.len() > 0 {
                self.write_group(lane, rest, || None);
                self.delete_drained(lane);
            }
            if let Err(failure) = self.write_last_state(lane) {
                tracing::warn!(dir = %lane.dir.display(), %failure, "the last segment is not ended in good order; the next start reads it");
            }
        }
        self.lanes.iter().for_each(|lane| self.end_spare(lane));
        if self.options.checkpoint_on_close {
            self.write_checkpoint();
        }
    }

    /// A record behind the last put says that everything before it was durable: damage found there later is known to
    /// be damage, and not the unfinished write of a crash.
    fn write_last_state(&self, lane: &Lane) -> Result<(), Failure> {
        let mut writer = lane.writer();
        self.sync_rest(&mut writer)?;
        let Some(active) = writer.active.as_mut() else { return Ok(()) };
        let state = self.index().state().encode();
        let mut pages = Pages::default();
        let failed = |error: std::io::Error| Failure(error.to_string());
        active.add(&mut pages, &Draft::of(Kind::State, &state, now_ms()), None).map_err(Failure)?;
        active.write(&pages).map_err(failed)?;
        active.sync().map_err(failed)?;
        let (segment, length, last) = (active.head.segment, active.offset, active.last_record);
        let mut index = self.index();
        if let Some(segment) = index.segments.get_mut(&segment) {
            segment.known.length = length;
            segment.last_record = last;
        }
        drop(index);
        self.finish(&mut writer);
        Ok(())
    }
}
