//! Committed events that wait in the database and not in memory, in the order of their commits.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::store::{Row, now_ms};

/// Events of one row that follow one another.
#[derive(Clone, Debug)]
pub struct Piece {
    pub id: i64,
    pub events: Range<u32>,
    pub body_bytes: usize,
    pub put_at: Instant,
}

/// The pieces that wait, and whether some are being read just now: then what is committed meanwhile belongs
/// behind them.
#[derive(Default)]
pub struct Backlog {
    pub pieces: VecDeque<Piece>,
    pub loading: bool,
}

impl Backlog {
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && !self.loading
    }
    /// Takes pieces with at least `wanted` events off, if there are that many.
    pub fn take(&mut self, wanted: usize) -> Vec<Piece> {
        let (mut taken, mut events) = (Vec::new(), 0);
        while events < wanted
            && let Some(piece) = self.pieces.pop_front()
        {
            events += piece.events.len();
            taken.push(piece);
        }
        taken
    }
    /// Puts pieces back that could not be read.
    pub fn give_back(&mut self, pieces: Vec<Piece>) {
        pieces.into_iter().rev().for_each(|piece| self.pieces.push_front(piece));
    }
}

/// The pieces of rows that were found in the database.
pub fn pieces(rows: &[Row]) -> impl Iterator<Item = Piece> {
    let (now, now_ms) = (Instant::now(), now_ms());
    rows.iter().flat_map(move |row| {
        let age_ms = u64::try_from(now_ms - row.put_ms).unwrap_or_default();
        let put_at = now.checked_sub(Duration::from_millis(age_ms)).unwrap_or(now);
        // Bodies of a row that is partly gone are taken to be equally long until they are read.
        let body_bytes = |part: &Range<u32>| {
            let share = i128::from(row.body_bytes) * part.len() as i128 / i128::from(row.events.max(1));
            usize::try_from(share).unwrap_or_default()
        };
        let piece = move |part: &Range<u32>| Piece {
            id: row.id,
            events: part.clone(),
            body_bytes: body_bytes(part),
            put_at,
        };
        row.left.iter().map(piece)
    })
}
