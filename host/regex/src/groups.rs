//! The groups of a match, in a buffer that is used again and again.

use std::ops::Range;

use regex_automata::util::primitives::NonMaxUsize;

/// Where the groups of the latest match lie.
///
/// Spans count bytes of the text that was matched: the body itself if it is UTF-8, else the body
/// as Java would decode it, which is kept here. [`Groups::get`] knows which.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// Begin and end of each group in turn; also the working space of the fast engine.
    pub(crate) slots: Vec<Option<NonMaxUsize>>,
    /// A second working space, for texts that are tried twice.
    pub(crate) other: Vec<Option<NonMaxUsize>>,
    pub(crate) scratch: Vec<usize>,
    pub(crate) decoded: Option<Vec<u8>>,
}

impl Groups {
    /// An empty buffer.
    pub fn new() -> Groups {
        Groups::default()
    }

    /// The text of a group of the latest match in `body`; group 0 is the whole match. `None` if the
    /// group took no part. `body` must be the one the match was made in.
    pub fn get<'a>(&'a self, group: usize, body: &'a [u8]) -> Option<&'a [u8]> {
        self.text(body).get(self.span(group)?)
    }

    /// Where a group lies in [`Groups::text`].
    #[inline]
    pub fn span(&self, group: usize) -> Option<Range<usize>> {
        let begin = (*self.slots.get(2 * group)?)?;
        let end = (*self.slots.get(2 * group + 1)?)?;
        Some(begin.get()..end.get())
    }

    /// The text that spans refer to: `body`, or its decoded form if it is not UTF-8.
    pub fn text<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        self.decoded.as_deref().unwrap_or(body)
    }

    /// How many groups the buffer holds, group 0 included.
    pub fn len(&self) -> usize {
        self.slots.len() / 2
    }

    /// Whether no match was made with the buffer yet.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes over the slots of the exact engine.
    pub(crate) fn adopt_scratch(&mut self) {
        self.slots.clear();
        self.slots.extend(self.scratch.iter().map(|&position| NonMaxUsize::new(position)));
    }
}
