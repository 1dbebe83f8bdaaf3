//! What is known of all segments at a moment: the first record of every segment, and the checkpoint.
//!
//! ```text
//! 0 version u32 │ 4 segments u32 │ 8 next segment u64 │ 16 next sequence u64 │ 24 channel [16]
//! segments × segment u64 │ length u64 │ body bytes u64 │ put at u64
//!            events u32 │ flags u32 (1 = sealed) │ ranges u32 │ zero u32
//!            ranges × ( from u32, to u32 )                        events that are done
//! ```
//!
//! A segment may be deleted when all its own events are done, although it holds takes of others: the state at the
//! head of every later segment repeats them. And recovery reads whole only what was written after the last state;
//! of everything older it knows how much is pending without opening it.

use crate::file::ranges::Ranges;
use crate::file::record::{NUMBER_MAX, number32, number64};

const VERSION: u32 = 1;
const SEALED: u32 = 1;
const FIXED_BYTES: usize = 40;
const SEGMENT_BYTES: usize = 48;

/// What is known of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes that hold records, from the start of the file.
    pub length: u64,
    /// Events ever put into it.
    pub events: u32,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// When the first was put, in milliseconds since 1970; 0 if there is none.
    pub put_at_ms: u64,
    /// Whether nothing will be written to it any more: then `length` and `events` are final.
    pub sealed: bool,
    /// Events that are done.
    pub done: Ranges,
}

impl Summary {
    /// Events that are not done.
    #[must_use]
    pub fn pending(&self) -> u64 {
        u64::from(self.events).saturating_sub(self.done.count())
    }
    /// Bytes of the bodies that are not done, estimated from their share of the events.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        match self.pending() {
            0 => 0,
            pending => {
                (u128::from(self.body_bytes) * u128::from(pending) / u128::from(self.events.max(1))) as u64
            }
        }
    }
}

/// All segments at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Names the channel.
    pub channel: [u8; 16],
    /// No segment has this number, or a higher one.
    pub next_segment: u64,
    /// No event has this sequence number, or a higher one.
    pub next_sequence: u64,
    /// Segments by number.
    pub segments: Vec<(u64, Summary)>,
}

impl State {
    /// As it is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FIXED_BYTES + self.segments.len() * (SEGMENT_BYTES + 8));
        let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
        put(&VERSION.to_le_bytes());
        put(&(self.segments.len() as u32).to_le_bytes());
        put(&self.next_segment.to_le_bytes());
        put(&self.next_sequence.to_le_bytes());
        put(&self.channel);
        for (segment, summary) in &self.segments {
            for number in [*segment, summary.length, summary.body_bytes, summary.put_at_ms] {
                put(&number.to_le_bytes());
            }
            let flags = if summary.sealed { SEALED } else { 0 };
            for number in [summary.events, flags, summary.done.len() as u32, 0] {
                put(&number.to_le_bytes());
            }
            for range in summary.done.iter() {
                put(&range.start.to_le_bytes());
                put(&range.end.to_le_bytes());
            }
        }
        out
    }

    /// Reads a state; `None` if it is of a later version or no state at all.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (fixed, mut rest) = bytes.split_at_checked(FIXED_BYTES)?;
        if number32(fixed, 0) != VERSION {
            return None;
        }
        let mut state = State {
            channel: std::array::from_fn(|n| fixed[24 + n]),
            next_segment: number64(fixed, 8),
            next_sequence: number64(fixed, 16),
            segments: Vec::new(),
        };
        for _ in 0..number32(fixed, 4) {
            let (segment, summary, left) = decode_segment(rest)?;
            state.segments.push((segment, summary));
            rest = left;
        }
        let is_plausible = state.next_segment < NUMBER_MAX
            && state.next_sequence < NUMBER_MAX
            && state.segments.iter().all(|(segment, _)| *segment < NUMBER_MAX);
        (rest.is_empty() && is_plausible).then_some(state)
    }
}

fn decode_segment(bytes: &[u8]) -> Option<(u64, Summary, &[u8])> {
    let (fixed, rest) = bytes.split_at_checked(SEGMENT_BYTES)?;
    let ranges_bytes = (number32(fixed, 40) as usize).checked_mul(8)?;
    let (ranges, rest) = rest.split_at_checked(ranges_bytes)?;
    let mut done = Ranges::default();
    for range in ranges.chunks_exact(8) {
        let (from, to) = (number32(range, 0), number32(range, 4));
        if from >= to {
            return None;
        }
        done.insert(from..to);
    }
    let summary = Summary {
        length: number64(fixed, 8),
        body_bytes: number64(fixed, 16),
        put_at_ms: number64(fixed, 24),
        events: number32(fixed, 32),
        sealed: number32(fixed, 36) & SEALED != 0,
        done,
    };
    Some((number64(fixed, 0), summary, rest))
}

/// Events of one segment that are done, as a take records them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The segment they are in.
    pub segment: u64,
    /// The first.
    pub from: u32,
    /// Behind the last.
    pub to: u32,
}

impl Done {
    const BYTES: usize = 16;

    /// The payload of a take.
    #[must_use]
    pub fn encode(all: &[Done]) -> Vec<u8> {
        let mut out = Vec::with_capacity(all.len() * Self::BYTES);
        for done in all {
            out.extend_from_slice(&done.segment.to_le_bytes());
            out.extend_from_slice(&done.from.to_le_bytes());
            out.extend_from_slice(&done.to.to_le_bytes());
        }
        out
    }
    /// What the payload of a take says.
    pub fn decode(bytes: &[u8]) -> impl Iterator<Item = Done> {
        let all = bytes.chunks_exact(Self::BYTES).map(|b| Done {
            segment: number64(b, 0),
            from: number32(b, 8),
            to: number32(b, 12),
        });
        all.filter(|done| done.segment < NUMBER_MAX)
    }
    /// Adds events, to the last entry if they are the next of the same segment.
    pub fn push(all: &mut Vec<Done>, segment: u64, events: std::ops::Range<u32>) {
        match all.last_mut() {
            Some(last) if last.segment == segment && last.to == events.start => last.to = events.end,
            _ => all.push(Done { segment, from: events.start, to: events.end }),
        }
    }
}
