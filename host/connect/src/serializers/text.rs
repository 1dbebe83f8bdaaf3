//! `text`: the bodies, a line feed behind each.

use std::io;
use std::ops::Range;

use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use flumen_event::Batch;

use crate::catalog::SerializerType;
use crate::serializer::{Serializer, SerializerFactory};

options! {
    /// Writes the bodies as they are. Headers are not written.
    ///
    /// A body that itself contains a line feed becomes several lines, as in Flume.
    pub struct TextOptions {
        /// Whether a line feed follows each body.
        "appendNewline" => append_newline: bool = true,
    }
}

pub(super) const TEXT: SerializerType = SerializerType {
    spec: ComponentSpec::of::<TextOptions>(
        ComponentKind::Serializer,
        "text",
        &["org.apache.flume.serialization.BodyTextEventSerializer$Builder"],
    ),
    build: |settings| {
        let options = TextOptions::of(settings)?;
        Ok(Box::new(Text { append_newline: options.append_newline }))
    },
};

#[derive(Clone, Copy)]
struct Text {
    append_newline: bool,
}

impl SerializerFactory for Text {
    fn create(&self) -> Box<dyn Serializer> {
        Box::new(*self)
    }
}

impl Serializer for Text {
    fn begin(&mut self, _out: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
    fn write(&mut self, batch: &Batch, out: &mut dyn io::Write) -> io::Result<()> {
        if self.append_newline { write_lines(batch, out) } else { write_bodies(batch, out) }
    }
    fn flush(&mut self, _out: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
    fn end(&mut self, _out: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
}

/// Bodies that lie in the arena one behind the other, each with its line feed, leave as one piece: the whole
/// of an untouched batch (`Batch::as_lines`), and what lies between the gaps of a filtered one.
fn write_lines(batch: &Batch, out: &mut dyn io::Write) -> io::Result<()> {
    let arena = batch.arena();
    let mut run = Run::default();
    for span in batch.spans() {
        let body = span.range();
        if arena.get(body.end) == Some(&b'\n') {
            run.extend(body.start..body.end + 1, arena, out)?;
        } else {
            run.extend(body, arena, out)?;
            run.write(arena, out)?;
            out.write_all(b"\n")?;
        }
    }
    run.write(arena, out)
}

fn write_bodies(batch: &Batch, out: &mut dyn io::Write) -> io::Result<()> {
    let mut run = Run::default();
    for span in batch.spans() {
        run.extend(span.range(), batch.arena(), out)?;
    }
    run.write(batch.arena(), out)
}

/// A piece of the arena that is still to be written.
#[derive(Default)]
struct Run(Range<usize>);

impl Run {
    fn extend(&mut self, piece: Range<usize>, arena: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
        if piece.start != self.0.end {
            self.write(arena, out)?;
            self.0.start = piece.start;
        }
        self.0.end = piece.end;
        Ok(())
    }
    fn write(&mut self, arena: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
        let piece = std::mem::take(&mut self.0);
        if piece.is_empty() { Ok(()) } else { out.write_all(&arena[piece]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use flumen_event::{BatchBuilder, Span};

    /// Keeps each piece apart, to see what is copied together and what is not.
    #[derive(Default)]
    struct Pieces(Vec<Vec<u8>>);
    impl io::Write for Pieces {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            self.0.push(piece.to_vec());
            Ok(piece.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn pieces(batch: &Batch, append_newline: bool) -> Vec<String> {
        let mut out = Pieces::default();
        Text { append_newline }.write(batch, &mut out).expect("memory");
        out.0.into_iter().map(|p| String::from_utf8(p).expect("text")).collect()
    }

    fn lines() -> Batch {
        let arena = Bytes::from_static(b"one\ntwo\n\nfour\nlast");
        let spans = [0..3, 4..7, 8..8, 9..13].map(Span::new);
        Batch::from_arena(arena, spans.to_vec())
    }

    #[test]
    fn lines_of_one_buffer_are_written_as_one_piece() {
        assert_eq!(pieces(&lines(), true), ["one\ntwo\n\nfour\n"]);
        assert_eq!(Some(b"one\ntwo\n\nfour\n".as_slice()), lines().as_lines());
        assert_eq!(pieces(&lines().slice(1..3), true), ["two\n\n"]);
    }

    #[test]
    fn a_filtered_batch_is_written_in_the_runs_that_are_left() {
        assert_eq!(pieces(&lines().select(&[0, 1, 3]), true), ["one\ntwo\n", "four\n"]);
    }

    #[test]
    fn bodies_without_line_ends_get_them() {
        let mut builder = BatchBuilder::default();
        for body in [&b"a"[..], b"", b"b\nc", b"\xff"] {
            builder.push(body, []).expect("fits");
        }
        let mut out = Vec::new();
        Text { append_newline: true }.write(&builder.finish(), &mut out).expect("memory");
        assert_eq!(out, b"a\n\nb\nc\n\xff\n");
    }

    #[test]
    fn a_body_that_begins_where_a_line_feed_stands_is_not_swallowed() {
        // "a" without its line feed in the batch's eyes, then a body that consists of that line feed.
        let batch = Batch::from_arena(Bytes::from_static(b"a\nb"), vec![Span::new(0..1), Span::new(1..2)]);
        assert_eq!(pieces(&batch, true).concat(), "a\n\n\n");
        assert_eq!(pieces(&batch, false).concat(), "a\n");
    }

    #[test]
    fn without_newline_the_bodies_follow_each_other() {
        assert_eq!(pieces(&lines(), false).concat(), "onetwofour");
        assert_eq!(pieces(&Batch::default(), false).concat(), "");
    }
}
