//! No event that was acknowledged is lost, whatever is full, slow, broken or stopped.

mod harness;

use std::path::Path;
use std::process::Command;

use harness::{Agent, Setup, last_count, lines_in, processes_with, until};
use rustix::process::Signal;

const NETCAT_TO_FILES: &str = "
    a1.sources = r1
    a1.channels = c1
    a1.sinks = k1
    a1.sources.r1.type = netcat
    a1.sources.r1.bind = 127.0.0.1
    a1.sources.r1.port = 0
    a1.sources.r1.channels = c1
    a1.channels.c1.type = memory
    a1.channels.c1.capacity = 50
    a1.channels.c1.transactionCapacity = 10
    a1.channels.c1.keep-alive = 0
    a1.sinks.k1.type = file_roll
    a1.sinks.k1.channel = c1
    a1.sinks.k1.sink.directory = HOME/out
    a1.sinks.k1.sink.rollInterval = 0
    a1.sinks.k1.sink.batchSize = 10
";

fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name} {n}")).collect()
}

/// Sends all lines at once, reads all answers: the lines that were answered with `OK`.
fn accepted_of(agent: &Agent, lines: &[String]) -> Vec<String> {
    let mut client = agent.client();
    client.send(lines);
    let is_accepted = |_: &&String| {
        let answer = client.answer().expect("an answer for each line");
        assert!(answer == "OK" || answer.starts_with("FAILED: "), "{answer}");
        answer == "OK"
    };
    lines.iter().filter(is_accepted).cloned().collect()
}

/// Each line that was answered with `OK` is there once; nothing is there twice.
fn assert_has_all_once(written: &[String], accepted: &[String]) {
    let mut sorted = written.to_vec();
    sorted.sort_unstable();
    assert!(sorted.windows(2).all(|two| two[0] != two[1]), "a line was written twice");
    let missing: Vec<_> = accepted.iter().filter(|line| sorted.binary_search(line).is_err()).collect();
    assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
}

#[test]
fn acked_netcat_lines_wait_in_a_full_channel_and_arrive_once_in_order() {
    let mut agent = Setup::new(NETCAT_TO_FILES).start();
    let mut accepted = accepted_of(&agent, &numbered("early", 200));
    assert_eq!(accepted.len(), 50, "as many as the channel holds");
    let metrics = agent.until("a full channel", |m| m.text("CHANNEL.c1", "ChannelFillPercentage") == "100.0");
    metrics.assert_balanced("a1");
    assert_eq!(metrics.count("AGENT.a1", "EventRejectedCount"), 150);

    std::fs::create_dir(agent.home().join("out")).expect("made");
    let mut client = agent.client();
    for line in numbered("late", 100) {
        client.insist(&line);
        accepted.push(line);
    }
    let metrics = agent.until("all are delivered", |m| m.count("SINK.k1", "EventDrainSuccessCount") == 150);
    metrics.assert_balanced("a1");
    assert_eq!(lines_in(&agent.home().join("out")), accepted);
    assert_eq!(agent.stop().0, Some(0));
    assert_eq!(lines_in(&agent.home().join("out")), accepted);
}

#[test]
fn acked_netcat_lines_are_drained_into_a_sink_that_works_again_after_sigterm() {
    let mut agent = Setup::new(NETCAT_TO_FILES).start();
    let accepted = accepted_of(&agent, &numbered("line", 60));
    // The sink has failed several times by now or soon, and makes longer and longer pauses.
    agent.until("a failing sink", |m| m.count("SINK.k1", "ConnectionFailedCount") > 3);
    std::fs::create_dir(agent.home().join("out")).expect("made");
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0));
    assert_eq!(lines_in(&agent.home().join("out")), accepted, "{log}");
    assert_eq!((last_count(&log, "delivered"), last_count(&log, "dropped")), (50, 0));
}

