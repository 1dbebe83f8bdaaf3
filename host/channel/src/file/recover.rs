//! Opening a log: what is pending is found out from the last segment of each folder.
//!
//! ```text
//! folder   … │ segment 5 │ segment 7 │ segment 9 ◀── newest
//!            └──────────────────┘     state at its head: all that was known of 5 and 7 (and of other folders)
//!             known from that state   read whole: puts and takes since
//! ```
//!
//! From the newest segment to older ones: each is read whole until one with a good state has been read; a segment
//! older than that is known from states, or, if none speaks of it, read as well. A checkpoint does the same from its
//! own point in time. So damage never stops an opening, it only makes it read more. Segments of an earlier process
//! are never written to again.

use std::collections::BTreeMap;
use std::io::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::file::checkpoint::Checkpoint;
use crate::file::cipher::{CipherError, RecordCipher};
use crate::file::index::{Index, Segment};
use crate::file::log::{Log, Parts};
use crate::file::metrics::LogMetrics;
use crate::file::open_error::OpenError;
use crate::file::ranges::Ranges;
use crate::file::reader::{instant_of, set_aside};
use crate::file::record::{HeadError, Kind, RECORDS_AT, SEALED, SegmentHead};
use crate::file::scan::{self, Item};
use crate::file::scanned::Scanned;
use crate::file::segment::{number_of, path_of};
use crate::file::state::{Done, State, Summary};
use crate::file::storage::Storage;

/// A segment's file.
struct Entry {
    lane: usize,
    path: PathBuf,
    /// Absent while nothing is known of it.
    known: Option<Summary>,
    /// Where its last record is, if it was read.
    last_record: u64,
    has_state: bool,
}

/// All that is being found out.
struct Recovery<'a> {
    storage: &'a dyn Storage,
    metrics: &'a LogMetrics,
    checkpoint: Option<Checkpoint>,
    channel: Option<([u8; 16], PathBuf)>,
    segments: BTreeMap<u64, Entry>,
    done: BTreeMap<u64, Ranges>,
    states: Vec<State>,
    next_segment: u64,
    next_sequence: u64,
}

/// What an earlier process has left.
pub(super) struct Pending {
    pub(super) events: usize,
    pub(super) body_bytes: usize,
    pub(super) since: Option<Instant>,
}

/// Whether it is an error if pending events could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    Needed,
    NotNeeded,
}

/// The locks of all folders, for as long as it lives.
pub(super) type Locks = Vec<Box<dyn Send + Sync>>;

/// Finds out what is in the folders that the options name, and changes nothing in them.
pub(super) fn survey(parts: &Parts, keys: Keys) -> Result<(Index, Locks), OpenError> {
    let storage = parts.storage.clone();
    let locks = take_dirs(parts)?;
    let dirs = [Some(&parts.options.checkpoint_dir), parts.options.backup_checkpoint_dir.as_ref()];
    let metrics = parts.metrics.clone();
    let mut recovery = Recovery {
        storage: &*storage,
        metrics: &metrics,
        checkpoint: dirs.into_iter().flatten().find_map(|dir| Checkpoint::read(&*storage, dir)),
        channel: None,
        segments: BTreeMap::new(),
        done: BTreeMap::new(),
        states: Vec::new(),
        next_segment: 1,
        next_sequence: 0,
    };
    for (lane, dir) in parts.options.data_dirs.iter().enumerate() {
        recovery.read_dir(lane, dir)?;
    }
    recovery.complete()?;
    if keys == Keys::Needed {
        recovery.check_keys(parts.cipher.as_deref())?;
    }
    Ok((recovery.finish(parts.options.data_dirs.len())?, locks))
}

/// Opens the log that the options name, or makes it. Nothing has been read into the queue yet.
pub(super) fn open(parts: Parts) -> Result<(Log, Pending), OpenError> {
    let since = Instant::now();
    let (log, pending) = open_to_read(parts)?;
    log.lanes.iter().for_each(|lane| log.remove_spare(lane));
    log.lanes.iter().for_each(|lane| log.delete_drained(lane));
    log.gauge(&log.index());
    let took_ms = since.elapsed().as_millis() as u64;
    log.metrics.recovery_ms.store(took_ms, std::sync::atomic::Ordering::Relaxed);
    log.metrics.recovered_events.store(pending.events as u64, std::sync::atomic::Ordering::Relaxed);
    tracing::info!(events = pending.events, took_ms, "the file channel is open");
    Ok((log, pending))
}

