//! The leader's work: a group is written, made durable, registered and answered.
//!
//! ```text
//! group ─▶ takes first, then puts, as many as fit into the segment ─▶ write ─┬─▶ sync ─▶ register ─▶ answer
//!   ▲                  the rest: a new segment, and again                    │
//!   └──────────────────────── who has joined meanwhile ◀─────────────────────┘
//! ```
//!
//! Takes go first because they are what makes room. A failed write or sync ends the segment (see [`Log`]).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::file::index::{Cursor, Segment};
use crate::file::lane::{Failure, GROUP_BYTES_MAX, Group, Lane, PutRequest, TakeRequest, Writer};
use crate::file::log::{Log, Stored, SyncPolicy, now_ms};
use crate::file::metrics::LogMetrics;
use crate::file::record::{Kind, RECORDS_AT};
use crate::file::scan::Item;
use crate::file::seal::seal_all;
use crate::file::segment::{
    Active, Draft, Pages, bytes_needed, new_head, path_of, set_aside_bytes, spare_of,
};
use crate::file::spare::Past;
use crate::file::state::{Done, Summary};
use crate::queue::Origin;

/// What was written, and waits for its sync.
#[derive(Default)]
struct Written {
    puts: Vec<(PutRequest, Origin)>,
    takes: Vec<TakeRequest>,
}

impl Written {
    fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.takes.is_empty()
    }
    fn append(&mut self, mut later: Written) {
        self.puts.append(&mut later.puts);
        self.takes.append(&mut later.takes);
    }
}

impl Log {
    /// Writes a group, in as many segments as it takes, and answers everybody in it. `more` says what has joined it
    /// when all of it so far is written.
    pub(super) fn write_group(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        first: Group,
        mut more: impl FnMut() -> Option<Group>,
    ) {
        let mut writer = lane.writer();
        self.leave_for_spare(lane, &mut writer);
        let (mut next, mut bytes) = (Some(first), 0);
        let mut unsynced = Written::default();
        while let Some(mut group) = next {
            bytes += group.bytes;
            self.refuse_puts_without_room(lane, &mut group);
            while group.len() > 0 {
                if let Err(failure) = self.write_part(lane, &mut writer, &mut group, &mut unsynced) {
                    self.refuse_written(unsynced, &failure);
                    return self.refuse(group, &failure);
                }
            }
            next = if bytes < GROUP_BYTES_MAX { more() } else { None };
        }
        if let Err(failure) = self.make_durable(lane, &mut writer, &mut unsynced) {
            self.refuse_written(unsynced, &failure);
        }
        if let Some(active) = writer.active.as_mut() {
            self.prepare_spare(lane, active);
        }
    }

    /// Writes what fits into the present segment. If nothing does, what was written before is made durable and
    /// answered, or a new segment is begun.
    fn write_part(
        self: &Arc<Self>,
        lane: &Lane,
        writer: &mut Writer,
        group: &mut Group,
        unsynced: &mut Written,
    ) -> Result<(), Failure> {
        match self.write_some(writer, group) {
            Ok(written) if !written.is_empty() => {
                unsynced.append(written);
                Ok(())
            }
            Ok(_) if !unsynced.is_empty() => self.make_durable(lane, writer, unsynced),
            Ok(_) => {
                let largest = group.puts.front().map_or(0, |p| p.packed.head.len() + p.packed.bodies.len());
                let takes = group.takes.front().map_or(0, |t| t.done.len() * 16);
                self.roll(lane, writer, largest.max(takes) + 4096)
            }
            Err((failure, written)) => {
                unsynced.append(written);
                self.end_segment(lane, writer, &failure);
                Err(failure)
            }
        }
    }

    /// Syncs what was written, and answers; after a failure that is left to the caller.
    fn make_durable(
        self: &Arc<Self>,
        lane: &Lane,
        writer: &mut Writer,
        unsynced: &mut Written,
    ) -> Result<(), Failure> {
        if unsynced.is_empty() {
            return Ok(());
        }
        if let Err(failure) = self.sync_written(writer, unsynced) {
            self.end_segment(lane, writer, &failure);
            return Err(failure);
        }
        self.register(lane, writer, std::mem::take(unsynced));
        Ok(())
    }