#[test]
fn acked_netcat_lines_that_no_sink_took_before_the_end_are_counted_as_dropped() {
    let mut agent = Setup::new(NETCAT_TO_FILES).args(&["--drain-seconds", "1"]).start();
    let accepted = accepted_of(&agent, &numbered("line", 60));
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0));
    assert_eq!(last_count(&log, "dropped"), accepted.len() as u64, "{log}");
    assert_eq!(last_count(&log, "received"), 60);
    assert_eq!(last_count(&log, "rejected"), 10);
    assert!(log.contains("dropped at c1: 50 events: not drained before the stop"), "{log}");
}

#[test]
fn sigterm_under_load_loses_no_acked_line() {
    for keep_alive in ["0", "3"] {
        let config = NETCAT_TO_FILES
            .replace("keep-alive = 0", &format!("keep-alive = {keep_alive}"))
            .replace("capacity = 50", "capacity = 20");
        let setup = Setup::new(&config);
        std::fs::create_dir(setup.home().join("out")).expect("made");
        let mut agent = setup.start();
        let port = agent.port();
        let clients: Vec<_> = (0..8)
            .map(|n| std::thread::spawn(move || harness::client::talk_until_closed(port, &format!("c{n}"))))
            .collect();
        agent.until("load", |m| m.count("SINK.k1", "EventDrainSuccessCount") > 2000);
        let (code, log) = agent.stop();
        let accepted: Vec<Vec<String>> = clients.into_iter().map(|c| c.join().expect("a client")).collect();
        assert_eq!(code, Some(0), "{log}");
        let written = lines_in(&agent.home().join("out"));
        assert_eq!(last_count(&log, "dropped"), 0, "{log}");
        assert_eq!(last_count(&log, "delivered"), written.len() as u64);
        for (n, accepted) in accepted.iter().enumerate() {
            assert_has_all_once(&written, accepted);
            let prefix = format!("c{n}-");
            let mut of_client: Vec<String> =
                written.iter().filter(|line| line.starts_with(&prefix)).cloned().collect();
            // Stored, but the stop came before its answer: the client may send it again.
            of_client.truncate(accepted.len());
            assert_eq!(&of_client, accepted, "in the client's order");
        }
    }
}

#[test]
fn acked_lines_in_a_file_channel_survive_kill_and_the_ledger_knows_them() {
    let on_disk = "a1.channels.c1.type = file
    a1.channels.c1.checkpointDir = HOME/channel/checkpoint
    a1.channels.c1.dataDirs = HOME/channel/data
    a1.channels.c1.minimumRequiredSpace = 1048576";
    let config = NETCAT_TO_FILES
        .replace("a1.channels.c1.type = memory", on_disk)
        .replace("capacity = 50", "capacity = 5000");
    // Without its directory the sink cannot open, and everything stays in the channel.
    let agent = Setup::new(&config).start();
    let accepted = accepted_of(&agent, &numbered("before the kill", 200));
    assert_eq!(accepted.len(), 200);
    let home = agent.kill();
    std::fs::create_dir(home.path().join("out")).expect("made");
    let mut agent = Setup::in_home(home, &config).start();
    let mut all = accepted;
    all.extend(accepted_of(&agent, &numbered("after the kill", 50)));
    let metrics = agent.until("everything", |m| m.count("SINK.k1", "EventDrainSuccessCount") == 250);
    assert_eq!(metrics.count("AGENT.a1", "EventRecoveredCount"), 200);
    assert_eq!(metrics.text("AGENT.a1", "LedgerBalanced"), "true");
    assert_eq!(metrics.text("CHANNEL.c1", "Open"), "true");
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(lines_in(&agent.home().join("out")), all, "once, in order");
}

/// The limit is of the process, so it needs no privileges; without care the signal that comes with it is death.
#[test]
fn files_that_may_not_grow_further_lose_and_tear_nothing() {
    let setup = Setup::new(NETCAT_TO_FILES).after("ulimit -f 8");
    std::fs::create_dir(setup.home().join("out")).expect("made");
    let mut agent = setup.start();
    let lines = numbered(&"x".repeat(90), 500);
    let mut client = agent.client();
    lines.iter().for_each(|line| client.insist(line));
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(lines_in(&agent.home().join("out")), lines);
    let files = std::fs::read_dir(agent.home().join("out")).expect("there").count();
    assert!(files > 1, "the limit was not met");
}

