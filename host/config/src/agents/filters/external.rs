//! The `external` filter: a command that is given the key and answers with the first line it prints.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use encoding_rs::Encoding;

use crate::diagnostic::Diagnostic;
use crate::settings::Settings;

/// A command that takes longer has hung; the load goes on without its answer.
const RUN_MAX: Duration = Duration::from_secs(10);
/// A longer answer is no password and no address.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(5);

/// The command with its fixed arguments.
pub(super) struct External {
    command: Vec<String>,
    charset: &'static Encoding,
    run_max: Duration,
}

impl External {
    /// Reads `command` and `charset`.
    pub(super) fn from_settings(settings: &Settings) -> Result<Self, Box<Diagnostic>> {
        let command: Vec<String> = settings.words("command").into_iter().map(str::to_owned).collect();
        if command.is_empty() {
            let message = format!("config filter `{}` has no command", settings.path());
            let help = format!("add `{}.command = …`", settings.path());
            return Err(Box::new(Diagnostic::error("missing-key", message).help(help)));
        }
        let name = settings.text("charset").unwrap_or("UTF-8");
        let charset = Encoding::for_label(name.as_bytes()).ok_or_else(|| {
            let finding = Diagnostic::error("bad-value", format!("`charset = {name}`: no such charset"));
            Box::new(finding.help("use UTF-8 or ISO-8859-1"))
        })?;
        Ok(Self { command, charset, run_max: RUN_MAX })
    }

    /// Runs the command for one key. The error says why there is no answer; it never holds what was printed.
    pub(super) fn run(&self, key: &str) -> Result<String, String> {
        let program = &self.command[0];
        let mut child = Command::new(program)
            .args(&self.command[1..])
            .arg(key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("`{program}` cannot be run: {error}"))?;
        let answer = first_line(&mut child);
        let deadline = Instant::now() + self.run_max;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
                Ok(None) => {
                    // Both fail only if the child has just ended by itself.
                    child.kill().ok();
                    child.wait().ok();
                    return Err(format!("`{program}` did not end within {} s", self.run_max.as_secs_f32()));
                }
                Err(error) => return Err(format!("`{program}` cannot be waited for: {error}")),
            }
        };
        if !status.success() {
            return Err(format!("`{program} … {key}` failed ({status})"));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let bytes =
            answer.recv_timeout(left).map_err(|_| format!("`{program}` ended but its output did not"))?;
        let (text, _, _) = self.charset.decode(&bytes);
        let line = text.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            Err(format!("`{program} … {key}` printed nothing"))
        } else {
            Ok(line.to_owned())
        }
    }
}

/// Reads the first line in a thread of its own: a grandchild may hold the pipe open for ever.
fn first_line(child: &mut Child) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut line = Vec::new();
            let mut reader = BufReader::new(stdout);
            // What was read before an error is all the answer there is.
            reader.by_ref().take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line).ok();
            // The load may have given up meanwhile.
            sender.send(line).ok();
            // The rest is drained, so that the command does not die of a closed pipe.
            std::io::copy(&mut reader, &mut std::io::sink()).ok();
        });
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(command: &[&str]) -> External {
        let command = command.iter().map(|s| (*s).to_owned()).collect();
        External { command, charset: encoding_rs::UTF_8, run_max: Duration::from_millis(500) }
    }

    #[test]
    fn the_first_line_that_the_command_prints_is_the_value() {
        assert_eq!(external(&["printf", "%s\nsecond\n"]).run("pass word"), Ok("pass word".to_owned()));
    }

    #[test]
    fn a_failing_silent_or_missing_command_gives_no_value() {
        assert!(external(&["false"]).run("k").is_err_and(|why| why.contains("failed")));
        assert!(external(&["true"]).run("k").is_err_and(|why| why.contains("printed nothing")));
        assert!(external(&["/no/such/program"]).run("k").is_err_and(|why| why.contains("cannot be run")));
    }

    #[test]
    fn a_hanging_command_is_ended() {
        let started = Instant::now();
        assert!(external(&["sleep"]).run("30").is_err_and(|why| why.contains("did not end")));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