    fn refuse_puts_without_room(&self, lane: &Lane, group: &mut Group) {
        if let Err(failure) = self.check_free_bytes(lane) {
            LogMetrics::add(&self.metrics.put_errors, group.puts.len() as u64);
            group.puts.drain(..).for_each(|put| drop(put.answer.send(Err(failure.clone()))));
        }
    }
    fn refuse(&self, group: Group, failure: &Failure) {
        LogMetrics::add(&self.metrics.put_errors, group.puts.len() as u64);
        LogMetrics::add(&self.metrics.take_errors, group.takes.len() as u64);
        group.refuse(failure);
    }
    fn refuse_written(&self, written: Written, failure: &Failure) {
        let Written { puts, takes } = written;
        let group = Group {
            puts: puts.into_iter().map(|(p, _)| p).collect(),
            takes: takes.into(),
            ..Group::default()
        };
        self.refuse(group, failure);
    }

    fn check_free_bytes(&self, lane: &Lane) -> Result<(), Failure> {
        let required = self.options.minimum_free_bytes;
        if required == 0 {
            return Ok(());
        }
        match self.storage.free_bytes(&lane.dir) {
            // The text is Flume's own.
            Ok(free) if free < required => Err(Failure(format!(
                "Usable space exhausted, only {free} bytes remaining, required {required} bytes, in {}",
                lane.dir.display()
            ))),
            Ok(_) => Ok(()),
            Err(error) => {
                Err(Failure(format!("cannot read the free space of {}: {error}", lane.dir.display())))
            }
        }
    }

    /// Writes what fits into the present segment.
    fn write_some(&self, writer: &mut Writer, group: &mut Group) -> Result<Written, (Failure, Written)> {
        let mut written = Written::default();
        let Writer { active, buffers, .. } = writer;
        let Some(active) = active.as_mut() else { return Ok(written) };
        let payloads = self.choose(active, group, &mut written);
        if written.is_empty() {
            return Ok(written);
        }
        let mut pages = Pages::default();
        let mut first_events = Vec::with_capacity(written.puts.len());
        let mut unsealed: Option<String> = None;
        for payload in &payloads {
            let draft = Draft::of(Kind::Take, payload, now_ms());
            unsealed = active.add(&mut pages, &draft, None).err().or(unsealed);
        }
        let mut sequence =
            self.index().number(written.puts.iter().map(|(put, _)| u64::from(put.events)).sum());
        let drafts: Vec<Draft<'_>> = written
            .puts
            .iter()
            .map(|(put, _)| {
                let first = sequence;
                sequence += u64::from(put.events);
                Draft {
                    kind: Kind::Put,
                    flags: 0,
                    events: put.events,
                    sequence: first,
                    put_at_ms: put.put_at_ms,
                    body_bytes: put.body_bytes,
                    pieces: [&put.packed.head, &put.packed.bodies],
                    crc: put.crc,
                }
            })
            .collect();
        let sealed = self.cipher.as_deref().map(|cipher| seal_all(active, &drafts, cipher, buffers));
        let mut sealed = sealed.into_iter().flatten();
        for draft in &drafts {
            let added = sealed.next().transpose().and_then(|sealed| active.add(&mut pages, draft, sealed));
            match added {
                Ok(first) => first_events.push(first),
                Err(cause) => unsealed = Some(cause),
            }
        }
        let failed = match unsealed {
            Some(cause) => Some(cause),
            None => active.write(&pages).err().map(|e| e.to_string()),
        };
        LogMetrics::add(&self.metrics.written_bytes, pages.bytes());
        let segment = active.head.segment;
        buffers.give_back(pages.into_buffers());
        if let Some(cause) = failed {
            return Err((self.failure("write to", segment, &cause), written));
        }
        written.puts.iter_mut().zip(first_events).for_each(|((_, origin), event)| origin.event = event);
        Ok(written)
    }