/// A file system of one MiB, unmounted at the end.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        std::fs::create_dir(at).expect("made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "flumen-test"]).arg(at);
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Sends until the disk and then the channel are full: the lines that were answered with `OK`.
fn fill(agent: &Agent) -> Vec<String> {
    let mut accepted = Vec::new();
    let mut is_full = false;
    for n in 0.. {
        let was_full = is_full;
        is_full = agent.log.text().contains("No space left on device");
        let lines = numbered(&format!("{n} {}", "y".repeat(200)), 100);
        accepted.extend(accepted_of(agent, &lines));
        if was_full {
            break;
        }
    }
    agent.until("a full channel", |m| m.count("CHANNEL.c1", "ChannelSize") == 50).assert_balanced("a1");
    accepted
}

#[test]
fn a_disk_that_is_full_and_freed_again_costs_no_acked_line_and_tears_none() {
    let setup = Setup::new(NETCAT_TO_FILES);
    let out = setup.home().join("out");
    let Some(_disk) = SmallDisk::mount(&out) else {
        println!("SKIPPED, NOT TESTED: a full disk needs the right to mount a tmpfs (run as root)");
        return;
    };
    // Not a multiple of a page, so that the disk is full in the middle of a line.
    let ballast = out.join("ballast-0");
    std::fs::write(&ballast, vec![b'\n'; 900 * 1024]).expect("fits");
    let mut agent = setup.start();
    let mut accepted = fill(&agent);
    std::fs::remove_file(&ballast).expect("removed");
    let mut client = agent.client();
    for line in numbered(&"late ".repeat(40), 1000) {
        client.insist(&line);
        accepted.push(line);
    }
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(lines_in(&out), accepted);
    assert_eq!((last_count(&log, "delivered"), last_count(&log, "dropped")), (accepted.len() as u64, 0));
}

#[test]
fn sigterm_while_the_disk_is_full_tears_no_line_and_counts_what_found_no_room() {
    let setup = Setup::new(NETCAT_TO_FILES).args(&["--drain-seconds", "1"]);
    let out = setup.home().join("out");
    let Some(_disk) = SmallDisk::mount(&out) else {
        println!("SKIPPED, NOT TESTED: a full disk needs the right to mount a tmpfs (run as root)");
        return;
    };
    std::fs::write(out.join("ballast-0"), vec![b'\n'; 1000 * 1024]).expect("fits");
    let mut agent = setup.start();
    let accepted = fill(&agent);
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    std::fs::remove_file(out.join("ballast-0")).expect("removed");
    let written = lines_in(&out);
    assert!(!written.is_empty() && written.len() < accepted.len());
    assert_eq!(written, accepted[..written.len()]);
    let dropped = u64::try_from(accepted.len() - written.len()).expect("a number");
    assert_eq!((last_count(&log, "delivered"), last_count(&log, "dropped")), (written.len() as u64, dropped));
}

#[test]
fn of_two_required_channels_neither_gets_what_one_has_no_room_for() {
    let mut agent = Setup::new(
        "
        a1.sources = r1
        a1.channels = c1 c2
        a1.sinks = k1
        a1.sources.r1.type = netcat
        a1.sources.r1.bind = 127.0.0.1
        a1.sources.r1.port = 0
        a1.sources.r1.channels = c1 c2
        a1.channels.c1.type = memory
        a1.channels.c2.type = memory
        a1.channels.c2.capacity = 3
        a1.channels.c2.transactionCapacity = 3
        a1.channels.c2.keep-alive = 0
        a1.sinks.k1.type = null
        a1.sinks.k1.channel = c1
        ",
    )
    .start();
    assert_eq!(accepted_of(&agent, &numbered("together", 10)).len(), 3);
    let mut client = agent.client();
    assert!(client.say("alone").is_some_and(|answer| answer.starts_with("FAILED: ")));
    let metrics = agent.until("k1 has all", |m| m.count("SINK.k1", "EventDrainSuccessCount") == 3);
    assert_eq!(metrics.count("CHANNEL.c1", "EventPutSuccessCount"), 3);
    assert_eq!(metrics.count("CHANNEL.c2", "EventPutSuccessCount"), 3);
    assert_eq!(metrics.count("AGENT.a1", "EventCopiedCount"), 3);
    metrics.assert_balanced("a1");
    let (_, log) = agent.stop();
    assert_eq!((last_count(&log, "delivered"), last_count(&log, "dropped")), (3, 3), "{log}");
}

