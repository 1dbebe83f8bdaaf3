//! The form that the events of a request share.
//!
//! Programs write one event like the other: only the strings of body and headers differ.
//!
//! ```text
//! {"headers":{"host":"h1","seq":"17"},"body":"text"}
//!  └─────────────────┘  └───────┘  └──────────┘    └┘   fixed: compared as bytes
//!                     h1         17            text     strings: of a column, or the body
//! ```
//!
//! What is fixed was understood once. Where the same bytes follow, the reader stands where it stood then.

use std::ops::Range;

use super::scan::{Scanner, Value};

/// How an event was written.
#[derive(Default)]
pub(super) struct Form {
    pub(super) parts: Vec<Part>,
    /// Behind the last string, with the event's closing brace.
    pub(super) end: Range<usize>,
    /// Behind the last string that was noted.
    from: usize,
    /// Whether strings in double quotes are all that matters in it.
    is_plain: bool,
}

/// A string and what stands before it.
pub(super) struct Part {
    /// Place in the request, with the opening quote.
    pub(super) fixed: Range<usize>,
    pub(super) role: Role,
}

/// What a string is.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Body,
    /// The value of a header, by its column.
    Header(usize),
}

impl Form {
    /// Whether there is a form that other events can be compared with.
    pub(super) fn is_known(&self) -> bool {
        self.is_plain && !self.end.is_empty()
    }

    /// An event is read from here on, behind its brace.
    pub(super) fn begin(&mut self, scanner: &Scanner<'_>) {
        self.parts.clear();
        self.end = 0..0;
        self.from = scanner.at();
        self.is_plain = true;
    }
    /// The scanner has read this value.
    pub(super) fn note(&mut self, scanner: &Scanner<'_>, value: &Value, role: Role) {
        match value {
            Value::Text(place) if scanner.is_in_double_quotes(place) => {
                self.parts.push(Part { fixed: self.from..place.start, role });
                self.from = scanner.at();
            }
            _ => self.is_plain = false,
        }
    }
    /// The event has what cannot be compared.
    pub(super) fn give_up(&mut self) {
        self.is_plain = false;
    }
    /// The event was read to its end.
    pub(super) fn finish(&mut self, scanner: &Scanner<'_>) {
        self.end = self.from..scanner.at();
    }
}