    /// Moves requests that fit out of the group, numbers the puts, and notes what is done; returns the takes'
    /// payloads.
    fn choose(&self, active: &Active, group: &mut Group, written: &mut Written) -> Vec<Vec<u8>> {
        let mut room = active.capacity.saturating_sub(active.offset);
        let mut fits = |payload: usize, set_aside: u64| {
            let needed = crate::file::record::padded((crate::file::record::RECORD_BYTES + payload) as u64);
            let fits = needed + set_aside <= room;
            room -= if fits { needed } else { 0 };
            fits
        };
        let mut payloads = Vec::new();
        while group.takes.front().is_some_and(|take| fits(take.done.len() * 16, 0)) {
            let Some(take) = group.takes.pop_front() else { break };
            payloads.push(Done::encode(&take.done));
            written.takes.push(take);
        }
        let set_aside = set_aside_bytes(self.options.segment_bytes);
        // A cipher may add a little to each payload.
        let sealed_bytes = if self.cipher.is_some() { 256 } else { 0 };
        let payload = |put: &PutRequest| put.packed.head.len() + put.packed.bodies.len() + sealed_bytes;
        while group.takes.is_empty() && group.puts.front().is_some_and(|put| fits(payload(put), set_aside)) {
            let Some(put) = group.puts.pop_front() else { break };
            written.puts.push((put, Origin { segment: active.head.segment, event: 0 }));
        }
        let mut index = self.index();
        for done in written.takes.iter().flat_map(|take| &take.done) {
            index.log_done(done);
        }
        payloads
    }

    fn sync_written(&self, writer: &mut Writer, written: &Written) -> Result<(), Failure> {
        let Some(active) = writer.active.as_mut() else { return Ok(()) };
        if self.options.sync != SyncPolicy::EachTransaction {
            return Ok(());
        }
        let since = Instant::now();
        let synced = active.sync();
        writer.last_sync = since.elapsed();
        self.metrics.synced(writer.last_sync, written.puts.len() + written.takes.len());
        let segment = active.head.segment;
        synced.map_err(|error| self.failure("sync", segment, &error.to_string()))
    }

    /// What was written is durable: the index learns of it, then everybody who waits.
    fn register(self: &Arc<Self>, lane: &Lane, writer: &Writer, written: Written) {
        let Some(active) = writer.active.as_ref() else { return };
        let mut answers = Vec::with_capacity(written.puts.len());
        let has_room = self.queue.window().held_bytes < self.options.window_bytes;
        let mut index = self.index();
        let was_caught_up = index.is_caught_up();
        for (put, origin) in written.puts {
            if let Some(segment) = index.segments.get_mut(&origin.segment) {
                segment.known.events += put.events;
                segment.known.body_bytes += u64::from(put.body_bytes);
                if segment.known.put_at_ms == 0 {
                    segment.known.put_at_ms = put.put_at_ms;
                }
            }
            index.register(origin, put.events, has_room && was_caught_up);
            answers.push((put.answer, Stored::new(self, lane.number, origin, put.events)));
        }
        if let Some(segment) = index.segments.get_mut(&active.head.segment) {
            segment.known.length = active.offset;
            segment.last_record = active.last_record;
        }
        if has_room && was_caught_up {
            let (segment, offset, event) = (active.head.segment, active.offset, active.events);
            index.cursors[lane.number] = Cursor { segment, offset, event };
        }
        drop(index);
        // Who has gone away in the meantime drops what he gets, which withdraws it.
        answers.into_iter().for_each(|(answer, stored)| drop(answer.send(Ok(stored))));
        written.takes.into_iter().filter_map(|t| t.answer).for_each(|answer| drop(answer.send(Ok(()))));
    }

    /// Nothing is written to the present segment any more. What of it is durable stays readable.
    pub(super) fn end_segment(&self, lane: &Lane, writer: &mut Writer, failure: &Failure) {
        let Some(active) = writer.active.take() else { return };
        self.index().seal(active.head.segment);
        writer.suspect = Some(active.head.segment);
        writer.broken = Some((failure.clone(), Instant::now()));
        self.metrics.unhealthy.store(1, Relaxed);
        LogMetrics::add(&self.metrics.storage_failures, 1);
        tracing::error!(dir = %lane.dir.display(), %failure, "the segment is ended; what was not answered is refused");
    }

