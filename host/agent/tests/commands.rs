//! The command line: exit statuses with a reason, logs, and what Flume's launcher understands.

mod harness;

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use harness::{Setup, until};
use rustix::process::Signal;
use tempfile::TempDir;

const GOOD: &str = "
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = 0
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = logger
a1.sinks.k1.channel = c1
";

/// Runs a program that is expected to end by itself.
fn flumen(home: &TempDir, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    let Output { status, stderr, .. } =
        command.args(args).current_dir(home.path()).stdin(Stdio::null()).output().expect("runs");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

fn home_with(config: &str) -> TempDir {
    let home = TempDir::new().expect("a directory");
    std::fs::write(home.path().join("f.conf"), config).expect("written");
    home
}

/// Runs the configuration; it must end with status 1 and say all of these.
#[track_caller]
fn assert_refused(config: &str, args: &[&str], said: &[&str]) {
    let home = home_with(config);
    let (code, text) = flumen(&home, &[&["agent"], args].concat());
    assert_eq!(code, Some(1), "{text}");
    for needle in said {
        assert!(text.contains(needle), "`{needle}` is not said:\n{text}");
    }
}

const A1: &[&str] = &["-n", "a1", "-f", "f.conf"];

#[test]
fn an_unknown_type_ends_with_1_and_says_where_and_what_to_do() {
    let config = GOOD.replace("type = logger", "type = loger");
    assert_refused(&config, A1, &["f.conf:10: error", "loger", "did you mean", "logger"]);
    let config = GOOD.replace("type = logger", "type = com.example.MySink");
    assert_refused(&config, A1, &["f.conf:10: error", "com.example.MySink", "port the class"]);
}

#[test]
fn an_agent_that_is_not_in_the_file_ends_with_1_and_says_which_are() {
    assert_refused(GOOD, &["-n", "agent", "-f", "f.conf"], &["agent", "the configuration has a1", "--name"]);
    let broken = GOOD.replace("a1.channels = c1", "");
    assert_refused(&broken, A1, &["f.conf", "removed for the errors above"]);
}

#[test]
fn nothing_to_run_ends_with_1() {
    assert_refused("", A1, &["no agent that can run"]);
    assert_refused("", &["--all", "-f", "f.conf"], &["no agent could be started"]);
    assert_refused(GOOD, &["-n", "a1"], &["--conf-file"]);
    assert_refused(GOOD, &["-f", "f.conf"], &["--name"]);
}

#[test]
fn strict_refuses_an_unknown_key_with_1_and_without_it_the_agent_runs() {
    let config = format!("{GOOD}a1.sources.r1.max-line-lenght = 9\n");
    let strict = [A1, &["--strict"]].concat();
    assert_refused(&config, &strict, &["f.conf:12: error", "max-line-lenght", "max-line-length", "--strict"]);
    let mut agent = Setup::new(&config).start();
    assert_eq!(agent.client().say("hello").as_deref(), Some("OK"));
    assert!(agent.stop().1.contains("max-line-lenght"));
}

#[test]
fn a_file_that_cannot_be_read_ends_with_1_and_says_why() {
    assert_refused(GOOD, &["-n", "a1", "-f", "missing.conf"], &["missing.conf", "No such file"]);
    assert_refused(GOOD, &["-n", "a1", "-f", "."], &["directory"]);
}

#[test]
fn a_wrong_command_line_ends_with_1() {
    let home = home_with(GOOD);
    for args in [&["agnet"][..], &["agent", "-n", "a1", "-f", "f.conf", "--no-such-option"], &[]] {
        assert_eq!(flumen(&home, args).0, Some(1), "{args:?}");
    }
    for args in [&["help"][..], &["--help"], &["version"], &["agent", "--help"], &["agent", "-h"]] {
        assert_eq!(flumen(&home, args).0, Some(0), "{args:?}");
    }
}

#[test]
fn sigterm_sigint_and_sighup_end_with_0() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut agent = Setup::new(GOOD).start();
        agent.port();
        agent.signal(signal);
        assert_eq!(agent.ended().code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_second_sigterm_ends_at_once() {
    let config =
        GOOD.replace("k1.type = logger", "k1.type = file_roll\na1.sinks.k1.sink.directory = HOME/missing");
    let mut agent = Setup::new(&config).args(&["--drain-seconds", "1000000"]).start();
    assert_eq!(agent.client().say("never delivered").as_deref(), Some("OK"));
    agent.signal(Signal::TERM);
    agent.log.line("SIGTERM: stopping");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().code(), Some(1));
    agent.log.line("SIGTERM again: ending at once");
}

#[test]
fn the_root_logger_of_the_command_line_is_obeyed() {
    for (given, has_debug, has_info) in
        [("DEBUG,console", true, true), ("INFO,console", false, true), ("ERROR,console", false, false)]
    {
        let mut agent =
            Setup::new(GOOD).args(&["-n", "a1", &format!("-Dflume.root.logger={given}")]).start_as_given();
        if has_info {
            let client = agent.client();
            let at_once = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(&client.stream, at_once).expect("a reset");
        } else {
            until("its handlers of signals", || catches_sigterm(agent.pid()).then_some(()));
        }
        if has_debug {
            agent.log.line("[DEBUG - ");
        }
        let (code, log) = agent.stop();
        assert_eq!(code, Some(0), "{given}: {log}");
        assert_eq!((log.contains("[DEBUG - "), log.contains("[INFO - ")), (has_debug, has_info), "{given}");
    }
}

fn catches_sigterm(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & (1 << (15 - 1)) != 0)
}

