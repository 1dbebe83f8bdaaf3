//! `header_and_text`: `{k=v, k2=v2} body`, as Java prints a map.

use std::io;

use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use flumen_event::{Batch, EventRef};

use crate::catalog::SerializerType;
use crate::serializer::{Serializer, SerializerFactory};

options! {
    /// Writes the headers as `{name=value, name2=value2}`, a blank, and the body.
    ///
    /// The headers stand in the order in which Java's `HashMap` gives them, as in Flume's files. Nothing is
    /// escaped: a value with `, ` or `=` in it cannot be told from two headers. Text is written as UTF-8
    /// (Flume: the JVM's default charset).
    pub struct HeaderAndTextOptions {
        /// Whether a line feed follows each body.
        "appendNewline" => append_newline: bool = true,
    }
}

pub(super) const HEADER_AND_TEXT: SerializerType = SerializerType {
    spec: ComponentSpec::of::<HeaderAndTextOptions>(
        ComponentKind::Serializer,
        "header_and_text",
        &["org.apache.flume.serialization.HeaderAndBodyTextEventSerializer$Builder"],
    ),
    build: |settings| {
        let options = HeaderAndTextOptions::of(settings)?;
        Ok(Box::new(HeaderAndText { append_newline: options.append_newline }))
    },
};

#[derive(Clone, Copy)]
struct HeaderAndText {
    append_newline: bool,
}

impl SerializerFactory for HeaderAndText {
    fn create(&self) -> Box<dyn Serializer> {
        Box::new(*self)
    }
}

impl Serializer for HeaderAndText {
    fn begin(&mut self, _out: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
    fn write(&mut self, batch: &Batch, out: &mut dyn io::Write) -> io::Result<()> {
        let (mut headers, mut head) = (Vec::new(), String::new());
        for event in batch.iter() {
            head.clear();
            java_map_text(event, &mut headers, &mut head);
            head.push(' ');
            out.write_all(head.as_bytes())?;
            out.write_all(event.body())?;
            if self.append_newline {
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }
    fn flush(&mut self, _out: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
    fn end(&mut self, _out: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
}

/// Appends the headers as Java's `Map.toString` prints them. `headers` is scratch space.
pub(crate) fn java_map_text<'a>(
    event: EventRef<'a>,
    headers: &mut Vec<(&'a str, &'a str)>,
    out: &mut String,
) {
    event.headers_in_java_order(headers);
    out.push('{');
    for (at, (name, value)) in headers.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use flumen_event::BatchBuilder;

    type Event<'a> = (&'a [u8], &'a [(&'a str, &'a str)]);

    fn written(events: &[Event<'_>], append_newline: bool) -> Vec<u8> {
        let mut builder = BatchBuilder::default();
        for (body, headers) in events {
            builder.push(body, headers.iter().copied()).expect("fits");
        }
        let mut out = Vec::new();
        HeaderAndText { append_newline }.write(&builder.finish(), &mut out).expect("memory");
        out
    }

    // golden-vectors.md §6, recorded from Flume.
    #[test]
    fn events_are_written_as_flume_writes_them() {
        assert_eq!(written(&[(b"x", &[("a", "1"), ("b", "2")])], true), b"{a=1, b=2} x\n");
        assert_eq!(written(&[(b"y", &[])], true), b"{} y\n");
    }

    #[test]
    fn headers_stand_in_javas_order_and_only_where_an_event_has_them() {
        let events: &[Event<'_>] =
            &[(b"1", &[("app.x", "1"), ("app.y", "2"), ("other", "3")]), (b"2", &[("other", "4")])];
        assert_eq!(written(events, true), b"{app.x=1, other=3, app.y=2} 1\n{other=4} 2\n");
    }

    #[test]
    fn bodies_are_bytes_and_the_newline_can_be_left_out() {
        assert_eq!(written(&[(b"\xff\n", &[("k", "\u{fc}")]), (b"", &[])], false), b"{k=\xc3\xbc} \xff\n{} ");
    }
}
