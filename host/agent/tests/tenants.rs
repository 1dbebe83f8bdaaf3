//! Ceilings of `tenants.toml` that hold for whole agents: what is above waits, and nothing of it is lost. (Ceilings of
//! memory, CPU and egress: `host/plugin/tests`; how mistakes read: `plugins.rs`.)

mod harness;

use std::path::Path;
use std::process::Command;

use harness::{Agent, Setup, until};
use tempfile::TempDir;

/// Two agents that count to some number, into files.
fn counting(events: usize) -> String {
    let agent = |name: &str| {
        format!(
            "
            {name}.sources = r1
            {name}.channels = c1
            {name}.sinks = k1
            {name}.sources.r1.type = seq
            {name}.sources.r1.batchSize = 10
            {name}.sources.r1.totalEvents = {events}
            {name}.sources.r1.channels = c1
            {name}.channels.c1.type = memory
            {name}.channels.c1.capacity = 10000
            {name}.sinks.k1.type = file_roll
            {name}.sinks.k1.channel = c1
            {name}.sinks.k1.sink.directory = HOME/{name}
            {name}.sinks.k1.sink.rollInterval = 0
            "
        )
    };
    agent("web1") + &agent("web2")
}

/// Both agents of one tenant.
fn start(home: TempDir, ceilings: &str, config: &str) -> Agent {
    let text = format!("[tenant.web]\nagents = [\"web*\"]\n{ceilings}\n");
    std::fs::write(home.path().join("tenants.toml"), text).expect("written");
    Setup::in_home(home, config).args(&["--all"]).start_monitored()
}

/// The value of a tenant's metric.
fn of_tenant(agent: &Agent, metric: &str) -> f64 {
    let (_, page) = agent.get("/metrics/prometheus");
    let line = page.lines().find(|line| line.starts_with(&format!("{metric}{{tenant=\"web\"}}")));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {metric} of the tenant:\n{page}"))
}

fn delivered(agent: &Agent) -> u64 {
    let metrics = agent.metrics();
    ["web1", "web2"].map(|name| metrics.count(&format!("AGENT.{name}"), "EventDeliveredCount")).iter().sum()
}

fn folders(home: &TempDir) {
    for name in ["web1", "web2"] {
        std::fs::create_dir(home.path().join(name)).expect("made");
    }
}

#[test]
fn the_sources_of_all_agents_of_a_tenant_share_its_events_per_second() {
    let home = TempDir::new().expect("a folder");
    folders(&home);
    let mut agent = start(home, "events_per_second_max = 400", &counting(500));
    until("all 1,000 are delivered", || (delivered(&agent) == 1000).then_some(()));
    // At 400 a second, with what may be saved up, they have waited for a second at least, together.
    let waited = of_tenant(&agent, "flumen_tenant_source_wait_seconds_total");
    assert!(waited > 0.5, "{waited} s");
    for name in ["web1", "web2"] {
        assert_eq!(agent.metrics().text(&format!("AGENT.{name}"), "LedgerBalanced"), "true");
    }
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn the_channels_of_all_agents_of_a_tenant_share_its_bytes_and_nothing_is_lost_above_them() {
    // The sinks' folders are not there yet: everything waits in the channels.
    let mut agent = start(TempDir::new().expect("a folder"), "channel_bytes_max = 200", &counting(500));
    until("sources wait", || {
        (of_tenant(&agent, "flumen_tenant_source_wait_seconds_total") > 0.0).then_some(())
    });
    let held = of_tenant(&agent, "flumen_tenant_channel_bytes");
    assert!((1.0..=200.0).contains(&held), "{held} bytes");
    for name in ["web1", "web2"] {
        std::fs::create_dir(agent.home().join(name)).expect("made");
    }
    until("all 1,000 are delivered", || (delivered(&agent) == 1000).then_some(()));
    for name in ["web1", "web2"] {
        assert_eq!(agent.metrics().text(&format!("AGENT.{name}"), "LedgerBalanced"), "true");
    }
    assert_eq!(agent.stop().0, Some(0));
}

fn flumen(folder: &Path, args: &[&str]) -> (bool, String) {
    let done =
        Command::new(env!("CARGO_BIN_EXE_flumen")).args(args).current_dir(folder).output().expect("runs");
    let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (done.status.success(), text.concat())
}

#[test]
fn a_tenant_runs_the_components_whose_digests_it_allows_and_no_others() {
    let home = TempDir::new().expect("a folder");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0/fixtures/interceptor.wasm");
    std::fs::copy(fixture, home.path().join("plugin.wasm")).expect("copied");
    let config = counting(1).replace("HOME", ".")
        + "web1.sources.r1.interceptors = i1\nweb1.sources.r1.interceptors.i1.type = plugin.wasm\n";
    std::fs::write(home.path().join("f.properties"), config).expect("written");
    let allow = |digest: &str| {
        let text = format!("[tenant.web]\nagents = [\"web*\"]\nplugins_allowed = [\"sha256:{digest}\"]\n");
        std::fs::write(home.path().join("tenants.toml"), text).expect("written");
        flumen(home.path(), &["check", "f.properties"])
    };
    let (ok, said) = allow(&"0".repeat(64));
    assert!(!ok && said.contains("tenant web does not allow") && said.contains("plugins_allowed"), "{said}");
    // The digest as `plugin check` prints it is what the file takes.
    let (_, page) = flumen(home.path(), &["plugin", "check", "plugin.wasm"]);
    let digest = page.lines().find_map(|line| line.trim().strip_prefix("sha256")).expect("a digest").trim();
    let (ok, said) = allow(digest);
    assert!(ok, "{said}");
}
