//! Agents with WebAssembly components: what passes, what is put aside, what a reload and a replay do, and how
//! mistakes read. The components are the fixtures of the released WIT package, whose interceptor filters `drop…`,
//! rejects `bad`, doubles `twice` and writes `up` in capitals.

mod harness;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::{Agent, Setup, last_count, lines_in, until};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0/fixtures").join(format!("{name}.wasm"))
}

/// netcat, one interceptor that is `plugin.wasm` of the same folder, a memory channel, files in `out`.
const MASKED: &str = "
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = 0
a1.sources.r1.channels = c1
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = plugin.wasm
a1.sources.r1.interceptors.i1.onError = dead-letter
a1.sources.r1.interceptors.i1.deadLetter = file dead.jsonl
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = HOME/out
a1.sinks.k1.sink.rollInterval = 0
";

/// A folder with the component and the configuration.
fn home(component: &str) -> TempDir {
    let home = TempDir::new().expect("a folder");
    std::fs::create_dir(home.path().join("out")).expect("made");
    std::fs::copy(fixture(component), home.path().join("plugin.wasm")).expect("copied");
    home
}

fn start(home: TempDir, config: &str) -> Agent {
    let state = format!("-Dflumen.state={}", home.path().join("state").display());
    Setup::in_home(home, config).args(&[&state]).start()
}

fn send(agent: &Agent, lines: &[&str]) {
    let mut client = agent.client();
    for line in lines {
        assert_eq!(client.say(line).as_deref(), Some("OK"));
    }
}

/// Runs a command that ends by itself: its status, and what it says on both streams.
fn flumen(folder: &Path, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    let done = command.args(args).current_dir(folder).stdin(Stdio::null()).output().expect("runs");
    let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (done.status.success(), text.concat())
}

#[test]
fn a_component_changes_what_passes_and_puts_aside_what_it_cannot_process() {
    let mut agent = start(home("interceptor"), MASKED);
    send(&agent, &["plain", "drop it", "up", "bad", "twice"]);
    agent.until("all is delivered", |m| m.count("AGENT.a1", "EventDeliveredCount") == 4);
    let metrics = agent.metrics();
    assert_eq!(metrics.count("AGENT.a1", "EventMadeCount"), 1);
    assert_eq!(metrics.count("AGENT.a1", "EventInDeadLetterFileCount"), 1);
    assert_eq!(metrics.text("AGENT.a1", "LedgerBalanced"), "true");
    let (_, page) = agent.get("/metrics/prometheus");
    for name in [
        "flumen_plugin_calls_total{agent=\"a1\",tenant=\"default\"",
        "flumen_plugin_info",
        "flumen_tenant_plugin_memory_bytes",
    ] {
        assert!(page.contains(name), "{name}\n{page}");
    }
    let home = agent.home();
    let (code, log) = agent.stop();
    assert_eq!((code, last_count(&log, "received"), last_count(&log, "delivered")), (Some(0), 5, 4), "{log}");
    assert_eq!(lines_in(&home.join("out")), ["plain", "UP", "twice", "twice"]);
    let letters = std::fs::read_to_string(home.join("dead.jsonl")).expect("a dead letter");
    assert!(letters.contains("\"body\":\"bad\"") && letters.lines().count() == 1, "{letters}");
    assert!(letters.contains("\"flumen.plugin\":\"a1.sources.r1.interceptors.i1\""), "{letters}");
    for header in ["flumen.digest", "flumen.error", "flumen.time"] {
        assert!(letters.contains(header), "{letters}");
    }
}

