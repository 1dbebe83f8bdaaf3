//! Cuts a stream of bytes into lines, as Java's `readLine` does: LF, CR and CRLF all end a line.
//!
//! ```text
//! held   │first line\nsecond\r\nthi          │
//!         └── lines ─────────┘ └ unfinished ─┘   take() hands the lines on and keeps the rest
//! ```
//!
//! A line ends at its CR at once; an LF right behind it is skipped when it comes, so a command that writes
//! CRLF is never a line late.
//!
//! Flume decodes the output and encodes each line again in the same charset. For valid text that gives back
//! the same bytes, so Flumen passes bytes on as they are; invalid text, which Flume turns into U+FFFD, passes
//! unharmed. Only how wide a line end is, and the byte order mark of `UTF-16` and `UTF-32`, need the charset.

use bytes::{BufMut, BytesMut};
use flumen_event::{Batch, Span};
use memchr::memchr2_iter;

use crate::charset::Units;
use crate::sources::arena::Arena;

/// One read of the pipe at most, and the size of an arena.
pub(super) const READ_BYTES: usize = 256 * 1024;
/// With less room than this a read is not worth its system call.
pub(super) const ROOM_BYTES_MIN: usize = 64 * 1024;

/// Lines of one command; see the module.
pub(super) struct Lines {
    arena: Arena,
    configured: Units,
    /// As configured, but in the byte order that the stream's mark told.
    units: Units,
    line_bytes_max: usize,
    /// Finished lines in the arena.
    spans: Vec<Span>,
    /// Where the unfinished line starts.
    line_start: usize,
    /// Everything before this place has been searched.
    searched: usize,
    after_cr: bool,
    at_stream_start: bool,
    cuts: usize,
}

impl Lines {
    /// No lines yet. A line longer than `line_bytes_max` is cut.
    pub fn new(units: Units, line_bytes_max: usize) -> Self {
        Self {
            arena: Arena::new(READ_BYTES),
            configured: units,
            units,
            line_bytes_max: (line_bytes_max / units.width).max(1) * units.width,
            spans: Vec::new(),
            line_start: 0,
            searched: 0,
            after_cr: false,
            at_stream_start: true,
            cuts: 0,
        }
    }
    /// Finished lines that wait to be taken.
    pub fn len(&self) -> usize {
        self.spans.len()
    }
    /// Whether the next read would have to move finished lines: better to take them first.
    pub fn is_full(&self) -> bool {
        self.arena.room() < ROOM_BYTES_MIN
    }
    /// Where the next read goes.
    pub fn input(&mut self) -> &mut BytesMut {
        self.arena.reserve(ROOM_BYTES_MIN);
        self.arena.input()
    }
    /// The last `count` bytes read.
    pub fn fresh(&self, count: usize) -> &[u8] {
        let held = self.arena.held();
        &held[held.len() - count..]
    }
    /// Forgets the last `count` bytes read; only before [`split`](Self::split) has seen them.
    pub fn forget(&mut self, count: usize) {
        let len = self.arena.held().len() - count;
        assert!(self.searched <= len, "bytes already searched are forgotten");
        self.arena.truncate(len);
    }
    /// How many lines were cut since the last call because they are too long.
    pub fn take_cuts(&mut self) -> usize {
        std::mem::take(&mut self.cuts)
    }

    /// Finds the lines in what was read.
    pub fn split(&mut self) {
        let held_bytes = self.arena.held().len();
        if self.at_stream_start && self.units.marked && !self.skip_mark() {
            return;
        }
        let mut spans = std::mem::take(&mut self.spans);
        let mut cut =
            Cut { start: self.line_start, after_cr: self.after_cr, count: 0, max: self.line_bytes_max };
        if self.units.width == 1 {
            let held = self.arena.held();
            for at in memchr2_iter(b'\n', b'\r', &held[self.searched..]) {
                let at = self.searched + at;
                cut.line_ends_at(at, held[at] == b'\r', 1, &mut spans);
            }
            self.searched = held_bytes;
        } else {
            self.split_wide(&mut cut, &mut spans);
        }
        cut.long_rest(held_bytes, &mut spans);
        self.spans = spans;
        self.cuts += cut.count;
        (self.line_start, self.after_cr) = (cut.start, cut.after_cr);
    }

