//! The options of `exec`, and what is checked about them.

use std::path::PathBuf;
use std::time::Duration;

use flumen_config::options::Count;
use flumen_config::{Diagnostic, Diagnostics, Options, Settings, options};

use super::command::words;
use super::tail::TailWords;
use crate::charset::Charset;

options! {
    /// Runs a command and makes an event of each line that it prints. LF, CR and CRLF end a line; a last line
    /// without one counts as well; an empty line is an empty event. Events have no headers.
    ///
    /// The body is the line's bytes as the command printed them; bytes that are invalid in `charset`, which
    /// Flume replaces, pass unchanged. (`UTF-16` without a byte order is the exception: as in Flume each body
    /// becomes big endian with a byte order mark.)
    ///
    /// When the channel is full, the command is made to wait: its output is not read, so nothing is lost.
    /// (Flume gives the command up and loses what it had read.)
    ///
    /// `tail -F FILE` and `tail -f FILE` with `restart = true`: the position in the file is held, also across
    /// rotation and truncation, so a restarted `tail` goes on at the very next byte instead of with the last
    /// ten lines again. When the position cannot be known, the current file is read from its start and a
    /// warning says that lines may come twice. With `positionFile` the position is held across restarts of
    /// Flumen as well.
    ///
    /// The command runs in a process group of its own. When it ends, or Flumen stops, everything in the group
    /// is ended as well: SIGTERM, and SIGKILL after 2 seconds. If Flumen itself is killed with SIGKILL, the
    /// command ends at its next write, when it finds its output closed.
    ///
    /// A command that cannot be started is tried again after a pause.
    pub struct ExecOptions {
        /// The command. Without `shell` it is split at white space; quotes, pipes and `*` mean nothing then.
        "command" => command: String,
        /// A shell that runs the command, for example `/bin/sh -c`: it is split at white space, and the whole
        /// command is its last argument.
        "shell" => shell: Option<String>,
        /// Whether to run the command again after it has ended, whatever its exit code.
        "restart" => restart: bool = false,
        /// Milliseconds to wait before running it again.
        "restartThrottle" => restart_throttle_ms: u64 = 10_000,
        /// Whether to log what the command writes to its standard error. It is dropped otherwise.
        "logStdErr" => log_stderr: bool = false,
        /// Lines after which those read so far are delivered. More that can be read at once, without waiting
        /// for the command, goes on together with them: up to 256 KiB.
        "batchSize" => batch_size: i32 = 20,
        /// Milliseconds after which lines are delivered although there are fewer than `batchSize`.
        "batchTimeout" => batch_timeout_ms: u64 = 3_000,
        /// Charset of the output, by its name in Java. It decides what a line end is; see above.
        "charset" => charset: Charset = Charset::Utf8,
        /// Flumen only: longest line in bytes. A longer one becomes several events (the cut may go through a
        /// character) and each cut counts as `EventReadFail`: no command can fill the memory.
        "maxLineLength" => max_line_length: Count = Count(64 << 20),
        /// Flumen only: a file that keeps the position of `tail -F FILE` or `tail -f FILE` while Flumen does
        /// not run. The next start goes on behind the last line that was stored in the channels: nothing
        /// twice, nothing missed. A `FILE` that was renamed meanwhile is looked for beside the new one and read
        /// to its end first, then those named like `FILE.1` or `FILE-20260101` that came after it; if it is
        /// not found, or `FILE` was truncated, `FILE` is read from its start with a warning. Without the
        /// position file `tail` starts as written; with one that cannot be read, at the start of `FILE`.
        ///
        /// It is written at most once a second and at every stop: after a crash the lines of the last second
        /// come twice. Lines that a full channel has no room for at a stop come again at the next start and
        /// are not counted as dropped; so does an unfinished last line. If it cannot be written, this is
        /// logged and events go on. Its directory must exist. Two sources cannot share one: beside it lies a
        /// `.lock`. Not with a `charset` that has a byte order mark.
        "positionFile" => position_file: Option<String>,
        /// Flumen only: a WebAssembly component that cuts the output into events, in place of lines, for example
        /// `plugins/records.wasm`. Its own options follow the key: `deserializer.config.…`. Each run of the
        /// command is a stream of its own. Not with `charset`, `maxLineLength` or `positionFile`, which are about
        /// lines.
        "deserializer" => deserializer: Option<String>,
    }
}