const EXEC_TO_FILES: &str = "
    a1.sources = r1
    a1.channels = c1
    a1.sinks = k1
    a1.sources.r1.type = exec
    a1.sources.r1.channels = c1
    a1.channels.c1.type = memory
    a1.channels.c1.capacity = 50
    a1.channels.c1.transactionCapacity = 50
    a1.channels.c1.keep-alive = 0
    a1.sinks.k1.type = file_roll
    a1.sinks.k1.channel = c1
    a1.sinks.k1.sink.directory = HOME/out
    a1.sinks.k1.sink.rollInterval = 0
    a1.sinks.k1.sink.batchSize = 50
";

#[test]
fn exec_makes_its_command_wait_for_a_full_channel_and_loses_nothing() {
    let config = format!("{EXEC_TO_FILES}\na1.sources.r1.command = seq 1 20000\n");
    let mut agent = Setup::new(&config).start();
    agent.until("a full channel", |m| m.count("CHANNEL.c1", "ChannelSize") == 50).assert_balanced("a1");
    std::fs::create_dir(agent.home().join("out")).expect("made");
    agent.until("all are delivered", |m| m.count("SINK.k1", "EventDrainSuccessCount") == 20000);
    assert_eq!(agent.stop().0, Some(0));
    let expected: Vec<String> = (1..=20000).map(|n| n.to_string()).collect();
    assert_eq!(lines_in(&agent.home().join("out")), expected);
}

#[test]
fn exec_counts_every_line_that_it_has_read_when_sigterm_finds_the_channel_full() {
    let config = format!("{EXEC_TO_FILES}\na1.sources.r1.command = seq 1 20000\n");
    let mut agent = Setup::new(&config).args(&["--drain-seconds", "1"]).start();
    agent.until("a full channel", |m| m.count("CHANNEL.c1", "ChannelSize") == 50);
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("cut off"), "{log}");
    assert!(log.contains("exec: stopped while the channel was full"), "{log}");
    let received = last_count(&log, "received");
    assert!(received > 50, "{log}");
    assert_eq!(last_count(&log, "dropped"), received, "{log}");
}

#[test]
fn exec_leaves_no_process_behind_after_sigterm() {
    let setup = Setup::new(&format!(
        "{EXEC_TO_FILES}
        a1.sources.r1.shell = /bin/sh -c
        a1.sources.r1.command = sh HOME/child.sh\n"
    ));
    let scripts = setup.home().join("scripts");
    std::fs::create_dir(&scripts).expect("made");
    let dir = setup.home().display().to_string();
    let write = |name: &str, text: String| std::fs::write(format!("{dir}/{name}"), text).expect("written");
    write("idle", String::new());
    write(
        "stubborn.sh",
        format!("trap '' TERM\ntail -f {dir}/idle &\nwait\nwhile :; do tail -f {dir}/idle; done\n"),
    );
    write(
        "child.sh",
        format!(
            "tail -f {dir}/idle &\nsh {dir}/stubborn.sh &\n(tail -f {dir}/idle &) &\nseq 1 1000000\nwait\n"
        ),
    );
    let mut agent = setup.start();
    agent.until("a full channel", |m| m.count("CHANNEL.c1", "ChannelSize") == 50);
    until("three followers", || (processes_with(&format!("tail -f {dir}/idle")).len() >= 3).then_some(()));
    agent.signal(Signal::TERM);
    agent.ended();
    let log = agent.log.complete();
    assert_eq!(processes_with(&dir), Vec::<String>::new(), "{log}");
    assert_eq!(last_count(&log, "received"), last_count(&log, "dropped"), "{log}");
}
