//! What the monitor tells: Flume's JSON, Prometheus' text, and at every moment the whole truth about events.

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use harness::{Agent, Metrics, Setup, http, until};

const SIMPLE: &str = "
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = 0
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10
a1.channels.c1.transactionCapacity = 10
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = HOME/out
a1.sinks.k1.sink.batchSize = 10
";

/// Groups and attributes as the reference has them for netcat, memory and file_roll.
const SOURCE: &[&str] = &[
    "Type",
    "StartTime",
    "StopTime",
    "EventReceivedCount",
    "EventAcceptedCount",
    "AppendReceivedCount",
    "AppendAcceptedCount",
    "AppendBatchReceivedCount",
    "AppendBatchAcceptedCount",
    "OpenConnectionCount",
    "EventReadFail",
    "ChannelWriteFail",
    "GenericProcessingFail",
];
const CHANNEL: &[&str] = &[
    "Type",
    "StartTime",
    "StopTime",
    "ChannelSize",
    "ChannelCapacity",
    "ChannelFillPercentage",
    "EventPutAttemptCount",
    "EventPutSuccessCount",
    "EventTakeAttemptCount",
    "EventTakeSuccessCount",
];
const SINK: &[&str] = &[
    "Type",
    "StartTime",
    "StopTime",
    "ConnectionCreatedCount",
    "ConnectionClosedCount",
    "ConnectionFailedCount",
    "BatchEmptyCount",
    "BatchUnderflowCount",
    "BatchCompleteCount",
    "EventDrainAttemptCount",
    "EventDrainSuccessCount",
    "EventWriteFail",
    "ChannelReadFail",
];

fn start_working() -> Agent {
    let setup = Setup::new(SIMPLE);
    std::fs::create_dir(setup.home().join("out")).expect("made");
    setup.start()
}

#[test]
fn metrics_has_exactly_flumes_names_and_all_values_are_strings() {
    let agent = start_working();
    let mut client = agent.client();
    for _ in 0..7 {
        assert_eq!(client.say("hello").as_deref(), Some("OK"));
    }
    let metrics = agent.until("delivered", |m| m.count("SINK.k1", "EventDrainSuccessCount") == 7);
    for (group, kind, names) in
        [("SOURCE.r1", "SOURCE", SOURCE), ("CHANNEL.c1", "CHANNEL", CHANNEL), ("SINK.k1", "SINK", SINK)]
    {
        let given: BTreeSet<&str> = metrics.0[group].keys().map(String::as_str).collect();
        assert_eq!(given, names.iter().copied().collect(), "{group}");
        assert_eq!(metrics.text(group, "Type"), kind);
        assert!(metrics.count(group, "StartTime") > 1_700_000_000_000, "milliseconds");
        assert_eq!(metrics.text(group, "StopTime"), "0");
    }
    assert_eq!(metrics.0.keys().collect::<Vec<_>>(), ["AGENT.a1", "CHANNEL.c1", "SINK.k1", "SOURCE.r1"]);
    assert_eq!(metrics.text("CHANNEL.c1", "ChannelFillPercentage"), "0.0");
    assert_eq!(metrics.count("CHANNEL.c1", "ChannelCapacity"), 10);
    assert_eq!(metrics.count("SOURCE.r1", "EventAcceptedCount"), 7);
    assert_eq!(metrics.count("SOURCE.r1", "OpenConnectionCount"), 1);
    assert_eq!(metrics.count("CHANNEL.c1", "EventTakeSuccessCount"), 7);
    assert_eq!(metrics.count("SINK.k1", "ConnectionCreatedCount"), 1);
}

#[test]
fn pages_methods_and_types_are_those_of_flumes_server() {
    let agent = start_working();
    agent.port();
    let port = agent.monitor_port();
    for (method, path, status, content_type) in [
        ("GET", "/metrics", 200, "application/json;charset=utf-8"),
        ("GET", "/", 200, "text/html;charset=utf-8"),
        ("GET", "/metrics/prometheus", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("GET", "/nothing", 404, "text/plain"),
        ("TRACE", "/metrics", 403, "text/plain"),
        ("OPTIONS", "/metrics", 403, "text/plain"),
        ("TRACE", "/nothing", 403, "text/plain"),
    ] {
        let (given, head, _) = http::request_with_head(method, port, path);
        assert_eq!(given, status, "{method} {path}");
        assert!(head.to_lowercase().contains(&format!("content-type: {content_type}\r\n")), "{path}: {head}");
    }
}

/// A sample's name, labels and value.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// The text format 0.0.4, strictly: every family has one HELP and one TYPE in front of all its samples, names
/// and labels are of the allowed characters, no sample comes twice, the text ends with a line feed.
fn parse_prometheus(text: &str) -> Samples {
    assert!(text.ends_with('\n'));
    let mut samples = Samples::new();
    let mut families = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let (name, _) = help.strip_prefix("# HELP ").and_then(|h| h.split_once(' ')).expect("HELP");
        assert!(is_name(name) && families.insert(name.to_owned()), "{name} is no name, or comes twice");
        let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} ")));
        let kind = kind.unwrap_or_else(|| panic!("no TYPE of {name}"));
        assert!(kind == "gauge" || kind == "counter", "{kind}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        let before = samples.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let rest = line.strip_prefix(name).unwrap_or_else(|| panic!("{line} is not of {name}"));
            let (labels, rest) = parse_labels(rest);
            let value: f64 = rest.strip_prefix(' ').and_then(|v| v.parse().ok()).expect("a value");
            assert!(value.is_finite() && value >= 0.0, "{line}");
            assert!(samples.insert((name.to_owned(), labels), value).is_none(), "twice: {line}");
        }
        assert!(samples.len() > before, "{name} has no samples");
    }
    samples
}

