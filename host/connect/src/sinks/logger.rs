//! `logger`: each event as a line of the log.

use std::fmt::Write;

use async_trait::async_trait;
use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use flumen_event::{Batch, EventRef};

use crate::ComponentError;
use crate::catalog::SinkType;
use crate::serializers::java_map_text;
use crate::sink::{Delivery, Sink};

/// Flume's logger takes one event per transaction, which costs it a lock and a wake-up each. A log line cannot
/// fail halfway, so that more at once lose nothing.
const BATCH_SIZE: usize = 100;

const ROW_BYTES: usize = 16;

options! {
    /// Logs each event at level INFO: its headers, and the first bytes of its body in hexadecimal and as text.
    ///
    /// For trying things out. From byte 17 on the dump has several lines, each with its offset in front.
    pub struct LoggerOptions {
        /// Most bytes of a body that are logged. (Flume 1.11 reads this option, but its agent never hands it
        /// over: there it is always 16.)
        "maxBytesToLog" => max_bytes_to_log: u32 = 16, lenient;
    }
}

pub(super) const LOGGER: SinkType = SinkType {
    // Without a batch size, as in Flume: a logger fits any channel. It takes what a transaction may hold.
    spec: ComponentSpec::of::<LoggerOptions>(
        ComponentKind::Sink,
        "logger",
        &["org.apache.flume.sink.LoggerSink"],
    ),
    build: |settings| {
        let options = LoggerOptions::of(settings)?;
        Ok(Box::new(LoggerSink { bytes_max: options.max_bytes_to_log as usize }))
    },
};

struct LoggerSink {
    bytes_max: usize,
}

#[async_trait]
impl Sink for LoggerSink {
    fn batch_size(&self) -> usize {
        BATCH_SIZE
    }
    async fn open(&mut self) -> Result<(), ComponentError> {
        Ok(())
    }
    async fn deliver(&mut self, events: &[Batch]) -> Result<Delivery, ComponentError> {
        if tracing::enabled!(target: "org.apache.flume.sink.LoggerSink", tracing::Level::INFO) {
            let mut text = String::new();
            for event in events.iter().flat_map(Batch::iter) {
                text.clear();
                text.push_str("Event: ");
                dump_event(event, self.bytes_max, &mut text);
                tracing::info!(target: "org.apache.flume.sink.LoggerSink", "{}", text);
            }
        }
        Ok(Delivery::default())
    }
    async fn close(&mut self) -> Result<(), ComponentError> {
        Ok(())
    }
}

/// As Flume's `EventHelper.dumpEvent`.
fn dump_event(event: EventRef<'_>, bytes_max: usize, out: &mut String) {
    out.push_str("{ headers:");
    java_map_text(event, &mut Vec::new(), out);
    out.push_str(" body:");
    let body = event.body();
    hex_dump(&body[..body.len().min(bytes_max)], out);
    out.push_str(" }");
}

/// As `HexDump.dump` of commons-io, from which Flume cuts the first row's offset and the last line end.
fn hex_dump(bytes: &[u8], out: &mut String) {
    for (row, cells) in bytes.chunks(ROW_BYTES).enumerate() {
        if row > 0 {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "\n{:08X}", row * ROW_BYTES);
        }
        out.push(' ');
        for byte in cells {
            let _infallible = write!(out, "{byte:02X} ");
        }
        (cells.len()..ROW_BYTES).for_each(|_| out.push_str("   "));
        out.extend(cells.iter().map(|&b| if (b' '..=b'~').contains(&b) { char::from(b) } else { '.' }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flumen_event::BatchBuilder;

    fn dumped(body: &[u8], bytes_max: usize) -> String {
        let mut builder = BatchBuilder::default();
        builder.push(body, [("k", "v")]).expect("fits");
        let mut text = String::new();
        dump_event(builder.finish().event(0), bytes_max, &mut text);
        text
    }

    // golden-vectors.md §5 and runs of Flume 1.11's EventHelper.
    #[test]
    fn events_are_dumped_byte_by_byte_as_flume_does() {
        let cases: &[(usize, &[u8], &str)] = &[
            (16, b"", "body: }"),
            (40, b"", "body: }"),
            (16, b"hello", "body: 68 65 6C 6C 6F                                  hello }"),
            (40, b"hello\r", "body: 68 65 6C 6C 6F 0D                               hello. }"),
            (1, b"hello", "body: 68                                              h }"),
            (
                15,
                b"0123456789abcdef",
                "body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65    0123456789abcde }",
            ),
            (
                16,
                b"0123456789abcdefXYZ",
                "body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef }",
            ),
            (
                40,
                b"0123456789abcdefXYZ",
                "body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef\n\
                 00000010 58 59 5A                                        XYZ }",
            ),
            (
                40,
                b"0123456789abcdef0123456789abcdef0123456789",
                "body: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef\n\
                 00000010 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 0123456789abcdef\n\
                 00000020 30 31 32 33 34 35 36 37                         01234567 }",
            ),
            (
                16,
                "tab\tü~\u{7f}".as_bytes(),
                "body: 74 61 62 09 C3 BC 7E 7F                         tab...~. }",
            ),
        ];
        for (max, body, want) in cases {
            assert_eq!(dumped(body, *max), format!("{{ headers:{{k=v}} {want}"), "max {max}");
        }
    }

    #[test]
    fn no_bytes_can_be_asked_for() {
        assert_eq!(dumped(b"secret", 0), "{ headers:{k=v} body: }");
    }
}