/// Opens the log and changes nothing in its folders, as long as nothing is put or taken for good.
pub(super) fn open_to_read(parts: Parts) -> Result<(Log, Pending), OpenError> {
    let (index, locks) = survey(&parts, Keys::Needed)?;
    let pending: u64 = index.segments.values().map(|s| s.known.pending()).sum();
    let bytes: u64 = index.segments.values().map(|s| s.known.pending_bytes()).sum();
    let oldest = index.segments.values().filter(|s| s.known.pending() > 0).map(|s| s.known.put_at_ms).min();
    let log = Log::new(parts, index, locks);
    let since = oldest.map(instant_of);
    Ok((log, Pending { events: pending as usize, body_bytes: bytes as usize, since }))
}

/// Makes and locks all folders.
pub(super) fn take_dirs(parts: &Parts) -> Result<Locks, OpenError> {
    let options = &parts.options;
    let data = options.data_dirs.iter().map(|dir| (dir, "dataDirs"));
    let checkpoint = [(&options.checkpoint_dir, "checkpointDir")];
    let backup = options.backup_checkpoint_dir.iter().map(|dir| (dir, "backupCheckpointDir"));
    let mut locks = Vec::new();
    for (dir, key) in data.chain(checkpoint).chain(backup) {
        let unusable = |cause| OpenError::Dir { dir: dir.clone(), cause };
        parts.storage.make_dir(dir).map_err(unusable)?;
        let locked = parts.storage.lock(dir).map_err(|cause| match cause.kind() {
            std::io::ErrorKind::WouldBlock => OpenError::Locked { cause, key },
            _ => unusable(cause),
        });
        locks.push(locked?);
    }
    Ok(locks)
}

