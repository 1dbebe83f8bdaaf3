//! Cutting what was read into lines, without copying where it is much.

use bytes::{Bytes, BytesMut};
use flumen_event::{Batch, Span};

use crate::charset::{Charset, StreamDecoder};

/// Below this many bytes a batch is copied out of the read buffer: a few bytes of a slow client must not keep
/// a large buffer alive.
const COPY_BELOW_BYTES: usize = 16 * 1024;

/// Where even a generous `max-line-length` ends: spans are 32 bits wide.
const UNFINISHED_BYTES_MAX: usize = 1 << 31;

/// Most lines of one batch. Of empty lines a read holds so many that their places and answers would take many
/// times the memory of their text. Not below `COPY_BELOW_BYTES`: then what is left would be moved each time.
const BATCH_LINES_MAX: usize = COPY_BELOW_BYTES;

/// What a line may be.
#[derive(Clone, Copy)]
pub(super) struct LineRules {
    /// Most characters (UTF-16 units, as Java counts), line feed included.
    pub max_characters: usize,
    /// Charset of the stream.
    pub charset: Charset,
}

/// What a piece of the stream brought.
pub(super) struct Cut {
    /// The complete lines, if any.
    pub lines: Option<Batch>,
    /// There may be further complete lines: cut again.
    pub has_more: bool,
    /// Behind them stands a line that is too long: nothing further is read.
    pub too_long: bool,
}

/// The text of a connection that is not delivered yet.
pub(super) struct LineBuffer {
    rules: LineRules,
    decoder: StreamDecoder,
    /// UTF-8 (or bytes that wanted to be) not yet cut.
    text: BytesMut,
    /// So much of `text` holds no line feed.
    searched: usize,
}

impl LineBuffer {
    pub(super) fn new(rules: LineRules) -> Self {
        Self { rules, decoder: rules.charset.decoder(), text: BytesMut::new(), searched: 0 }
    }

    /// Where to read UTF-8 input into, with room for at least `room` bytes; other charsets go through
    /// [`push_encoded`](Self::push_encoded).
    pub(super) fn text_with_room(&mut self, room: usize) -> &mut BytesMut {
        self.text.reserve(room);
        &mut self.text
    }
    /// Whether input has to be decoded first.
    pub(super) fn decodes(&self) -> bool {
        !matches!(self.decoder, StreamDecoder::Unchanged)
    }
    /// Takes input of another charset than UTF-8; says how many malformed sequences were replaced.
    pub(super) fn push_encoded(&mut self, piece: &[u8]) -> usize {
        let mut decoded = Vec::with_capacity(piece.len() * 2);
        let malformed = self.decoder.decode(piece, false, &mut decoded);
        self.text.extend_from_slice(&decoded);
        malformed
    }
    /// Gives the buffer back to the allocator while nothing is in it.
    pub(super) fn release_if_empty(&mut self) {
        if self.text.is_empty() {
            self.text = BytesMut::new();
        }
    }

    /// Cuts complete lines off: all, or as many as make one batch.
    pub(super) fn cut(&mut self) -> Cut {
        let mut spans = Vec::new();
        let (mut start, mut too_long) = (0, false);
        for end in memchr::memchr_iter(b'\n', &self.text[self.searched..]) {
            let end = self.searched + end;
            if spans.len() == BATCH_LINES_MAX {
                self.searched = 0;
                return Cut {
                    lines: Some(Batch::from_arena(self.take(start), spans)),
                    has_more: true,
                    too_long: false,
                };
            }
            if self.exceeds(&self.text[start..end]) {
                too_long = true;
                break;
            }
            spans.push(Span::new(start..end));
            start = end + 1;
        }
        // A line that has reached the limit without its line feed is too long as well.
        too_long |= self.exceeds(&self.text[start..]) || self.text.len() - start >= UNFINISHED_BYTES_MAX;
        let lines = (!spans.is_empty()).then(|| Batch::from_arena(self.take(start), spans));
        self.searched = self.text.len();
        Cut { lines, has_more: false, too_long }
    }

    fn take(&mut self, count: usize) -> Bytes {
        if count >= COPY_BELOW_BYTES {
            return self.text.split_to(count).freeze();
        }
        let copied = Bytes::copy_from_slice(&self.text[..count]);
        let rest = self.text.len() - count;
        self.text.copy_within(count.., 0);
        self.text.truncate(rest);
        copied
    }