fn is_name(text: &str) -> bool {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.chars().next().is_some_and(is_start) && text.chars().all(|c| is_start(c) || c.is_ascii_digit())
}

fn parse_labels(text: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    let Some(mut rest) = text.strip_prefix('{') else { return (labels, text) };
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label");
        assert!(is_name(name) && !name.contains(':'), "{name}");
        let (mut value, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next().expect("a closing quote") {
                (at, '"') => break at + 1,
                (_, '\\') => value.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, c @ ('\\' | '"'))) => c,
                    other => panic!("escape {other:?}"),
                }),
                (_, c) => value.push(c),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} twice");
        rest = &after[end..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (labels, rest.strip_prefix('}').expect("a closing brace")),
        }
    }
}

/// The sum of a family's samples with this label.
fn sum(samples: &Samples, name: &str, agent: &str) -> u64 {
    let own = samples.iter().filter(|((n, labels), _)| n == name && labels["agent"] == agent);
    own.map(|(_, value)| *value as u64).sum()
}

/// received + copies = delivered + dropped + rejected + in channels, from the components' own numbers.
#[track_caller]
fn assert_prometheus_balances(samples: &Samples) {
    let sum = |name: &str| sum(samples, name, "a1");
    let received = sum("flumen_source_events_received_total");
    assert_eq!(
        received + sum("flumen_agent_events_copied_total"),
        sum("flumen_sink_events_delivered_total")
            + sum("flumen_events_dropped_total")
            + sum("flumen_source_events_rejected_total")
            + sum("flumen_channel_events"),
        "{samples:?}"
    );
    assert_eq!(received, sum("flumen_agent_events_received_total"));
    assert_eq!(sum("flumen_agent_events_in_channels"), sum("flumen_channel_events"));
    assert_eq!(sum("flumen_ledger_balanced"), 1);
}

/// The same from Flume's names.
#[track_caller]
fn assert_json_balances(metrics: &Metrics) {
    metrics.assert_balanced("a1");
    let sum = |kind: &str, name: &str| -> u64 {
        let groups = metrics.0.keys().filter(|group| group.starts_with(kind));
        groups.map(|group| metrics.count(group, name)).sum()
    };
    let agent = |name: &str| metrics.count("AGENT.a1", name);
    assert_eq!(sum("SOURCE.", "EventReceivedCount"), agent("EventReceivedCount"), "{metrics:?}");
    assert_eq!(sum("SINK.", "EventDrainSuccessCount"), agent("EventDeliveredCount"), "{metrics:?}");
    assert_eq!(sum("CHANNEL.", "ChannelSize"), agent("EventInChannelCount"), "{metrics:?}");
    for channel in metrics.0.keys().filter(|group| group.starts_with("CHANNEL.")) {
        let count = |name: &str| metrics.count(channel, name);
        assert_eq!(
            count("EventPutSuccessCount") - count("EventTakeSuccessCount"),
            count("ChannelSize"),
            "{channel}: {metrics:?}"
        );
    }
}