/// The largest `maxLineLength`: spans of a batch count in 32 bits.
const LINE_BYTES_LIMIT: usize = 1 << 30;

/// A checked configuration.
#[derive(Clone, Debug)]
pub(super) struct ExecConfig {
    pub command: String,
    pub argv: Vec<String>,
    /// The command is a `tail` whose position is worth holding.
    pub tail: Option<TailWords>,
    pub restart: bool,
    pub restart_throttle: Duration,
    pub log_stderr: bool,
    pub batch_lines: usize,
    pub batch_timeout: Duration,
    pub charset: Charset,
    pub line_bytes_max: usize,
    /// Set only together with `tail`.
    pub position_file: Option<PathBuf>,
}

impl ExecConfig {
    /// Reads and checks the options; says all that is wrong.
    pub fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Self> {
        let options = ExecOptions::read(settings, diagnostics)?;
        let before = diagnostics.error_count();
        let shell = options.shell.as_deref().map(words).filter(|shell| !shell.is_empty());
        let plain = words(&options.command);
        let error = |key: &str, message: String| {
            Diagnostic::error("bad-value", message).on(settings.path()).at(&settings.origin(key))
        };
        if plain.is_empty() {
            diagnostics.push(error("command", "`command` is empty".to_owned()));
        }
        if options.max_line_length.0 > LINE_BYTES_LIMIT {
            diagnostics.push(error("maxLineLength", format!("`maxLineLength` is above {LINE_BYTES_LIMIT}")));
        }
        let tail = TailWords::recognise(shell.as_deref(), &plain);
        let path = options.position_file.as_deref();
        if let Some((message, help)) = path.and_then(|path| no_position(path, tail.as_ref(), options.charset))
        {
            diagnostics.push(error("positionFile", message).help(help));
        }
        if let Some(text) = options.deserializer.as_deref() {
            for (key, message, help) in no_deserializer(text, settings) {
                diagnostics.push(error(key, message).help(help));
            }
        }
        if diagnostics.error_count() > before {
            return None;
        }
        // Where a stream goes on in the middle of a file is known of lines only.
        let tail = tail.filter(|_| options.deserializer.is_none());
        let tail = tail.filter(|_| options.restart || options.position_file.is_some());
        let argv = match shell {
            Some(shell) => shell.into_iter().chain([options.command.clone()]).collect(),
            None => plain,
        };
        Some(Self {
            command: options.command,
            argv,
            tail,
            restart: options.restart,
            restart_throttle: Duration::from_millis(options.restart_throttle_ms),
            log_stderr: options.log_stderr,
            batch_lines: usize::try_from(options.batch_size).unwrap_or(1).max(1),
            batch_timeout: Duration::from_millis(options.batch_timeout_ms),
            charset: options.charset,
            line_bytes_max: options.max_line_length.0,
            position_file: options.position_file.map(PathBuf::from),
        })
    }
}

/// Why no position can be kept in this file, and what to do.
fn no_position(path: &str, tail: Option<&TailWords>, charset: Charset) -> Option<(String, &'static str)> {
    let Some(tail) = tail else {
        let message = "`positionFile` needs a command whose position Flumen understands";
        let help = "write the command as `tail -F FILE`, with one file and no pipe, quote or `-c`; for other \
                    commands remove `positionFile`: their position cannot be known";
        return Some((message.to_owned(), help));
    };
    if path.trim().is_empty() || path.ends_with('/') {
        return Some((
            format!("`positionFile = {path}` names no file"),
            "name a file in a directory that exists",
        ));
    }
    if tail.file.as_os_str() == path {
        return Some((
            "`positionFile` is the file that is tailed: its lines would be overwritten".to_owned(),
            "name another file",
        ));
    }
    if charset.units().marked {
        return Some((
            "`positionFile` with a charset that has a byte order mark: in the middle of the file nobody knows \
             the byte order"
                .to_owned(),
            "name the byte order: UTF-16LE or UTF-16BE, UTF-32LE or UTF-32BE",
        ));
    }
    None
}

