//! A stop has an end, whatever hangs. (Sinks and sources that hang in other ways: `life/tests.rs`.)

mod harness;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use harness::{Setup, last_count, until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// An agent whose logger sink hangs, because nobody reads the log any more.
struct Unread {
    child: Child,
    log: BufReader<ChildStderr>,
    _home: TempDir,
}

impl Unread {
    fn start() -> Self {
        let home = TempDir::new().expect("a directory");
        let config = "
            a1.sources = r1
            a1.channels = c1
            a1.sinks = k1
            a1.sources.r1.type = seq
            a1.sources.r1.channels = c1
            a1.channels.c1.type = memory
            a1.sinks.k1.type = logger
            a1.sinks.k1.channel = c1
            ";
        std::fs::write(home.path().join("f.conf"), config).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
        command.args(["agent", "-n", "a1", "-f", "f.conf", "--drain-seconds", "1"]);
        let command = command.current_dir(home.path()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("Event: {") {
            line.clear();
            assert!(log.read_line(&mut line).expect("a log") > 0, "the log ended");
        }
        let agent = Self { child, log, _home: home };
        until("a full pipe", || {
            let waiting = rustix::io::ioctl_fionread(agent.log.get_ref()).expect("a pipe");
            (waiting > 60_000).then_some(())
        });
        agent
    }
    fn terminate(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("not zero");
        kill_process(pid, Signal::TERM).expect("it is there");
    }
    fn ended(&mut self) -> ExitStatus {
        until("the end", || self.child.try_wait().expect("a child"))
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[test]
fn a_sink_that_hangs_in_a_log_that_nobody_reads_does_not_keep_the_process_alive() {
    let mut agent = Unread::start();
    agent.terminate();
    assert_eq!(agent.ended().code(), Some(1));
}

#[test]
fn a_second_sigterm_ends_it_even_when_nothing_can_be_logged() {
    let mut agent = Unread::start();
    agent.terminate();
    agent.terminate();
    assert_eq!(agent.ended().code(), Some(1));
}

#[test]
fn a_second_sigterm_leaves_no_command_behind() {
    let setup = Setup::new(
        "
        a1.sources = r1
        a1.channels = c1
        a1.sources.r1.type = exec
        a1.sources.r1.shell = /bin/sh -c
        a1.sources.r1.command = trap '' TERM; echo one; tail -f HOME/idle & tail -f HOME/idle
        a1.sources.r1.batchTimeout = 1
        a1.sources.r1.channels = c1
        a1.channels.c1.type = memory
        ",
    );
    std::fs::write(setup.home().join("idle"), "").expect("written");
    let marker = setup.home().join("idle").display().to_string();
    let mut agent = setup.start();
    agent.until("a line", |m| m.count("CHANNEL.c1", "ChannelSize") == 1);
    agent.signal(Signal::TERM);
    agent.log.line("SIGTERM: stopping");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().code(), Some(1));
    until("no process is left", || harness::processes_with(&marker).is_empty().then_some(()));
}

#[test]
fn what_has_no_sink_is_counted_as_dropped() {
    let mut agent = Setup::new(
        "
        a1.sources = r1
        a1.channels = c1
        a1.sources.r1.type = seq
        a1.sources.r1.totalEvents = 5
        a1.sources.r1.channels = c1
        a1.channels.c1.type = memory
        ",
    )
    .start();
    agent.until("all events", |m| m.count("CHANNEL.c1", "ChannelSize") == 5);
    let (code, log) = agent.stop();
    assert_eq!((code, last_count(&log, "dropped")), (Some(0), 5), "{log}");
}