#[test]
fn dead_letters_in_a_channel_are_delivered_from_it() {
    let config = MASKED
        .replace("file dead.jsonl", "channel dead")
        .replace("channels = c1\na1.sinks = k1", "channels = c1 dead\na1.sinks = k1 k2")
        + "a1.channels.dead.type = memory\na1.sinks.k2.type = file_roll\na1.sinks.k2.channel = dead\n\
           a1.sinks.k2.sink.directory = HOME/letters\na1.sinks.k2.sink.serializer = event_json\na1.sinks.k2.sink.rollInterval = 0\n";
    let home = home("interceptor");
    std::fs::create_dir(home.path().join("letters")).expect("made");
    let mut agent = start(home, &config);
    send(&agent, &["plain", "bad", "bad"]);
    agent.until("all is delivered", |m| m.count("AGENT.a1", "EventDeliveredCount") == 3);
    assert_eq!(agent.metrics().text("AGENT.a1", "LedgerBalanced"), "true");
    let home = agent.home();
    agent.stop();
    let letters = lines_in(&home.join("letters"));
    assert_eq!(letters.len(), 2);
    assert!(letters.iter().all(|one| one.contains("\"body\":\"bad\"")), "{letters:?}");
    assert_eq!(lines_in(&home.join("out")), ["plain"]);
}

#[test]
fn a_replay_through_a_fixed_component_delivers_and_goes_on_where_it_was() {
    let mut agent = start(home("interceptor"), MASKED);
    send(&agent, &["bad", "bad"]);
    let home = agent.home();
    agent.stop();
    let replay =
        ["replay", "--from", "dead.jsonl", "-f", "flume.properties", "-n", "a1", "-Dflumen.state=state"];
    let (ok, said) = flumen(&home, &replay);
    assert!(
        ok && said.contains("replayed 2 dead letters: delivered 0, dropped 0, dead letters again 2"),
        "{said}"
    );
    std::fs::copy(fixture("interceptor_simple"), home.join("plugin.wasm")).expect("the fixed one");
    let (ok, said) = flumen(&home, &replay);
    assert!(ok && said.contains("replayed 2 dead letters: delivered 2"), "{said}");
    let (ok, said) = flumen(&home, &replay);
    assert!(ok && said.contains("replayed 0 dead letters"), "{said}");
    assert_eq!(lines_in(&home.join("out")), ["bad", "bad"]);
}

#[test]
fn a_reload_swaps_a_good_component_and_refuses_a_bad_one() {
    let agent = start(home("interceptor"), MASKED);
    send(&agent, &["up"]);
    let home = agent.home();
    let put = |bytes: Vec<u8>| {
        std::fs::write(home.join("new"), bytes).expect("written");
        std::fs::rename(home.join("new"), home.join("plugin.wasm")).expect("renamed");
    };
    let reload = ["plugin", "reload", "a1.sources.r1.interceptors.i1", "-Dflumen.state=state"];
    put(b"not a component".to_vec());
    let (ok, said) = flumen(&home, &reload);
    assert!(!ok && said.contains("refused, the one in use goes on"), "{said}");
    send(&agent, &["up"]);
    put(std::fs::read(fixture("interceptor_simple")).expect("a fixture"));
    let (ok, said) = flumen(&home, &reload);
    // The watcher may have been quicker.
    assert!(ok && (said.contains("swapped to") || said.contains("the same component")), "{said}");
    send(&agent, &["up"]);
    agent.until("all is delivered", |m| m.count("AGENT.a1", "EventDeliveredCount") == 3);
    assert_eq!(lines_in(&home.join("out")), ["UP", "UP", "up"]);
    let (ok, said) = flumen(&home, &["plugin", "reload", "a1.none", "-Dflumen.state=state"]);
    assert!(!ok && said.contains("have no plugin `a1.none`"), "{said}");
}

