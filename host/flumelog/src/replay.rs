//! From records to the events that wait.
//!
//! ```text
//! put      remembered with its transaction         commit of puts    to the tail of the queue
//! take     remembered with its transaction         commit of takes   out of the queue, or, if the put comes
//! rollback forgets the transaction                                   later (other folder), as soon as it does
//! ```
//! Records come merged by write order. Transactions in flight at the checkpoint are given beforehand; their
//! takes are not in the queue, and return to its head when they are rolled back or never end. (Flume returns
//! them only at the end of its replay, and so delivers those twice that were taken again in between.)

use std::collections::{HashMap, HashSet, VecDeque};

use crate::checkpoint::Checkpoint;
use crate::log::{Step, What};
use crate::record::{Kind, Pointer};

/// The state of a replay.
#[derive(Default)]
pub struct Replay {
    /// Up to this write order everything is known from the checkpoint.
    known_order: i64,
    /// In order; what is not in `present` any more is dead.
    queue: VecDeque<Pointer>,
    present: HashSet<Pointer>,
    open: HashMap<i64, Open>,
    /// Taken before they were put.
    taken_early: HashSet<Pointer>,
}

#[derive(Default)]
struct Open {
    puts: Vec<Pointer>,
    takes: Vec<Pointer>,
    /// Takes from before the checkpoint.
    takes_in_flight: Vec<Pointer>,
}

/// What is left when all records are replayed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The queue.
    pub pending: Vec<Pointer>,
    /// Takes in flight at the checkpoint that never ended: they belong in front of the queue.
    pub in_flight: Vec<Pointer>,
    /// Puts that were never committed, in the order of their transactions.
    pub uncommitted: Vec<Pointer>,
    /// How many of `pending` and `in_flight` are in takes that never ended.
    pub taken_uncommitted: usize,
    /// Takes whose put was not found.
    pub takes_without_put: usize,
}

impl Replay {
    pub fn new(checkpoint: Checkpoint) -> Self {
        let mut replay = Self { known_order: checkpoint.order, ..Self::default() };
        checkpoint.queue.into_iter().for_each(|pointer| replay.put(pointer));
        for (transaction, mut puts) in checkpoint.puts {
            // Flume keeps them in a hash set; in the log they stand in the order in which they were put.
            puts.sort();
            replay.open.entry(transaction).or_default().puts = puts;
        }
        for (transaction, takes) in checkpoint.takes {
            replay.open.entry(transaction).or_default().takes_in_flight = takes;
        }
        replay
    }

    /// Replays the next record. `by_put_order` sorts pointers as they were put.
    ///
    /// # Errors
    /// If it commits puts that are not known: Flume writes no such record. Neither it nor theirs have a
    /// checksum over their numbers, so one of them is not what was written.
    pub fn step(
        &mut self,
        step: Step,
        by_put_order: impl FnOnce(&mut Vec<Pointer>),
    ) -> Result<(), &'static str> {
        if step.rank.0 <= self.known_order {
            return Ok(());
        }
        match step.what {
            What::Put => self.open.entry(step.transaction).or_default().puts.push(step.at),
            What::Take(pointer) => self.open.entry(step.transaction).or_default().takes.push(pointer),
            What::Rollback => {
                let mut returned = self.open.remove(&step.transaction).unwrap_or_default().takes_in_flight;
                by_put_order(&mut returned);
                for pointer in returned.into_iter().rev().filter(|p| self.present.insert(*p)) {
                    self.queue.push_front(pointer);
                }
            }
            What::Commit(kind) => {
                let open = self.open.remove(&step.transaction).unwrap_or_default();
                match kind {
                    Kind::Put if open.puts.is_empty() => return Err("the commit belongs to no puts"),
                    Kind::Put => open.puts.into_iter().for_each(|pointer| self.put(pointer)),
                    Kind::Take => open.takes.into_iter().for_each(|pointer| self.take(pointer)),
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, pointer: Pointer) {
        if !self.taken_early.remove(&pointer) && self.present.insert(pointer) {
            self.queue.push_back(pointer);
        }
    }

    fn take(&mut self, pointer: Pointer) {
        if !self.present.remove(&pointer) {
            self.taken_early.insert(pointer);
            return;
        }
        while self.queue.front().is_some_and(|front| !self.present.contains(front)) {
            self.queue.pop_front();
        }
    }

    /// The events that wait, now that there are no more records.
    pub fn finish(self) -> Left {
        let mut open: Vec<(i64, Open)> = self.open.into_iter().collect();
        open.sort_by_key(|(transaction, _)| *transaction);
        let mut left = Left { takes_without_put: self.taken_early.len(), ..Left::default() };
        for (_, open) in open {
            left.taken_uncommitted += open.takes.iter().filter(|p| self.present.contains(p)).count();
            left.taken_uncommitted += open.takes_in_flight.len();
            left.in_flight.extend(open.takes_in_flight);
            left.uncommitted.extend(open.puts);
        }
        left.pending = self.queue.into_iter().filter(|pointer| self.present.contains(pointer)).collect();
        left
    }
}
