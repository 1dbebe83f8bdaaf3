//! What a plugin writes into the agent's log: `log.write`, standard output and standard error, under one limit.
//!
//! ```text
//! write ─▶ is the level on? ─▶ limits.logBytesPerSecondMax ─▶ cut to size, escaped ─▶ tracing, one line
//!                                    └─▶ counted; once a second one line says how much was cut
//! ```
//!
//! Invariants: a guest can neither forge a line of another component (control characters are escaped, every line
//! begins with the plugin's path) nor spend more of the log than its limit, however it cuts its lines: a line costs
//! what is printed of it, with its frame.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

use super::rate::Bucket;

/// Bytes of a message that are kept.
pub const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// Fields of a line that are kept.
pub const FIELDS_MAX: usize = 32;
/// Bytes of a field's name or value that are kept.
pub const FIELD_BYTES_MAX: usize = 1 << 10;
/// What a line costs beside its text: time, level, target, line end.
const FRAME_BYTES: usize = 64;
/// How often a plugin's cut lines are summed up.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The log of one plugin.
#[derive(Debug)]
pub struct PluginLog {
    path: Arc<str>,
    state: Mutex<Spent>,
    lines_cut: AtomicU64,
    bytes_cut: AtomicU64,
}

#[derive(Debug)]
struct Spent {
    bucket: Bucket,
    bytes_per_second_max: usize,
    /// Cut since the last report, and since when.
    cut: Option<Cut>,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    lines: u64,
    bytes: u64,
    since: Instant,
}

impl PluginLog {
    /// A log that may take so many bytes in a second.
    #[must_use]
    pub fn new(path: Arc<str>, bytes_per_second_max: usize) -> Self {
        let bucket = Bucket::new(bytes_per_second_max as u64, bytes_per_second_max as u64, Instant::now());
        let state = Mutex::new(Spent { bucket, bytes_per_second_max, cut: None });
        Self { path, state, lines_cut: AtomicU64::new(0), bytes_cut: AtomicU64::new(0) }
    }

    /// Another limit, after the configuration changed.
    pub fn set_limit(&self, bytes_per_second_max: usize) {
        let mut state = self.lock();
        state.bytes_per_second_max = bytes_per_second_max;
        state.bucket.set_rate(bytes_per_second_max as u64, bytes_per_second_max as u64, Instant::now());
    }

    /// Lines and bytes that were cut so far.
    #[must_use]
    pub fn cut(&self) -> (u64, u64) {
        (self.lines_cut.load(Relaxed), self.bytes_cut.load(Relaxed))
    }

    /// Writes a line of the guest's, if its level is on and the limit allows.
    pub fn write(&self, level: Level, message: &str, fields: &[(String, String)]) {
        if !enabled(level) {
            return;
        }
        let given =
            message.len() + fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        // A line that is far over cannot become cheap by rendering; not rendering it saves the work.
        if !self.lock().bucket.take(FRAME_BYTES as u64, Instant::now()) {
            return self.count_cut(given + FRAME_BYTES);
        }
        let line = render(&self.path, message, fields);
        if self.lock().bucket.take(line.len() as u64, Instant::now()) {
            self.report(Instant::now());
            emit(level, &line);
        } else {
            self.count_cut(given + FRAME_BYTES);
        }
    }

    /// Writes a line of the host's about this plugin; the limit is for the guest only.
    pub fn host_line(&self, level: Level, message: &str) {
        emit(level, &render(&self.path, message, &[]));
    }

    fn count_cut(&self, bytes: usize) {
        self.lines_cut.fetch_add(1, Relaxed);
        self.bytes_cut.fetch_add(bytes as u64, Relaxed);
        {
            let mut state = self.lock();
            let cut = state.cut.get_or_insert(Cut { lines: 0, bytes: 0, since: Instant::now() });
            cut.lines += 1;
            cut.bytes += bytes as u64;
        }
        self.report(Instant::now());
    }

    /// Says how much was cut, at most once a second. Called with every line and by the keeper, so that the last
    /// flood before a silence is reported too.
    pub fn report(&self, now: Instant) {
        let (cut, limit) = {
            let mut state = self.lock();
            let due = state.cut.is_some_and(|cut| now.saturating_duration_since(cut.since) >= REPORT_EVERY);
            if !due {
                return;
            }
            (state.cut.take(), state.bytes_per_second_max)
        };
        if let Some(Cut { lines, bytes, .. }) = cut {
            let text =
                format!("{lines} log lines ({bytes} bytes) cut off: limits.logBytesPerSecondMax = {limit}");
            self.host_line(Level::WARN, &text);
        }
    }

