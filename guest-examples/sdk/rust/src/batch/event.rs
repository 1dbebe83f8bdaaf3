//! One event of a batch.

use std::fmt::{self, Write};

use super::Batch;
use super::column::{ColumnEdits, push_number};
use crate::bindings::flumen::plugin::types::Rejection;
use crate::bytes;

/// One event, to read.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    pub(super) batch: &'a Batch,
    pub(super) row: u32,
}

/// One event, to read and change.
pub struct EventMut<'a> {
    pub(super) batch: &'a mut Batch,
    pub(super) row: u32,
}

/// Goes through the events of a batch. Not an [`Iterator`], because each event borrows the batch.
#[derive(Debug)]
pub struct EventsMut<'a> {
    pub(super) batch: &'a mut Batch,
    pub(super) next: u32,
}

impl EventsMut<'_> {
    /// The next event.
    #[allow(clippy::should_implement_trait, reason = "it does what `next` does, and cannot be an iterator")]
    #[inline]
    pub fn next(&mut self) -> Option<EventMut<'_>> {
        let row = self.batch.next_live(self.next)?;
        self.next = row + 1;
        Some(EventMut { batch: self.batch, row })
    }
}

impl<'a> Event<'a> {
    /// The number of the event in the batch.
    pub fn row(&self) -> u32 {
        self.row
    }
    /// The body. Bytes: not always text.
    ///
    /// # Panics
    /// If the plugin's needs do not ask for bodies.
    #[inline]
    pub fn body(&self) -> &'a [u8] {
        self.batch.bodies.get(self.row)
    }
    /// A header's value, if the event has it.
    ///
    /// # Panics
    /// If the plugin's needs do not ask for this header.
    #[inline]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.batch.header(self.row, name)
    }
    /// The headers: those the plugin's needs ask for, and those it has set.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.batch.headers_of(self.row)
    }
}

impl EventMut<'_> {
    /// The number of the event in the batch.
    pub fn row(&self) -> u32 {
        self.row
    }
    /// The body. Bytes: not always text.
    ///
    /// # Panics
    /// If the plugin's needs do not ask for bodies.
    #[inline]
    pub fn body(&self) -> &[u8] {
        self.batch.bodies.get(self.row)
    }
    /// A header's value, if the event has it.
    ///
    /// # Panics
    /// If the plugin's needs do not ask for this header.
    #[inline]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.batch.header(self.row, name)
    }
    /// The headers: those the plugin's needs ask for, and those it has set.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.batch.headers_of(self.row)
    }

    /// The body, to be changed in place; the cheapest edit. Its length stays.
    ///
    /// # Panics
    /// If the plugin's needs do not ask for bodies.
    #[inline]
    pub fn body_mut(&mut self) -> &mut [u8] {
        self.batch.bodies.get_mut(self.row)
    }
    /// A new body.
    #[inline]
    pub fn set_body(&mut self, body: &[u8]) {
        self.batch.bodies.set_with(self.row, |fresh| bytes::append(fresh, body));
    }
    /// A new body made of the old one: what `write` appends to the buffer that it gets. The buffer holds the other
    /// new bodies, too: only append to it.
    ///
    /// # Panics
    /// If the plugin's needs do not ask for bodies.
    #[inline]
    pub fn rewrite_body(&mut self, write: impl FnOnce(&[u8], &mut Vec<u8>)) {
        self.rewrite_body_if(|old, new| {
            write(old, new);
            true
        });
    }
    /// As [`rewrite_body`](Self::rewrite_body) if `write` says yes, else the body stays, and what was appended is
    /// forgotten. Answers what `write` said.
    ///
    /// # Panics
    /// If the plugin's needs do not ask for bodies.
    #[inline]
    pub fn rewrite_body_if(&mut self, write: impl FnOnce(&[u8], &mut Vec<u8>) -> bool) -> bool {
        self.batch.bodies.rewrite(self.row, write)
    }

    /// Sets a header, whether it was there or not.
    #[inline]
    pub fn set_header(&mut self, name: &str, value: &str) {
        let row = self.row;
        self.column(name).set_with(row, |text| text.push_str(value));
    }
    /// Sets a header to a number, in decimal; quicker than formatting it.
    #[inline]
    pub fn set_number(&mut self, name: &str, value: u64) {
        let row = self.row;
        self.column(name).set_with(row, |text| push_number(text, value));
    }
    /// Sets a header to what `format_args!` gives.
    pub fn set_header_fmt(&mut self, name: &str, value: fmt::Arguments<'_>) {
        let row = self.row;
        self.column(name).set_with(row, |text| {
            // Writing to a string fails only if a value's own `Display` does; what it gave until then stands.
            let _ = text.write_fmt(value);
        });
    }
    /// Removes a header. That it is not there is no error.
    pub fn remove_header(&mut self, name: &str) {
        let row = self.row;
        self.column(name).remove(row);
    }

    /// Drops the event: it is counted as filtered out.
    pub fn filter_out(self) {
        self.batch.leave(self.row);
    }
    /// Says that the event can never be processed. It leaves the batch as it came in, and the host treats it as
    /// `onError` says.
    pub fn reject(self, reason: impl Into<String>) {
        if self.batch.leave(self.row) {
            self.batch.rejected.push(Rejection { row: self.row, reason: reason.into() });
        }
    }

    #[inline]
    fn column(&mut self, name: &str) -> &mut ColumnEdits {
        self.batch.column(name)
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Event").field("row", &self.row).finish_non_exhaustive()
    }
}
impl fmt::Debug for EventMut<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("EventMut").field("row", &self.row).finish_non_exhaustive()
    }
}