/// Why the output cannot be decoded like that, by key, and what to do.
fn no_deserializer(text: &str, settings: &Settings) -> Vec<(&'static str, String, &'static str)> {
    let mut found = Vec::new();
    if !flumen_config::known::is_plugin(text) {
        let message = format!("`deserializer = {text}`: `exec` takes a WebAssembly component here");
        found.push((
            "deserializer",
            message,
            "name its file, or take the key out: without it events are lines",
        ));
    }
    for key in ["charset", "maxLineLength", "positionFile"] {
        if settings.get(key).is_some() {
            let message = format!("`{key}` is about lines, and there are none with `deserializer`");
            found.push((key, message, "take one of the two out"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Option<ExecConfig>, Vec<String>) {
        let mut diagnostics = Diagnostics::default();
        let config =
            ExecConfig::read(&Settings::from_pairs("a1.sources.r1", pairs.iter().copied()), &mut diagnostics);
        (config, diagnostics.iter().map(|d| d.message.clone()).collect())
    }

    #[test]
    fn defaults_are_flumes() {
        let (config, messages) = read(&[("command", "cat  /etc/hosts\t-n")]);
        let config = config.expect("valid");
        assert!(messages.is_empty());
        assert_eq!(config.argv, ["cat", "/etc/hosts", "-n"]);
        assert_eq!((config.batch_lines, config.batch_timeout), (20, Duration::from_secs(3)));
        assert_eq!((config.restart, config.restart_throttle), (false, Duration::from_secs(10)));
        assert!(!config.log_stderr && config.charset == Charset::Utf8);
    }

    #[test]
    fn a_shell_gets_the_whole_command_as_one_argument() {
        let (config, _) = read(&[("command", "echo \"a  b\" | tr a b"), ("shell", "/bin/bash  -c")]);
        assert_eq!(config.expect("valid").argv, ["/bin/bash", "-c", "echo \"a  b\" | tr a b"]);
    }

    #[test]
    fn an_unknown_charset_is_an_error_before_anything_runs() {
        let (config, messages) = read(&[("command", "cat x"), ("charset", "IBM037")]);
        assert!(config.is_none() && messages[0].contains("`charset = IBM037`"), "{messages:?}");
    }

    #[test]
    fn the_command_is_required() {
        let (config, messages) = read(&[("shell", "/bin/sh -c")]);
        assert!(config.is_none() && messages[0].contains("`command`"), "{messages:?}");
    }

    #[test]
    fn a_deserializer_is_a_component_and_excludes_what_is_about_lines() {
        assert!(read(&[("command", "cat x"), ("deserializer", "a.wasm")]).0.is_some());
        let (config, messages) = read(&[
            ("command", "cat x"),
            ("deserializer", "LINE"),
            ("charset", "UTF-8"),
            ("maxLineLength", "9"),
        ]);
        assert!(config.is_none() && messages.len() == 3, "{messages:?}");
    }

    #[test]
    fn a_batch_size_below_one_means_every_line_at_once_as_in_flume() {
        let (config, _) = read(&[("command", "cat x"), ("batchSize", "0")]);
        assert_eq!(config.expect("valid").batch_lines, 1);
    }

    #[test]
    fn only_a_tail_that_will_be_restarted_is_followed() {
        assert!(read(&[("command", "tail -F /x"), ("restart", "true")]).0.expect("valid").tail.is_some());
        assert!(read(&[("command", "tail -F /x")]).0.expect("valid").tail.is_none());
    }

    #[test]
    fn a_position_is_kept_of_a_tail_that_is_understood_also_without_restart() {
        let kept = ("positionFile", "/var/lib/flumen/x.pos");
        let (config, _) = read(&[("command", "tail -F /x"), kept]);
        let config = config.expect("valid");
        assert!(config.tail.is_some() && config.position_file.is_some());
        for (command, charset, path, message) in [
            ("cat /x", "UTF-8", kept.1, "needs a command whose position"),
            ("tail -F /x | grep y", "UTF-8", kept.1, "needs a command whose position"),
            ("tail -F /x /y", "UTF-8", kept.1, "needs a command whose position"),
            ("tail -F /x", "UTF-16", kept.1, "byte order mark"),
            ("tail -F /x", "UTF-8", "/x", "overwritten"),
            ("tail -F /x", "UTF-8", "/var/", "names no file"),
        ] {
            let (config, messages) =
                read(&[("command", command), ("charset", charset), ("positionFile", path)]);
            assert!(config.is_none() && messages[0].contains(message), "{command}: {messages:?}");
        }
    }
}
