//! A Flume file channel, opened for reading: the pending events as batches.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fs::File;

use flumen_event::{Batch, BatchBuilder};
use flumen_keystore::SecretKey;

use crate::checkpoint::Checkpoint;
use crate::directories::FlumeDirectories;
use crate::error::FlumeLogError;
use crate::log::{Log, Step};
use crate::record::Pointer;
use crate::replay::{Left, Replay};
use crate::report::{Damage, Report};

const BATCH_EVENTS_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 1 << 20;

/// The pending events of a channel, oldest first. While it lives, Flume cannot start on the folders (see
/// `FlumeDirectories`); it writes nothing.
pub struct FlumeChannel {
    logs: BTreeMap<i32, Log>,
    pending: VecDeque<Pointer>,
    report: Report,
    _locks: Vec<File>,
}

impl FlumeChannel {
    /// Reads checkpoint and logs and finds what is pending. `keys` are those that the logs may be encrypted
    /// with, by their names in the key store.
    ///
    /// # Errors
    /// If the folders are in use, of an older format, of several channels, encrypted with a key that is not
    /// given, or cannot be read.
    pub fn open(directories: &FlumeDirectories, keys: &[(String, SecretKey)]) -> Result<Self, FlumeLogError> {
        let locks = directories.lock()?;
        let mut report = Report::default();
        let mut logs = BTreeMap::new();
        for (number, path) in directories.logs()? {
            if let Some(log) = Log::open(&path, number, keys)? {
                logs.insert(number, log);
            }
        }
        report.logs = logs.len();
        let checkpoint = checkpoint(directories, &mut report)?;
        logs.values_mut().for_each(|log| log.start_after(checkpoint.order));
        let left = replay(&mut logs, checkpoint, &mut report)?;
        let pending = settle(left, &mut logs, &mut report);
        Ok(Self { logs, pending, report, _locks: locks })
    }

    /// What was found, and, as batches are read, what of it could not be.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    fn push(&mut self, builder: &mut BatchBuilder, pointer: Pointer) -> Result<Pushed, FlumeLogError> {
        let Some(log) = self.logs.get_mut(&pointer.log) else {
            let path = format!("log-{}", pointer.log).into();
            self.lost(Damage {
                path,
                at: 0,
                bytes: 0,
                cause: "the log of a pending event is missing".into(),
            });
            return Ok(Pushed::Lost);
        };
        let path = log.path.clone();
        let cause = match log.event_at(pointer.offset)? {
            Ok(event) => {
                let headers = event.headers();
                let headers = headers.iter().map(|(name, value)| (&**name, &**value));
                match builder.push(event.body, headers) {
                    Ok(()) => return Ok(Pushed::Fits(event.body.len())),
                    Err(_) if !builder.is_empty() => return Ok(Pushed::BatchFull),
                    Err(_) => "the event has more headers or bytes than any batch may have",
                }
            }
            Err(cause) => cause,
        };
        self.lost(Damage {
            path,
            at: u64::from(pointer.offset.cast_unsigned()),
            bytes: 0,
            cause: cause.into(),
        });
        Ok(Pushed::Lost)
    }

    fn lost(&mut self, damage: Damage) {
        self.report.events_lost += 1;
        self.report.damaged(damage);
    }
}

enum Pushed {
    Fits(usize),
    BatchFull,
    Lost,
}

impl Iterator for FlumeChannel {
    type Item = Result<Batch, FlumeLogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut builder = BatchBuilder::default();
        let mut bytes = 0;
        while builder.len() < BATCH_EVENTS_MAX && bytes < BATCH_BYTES_MAX {
            let Some(&pointer) = self.pending.front() else { break };
            match self.push(&mut builder, pointer) {
                Ok(Pushed::BatchFull) => break,
                Ok(Pushed::Fits(body)) => bytes += body,
                Ok(Pushed::Lost) => {}
                Err(error) => return Some(Err(error)),
            }
            self.pending.pop_front();
        }
        (!builder.is_empty()).then(|| Ok(builder.finish()))
    }
}

/// The newest checkpoint that can be used, or an empty one, from which all records are replayed.
fn checkpoint(directories: &FlumeDirectories, report: &mut Report) -> Result<Checkpoint, FlumeLogError> {
    report.checkpoint_unused = Some("there is no checkpoint folder".to_owned());
    for dir in directories.checkpoint.iter().chain(&directories.backup_checkpoint) {
        match Checkpoint::read(dir)? {
            Ok(checkpoint) => {
                report.checkpoint_unused = None;
                return Ok(checkpoint);
            }
            Err(cause) => report.checkpoint_unused = Some(cause),
        }
    }
    Ok(Checkpoint::default())
}

/// Merges the records of all logs by write order and replays them.
fn replay(
    logs: &mut BTreeMap<i32, Log>,
    checkpoint: Checkpoint,
    report: &mut Report,
) -> Result<Left, FlumeLogError> {
    let mut replay = Replay::new(checkpoint);
    let mut heads = BinaryHeap::new();
    for log in logs.values_mut() {
        heads.extend(log.next_step(report)?.map(Head));
    }
    while let Some(Head(step)) = heads.pop() {
        if let Err(cause) = replay.step(step, |pointers| sort_by_put_order(pointers, logs)) {
            let path = logs.get(&step.at.log).map_or_else(Default::default, |log| log.path.clone());
            let at = u64::from(step.at.offset.cast_unsigned());
            report.damaged(Damage { path, at, bytes: 0, cause: cause.to_owned() });
        }
        if let Some(log) = logs.get_mut(&step.at.log) {
            heads.extend(log.next_step(report)?.map(Head));
        }
    }
    Ok(replay.finish())
}

/// The next record of a log; the heap gives the one written first.
#[derive(PartialEq, Eq)]
struct Head(Step);

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        Reverse((self.0.rank, self.0.at)).cmp(&Reverse((other.0.rank, other.0.at)))
    }
}
impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn sort_by_put_order(pointers: &mut [Pointer], logs: &mut BTreeMap<i32, Log>) {
    pointers
        .sort_by_cached_key(|p| (logs.get_mut(&p.log).map_or(i64::MAX, |log| log.order_at(p.offset)), *p));
}

/// Puts the queue together and counts what it is made of. Puts without a commit are left out, as Flume leaves
/// them out, unless there is damage behind them: then the commit may be what was damaged.
fn settle(mut left: Left, logs: &mut BTreeMap<i32, Log>, report: &mut Report) -> VecDeque<Pointer> {
    sort_by_put_order(&mut left.in_flight, logs);
    let damaged: Vec<(i32, u64)> = report
        .damage
        .iter()
        .filter_map(|d| Some((logs.values().find(|log| log.path == d.path)?.number, d.at)))
        .collect();
    let in_doubt = |p: &Pointer| {
        report.damage_not_listed > 0
            || damaged.iter().any(|place| *place > (p.log, u64::from(p.offset.cast_unsigned())))
    };
    let (perhaps, uncommitted): (Vec<Pointer>, Vec<Pointer>) =
        left.uncommitted.iter().partition(|p| in_doubt(p));
    report.taken_uncommitted = left.taken_uncommitted;
    report.commit_perhaps_lost = perhaps.len();
    report.put_uncommitted = uncommitted.len();
    report.takes_without_put = left.takes_without_put;
    let pending: VecDeque<Pointer> = left.in_flight.into_iter().chain(left.pending).chain(perhaps).collect();
    report.pending = pending.len();
    pending
}