    /// Begins a new segment with room for a record of this payload.
    pub(super) fn roll(&self, lane: &Lane, writer: &mut Writer, payload: usize) -> Result<(), Failure> {
        if let Some((failure, since)) = &writer.broken
            && since.elapsed() < self.options.retry_pause
        {
            return Err(failure.clone());
        }
        let rolled = self.try_roll(lane, writer, payload);
        if let Err(failure) = &rolled {
            if writer.broken.is_none() {
                tracing::error!(dir = %lane.dir.display(), %failure, "no new segment can be begun");
            }
            self.metrics.unhealthy.store(1, Relaxed);
            writer.broken = Some((failure.clone(), Instant::now()));
        }
        rolled
    }

    /// The same at once, however short the last failure is ago.
    pub(super) fn try_roll(&self, lane: &Lane, writer: &mut Writer, payload: usize) -> Result<(), Failure> {
        if let Some(segment) = writer.suspect {
            self.read_again(lane, segment)?;
            writer.suspect = None;
        }
        if let Err(failure) = self.sync_rest(writer) {
            self.end_segment(lane, writer, &failure);
            return Err(failure);
        }
        let (number, channel, state) = {
            let mut index = self.index();
            index.next_segment += 1;
            let mut state = index.state();
            // The present one will have ended when this is read. It does so below, and not if there is no room for
            // a new one: what it has set aside for takes is needed then.
            let ended = writer.active.as_ref().map(|a| a.head.segment);
            state.segments.iter_mut().filter(|(id, _)| Some(*id) == ended).for_each(|(_, s)| s.sealed = true);
            (index.next_segment - 1, index.channel, state.encode())
        };
        let at_least = bytes_needed(state.len(), payload) + set_aside_bytes(self.options.segment_bytes);
        let mut outcome = Err(std::io::ErrorKind::StorageFull.into());
        if let Some(past) = lane.spare.take() {
            let (capacity, now_ms) = (self.options.segment_bytes.max(at_least), now_ms());
            outcome = new_head(number, channel, now_ms, self.cipher.as_deref())
                .and_then(|h| Active::recycle(&*self.storage, &lane.dir, past, h, capacity, &state, now_ms));
            if let Err(error) = &outcome {
                tracing::debug!(dir = %lane.dir.display(), %error, "the spare file cannot be used");
                self.remove_spare(lane);
            }
            lane.spare.gone();
        }
        // On a disk that is nearly full a small segment is better than none.
        for capacity in [self.options.segment_bytes.max(at_least), at_least] {
            if outcome.is_ok() {
                break;
            }
            let head = new_head(number, channel, now_ms(), self.cipher.as_deref());
            outcome = head
                .and_then(|head| Active::create(&*self.storage, &lane.dir, head, capacity, &state, now_ms()));
            match &outcome {
                Err(error) if error.kind() != std::io::ErrorKind::StorageFull => break,
                _ => {}
            }
        }
        let mut active = outcome
            .map_err(|error| Failure(format!("cannot begin a segment in {}: {error}", lane.dir.display())))?;
        active.fills_ahead = self.options.sync == SyncPolicy::EachTransaction;
        self.finish(writer);
        let mut index = self.index();
        let known = Summary { length: active.offset, ..Summary::default() };
        let file_bytes = active.capacity;
        let follows = index.next_to_read(lane.number).is_none();
        let last_record = active.last_record;
        let segment = Segment {
            lane: lane.number,
            known,
            settled: 0,
            file_bytes,
            last_record,
            has_state: true,
            is_sound: false,
            leaving: false,
        };
        index.segments.insert(number, segment);
        if follows {
            index.cursors[lane.number] = Cursor { segment: number, offset: active.offset, event: 0 };
        }
        self.gauge(&index);
        writer.active = Some(active);
        if writer.broken.take().is_some() {
            tracing::info!(dir = %lane.dir.display(), "the folder can be written to again");
        }
        self.metrics.unhealthy.store(0, Relaxed);
        Ok(())
    }

