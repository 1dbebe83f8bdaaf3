//! Lines in the agent's log, under the plugin's name.
//!
//! Write them with the macros [`info!`](crate::info) and so on: a line of a level that is switched off is not even
//! formatted.

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// What helps when something is looked into.
    Debug,
    /// What an operator may want to know.
    Info,
    /// What an operator should look at.
    Warn,
    /// What went wrong.
    Error,
}

/// Whether a line of this level would be kept.
pub fn enabled(level: Level) -> bool {
    imp::enabled(level)
}

/// Writes a line, with named values beside the text.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    imp::write(level, message, &fields.collect::<Vec<_>>());
}

/// `log!(Level::Info, "text {}", value)`: a line of that level.
#[macro_export]
macro_rules! log {
    ($level:expr, $($text:tt)+) => {
        if $crate::log::enabled($level) {
            $crate::log::write($level, &::std::format!($($text)+), &[]);
        }
    };
}
/// A line that tells every step.
#[macro_export]
macro_rules! trace { ($($text:tt)+) => { $crate::log!($crate::log::Level::Trace, $($text)+) }; }
/// A line that helps when something is looked into.
#[macro_export]
macro_rules! debug { ($($text:tt)+) => { $crate::log!($crate::log::Level::Debug, $($text)+) }; }
/// A line that an operator may want to know.
#[macro_export]
macro_rules! info { ($($text:tt)+) => { $crate::log!($crate::log::Level::Info, $($text)+) }; }
/// A line that an operator should look at.
#[macro_export]
macro_rules! warn { ($($text:tt)+) => { $crate::log!($crate::log::Level::Warn, $($text)+) }; }
/// A line that says what went wrong.
#[macro_export]
macro_rules! error { ($($text:tt)+) => { $crate::log!($crate::log::Level::Error, $($text)+) }; }

#[cfg(target_arch = "wasm32")]
mod imp {
    use super::Level;
    use crate::bindings::flumen::plugin::log as host;

    fn wire(level: Level) -> host::Level {
        match level {
            Level::Trace => host::Level::Trace,
            Level::Debug => host::Level::Debug,
            Level::Info => host::Level::Info,
            Level::Warn => host::Level::Warn,
            Level::Error => host::Level::Error,
        }
    }
    pub fn enabled(level: Level) -> bool {
        host::enabled(wire(level))
    }
    pub fn write(level: Level, message: &str, fields: &[(String, String)]) {
        host::write(wire(level), message, fields);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use super::Level;
    use crate::testing::{LogLine, with_host};

    pub fn enabled(level: Level) -> bool {
        with_host(|host| level >= host.log_level)
    }
    pub fn write(level: Level, message: &str, fields: &[(String, String)]) {
        let line = LogLine { level, message: message.to_owned(), fields: fields.to_vec() };
        with_host(|host| host.log.push(line));
    }
}
