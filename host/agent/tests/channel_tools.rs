//! `flumen channel inspect | verify | export | repair` on what a killed agent has left.

mod harness;

use std::path::Path;
use std::process::{Command, Output};

use harness::{Setup, lines_in};
use tempfile::TempDir;

/// Without the folder `out` the sink cannot open, and everything stays in the channel.
const CONFIG: &str = "
    a1.sources = r1
    a1.channels = c1 c2
    a1.sinks = k1
    a1.sources.r1.type = netcat
    a1.sources.r1.bind = 127.0.0.1
    a1.sources.r1.port = 0
    a1.sources.r1.channels = c1 c2
    a1.channels.c1.type = file
    a1.channels.c1.checkpointDir = HOME/channel/checkpoint
    a1.channels.c1.dataDirs = HOME/channel/data
    a1.channels.c1.minimumRequiredSpace = 1048576
    a1.channels.c2.type = memory
    a1.sinks.k1.type = file_roll
    a1.sinks.k1.channel = c1
    a1.sinks.k1.sink.directory = HOME/out
    a1.sinks.k1.sink.rollInterval = 0
";

fn run(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    command.arg("channel").args(args).current_dir(home).output().expect("it runs")
}
fn of_channel(home: &Path, tool: &str, more: &[&str]) -> Output {
    run(home, &[&[tool, "-f", "flume.properties", "-n", "a1", "-c", "c1"], more].concat())
}
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A channel with these lines, left by a process that was killed.
fn left_behind(lines: &[String]) -> TempDir {
    let agent = Setup::new(CONFIG).start();
    let mut client = agent.client();
    for line in lines {
        assert_eq!(client.say(line).as_deref(), Some("OK"));
    }
    drop(client);
    let home = agent.kill();
    let config = CONFIG.replace("HOME", home.path().to_str().expect("UTF-8"));
    std::fs::write(home.path().join("flume.properties"), config).expect("written");
    home
}
fn lines(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("line {n}")).collect()
}

#[test]
fn the_tools_show_what_is_pending_and_leave_it() {
    let home = left_behind(&lines(40));
    let inspected = of_channel(home.path(), "inspect", &[]);
    let text = said(&inspected);
    assert!(
        inspected.status.success() && text.contains("1 segments") && text.contains("40 events pending"),
        "{text}"
    );
    assert!(text.contains("the oldest segment with pending events was begun at 20"), "{text}");
    let verified = of_channel(home.path(), "verify", &[]);
    assert!(verified.status.success() && said(&verified).contains("0 damaged places"), "{}", said(&verified));

    let exported = of_channel(home.path(), "export", &["-o", "events.json"]);
    assert!(
        exported.status.success() && said(&exported).contains("40 events; they are still in the channel")
    );
    let events = std::fs::read_to_string(home.path().join("events.json")).expect("written");
    let bodies: Vec<String> = events
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["body"].as_str().map(str::to_owned)
        })
        .map(|body| body.expect("a body"))
        .collect();
    assert_eq!(bodies, lines(40));
    let again = of_channel(home.path(), "export", &["-o", "events.json"]);
    assert!(!again.status.success() && said(&again).contains("cannot make events.json"), "{}", said(&again));
    // The folders alone, without a configuration; and nothing was taken away.
    let bare = run(
        home.path(),
        &["export", "--data-dirs", "channel/data", "--checkpoint-dir", "channel/checkpoint"],
    );
    assert_eq!(String::from_utf8_lossy(&bare.stdout).lines().count(), 40, "{}", said(&bare));
}

#[test]
fn damage_is_found_and_repair_keeps_the_rest_and_a_copy() {
    let home = left_behind(&lines(40));
    let segment = std::fs::read_dir(home.path().join("channel/data")).expect("there");
    let segment =
        segment.map(|e| e.expect("a file").path()).find(|p| p.extension().is_some_and(|e| e == "log"));
    let segment = segment.expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("readable");
    let at = bytes.windows(7).position(|w| w == b"line 20").expect("a body");
    bytes[at] ^= 1;
    std::fs::write(&segment, &bytes).expect("written");

    let verified = of_channel(home.path(), "verify", &[]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(said(&verified).contains("a put of 1 events") && said(&verified).contains("1 damaged places"));
    let without_backup = of_channel(home.path(), "repair", &[]);
    assert!(!without_backup.status.success() && said(&without_backup).contains("--backup"));
    let repaired = of_channel(home.path(), "repair", &["--backup", "copy"]);
    let text = said(&repaired);
    assert!(
        repaired.status.success() && text.contains("39 events written anew, 1 could not be read"),
        "{text}"
    );
    let name = segment.file_name().expect("a name");
    assert_eq!(std::fs::read(home.path().join("copy/data-0").join(name)).expect("the copy"), bytes);
    assert!(of_channel(home.path(), "verify", &[]).status.success());
    let second = of_channel(home.path(), "repair", &["--backup", "copy"]);
    assert!(!second.status.success() && said(&second).contains("is not empty"), "{}", said(&second));

    std::fs::create_dir(home.path().join("out")).expect("made");
    let mut agent = Setup::in_home(home, CONFIG).start();
    agent.until("everything", |m| m.count("SINK.k1", "EventDrainSuccessCount") == 39);
    agent.stop();
    let mut expected = lines(40);
    expected.remove(20);
    assert_eq!(lines_in(&agent.home().join("out")), expected);
}

#[test]
fn what_cannot_be_looked_at_is_refused_with_the_reason() {
    let home = left_behind(&lines(1));
    let refused = |args: &[&str], text: &str| {
        let output = run(home.path(), args);
        assert!(!output.status.success() && said(&output).contains(text), "{args:?}: {}", said(&output));
    };
    let of = |channel: &'static str| ["inspect", "-f", "flume.properties", "-n", "a1", "-c", channel];
    refused(&of("c9"), "no channel `c9`");
    refused(&of("c2"), "which has no files");
    refused(&["inspect", "--data-dirs", "nowhere", "--checkpoint-dir", "cp"], "there is no folder nowhere");
    assert!(!home.path().join("nowhere").exists());
    // A channel that an agent runs on is left alone, and the process named.
    let agent = Setup::in_home(home, CONFIG).start();
    agent.until("the channel is open", |m| m.count("CHANNEL.c1", "ChannelSize") == 1);
    let output = of_channel(&agent.home(), "verify", &[]);
    let holder = format!("locked by process {}", agent.pid());
    assert!(!output.status.success() && said(&output).contains(&holder), "{}", said(&output));
}