#[test]
fn check_finds_what_is_wrong_with_a_plugin_at_its_line() {
    let home = home("sink");
    std::fs::write(home.path().join("broken.wasm"), b"\0asm").expect("written");
    let plugin = |line: &str| {
        let config = MASKED.replace("a1.sources.r1.interceptors.i1.type = plugin.wasm", line);
        std::fs::write(home.path().join("f.properties"), config.replace("HOME", ".")).expect("written");
        let (ok, said) = flumen(home.path(), &["check", "f.properties"]);
        assert!(!ok, "{said}");
        said
    };
    for (line, expected) in [
        ("a1.sources.r1.interceptors.i1.type = plugin.wasm", "world sink"),
        ("a1.sources.r1.interceptors.i1.type = none.wasm", "cannot read"),
        ("a1.sources.r1.interceptors.i1.type = broken.wasm", "damaged or cut off"),
    ] {
        let said = plugin(line);
        assert!(said.contains(expected) && said.contains("f.properties:10"), "{line}: {said}");
    }
    let said = plugin(
        "a1.sources.r1.interceptors.i1.type = plugin.wasm\na1.sources.r1.interceptors.i1.limits.memoryByteMax = 1",
    );
    assert!(said.contains("did you mean `a1.sources.r1.interceptors.i1.limits.memoryBytesMax`?"), "{said}");
    let config = MASKED.replace("file dead.jsonl", "channel ded").replace("HOME", ".");
    std::fs::write(home.path().join("f.properties"), config).expect("written");
    let (ok, said) = flumen(home.path(), &["check", "f.properties"]);
    assert!(!ok && said.contains("dead letters for channel `ded`"), "{said}");
}

#[test]
fn check_shows_what_a_component_says_of_its_options_at_their_line() {
    let home = home("serializer");
    let plain: String = MASKED
        .replace("a1.sources.r1.interceptors = i1\n", "")
        .replace("HOME", ".")
        .lines()
        .filter(|line| !line.contains("interceptors.i1"))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let line = plain.lines().count() + 2;
    let config = plain
        + "a1.sinks.k1.sink.serializer = plugin.wasm\na1.sinks.k1.sink.serializer.config.style = columns\n";
    std::fs::write(home.path().join("f.properties"), config).expect("written");
    let (ok, said) = flumen(home.path(), &["check", "f.properties"]);
    assert!(!ok && said.contains("config.style: `columns` is no style, `lines` is"), "{said}");
    assert!(said.contains(&format!("f.properties:{line}")), "{said}");
}

#[test]
fn what_is_above_the_tenants_ceiling_is_refused_with_both_places() {
    let home = home("interceptor");
    let tenants = "[tenant.t]\nagents = [\"a1\"]\n[tenant.t.plugin]\nmemory_bytes_max = 1048576\n";
    std::fs::write(home.path().join("tenants.toml"), tenants).expect("written");
    let config =
        MASKED.replace("HOME", ".") + "a1.sources.r1.interceptors.i1.limits.memoryBytesMax = 2097152\n";
    std::fs::write(home.path().join("f.properties"), config).expect("written");
    let (ok, said) = flumen(home.path(), &["check", "f.properties"]);
    assert!(
        !ok && said.contains("above what tenant `t` allows") && said.contains("tenants.toml:4"),
        "{said}"
    );
    std::fs::write(home.path().join("tenants.toml"), "[tenant.t]\nagent = [\"a1\"]\n").expect("written");
    let (ok, said) = flumen(home.path(), &["agent", "-n", "a1", "-f", "f.properties"]);
    assert!(!ok && said.contains("did you mean `agents`") && said.contains("nothing is started"), "{said}");
}

#[test]
fn the_pools_of_instances_are_sized_by_properties() {
    let home = home("interceptor");
    std::fs::write(home.path().join("f.properties"), MASKED.replace("HOME", ".")).expect("written");
    let args = ["agent", "-n", "a1", "-f", "f.properties", "-Dflumen.plugins.instances=many"];
    let (ok, said) = flumen(home.path(), &args);
    assert!(
        !ok && said.contains("`-Dflumen.plugins.instances=many`") && said.contains("1000 without it"),
        "{said}"
    );
    let (ok, said) = flumen(home.path(), &["check", "f.properties", "-Dflumen.plugins.io.instances=0"]);
    assert!(!ok && said.contains("`-Dflumen.plugins.io.instances=0`"), "{said}");
    // The check loads the plugin, in a pool of one.
    let (ok, said) = flumen(home.path(), &["check", "f.properties", "-Dflumen.plugins.instances=1"]);
    assert!(ok, "{said}");
}

