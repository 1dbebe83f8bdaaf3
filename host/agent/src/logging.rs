//! Logs in Flume's layout: `2026-11-22 15:12:10,096 (thread) [INFO - target] message key=value`.
//!
//! Messages are written as they are, line ends included: what the logger sink prints is compared byte for byte
//! with Flume's. Values of fields, which may come from outside, are escaped.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Where logs go and what is logged: the meaning of `-Dflume.root.logger=LEVEL,appender`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least severe level that is logged.
    pub level: LevelFilter,
    /// A file, or standard error.
    pub file: Option<PathBuf>,
    /// One JSON object per line instead of Flume's layout.
    pub json: bool,
}

impl Default for LogSettings {
    /// Information and above on standard error.
    fn default() -> Self {
        Self { level: LevelFilter::INFO, file: None, json: false }
    }
}

impl LogSettings {
    /// From `-D` properties: `flume.root.logger` (`DEBUG,console`, `INFO,LOGFILE`, `WARN,json`), and
    /// `flume.log.dir` and `flume.log.file`, which say where `LOGFILE` is (`./logs/flume.log`).
    ///
    /// # Errors
    /// A sentence about a level or appender that is not known.
    pub fn from_properties<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let mut settings = Self::default();
        let Some(text) = get("flume.root.logger") else { return Ok(settings) };
        let mut parts = text.split(',').map(str::trim);
        settings.level = level(parts.next().unwrap_or_default())?;
        for appender in parts {
            match appender.to_ascii_lowercase().as_str() {
                "" | "console" => {}
                "json" => settings.json = true,
                "logfile" | "daily" => {
                    let dir = Path::new(get("flume.log.dir").unwrap_or("./logs"));
                    settings.file = Some(dir.join(get("flume.log.file").unwrap_or("flume.log")));
                }
                _ => {
                    return Err(format!(
                        "-Dflume.root.logger: unknown appender `{appender}`; console, LOGFILE and json are known"
                    ));
                }
            }
        }
        Ok(settings)
    }
}

fn level(text: &str) -> Result<LevelFilter, String> {
    Ok(match text.to_ascii_uppercase().as_str() {
        "OFF" => LevelFilter::OFF,
        "FATAL" | "ERROR" => LevelFilter::ERROR,
        "WARN" => LevelFilter::WARN,
        "" | "INFO" => LevelFilter::INFO,
        "DEBUG" => LevelFilter::DEBUG,
        "TRACE" | "ALL" => LevelFilter::TRACE,
        _ => {
            return Err(format!(
                "-Dflume.root.logger: unknown level `{text}`; use ERROR, WARN, INFO, DEBUG or TRACE"
            ));
        }
    })
}

/// Starts logging for the whole process.
///
/// # Errors
/// If the log file cannot be opened, or logging has been started before.
pub fn start(settings: &LogSettings) -> io::Result<()> {
    let file = settings.file.as_deref().map(open).transpose()?;
    let layer = FlumeLayer { level: settings.level, json: settings.json, file: file.map(Mutex::new) };
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

struct FlumeLayer {
    level: LevelFilter,
    json: bool,
    file: Option<Mutex<File>>,
}

impl<S: Subscriber> Layer<S> for FlumeLayer {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= self.level
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = if self.json { json_line(event) } else { flume_line(event) };
        // A log that cannot be written is no reason to lose events.
        let _written = match &self.file {
            Some(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()),
            None => io::stderr().lock().write_all(line.as_bytes()),
        };
    }
}

fn flume_line(event: &Event<'_>) -> String {
    let mut text = Text::default();
    event.record(&mut text);
    let metadata = event.metadata();
    let thread = std::thread::current();
    let now = jiff::Zoned::now();
    let milliseconds = now.subsec_nanosecond() / 1_000_000;
    let mut line = format!(
        "{} ({}) [{} - {}] {}",
        now.strftime(&format!("%Y-%m-%d %H:%M:%S,{milliseconds:03}")),
        thread.name().unwrap_or("main"),
        name_of(*metadata.level()),
        metadata.target(),
        text.message,
    );
    line.push_str(&text.fields);
    line.push('\n');
    line
}

fn name_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

/// The message as it is, the other fields escaped.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String cannot fail.
        let _infallible = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={}", field.name(), escaped(&format!("{value:?}")))
        };
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            let _infallible = write!(self.fields, " {}={value:?}", field.name());
        }
    }
}

/// Control characters made visible, so that a value cannot forge a line of the log.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

fn json_line(event: &Event<'_>) -> String {
    struct Fields(serde_json::Map<String, serde_json::Value>);
    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0.insert(field.name().to_owned(), format!("{value:?}").into());
        }
        fn record_str(&mut self, field: &Field, value: &str) {
            self.0.insert(field.name().to_owned(), value.into());
        }
        fn record_u64(&mut self, field: &Field, value: u64) {
            self.0.insert(field.name().to_owned(), value.into());
        }
        fn record_i64(&mut self, field: &Field, value: i64) {
            self.0.insert(field.name().to_owned(), value.into());
        }
        fn record_bool(&mut self, field: &Field, value: bool) {
            self.0.insert(field.name().to_owned(), value.into());
        }
    }
    let mut fields = Fields(serde_json::Map::new());
    fields.0.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
    fields.0.insert("level".to_owned(), name_of(*event.metadata().level()).into());
    fields.0.insert("target".to_owned(), event.metadata().target().into());
    event.record(&mut fields);
    let mut line = serde_json::Value::Object(fields.0).to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LogSettings, String> {
        LogSettings::from_properties(|name| (name == "flume.root.logger").then_some(text))
    }

    #[test]
    fn the_root_logger_of_every_tutorial_is_understood() {
        assert_eq!(read("INFO,console"), Ok(LogSettings::default()));
        assert_eq!(read("debug, console").map(|s| s.level), Ok(LevelFilter::DEBUG));
        assert_eq!(read("WARN,LOGFILE").map(|s| s.file), Ok(Some(PathBuf::from("./logs/flume.log"))));
        assert!(read("LOUD,console").is_err() && read("INFO,syslog").is_err());
    }

    #[test]
    fn values_cannot_forge_lines() {
        assert_eq!(escaped("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
    }
}