#[test]
fn logfile_goes_to_the_directory_and_file_of_the_properties() {
    let read = |path: &str, args: &[&str]| {
        let setup = Setup::new(GOOD).args(&["-n", "a1", "-Dflume.root.logger=INFO,LOGFILE"]).args(args);
        let file = setup.home().join(path);
        let mut agent = setup.start_as_given();
        let contains = |needle: &str| std::fs::read_to_string(&file).is_ok_and(|text| text.contains(needle));
        until("a log file", || contains("Created serverSocket").then_some(()));
        let (code, console) = agent.stop();
        assert_eq!((code, console.as_str()), (Some(0), ""));
        assert!(contains("agent a1 stopped: received 0"));
    };
    read("logs/flume.log", &[]);
    read("a/b/own.log", &["-Dflume.log.dir=a/b", "-Dflume.log.file=own.log"]);
}

#[test]
fn java_opts_of_flume_env_sh_are_obeyed_and_jvm_options_are_accepted() {
    let setup = Setup::new(GOOD);
    std::fs::create_dir(setup.home().join("conf")).expect("made");
    let script = "export JAVA_OPTS=\"-Xms100m -Xmx2000m -Dcom.sun.management.jmxremote \
                  -Dflume.monitoring.type=http -Dflume.monitoring.port=0 -Dflume.monitoring.bind=127.0.0.1\"\n";
    std::fs::write(setup.home().join("conf/flume-env.sh"), script).expect("written");
    let mut agent = setup.args(&["-n", "a1", "-c", "conf", "-Xmx1g", "-javaagent:x.jar"]).start_as_given();
    assert_eq!(agent.client().say("hello").as_deref(), Some("OK"));
    agent.until("delivered", |m| m.count("SINK.k1", "EventDrainSuccessCount") == 1);
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn under_the_name_flume_ng_the_command_line_of_the_tutorials_works() {
    let home = home_with(GOOD);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_flumen"), home.path().join("flume-ng")).expect("linked");
    std::fs::create_dir(home.path().join("conf")).expect("made");
    for line in [
        "./flume-ng agent --conf conf --conf-file f.conf --name a1 -Dflume.root.logger=INFO,console",
        "./flume-ng agent -c conf -f f.conf -n a1 -Dflume.root.logger=INFO,console",
        "./flume-ng agent --name a1 --conf-file f.conf -Xmx1g -Dflume.monitoring.type=http -Dflume.monitoring.port=0",
    ] {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec {line}")).current_dir(home.path());
        let mut agent = Setup::of_command(command).start_as_given();
        assert_eq!(agent.client().say("Hello world!").as_deref(), Some("OK"));
        agent.log.line("Event: { headers:{} body: 48 65 6C 6C 6F 20 77 6F 72 6C 64 21");
        assert_eq!(agent.stop().0, Some(0));
    }
}