#[test]
fn a_component_can_be_looked_at_and_tried_alone() {
    let home = home("interceptor");
    let (ok, said) = flumen(home.path(), &["plugin", "check", "plugin.wasm"]);
    assert!(ok && said.contains("used as    interceptor (world interceptor, flumen:plugin 0.1.0)"), "{said}");
    std::fs::write(home.path().join("in"), "plain\nup\nbad\n").expect("written");
    let (ok, said) = flumen(home.path(), &["plugin", "test", "plugin.wasm", "--input", "in"]);
    assert!(ok && said.contains("\"body\":\"UP\"") && said.contains("not among them: 1 events"), "{said}");
    std::fs::write(home.path().join("golden"), "{\"body\":\"other\"}\n").expect("written");
    let args = ["plugin", "test", "plugin.wasm", "--input", "in", "--expect", "golden"];
    let (ok, said) = flumen(home.path(), &args);
    assert!(!ok && said.contains("line 1 differs"), "{said}");
    let (ok, said) = flumen(home.path(), &["plugin", "check", "in"]);
    assert!(!ok && said.contains("it is not WebAssembly"), "{said}");
}

#[test]
fn a_component_is_measured_and_held_against_the_ceilings_of_tenants() {
    let home = home("interceptor");
    let text = "[tenant.narrow]\nplugins_allowed = []\negress_hosts = []\n[tenant.narrow.plugin]\n\
                memory_bytes_max = 65536\noutput_bytes_max = 10\nfuel_per_event_max = 1\n[tenant.wide]\n";
    std::fs::write(home.path().join("t.toml"), text).expect("written");
    std::fs::write(home.path().join("up"), "up\n".repeat(1000)).expect("written");
    let bench = ["plugin", "bench", "plugin.wasm", "--millis", "5", "--input", "up", "--tenants", "t.toml"];
    let (ok, said) = flumen(home.path(), &[&bench[..], &["--set", "grants.http=example.org:443"]].concat());
    assert!(ok && said.contains("peak memory of an instance"), "{said}");
    let tenant = |name: &str| {
        said.lines()
            .find(|line| line.starts_with(&format!("tenant {name}")))
            .unwrap_or_else(|| panic!("{said}"))
    };
    for ceiling in [
        "plugin.memory_bytes_max",
        "plugin.fuel_per_event_max = 1:",
        "egress_hosts: example.org:443",
        "NOT ALLOWED",
    ] {
        assert!(tenant("narrow").contains(ceiling), "{ceiling}: {said}");
    }
    assert!(tenant("wide").ends_with("stays below its ceilings"), "{said}");
    let text = "[tenant.t.plugin]\noutput_bytes_max = 10\n";
    std::fs::write(home.path().join("t.toml"), text).expect("written");
    let (ok, said) = flumen(home.path(), &bench);
    assert!(ok && said.contains("BREAKS plugin.output_bytes_max = 10"), "{said}");
}

#[test]
fn a_deserializer_is_measured_by_a_stream() {
    let home = home("deserializer");
    let (ok, said) = flumen(home.path(), &["plugin", "bench", "plugin.wasm", "--millis", "5"]);
    assert!(ok && said.contains("ns an event"), "{said}");
}

#[test]
fn a_process_without_plugins_has_none_of_their_threads() {
    let config = MASKED.replace("a1.sources.r1.interceptors = i1\n", "");
    let config: String = config
        .lines()
        .filter(|line| !line.contains("interceptors.i1"))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let agent = start(home("interceptor"), &config);
    send(&agent, &["plain"]);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", agent.pid())).expect("/proc");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let names: Vec<String> = names.collect();
    assert!(!names.is_empty() && names.iter().all(|name| !name.contains("plugin")), "{names:?}");
    until("the line", || (lines_in(&agent.home().join("out")) == ["plain"]).then_some(()));
}