    /// Whether a line, its line feed not counted, has the limit's number of characters or more.
    fn exceeds(&self, line: &[u8]) -> bool {
        // A character is at least one byte, so lines of fewer bytes need no counting.
        line.len() >= self.rules.max_characters
            && String::from_utf8_lossy(line).encode_utf16().count() >= self.rules.max_characters
    }
    /// Whether text is left that no line feed ended.
    pub(super) fn has_unfinished_line(&self) -> bool {
        !self.text.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(max_characters: usize) -> LineBuffer {
        LineBuffer::new(LineRules { max_characters, charset: Charset::Utf8 })
    }
    fn feed(buffer: &mut LineBuffer, text: &[u8]) -> (Vec<String>, bool) {
        buffer.text_with_room(text.len()).extend_from_slice(text);
        let cut = buffer.cut();
        let lines =
            cut.lines.map(|b| b.iter().map(|e| String::from_utf8_lossy(e.body()).into_owned()).collect());
        (lines.unwrap_or_default(), cut.too_long)
    }

    // Limits and texts of golden-vectors §7, measured on Flume 1.11.
    #[test]
    fn the_limit_counts_characters_and_the_line_feed() {
        assert_eq!(feed(&mut buffer(10), b"xxxxxxxxx\n"), (vec!["x".repeat(9)], false));
        assert_eq!(feed(&mut buffer(10), b"xxxxxxxxxx\n"), (vec![], true));
        assert_eq!(feed(&mut buffer(10), b"ok\nxxxxxxxxxx"), (vec!["ok".into()], true));
        assert_eq!(feed(&mut buffer(10), b"xxxxxxxxx"), (vec![], false));
        assert_eq!(feed(&mut buffer(10), "é€é€é€é€é\n".as_bytes()), (vec!["é€é€é€é€é".into()], false));
        assert_eq!(feed(&mut buffer(10), "é€é€é€é€éx\n".as_bytes()), (vec![], true));
    }

    #[test]
    fn lines_arrive_whole_however_they_are_split() {
        let mut buffer = buffer(512);
        assert_eq!(feed(&mut buffer, b"hel"), (vec![], false));
        assert_eq!(feed(&mut buffer, b"lo\n\nwor"), (vec!["hello".into(), String::new()], false));
        assert_eq!(feed(&mut buffer, b"ld\r\n"), (vec!["world\r".into()], false));
    }

    #[test]
    fn much_text_is_handed_on_without_a_copy() {
        let mut buffer = buffer(512);
        let text = "0123456789\n".repeat(3000);
        buffer.text_with_room(1 << 16).extend_from_slice(text.as_bytes());
        let place = buffer.text.as_ptr();
        let lines = buffer.cut().lines.expect("lines");
        assert_eq!((lines.len(), lines.arena().as_ptr()), (3000, place));
        assert_eq!(lines.as_lines(), Some(text.as_bytes()));
    }

    #[test]
    fn many_short_lines_come_in_several_batches() {
        let mut buffer = buffer(512);
        let count = BATCH_LINES_MAX * 2 + 3;
        let text = "\n".repeat(count - 1) + "last\nopen";
        buffer.text_with_room(text.len()).extend_from_slice(text.as_bytes());
        let cuts: Vec<Cut> = (0..3).map(|_| buffer.cut()).collect();
        let lengths: Vec<usize> = cuts.iter().map(|c| c.lines.as_ref().map_or(0, Batch::len)).collect();
        assert_eq!(lengths, [BATCH_LINES_MAX, BATCH_LINES_MAX, 3]);
        assert_eq!(cuts.iter().map(|c| c.has_more).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(cuts[2].lines.as_ref().expect("lines").event(2).body(), b"last");
        assert_eq!(feed(&mut buffer, b"ed\n"), (vec!["opened".into()], false));
    }

    #[test]
    fn other_charsets_become_utf8() {
        let mut buffer = LineBuffer::new(LineRules { max_characters: 512, charset: Charset::Latin1 });
        assert_eq!(buffer.push_encoded(b"h\xe9\n"), 0);
        assert_eq!(feed(&mut buffer, b""), (vec!["hé".into()], false));
    }
}
