//! The command as a process: its words, its pipes, and its end together with everything it started.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

/// The kernel's largest pipe for users without privileges: fewer switches between the command and us.
const PIPE_BYTES: usize = 1 << 20;
/// A command that has closed its output has this long to end by itself, so that its exit code is its own.
const EXIT_TIME_MAX: Duration = Duration::from_millis(500);
/// From the polite signal to the one that cannot be refused.
const TERM_TIME_MAX: Duration = Duration::from_secs(2);
/// How long the kernel may take for the signal that cannot be refused. (A dead process that nobody waits for
/// seems to live on for ever: there are containers without an `init`.)
const KILL_TIME_MAX: Duration = Duration::from_millis(500);
/// How often is looked whether all processes of a command are gone.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Splits at white space as Java's `split("\\s+")` does, which knows only that of ASCII.
pub(super) fn words(text: &str) -> Vec<String> {
    let is_space = |c| matches!(c, ' ' | '\t' | '\n' | '\x0B' | '\x0C' | '\r');
    text.split(is_space).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// What becomes of the command's standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stderr {
    /// Dropped without ever blocking the command.
    Dropped,
    /// Read by us.
    Read,
}

/// A command that runs. When this is dropped, the command and all it started are killed.
pub(super) struct Running {
    child: Child,
    group: Group,
    /// What it prints.
    pub stdout: ChildStdout,
    /// What it complains about, if asked for.
    pub stderr: Option<ChildStderr>,
    /// Open and never written to, as in Flume: a command that reads it waits.
    _stdin: Option<ChildStdin>,
}

/// The processes of a command: itself and what it started, unless that left on purpose (`setsid`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Group(Pid);

impl Group {
    /// Asks all of them to end.
    pub fn terminate(self) {
        // An error means that nobody is left.
        let _gone = kill_process_group(self.0, Signal::TERM);
    }
    fn kill(self) {
        let _gone = kill_process_group(self.0, Signal::KILL);
    }
    fn is_empty(self) -> bool {
        test_kill_process_group(self.0).is_err()
    }
    async fn wait_until_empty(self, deadline: Instant) {
        while !self.is_empty() && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Running {
    /// Starts the command in a process group of its own.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(argv: &[String], stderr: Stderr) -> std::io::Result<Self> {
        let (program, arguments) = argv.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if stderr == Stderr::Read { Stdio::piped() } else { Stdio::null() })
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let group = Group(pid.expect("a child that was not waited for has a process id"));
        let stdout = child.stdout.take().expect("standard output is piped");
        // A refusal (the user's pipe quota is used up) costs speed only.
        let _size = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE_BYTES);
        Ok(Self { group, stdout, stderr: child.stderr.take(), _stdin: child.stdin.take(), child })
    }
    /// Its processes, for signals while its output is being read.
    pub fn group(&self) -> Group {
        self.group
    }

    /// Ends the command and all it started: politely first, then by force.
    ///
    /// # Errors
    /// If the kernel does not tell how the command ended.
    pub async fn end(&mut self) -> std::io::Result<ExitStatus> {
        self.group.terminate();
        let killed_at = Instant::now() + TERM_TIME_MAX;
        let status = match timeout(TERM_TIME_MAX, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.group.kill();
                self.child.wait().await
            }
        };
        self.group.wait_until_empty(killed_at).await;
        self.group.kill();
        self.group.wait_until_empty(Instant::now() + KILL_TIME_MAX).await;
        status
    }

    /// The end of a command that has closed its output: Flume ends those that go on, and so do we.
    ///
    /// # Errors
    /// If the kernel does not tell how the command ended.
    pub async fn end_after_output(&mut self) -> std::io::Result<ExitStatus> {
        match timeout(EXIT_TIME_MAX, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                if !self.group.is_empty() {
                    self.end().await?;
                }
                Ok(status)
            }
            Err(_) => self.end().await,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.group.kill();
    }
}

/// The exit code as Java tells it: 128 and the signal's number for a command that was killed.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(-1)
}