const BUSY: &str = r#"
a1.sources = r1 r2
a1.channels = c1 c2 c3
a1.sinks = k1 k2 k3
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = 0
a1.sources.r1.channels = c1 c2 c3
a1.sources.r1.interceptors = drop kind
a1.sources.r1.interceptors.drop.type = regex_filter
a1.sources.r1.interceptors.drop.regex = 7$
a1.sources.r1.interceptors.drop.excludeEvents = true
a1.sources.r1.interceptors.kind.type = regex_extractor
a1.sources.r1.interceptors.kind.regex = (\\d)$
a1.sources.r1.interceptors.kind.serializers = s
a1.sources.r1.interceptors.kind.serializers.s.name = kind
a1.sources.r1.selector.type = multiplexing
a1.sources.r1.selector.header = kind
a1.sources.r1.selector.mapping.1 = c1
a1.sources.r1.selector.mapping.2 = c1 c2
a1.sources.r1.selector.mapping.3 = c2
a1.sources.r1.selector.optional.3 = c3
a1.sources.r1.selector.optional.4 = c3
a1.sources.r1.selector.mapping.5 = c1 c2 c3
a1.sources.r2.type = seq
a1.sources.r2.channels = c2 c1
a1.sources.r2.batchSize = 7
a1.sources.r2.totalEvents = 100000000
a1.channels.c1.type = memory
a1.channels.c1.capacity = 100
a1.channels.c1.keep-alive = 0
a1.channels.c2.type = memory
a1.channels.c2.capacity = 100
a1.channels.c2.keep-alive = 0
a1.channels.c3.type = memory
a1.channels.c3.capacity = 100
a1.channels.c3.keep-alive = 0
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
a1.sinks.k1.batchSize = 13
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
a1.sinks.k3.type = file_roll
a1.sinks.k3.channel = c3
a1.sinks.k3.sink.directory = HOME/missing
"#;

/// A client that sends lines in bunches until told otherwise.
fn load(port: u16, is_over: &AtomicBool) {
    let mut client = harness::Client::connect(port);
    let mut n = 0;
    while !is_over.load(Relaxed) {
        client.send((n..n + 50).map(|n| format!("line {n}")));
        (0..50).for_each(|_| drop(client.answer().expect("an answer")));
        n += 50;
    }
}

#[test]
fn the_ledger_balances_at_every_scrape_under_load() {
    let mut agent = Setup::new(BUSY).args(&["--drain-seconds", "1"]).start();
    let is_over = Arc::new(AtomicBool::new(false));
    let port = agent.port();
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let is_over = is_over.clone();
            std::thread::spawn(move || load(port, &is_over))
        })
        .collect();
    agent.until("load", |m| m.count("SOURCE.r1", "EventReceivedCount") > 1000);
    let mut received = BTreeSet::new();
    for _ in 0..150 {
        let metrics = agent.metrics();
        assert_json_balances(&metrics);
        received.insert(metrics.count("AGENT.a1", "EventReceivedCount"));
        assert_prometheus_balances(&parse_prometheus(&agent.get("/metrics/prometheus").1));
    }
    assert!(received.len() > 10, "there was no load while the ledger was read: {received:?}");
    is_over.store(true, Relaxed);
    clients.into_iter().for_each(|client| client.join().expect("a client"));
    let metrics = agent.metrics();
    let drops: BTreeSet<&str> =
        metrics.0["AGENT.a1"].keys().filter_map(|name| name.strip_prefix("Dropped.")).collect();
    assert!(drops.contains("r1: interceptor drop (regex_filter): filtered"), "{drops:?}");
    assert!(drops.contains("r1: selector: no channel"), "{drops:?}");
    assert!(drops.contains("r1: optional channel c3: refused"), "{drops:?}");
    let (_, log) = agent.stop();
    let count = |name| harness::last_count(&log, name);
    assert_eq!(
        count("received") + count("copies"),
        count("delivered") + count("dropped") + count("rejected") + count("left in channels"),
        "{log}"
    );
    assert_eq!(count("left in channels"), 0);
}

#[test]
fn a_stuck_channel_shows_by_the_age_of_its_oldest_event_and_by_back_pressure() {
    let agent = Setup::new(&format!("{SIMPLE}a1.channels.c1.keep-alive = 1\n")).start();
    let scrape = || parse_prometheus(&agent.get("/metrics/prometheus").1);
    let value = |samples: &Samples, name: &str| {
        let found = samples.iter().find(|((n, _), _)| n == name);
        *found.unwrap_or_else(|| panic!("no {name}")).1
    };
    let age = "flumen_channel_oldest_event_age_seconds";
    agent.port();
    assert_eq!(value(&scrape(), age), 0.0, "an empty channel has no oldest event");
    let mut client = agent.client();
    client.send((0..12).map(|n| n.to_string()));
    (0..10).for_each(|_| assert_eq!(client.answer().as_deref(), Some("OK")));
    let first = value(&scrape(), age);
    until("an older event", || (value(&scrape(), age) > first + 0.1).then_some(()));
    assert!(client.answer().is_some_and(|answer| answer.starts_with("FAILED")));
    assert!(client.answer().is_some_and(|answer| answer.starts_with("FAILED")));
    let samples = scrape();
    assert!(value(&samples, "flumen_source_back_pressure_seconds_total") > 0.5, "{samples:?}");
    assert!(value(&samples, "flumen_channel_put_wait_seconds_total") > 0.5, "{samples:?}");
    std::fs::create_dir(agent.home().join("out")).expect("made");
    until("no age", || (value(&scrape(), age) == 0.0).then_some(()));
}