impl Recovery<'_> {
    fn read_dir(&mut self, lane: usize, dir: &Path) -> Result<(), OpenError> {
        let names = self.storage.list(dir).map_err(|cause| OpenError::Dir { dir: dir.to_owned(), cause })?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        for &number in &numbers {
            self.next_segment = self.next_segment.max(number + 1);
            let path = path_of(dir, number);
            self.segments.insert(number, Entry { lane, path, known: None, last_record: 0, has_state: false });
        }
        let mut older_are_known = false;
        for &number in numbers.iter().rev() {
            if older_are_known {
                break;
            }
            older_are_known = self.read_segment(number)?;
        }
        Ok(())
    }

    /// Reads a segment from the checkpoint's place, or whole; says whether a state now covers all older ones.
    fn read_segment(&mut self, number: u64) -> Result<bool, OpenError> {
        let Some(path) = self.segments.get(&number).map(|entry| entry.path.clone()) else { return Ok(false) };
        if let Some(checkpoint) = self.checkpoint.take() {
            if checkpoint.agrees_with(self.storage, &path, number) {
                let known = checkpoint.state.segments.iter().find(|(id, _)| *id == number);
                let known = known.map(|(_, known)| known.clone()).unwrap_or_default();
                let last =
                    checkpoint.places.iter().find(|(id, _)| *id == number).map_or(0, |(_, last)| *last);
                self.note_state(&checkpoint.state);
                self.checkpoint = Some(checkpoint);
                self.scan(number, &path, Scanned::behind(known, last))?;
                return Ok(true);
            }
            // A newer segment than the checkpoint knows is no contradiction; one that it knows otherwise is.
            let contradicts = checkpoint.state.segments.iter().any(|(id, _)| *id == number);
            self.checkpoint = (!contradicts).then_some(checkpoint);
        }
        self.scan(number, &path, Scanned::behind(Summary::default(), 0))
    }

    /// Reads the records of a segment behind what is known of it.
    fn scan(&mut self, number: u64, path: &Path, mut found: Scanned) -> Result<bool, OpenError> {
        let unreadable = |cause| OpenError::Read { path: path.to_owned(), cause };
        let length = self.storage.open(path).and_then(|file| file.len()).map_err(unreadable)?;
        let from = found.known.length.max(RECORDS_AT);
        let (mut scanner, head) = match scan::open(self.storage, path, from, length).map_err(unreadable)? {
            Ok(opened) => opened,
            Err(HeadError::Damaged) => {
                self.give_up(number, path, length);
                return Ok(false);
            }
            Err(cause) => return Err(OpenError::Version { path: path.to_owned(), cause }),
        };
        self.note_channel(&head, path)?;
        let mut has_state = false;
        while let Some((at, item)) = scanner.next_item().map_err(unreadable)? {
            let behind = scanner.offset();
            match item {
                Item::Record { head, payload } => {
                    self.next_sequence = self.next_sequence.max(head.sequence + u64::from(head.events));
                    match head.kind {
                        Kind::Put => found.put(&head, true),
                        Kind::Take => self.note_done(Done::decode(&payload)),
                        Kind::State => {
                            let state = State::decode(&payload);
                            has_state |= state.is_some() && at == RECORDS_AT;
                            if let Some(state) = state {
                                found.note_own(&state, number);
                                self.note_state(&state);
                            }
                        }
                        Kind::Unknown(_) => {}
                    }
                    found.confirm(head.durable);
                    found.known.length = behind;
                    found.last_record = at;
                }
                Item::DamagedPayload { head } => {
                    found.confirm(head.durable);
                    if head.kind == Kind::Put {
                        found.put(&head, false);
                    }
                    found.damage.push((at, behind, false));
                }
                Item::Damaged { bytes } => found.damage.push((at, at + bytes, false)),
            }
        }
        self.count_damage(path, number, &found);
        // Events that are missing between those there are will never come.
        let missing = found.seen.gaps(0..found.known.events);
        let done = self.done.entry(number).or_default();
        for gap in missing {
            done.insert(gap);
        }
        found.known.sealed = true;
        if let Some(entry) = self.segments.get_mut(&number) {
            entry.known = Some(found.known);
            entry.last_record = found.last_record;
            entry.has_state = has_state;
        }
        Ok(has_state)
    }

    /// What is damaged had been acknowledged if a later record says so. Otherwise it may be what a crash left.
    fn count_damage(&self, path: &Path, number: u64, found: &Scanned) {
        for &(from, to, confirmed) in &found.damage {
            if !confirmed {
                LogMetrics::add(&self.metrics.torn_records, 1);
                tracing::warn!(segment = %path.display(), offset = from, bytes = to - from, "an unfinished write at the end of the log is ignored");
                continue;
            }
            LogMetrics::add(&self.metrics.quarantined_records, 1);
            let dir = path.parent().unwrap_or(Path::new("."));
            set_aside(self.storage, dir, number, from..to);
        }
        let lost: u64 =
            found.seen.gaps(0..found.confirmed_events).iter().map(|gap| u64::from(gap.end - gap.start)).sum();
        if lost > 0 {
            LogMetrics::add(&self.metrics.quarantined_events, lost);
            tracing::error!(segment = %path.display(), events = lost, "events are lost: their records are damaged");
        }
    }

    /// A file that cannot be understood at all. One that holds nothing was being made when the power went.
    fn give_up(&mut self, number: u64, path: &Path, length: u64) {
        let known = Summary { sealed: true, length, ..Summary::default() };
        let is_blank = self.storage.open(path).is_ok_and(|file| {
            let mut bytes = vec![0; RECORDS_AT as usize];
            crate::file::storage::read_full_at(&*file, &mut bytes, 0).is_ok() && bytes.iter().all(|&b| b == 0)
        });
        if is_blank {
            tracing::warn!(segment = %path.display(), "a segment that was being made is removed");
        } else {
            LogMetrics::add(&self.metrics.torn_records, 1);
            set_aside(self.storage, path.parent().unwrap_or(Path::new(".")), number, 0..length);
        }
        if let Some(entry) = self.segments.get_mut(&number) {
            entry.known = Some(known);
        }
    }

    fn note_channel(&mut self, head: &SegmentHead, path: &Path) -> Result<(), OpenError> {
        match &self.channel {
            Some((channel, other)) if *channel != head.channel => {
                Err(OpenError::Mixed { path: path.to_owned(), other: other.clone() })
            }
            Some(_) => Ok(()),
            None => {
                self.channel = Some((head.channel, path.to_owned()));
                Ok(())
            }
        }
    }
    fn note_done(&mut self, all: impl Iterator<Item = Done>) {
        for done in all {
            self.next_segment = self.next_segment.max(done.segment.saturating_add(1));
            self.done.entry(done.segment).or_default().insert(done.from..done.to);
        }
    }
    fn note_state(&mut self, state: &State) {
        self.next_segment = self.next_segment.max(state.next_segment);
        self.next_sequence = self.next_sequence.max(state.next_sequence);
        self.states.push(state.clone());
        for (segment, known) in &state.segments {
            self.next_segment = self.next_segment.max(segment.saturating_add(1));
            let done = self.done.entry(*segment).or_default();
            for range in known.done.iter() {
                done.insert(range);
            }
        }
    }

    /// Gives older segments what states say of them; reads those of which none does.
    fn complete(&mut self) -> Result<(), OpenError> {
        let mut sealed: BTreeMap<u64, Summary> = BTreeMap::new();
        for (number, known) in self.states.iter().flat_map(|s| &s.segments).filter(|(_, k)| k.sealed) {
            sealed.insert(*number, known.clone());
        }
        let unknown = self.segments.iter_mut().filter(|(_, entry)| entry.known.is_none());
        let mut unread = Vec::new();
        for (&number, entry) in unknown {
            entry.known = sealed.get(&number).cloned();
            if entry.known.is_none() {
                unread.push((number, entry.path.clone()));
            }
        }
        for (number, path) in unread {
            self.scan(number, &path, Scanned::behind(Summary::default(), 0))?;
        }
        self.say_what_is_gone();
        Ok(())
    }
    /// Segments with pending events whose files are not there. Only the last state tells: an older one may speak of
    /// segments that have been drained and deleted since.
    fn say_what_is_gone(&self) {
        let last = self.states.iter().max_by_key(|state| (state.next_segment, state.next_sequence));
        let listed = last.into_iter().flat_map(|state| &state.segments);
        for (number, known) in listed.filter(|(number, k)| k.sealed && !self.segments.contains_key(number)) {
            let done = self.done.get(number).map_or(0, Ranges::count);
            let lost = u64::from(known.events).saturating_sub(done);
            if lost > 0 {
                LogMetrics::add(&self.metrics.quarantined_events, lost);
                tracing::error!(
                    segment = number,
                    events = lost,
                    "a segment with pending events is gone: they are lost"
                );
            }
        }
    }

    /// Every segment with pending events can be opened with the keys there are.
    fn check_keys(&mut self, cipher: Option<&dyn RecordCipher>) -> Result<(), OpenError> {
        let with_pending = self.segments.iter().filter(|(number, entry)| {
            let done = self.done.get(number).map_or(0, Ranges::count);
            entry.known.as_ref().is_some_and(|known| u64::from(known.events) > done)
        });
        let pending: Vec<PathBuf> = with_pending.map(|(_, entry)| entry.path.clone()).collect();
        for path in pending {
            let unreadable = |cause| OpenError::Read { path: path.clone(), cause };
            let (mut scanner, head) =
                match scan::open(self.storage, &path, RECORDS_AT, u64::MAX / 2).map_err(unreadable)? {
                    Ok(opened) => opened,
                    Err(cause @ HeadError::Version(_)) => return Err(OpenError::Version { path, cause }),
                    // The reader counts what it then cannot read.
                    Err(HeadError::Damaged) => continue,
                };
            self.note_channel(&head, &path)?;
            if head.cipher.is_empty() {
                continue;
            }
            let checked = match cipher {
                Some(cipher) => opens_first_put(cipher, &head, &mut scanner).map_err(unreadable)?,
                None => Err(CipherError::UnknownKey { key: head.key.clone(), known: "none".into() }),
            };
            checked.map_err(|cause| OpenError::Key { path, cause })?;
        }
        Ok(())
    }

    fn finish(mut self, lanes: usize) -> Result<Index, OpenError> {
        let channel = match self.channel {
            Some((channel, _)) => channel,
            None => new_channel().map_err(|cause| OpenError::Dir { dir: PathBuf::new(), cause })?,
        };
        let mut index = Index {
            channel,
            next_segment: self.next_segment,
            next_sequence: self.next_sequence,
            cursors: vec![crate::file::index::Cursor::default(); lanes],
            ..Index::default()
        };
        for (number, Entry { lane, path, known, last_record, has_state }) in
            std::mem::take(&mut self.segments)
        {
            let mut known = known.unwrap_or_default();
            known.done = Ranges::default();
            known.sealed = true;
            // A withdrawal may name events whose put a crash has taken away.
            let done = self.done.remove(&number).unwrap_or_default();
            for range in done.iter() {
                known.done.insert(range.start..range.end.min(known.events));
            }
            let settled = known.done.count();
            let file_bytes = self.storage.open(&path).and_then(|file| file.len()).unwrap_or(known.length);
            let segment = Segment {
                lane,
                known,
                settled,
                file_bytes,
                last_record,
                has_state,
                is_sound: false,
                leaving: false,
            };
            index.segments.insert(number, segment);
        }
        Ok(index)
    }
}

/// Whether the keys there are open the first good put of a segment. A key of the right name that is another key would
/// otherwise make every event look damaged.
fn opens_first_put(
    cipher: &dyn RecordCipher,
    segment: &SegmentHead,
    scanner: &mut scan::Scanner,
) -> Result<Result<(), CipherError>, Error> {
    if let Err(missing) = cipher.check(&segment.cipher, &segment.key) {
        return Ok(Err(missing));
    }
    while let Some((_, item)) = scanner.next_item()? {
        let Item::Record { head, payload } = item else { continue };
        if head.kind != Kind::Put || head.flags & SEALED == 0 {
            continue;
        }
        let opened = cipher.open(&segment.cipher, &segment.key, head.nonce(segment), &payload);
        return Ok(opened.and_then(|plain| match flumen_event::Batch::unpack(&plain.into()) {
            Ok(_) => Ok(()),
            Err(error) => {
                let (key, cause) = (segment.key.clone(), error.to_string());
                Err(CipherError::NotAuthentic { key, cause })
            }
        }));
    }
    Ok(Ok(()))
}

fn new_channel() -> Result<[u8; 16], Error> {
    let mut channel = [0; 16];
    getrandom::fill(&mut channel).map_err(Error::other)?;
    Ok(channel)
}