    /// Makes durable what no sync has covered yet.
    pub(super) fn sync_rest(&self, writer: &mut Writer) -> Result<(), Failure> {
        let Some(active) = writer.active.as_mut().filter(|a| a.durable < a.offset) else { return Ok(()) };
        let segment = active.head.segment;
        active.sync().map_err(|error| self.failure("sync", segment, &error.to_string()))
    }
    /// Ends the present segment in good order.
    pub(super) fn finish(&self, writer: &mut Writer) {
        let Some(active) = writer.active.take() else { return };
        let segment = active.head.segment;
        let cut = active.file.truncate(active.offset);
        let mut index = self.index();
        index.seal(segment);
        if let (Ok(()), Some(known)) = (cut, index.segments.get_mut(&segment)) {
            known.file_bytes = active.offset;
            known.is_sound = true;
        }
        self.gauge(&index);
    }

    /// After a failure nothing that memory says of the segment is trusted: it is opened anew and read.
    fn read_again(&self, lane: &Lane, segment: u64) -> Result<(), Failure> {
        let failed = |error: std::io::Error| self.failure("read", segment, &error.to_string());
        let length = self.index().segments.get(&segment).map_or(0, |s| s.known.length);
        let path = path_of(&lane.dir, segment);
        if let Ok(file) = self.storage.open(&path) {
            file.forget_cache();
        }
        let opened = crate::file::scan::open(&*self.storage, &path, RECORDS_AT, length).map_err(failed)?;
        let (mut scanner, _) = opened.map_err(|error| self.failure("read", segment, &error.to_string()))?;
        while let Some((offset, item)) = scanner.next_item().map_err(failed)? {
            if !matches!(item, Item::Record { .. }) {
                tracing::error!(segment = %path.display(), offset, "a durable record cannot be read any more");
            }
        }
        Ok(())
    }

    fn failure(&self, what: &str, segment: u64, cause: &str) -> Failure {
        let dirs = &self.options.data_dirs;
        let lane = self.index().segments.get(&segment).map_or(0, |s| s.lane);
        Failure(format!("cannot {what} {}: {cause}", path_of(&dirs[lane], segment).display()))
    }
    pub(super) fn gauge(&self, index: &crate::file::index::Index) {
        self.metrics.segments.store(index.segments.len() as u64, Relaxed);
        let spares = self.lanes.iter().filter(|lane| lane.spare.is_ready()).count() as u64;
        self.metrics.disk_bytes.store(index.disk_bytes() + spares * self.options.segment_bytes, Relaxed);
    }

    /// Deletes segments of which nothing is pending. They stay known until it is durable that they are gone:
    /// otherwise a power cut could bring one back whose takes have been forgotten.
    pub(super) fn delete_drained(&self, lane: &Lane) {
        let drained = self.index().take_drained(lane.number);
        self.delete(lane, &drained);
    }
    /// The same on a thread that nobody waits for: it takes as long as a hundred syncs.
    pub(super) fn delete_drained_aside(self: &Arc<Self>, lane: &Arc<Lane>) {
        let drained = self.index().take_drained(lane.number);
        if !drained.is_empty() {
            let (log, lane) = (self.clone(), lane.clone());
            self.spawn_blocking(move || log.delete(&lane, &drained));
        }
    }
    fn delete(&self, lane: &Lane, drained: &[u64]) {
        if drained.is_empty() {
            return;
        }
        // Takes that no sync has covered may be forgotten by a power cut, which must not find their segments gone.
        self.sync_unsynced();
        let spare = self.choose_spare(lane, drained);
        let gone = |segment: &u64| {
            let path = path_of(&lane.dir, *segment);
            let gone = match spare == Some(*segment) {
                true => self.storage.rename(&path, &spare_of(&lane.dir)),
                false => self.storage.remove(&path),
            };
            match gone {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        };
        let deleted = drained.iter().try_for_each(gone).and_then(|()| self.storage.sync_dir(&lane.dir));
        if spare.is_some() {
            self.spare_made(lane, deleted.is_ok().then_some(Past::Segment));
        }
        let mut index = self.index();
        if let Err(error) = deleted {
            tracing::warn!(dir = %lane.dir.display(), %error, "a drained segment could not be deleted; tried again later");
            drained
                .iter()
                .for_each(|id| index.segments.get_mut(id).into_iter().for_each(|s| s.leaving = false));
            return;
        }
        drained.iter().for_each(|id| drop(index.segments.remove(id)));
        self.gauge(&index);
    }
}