    fn split_wide(&mut self, cut: &mut Cut, spans: &mut Vec<Span>) {
        let (held, units) = (self.arena.held(), self.units);
        let whole = self.searched + (held.len() - self.searched) / units.width * units.width;
        let base = self.searched;
        for found in memchr2_iter(b'\n', b'\r', &held[base..whole]) {
            let at = base + found / units.width * units.width;
            let is_cr = units.is_at(held, at, b'\r');
            if is_cr || units.is_at(held, at, b'\n') {
                cut.line_ends_at(at, is_cr, units.width, spans);
            }
        }
        self.searched = whole;
    }

    /// Says whether it is decided what the stream starts with.
    fn skip_mark(&mut self) -> bool {
        let held = self.arena.held();
        if held.len() < self.units.width {
            return false;
        }
        self.at_stream_start = false;
        if let Some(order) = self.units.order_of_mark(held) {
            self.units.order = order;
            self.line_start = self.units.width;
            self.searched = self.units.width;
        }
        true
    }

    /// Makes what is left of an ended stream a line, and is ready for the next stream.
    pub fn finish(&mut self) {
        let end = self.arena.held().len();
        if end > self.line_start {
            self.spans.push(Span::new(self.line_start..end));
            if self.units.width == 1 {
                // With the line feed that the command left out, the batch is as easy to write as any other.
                self.arena.reserve(1);
                self.arena.input().put_u8(b'\n');
            }
        }
        let end = self.arena.held().len();
        (self.line_start, self.searched) = (end, end);
        self.after_cr = false;
    }
    /// The next stream starts with a byte order mark of its own. Called when all lines are taken.
    pub fn restart(&mut self) {
        assert!(self.spans.is_empty(), "lines of the old stream are left");
        self.units = self.configured;
        self.at_stream_start = true;
    }

    /// All finished lines.
    pub fn take(&mut self) -> Batch {
        let next = Vec::with_capacity(self.spans.len());
        let spans = std::mem::replace(&mut self.spans, next);
        let arena = self.arena.take(self.line_start);
        self.searched -= self.line_start;
        self.line_start = 0;
        if spans.is_empty() {
            return Batch::default();
        }
        let batch = Batch::from_arena(arena, spans);
        if self.units.marked { self.as_java_encodes(&batch) } else { batch }
    }

    fn as_java_encodes(&self, batch: &Batch) -> Batch {
        let mut arena = BytesMut::with_capacity(batch.arena().len() + 2 * batch.len());
        let mut spans = Vec::with_capacity(batch.len());
        for event in batch.iter() {
            let start = arena.len();
            self.units.append_marked(event.body(), &mut arena);
            spans.push(Span::new(start..arena.len()));
        }
        Batch::from_arena(arena.freeze(), spans)
    }
}

/// The line being cut.
struct Cut {
    start: usize,
    after_cr: bool,
    count: usize,
    max: usize,
}

