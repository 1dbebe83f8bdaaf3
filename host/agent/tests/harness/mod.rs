//! The real program with a configuration of the test's own: its log, its monitor, its clients.
//!
//! Everything listens on 127.0.0.1 at ports that the system chooses and the log tells. Nothing sleeps for a
//! time that "should be enough": tests wait for what they want to see, and fail at a generous deadline with the
//! whole log.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod client;
pub mod http;
pub mod wire;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub use client::Client;
pub use http::Metrics;

/// Longer than anything here takes on a loaded machine with two cores.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often a condition that nobody announces is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `look` finds something.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What an agent has logged so far.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<Logged>, Condvar)>);

#[derive(Default)]
struct Logged {
    lines: Vec<String>,
    is_complete: bool,
}

impl Log {
    fn follow(stream: impl std::io::Read + Send + 'static) -> Self {
        let log = Self::default();
        let filled = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                filled.lock().lines.push(String::from_utf8_lossy(&line).into_owned());
                filled.0.1.notify_all();
            }
            filled.lock().is_complete = true;
            filled.0.1.notify_all();
        });
        log
    }
    fn lock(&self) -> std::sync::MutexGuard<'_, Logged> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Everything so far.
    pub fn text(&self) -> String {
        self.lock().lines.join("\n")
    }
    /// The first line that contains the text, as soon as there is one.
    #[track_caller]
    pub fn line(&self, needle: &str) -> String {
        self.nth(needle, 0)
    }
    /// The line with the text that `before` others precede.
    #[track_caller]
    pub fn nth(&self, needle: &str, before: usize) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut logged = self.lock();
        loop {
            if let Some(line) = logged.lines.iter().filter(|line| line.contains(needle)).nth(before) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !logged.is_complete && !left.is_zero(),
                "the log has no `{needle}` ({before} before):\n{}",
                logged.lines.join("\n")
            );
            let waited = self.0.1.wait_timeout(logged, left);
            logged = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
    /// The whole log of a program that has ended.
    #[track_caller]
    pub fn complete(&self) -> String {
        until("the end of the log", || self.lock().is_complete.then_some(()));
        self.text()
    }
}

/// A program to be started.
pub struct Setup {
    home: Option<TempDir>,
    command: Command,
}

impl Setup {
    /// `flumen agent -f FILE` in a directory of its own; `HOME` in the configuration stands for that directory.
    pub fn new(config: &str) -> Self {
        Self::in_home(TempDir::new().expect("a directory"), config)
    }
    pub fn in_home(home: TempDir, config: &str) -> Self {
        let file = home.path().join("flume.properties");
        let text = config.replace("HOME", home.path().to_str().expect("a path in UTF-8"));
        std::fs::write(&file, text).expect("the configuration is written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
        command.arg("agent").arg("-f").arg(&file);
        Self { home: Some(home), command }
    }
    /// Another way to start the program.
    pub fn of_command(command: Command) -> Self {
        Self { home: None, command }
    }
    /// The same with the program started by a shell, after some commands that set limits.
    pub fn after(mut self, shell: &str) -> Self {
        let mut wrapped = Command::new("sh");
        wrapped.arg("-c").arg(format!("{shell}\nexec \"$0\" \"$@\"")).arg(self.command.get_program());
        wrapped.args(self.command.get_args());
        self.command = wrapped;
        self
    }
    pub fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }
    pub fn home(&self) -> &Path {
        self.home.as_ref().expect("a configuration was given").path()
    }
    /// Starts the agent `a1` with its monitor.
    pub fn start(self) -> Agent {
        self.args(&["-n", "a1"]).start_monitored()
    }
    pub fn start_monitored(self) -> Agent {
        self.args(&[
            "-Dflume.monitoring.type=http",
            "-Dflume.monitoring.port=0",
            "-Dflume.monitoring.bind=127.0.0.1",
        ])
        .start_as_given()
    }
    pub fn start_as_given(mut self) -> Agent {
        if let Some(home) = &self.home {
            self.command.current_dir(home.path());
        }
        self.command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = self.command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let log = Log::follow(child.stderr.take().expect("piped"));
        Agent { child, log, home: self.home }
    }
}

/// A running program; it is killed when this is dropped.
pub struct Agent {
    child: Child,
    pub log: Log,
    home: Option<TempDir>,
}

impl Agent {
    pub fn home(&self) -> PathBuf {
        self.home.as_ref().expect("a configuration was given").path().to_owned()
    }
    /// Kills the process, and gives its directory for another one.
    pub fn kill(mut self) -> TempDir {
        self.signal(Signal::KILL);
        self.ended();
        self.home.take().expect("a configuration was given")
    }
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    /// The port of the first netcat source that listens.
    #[track_caller]
    pub fn port(&self) -> u16 {
        port_of(&self.log.line("Created serverSocket:["))
    }
    /// A new client of the first netcat source.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.port())
    }
    #[track_caller]
    pub fn get(&self, path: &str) -> (u16, String) {
        http::request("GET", self.monitor_port(), path)
    }
    #[track_caller]
    pub fn monitor_port(&self) -> u16 {
        let line = self.log.line("monitoring on http://");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let port = address.and_then(|address| address.rsplit(':').next());
        port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port: {line}"))
    }
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics").1)
    }
    /// Waits until the metrics are as wanted.
    #[track_caller]
    pub fn until(&self, what: &str, mut wanted: impl FnMut(&Metrics) -> bool) -> Metrics {
        until(&format!("{what}\n{}", self.log.text()), || Some(self.metrics()).filter(|m| wanted(m)))
    }
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("not zero");
        kill_process(pid, signal).expect("the process is there");
    }
    /// Waits for the end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        until("the end of the process", || self.child.try_wait().expect("a child"))
    }
    /// Stops in order and gives the exit code and the complete log.
    #[track_caller]
    pub fn stop(&mut self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        (self.ended().code(), self.log.complete())
    }
    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("/proc");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The port in a line like `Created serverSocket:[/127.0.0.1:1234]`.
#[track_caller]
pub fn port_of(line: &str) -> u16 {
    let digits: String =
        line.rsplit(':').next().unwrap_or("").chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no port: {line}"))
}

/// The numbers that the last lines of the log tell: `received 5, copies 0, …`.
#[track_caller]
pub fn last_count(log: &str, name: &str) -> u64 {
    let line = log.lines().rfind(|line| line.contains(" stopped: received ")).expect("a last line");
    let rest = line.split(&format!("{name} ")).nth(1).unwrap_or_else(|| panic!("no {name}: {line}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {name}: {line}"))
}

/// The lines of all files of a directory in the order of the files' numbers, of which none is torn.
#[track_caller]
pub fn lines_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("the directory is there");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    let number = |path: &PathBuf| -> (String, u64) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let (time, count) = name.rsplit_once('-').expect("TIME-COUNT");
        (time.to_owned(), count.parse().expect("a number"))
    };
    files.sort_by_key(number);
    let mut lines = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file in UTF-8");
        assert!(text.is_empty() || text.ends_with('\n'), "{} ends in a torn line", file.display());
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

/// Processes that have this text in their command line.
pub fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let command_lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let readable = command_lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    readable.filter(|line| line.contains(text)).collect()
}