    /// Whether a report is still to come.
    #[must_use]
    pub fn report_pending(&self) -> bool {
        self.lock().cut.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Spent> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether lines of this level reach the agent's log at all.
#[must_use]
pub fn enabled(level: Level) -> bool {
    match level {
        Level::TRACE => tracing::enabled!(target: "flumen::plugin", Level::TRACE),
        Level::DEBUG => tracing::enabled!(target: "flumen::plugin", Level::DEBUG),
        Level::INFO => tracing::enabled!(target: "flumen::plugin", Level::INFO),
        Level::WARN => tracing::enabled!(target: "flumen::plugin", Level::WARN),
        Level::ERROR => tracing::enabled!(target: "flumen::plugin", Level::ERROR),
    }
}

fn emit(level: Level, line: &str) {
    match level {
        Level::TRACE => tracing::trace!(target: "flumen::plugin", "{line}"),
        Level::DEBUG => tracing::debug!(target: "flumen::plugin", "{line}"),
        Level::INFO => tracing::info!(target: "flumen::plugin", "{line}"),
        Level::WARN => tracing::warn!(target: "flumen::plugin", "{line}"),
        Level::ERROR => tracing::error!(target: "flumen::plugin", "{line}"),
    }
}

/// `a1.sources.r1.interceptors.i1: message name="value"`, on one line whatever the guest put in.
fn render(path: &str, message: &str, fields: &[(String, String)]) -> String {
    let mut line = String::with_capacity(path.len() + message.len().min(MESSAGE_BYTES_MAX) + 16);
    line.push_str(path);
    line.push_str(": ");
    push_escaped(&mut line, &shortened(message, MESSAGE_BYTES_MAX));
    for (name, value) in fields.iter().take(FIELDS_MAX) {
        line.push(' ');
        push_escaped(&mut line, &shortened(name, FIELD_BYTES_MAX));
        line.push_str("=\"");
        push_escaped(&mut line, &shortened(value, FIELD_BYTES_MAX));
        line.push('"');
    }
    if fields.len() > FIELDS_MAX {
        let _infallible = write!(line, " ({} more fields)", fields.len() - FIELDS_MAX);
    }
    line
}

fn shortened(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(bytes_max);
    Cow::Owned(format!("{}… ({} more bytes)", &text[..end], text.len() - end))
}

/// Control characters would end the line, move the cursor of a terminal, or hide what stands before them; the
/// bidirectional overrides would show it in another order.
fn push_escaped(line: &mut String, text: &str) {
    for c in text.chars() {
        let reorders =
            matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (c.is_control() && c != '\t') || reorders || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_forge_a_line() {
        let line = render("a1.i1", "done\n2026-11-22 (main) [ERROR] disk\r\x1b[2K\u{202e}", &[]);
        assert_eq!(line, "a1.i1: done\\n2026-11-22 (main) [ERROR] disk\\r\\u{1b}[2K\\u{202e}");
    }

    #[test]
    fn long_messages_and_many_fields_are_cut_with_a_word() {
        let fields: Vec<_> = (0..40).map(|n| (format!("n{n}"), "v".repeat(2000))).collect();
        let line = render("p", &"é".repeat(10_000), &fields);
        assert!(line.contains("… (11808 more bytes)"), "{}", &line[..200]);
        assert!(line.ends_with("(8 more fields)"));
        assert!(line.len() < MESSAGE_BYTES_MAX + FIELDS_MAX * (FIELD_BYTES_MAX + 64) + 256);
    }

    #[test]
    fn a_flood_is_cut_and_counted_whole() {
        let log = PluginLog::new("a1.i1".into(), 1000);
        let collector = Lines::default();
        tracing::subscriber::with_default(collector.clone(), || {
            for _ in 0..10_000 {
                log.write(Level::INFO, "0123456789", &[]);
            }
            log.report(Instant::now() + Duration::from_secs(2));
        });
        let lines = collector.0.lock().expect("lines").clone();
        let kept = lines.iter().filter(|line| line.contains("0123456789")).count() as u64;
        assert!((1..=40).contains(&kept), "kept {kept}");
        assert_eq!(log.cut().0 + kept, 10_000);
        let last = lines.last().expect("a report");
        assert!(last.contains("limits.logBytesPerSecondMax = 1000"), "{last}");
    }

    /// Collects the messages of one test's lines.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);
    impl tracing::Subscriber for Lines {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            struct Text(String);
            impl tracing::field::Visit for Text {
                fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                    let _infallible = write!(self.0, "{value:?}");
                }
            }
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().expect("lines").push(text.0);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
}