impl Cut {
    #[inline]
    fn line_ends_at(&mut self, at: usize, is_cr: bool, width: usize, spans: &mut Vec<Span>) {
        if at == self.start && self.after_cr && !is_cr {
            self.start = at + width;
            self.after_cr = false;
            return;
        }
        if at - self.start > self.max {
            self.long_rest(at, spans);
        }
        spans.push(Span { start: self.start as u32, len: (at - self.start) as u32 });
        self.start = at + width;
        self.after_cr = is_cr;
    }
    /// Cuts off pieces of the largest size, and leaves at least one byte.
    fn long_rest(&mut self, end: usize, spans: &mut Vec<Span>) {
        while end - self.start > self.max {
            spans.push(Span::new(self.start..self.start + self.max));
            self.start += self.max;
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charset::Charset;

    fn units(name: &str) -> Units {
        Charset::named(name).expect("known").units()
    }
    fn bodies(lines: &mut Lines) -> Vec<Vec<u8>> {
        lines.take().iter().map(|e| e.body().to_vec()).collect()
    }
    /// The lines of the pieces, read one after another.
    fn lines_of(name: &str, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(units(name), 1 << 20);
        let mut found = Vec::new();
        for piece in pieces {
            lines.input().extend_from_slice(piece);
            lines.split();
            found.extend(bodies(&mut lines));
        }
        lines.finish();
        found.extend(bodies(&mut lines));
        found
    }
    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn lines_end_at_lf_cr_and_crlf_as_in_java() {
        // The expectation was printed by BufferedReader.readLine of OpenJDK 17.
        let text = b"a\r\n\nb\rc\n\r\r\nd";
        let expected: Vec<&[u8]> = vec![b"a", b"", b"b", b"c", b"", b"", b"d"];
        assert_eq!(lines_of("UTF-8", &[text]), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(lines_of("UTF-8", &bytes), expected, "read byte by byte");
    }

    #[test]
    fn a_line_is_there_as_soon_as_its_cr_is() {
        let mut lines = Lines::new(units("UTF-8"), 1 << 20);
        lines.input().extend_from_slice(b"one\r");
        lines.split();
        assert_eq!(bodies(&mut lines), [b"one"]);
        lines.input().extend_from_slice(b"\ntwo\n");
        lines.split();
        assert_eq!(bodies(&mut lines), [b"two"]);
    }

    #[test]
    fn lines_of_one_read_are_one_piece_that_a_text_sink_writes_as_it_is() {
        let mut lines = Lines::new(units("UTF-8"), 1 << 20);
        let text = b"0123456789abcde\n".repeat(1000);
        lines.input().extend_from_slice(&text);
        let place = lines.fresh(text.len()).as_ptr();
        lines.split();
        let batch = lines.take();
        assert_eq!(batch.as_lines(), Some(&text[..]));
        assert_eq!(batch.arena().as_ptr(), place, "not copied");
    }

    #[test]
    fn the_unterminated_last_line_is_written_as_easily() {
        let mut lines = Lines::new(units("UTF-8"), 1 << 20);
        lines.input().extend_from_slice(b"one\ntwo");
        lines.split();
        lines.finish();
        assert_eq!(lines.take().as_lines(), Some(&b"one\ntwo\n"[..]));
    }

    #[test]
    fn bytes_that_are_no_text_pass_unchanged() {
        let body: Vec<u8> = (0..=255).filter(|b| *b != b'\n' && *b != b'\r').collect();
        assert_eq!(lines_of("UTF-8", &[&body, b"\n"]), [body]);
    }

    #[test]
    fn utf_16_with_a_byte_order_is_cut_at_whole_characters() {
        // U+0A0D and U+0D0A have the bytes of line ends in them and end no line.
        let text = "a\u{0A0D}b\r\n\u{0D0A}\n\nend";
        let expected = ["a\u{0A0D}b", "\u{0D0A}", "", "end"];
        for (name, order) in
            [("UTF-16BE", u16::to_be_bytes as fn(u16) -> [u8; 2]), ("UTF-16LE", u16::to_le_bytes)]
        {
            let bytes = utf16(text, order);
            let expected: Vec<Vec<u8>> = expected.iter().map(|l| utf16(l, order)).collect();
            assert_eq!(lines_of(name, &[&bytes]), expected, "{name}");
            let odd: Vec<&[u8]> = bytes.chunks(3).collect();
            assert_eq!(lines_of(name, &odd), expected, "{name} in odd pieces");
        }
    }

    #[test]
    fn utf_16_by_its_mark_becomes_big_endian_with_a_mark_as_in_java() {
        let expected = [vec![0xFE, 0xFF, 0, b'a', 0, b'b'], vec![], vec![0xFE, 0xFF, 0, b'c']];
        let with = |mark: &[u8], order| [mark, &utf16("ab\n\nc", order)].concat();
        assert_eq!(lines_of("UTF-16", &[&with(&[0xFE, 0xFF], u16::to_be_bytes)]), expected);
        assert_eq!(lines_of("UTF-16", &[&with(&[0xFF, 0xFE], u16::to_le_bytes)]), expected);
        assert_eq!(lines_of("UTF-16", &[&with(&[], u16::to_be_bytes)]), expected, "no mark: big endian");
    }

    #[test]
    fn utf_32_lines_end_at_four_bytes() {
        let bytes: Vec<u8> = "a\nb\n".chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
        assert_eq!(lines_of("UTF-32LE", &[&bytes]), [[b'a', 0, 0, 0], [b'b', 0, 0, 0]]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_cut_and_counted_and_memory_stays_bounded() {
        let mut lines = Lines::new(units("UTF-8"), 100);
        lines.input().extend_from_slice(&[b'x'; 250]);
        lines.split();
        assert_eq!((lines.len(), lines.take_cuts()), (2, 2));
        assert_eq!(bodies(&mut lines), [[b'x'; 100], [b'x'; 100]]);
        lines.input().extend_from_slice(&[b"x".repeat(50), b"\nshort\n".to_vec()].concat());
        lines.split();
        assert_eq!(bodies(&mut lines), [vec![b'x'; 100], b"short".to_vec()]);
        assert_eq!(lines.take_cuts(), 0, "exactly the limit is no cut");
    }
}
