//! What was found in a channel's directories.

use std::fmt;
use std::path::PathBuf;

/// What was found in a channel's directories, before any event is read.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Events that wait, those of [`taken_uncommitted`](Self::taken_uncommitted) and
    /// [`commit_perhaps_lost`](Self::commit_perhaps_lost) included.
    pub pending: usize,
    /// Pending events that a sink had taken and not committed: it may have delivered them.
    pub taken_uncommitted: usize,
    /// Pending events whose put has no commit, behind which damage was found that may have been the commit.
    /// Flume never confirmed them, or did in a record that is gone.
    pub commit_perhaps_lost: usize,
    /// Events of puts that were never committed: their senders were not told that they are safe. Left out.
    pub put_uncommitted: usize,
    /// Takes of events that were not found: their logs are gone, as they should be.
    pub takes_without_put: usize,
    /// Records read from the logs.
    pub records: usize,
    /// Log files read.
    pub logs: usize,
    /// Why the queue at the last checkpoint was not used, if it was not: the logs were read in full then.
    pub checkpoint_unused: Option<String>,
    /// What could not be read, in the order in which it was found. Those that hit an event while the batches
    /// are read are added then.
    pub damage: Vec<Damage>,
    /// Damage beyond the [`DAMAGE_MAX`] first.
    pub damage_not_listed: usize,
    /// Pending events that could not be read: lost.
    pub events_lost: usize,
}

/// Places that are listed one by one.
pub const DAMAGE_MAX: usize = 1000;

/// Something in a log file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The log file.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub at: u64,
    /// Bytes skipped.
    pub bytes: u64,
    /// Why.
    pub cause: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} ({} bytes): {}", self.path.display(), self.at, self.bytes, self.cause)
    }
}

impl Report {
    pub(crate) fn damaged(&mut self, damage: Damage) {
        if self.damage.len() < DAMAGE_MAX {
            self.damage.push(damage);
        } else {
            self.damage_not_listed += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} events pending, from {} records in {} logs", self.pending, self.records, self.logs)?;
        if let Some(cause) = &self.checkpoint_unused {
            writeln!(f, "the checkpoint was not used: {cause}; the logs were read in full")?;
        }
        let notes = [
            (self.taken_uncommitted, "had been taken by a sink and not committed, and may come twice"),
            (self.commit_perhaps_lost, "have no commit, which damage may have taken; they are included"),
            (self.put_uncommitted, "belong to puts that were never committed; they are left out"),
            (self.events_lost, "could not be read and are lost"),
        ];
        for (count, note) in notes.iter().filter(|(count, _)| *count > 0) {
            writeln!(f, "{count} events {note}")?;
        }
        for damage in &self.damage {
            writeln!(f, "skipped {damage}")?;
        }
        if self.damage_not_listed > 0 {
            writeln!(f, "and {} more places", self.damage_not_listed)?;
        }
        Ok(())
    }
}
