//! What is left of an agent after its options were checked, and why.

mod common;

use flumen_config::{AgentConfig, Catalog, Input, LoadOptions, Loaded, Resolution, Severity, load};

fn load_text(text: &str) -> Loaded {
    load_with(text, &LoadOptions::default())
}

fn load_with(text: &str, options: &LoadOptions) -> Loaded {
    let input = Input::Text { name: "t.properties".to_owned(), text: text.as_bytes().to_vec() };
    load(&[input], options, &common::catalog())
}

const BASE: &str = "a.sources = s\na.channels = c\na.sinks = k\n\
    a.sources.s.type = seq\na.sources.s.channels = c\na.channels.c.type = memory\n\
    a.sinks.k.type = null\na.sinks.k.channel = c\n";

fn with(extra: &str) -> Loaded {
    load_text(&format!("{BASE}{extra}"))
}

fn names(agent: &AgentConfig) -> (String, String, String, String) {
    let join = |names: Vec<&str>| names.join(" ");
    (
        join(agent.sources.iter().map(|c| c.name.as_str()).collect()),
        join(agent.channels.iter().map(|c| c.name.as_str()).collect()),
        join(agent.sinks.iter().map(|c| c.name.as_str()).collect()),
        join(agent.sink_groups.iter().map(|c| c.name.as_str()).collect()),
    )
}

fn kept(loaded: &Loaded) -> (String, String, String, String) {
    names(&loaded.agents[0])
}

fn codes(loaded: &Loaded) -> Vec<&str> {
    loaded.diagnostics.iter().map(|d| d.code).collect()
}

fn row(sources: &str, channels: &str, sinks: &str, groups: &str) -> (String, String, String, String) {
    (sources.into(), channels.into(), sinks.into(), groups.into())
}

#[test]
fn a_clean_agent_has_no_findings_and_is_ready() {
    let loaded = with("");
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    assert_eq!(kept(&loaded), row("s", "c", "k", ""));
    let agent = loaded.agent("a").expect("agent a");
    assert_eq!(agent.sources[0].resolution, Resolution::Ready("seq"));
    assert_eq!(
        (agent.sources[0].channels.as_slice(), agent.sinks[0].channel.as_deref()),
        (&["c".to_owned()][..], Some("c"))
    );
    assert_eq!(agent.unready().count(), 0);
    assert_eq!(agent.ungrouped_sinks().count(), 1);
}

#[test]
fn a_class_name_resolves_to_the_type_that_the_catalog_has_by_alias() {
    let loaded = with("a.sinks.k.type = org.apache.flume.sink.NullSink\n");
    assert_eq!(loaded.agents[0].sinks[0].resolution, Resolution::Ready("null"));
}

#[test]
fn a_component_with_a_bad_option_is_dropped_and_the_rest_runs() {
    let loaded = with(
        "a.sources = s t\na.sources.t.type = netcat\na.sources.t.bind = h\na.sources.t.port = x\na.sources.t.channels = c\n",
    );
    assert_eq!(kept(&loaded), row("s", "c", "k", ""));
    assert_eq!(loaded.agents[0].dropped, ["a.sources.t"]);
    assert!(codes(&loaded).contains(&"bad-value"));
}

#[test]
fn what_hung_on_a_dropped_channel_is_dropped_with_it() {
    let loaded = with("a.channels.c.capacity = 10\na.channels.c.type = nosuch\n");
    // A type that does not exist is kept for the agent to refuse: real Flume stops at it.
    assert_eq!(kept(&loaded), row("s", "c", "k", ""));
    assert_eq!(loaded.agents[0].channels[0].resolution, Resolution::Unknown);
    assert_eq!(loaded.agents[0].unready().count(), 1);
}

#[test]
fn a_batch_above_the_transaction_capacity_drops_the_component_and_names_both_keys_and_values() {
    let loaded = with("a.sinks.k.batchSize = 101\n");
    assert_eq!(kept(&loaded), row("s", "c", "", ""));
    let finding = loaded.diagnostics.iter().find(|d| d.code == "batch-too-large").expect("the finding");
    for part in ["`batchSize` = 101", "`transactionCapacity` = 100", "`c`"] {
        assert!(finding.message.contains(part), "{}", finding.message);
    }
    assert!(with("a.sinks.k.batchSize = 100\n").diagnostics.is_empty());
}

#[test]
fn a_planned_component_with_too_large_a_batch_is_warned_of_and_kept() {
    let loaded = with("a.sources.s.type = org.apache.flume.source.kafka.KafkaSource\n");
    assert_eq!(kept(&loaded), row("s", "c", "k", ""));
    let finding = loaded.diagnostics.iter().find(|d| d.code == "batch-too-large").expect("the finding");
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.message.contains("`batchSize` = 1000"), "{}", finding.message);
}

#[test]
fn an_interceptor_that_cannot_be_built_takes_its_source_along() {
    for interceptors in [
        "a.sources.s.interceptors = i\na.sources.s.interceptors.i.type = org.example.X$Builder\n",
        "a.sources.s.interceptors = i\n",
        "a.sources.s.interceptors = i\na.sources.s.interceptors.i.type = mask.wasm\n",
    ] {
        let loaded = with(interceptors);
        assert_eq!(kept(&loaded), row("", "c", "k", ""), "{interceptors}");
        assert_eq!(loaded.diagnostics.error_count(), 1);
    }
    assert_eq!(
        kept(&with("a.sources.s.interceptors = i\na.sources.s.interceptors.i.type = TIMESTAMP\n")).0,
        "s"
    );
}

#[test]
fn a_selector_that_names_a_foreign_channel_takes_its_source_along() {
    let multiplexing = "a.sources.s.selector.type = multiplexing\na.sources.s.selector.mapping.x = ";
    assert_eq!(kept(&with(&format!("{multiplexing}c\n"))).0, "s");
    assert_eq!(kept(&with(&format!("{multiplexing}d\n"))).0, "");
    assert_eq!(kept(&with("a.sources.s.selector.optional = d\n")).0, "");
}

#[test]
fn a_group_whose_processor_does_not_suit_its_sinks_goes_with_its_sinks() {
    let two = "a.sinks = k l m\na.sinks.l.type = null\na.sinks.l.channel = c\na.sinks.m.type = null\na.sinks.m.channel = c\n\
        a.sinkgroups = g\na.sinkgroups.g.sinks = k l\n";
    assert_eq!(kept(&with(two)), row("s", "c", "m", ""));
    assert_eq!(
        kept(&with(&format!("{two}a.sinkgroups.g.processor.type = failover\n"))),
        row("s", "c", "k l m", "g")
    );
    let lone = "a.sinkgroups = g\na.sinkgroups.g.sinks = k\na.sinkgroups.g.processor.type = load_balance\n";
    assert_eq!(kept(&with(lone)), row("s", "c", "", ""));
}

#[test]
fn an_unused_channel_is_not_started() {
    let loaded = with("a.channels = c d\na.channels.d.type = memory\n");
    assert_eq!(kept(&loaded), row("s", "c", "k", ""));
    assert_eq!(codes(&loaded), ["duplicate-key", "channel-unused"]);
}

#[test]
fn an_agent_with_nothing_left_says_so() {
    let loaded = load_text(
        "a.sinks = k\na.channels = c\na.channels.c.type = memory\na.sinks.k.type = file_roll\na.sinks.k.channel = c\n",
    );
    assert_eq!(kept(&loaded), row("", "", "", ""));
    assert!(codes(&loaded).contains(&"agent-empty"));
}

#[test]
fn unknown_keys_are_warnings_and_errors_when_strict() {
    let text = format!("{BASE}a.sinks.k.batchSise = 5\na.sink.k.x = 1\n");
    let severities = |strict| {
        let loaded = load_with(&text, &LoadOptions { strict, ..LoadOptions::default() });
        loaded.diagnostics.iter().map(|d| d.severity).collect::<Vec<_>>()
    };
    assert_eq!(severities(false), [Severity::Warning; 2]);
    assert_eq!(severities(true), [Severity::Error; 2]);
}

#[test]
fn unknown_keys_are_errors_in_toml() {
    let toml = "[agents.a]\nchannels.c.type = \"memory\"\nchannels.c.capcity = 1\nsources.s = { type = \"seq\", channels = \"c\" }\n";
    let input = Input::Text { name: "t.toml".to_owned(), text: toml.as_bytes().to_vec() };
    let loaded = load(&[input], &LoadOptions::default(), &common::catalog());
    let finding = loaded.diagnostics.iter().find(|d| d.code == "unknown-key").expect("the finding");
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.help.as_deref().is_some_and(|h| h.contains("a.channels.c.capacity")), "{finding:?}");
}

#[test]
fn nested_and_listed_keys_are_not_unknown() {
    let loaded = with(
        "a.sinks = k f\na.sinks.f.type = file_roll\na.sinks.f.channel = c\na.sinks.f.sink.directory = /tmp\n\
         a.sinks.f.sink.serializer = TEXT\na.sinks.f.sink.serializer.appendNewline = false\n\
         a.sources.s.interceptors = i\na.sources.s.interceptors.i.type = timestamp\na.sources.s.selector.type = replicating\n",
    );
    assert_eq!(codes(&loaded), ["duplicate-key"], "{:?}", loaded.diagnostics);
    let wrong = with(
        "a.sinks = f\na.sinks.f.type = file_roll\na.sinks.f.channel = c\na.sinks.f.sink.directory = /tmp\n\
         a.sinks.f.sink.serializer = text\na.sinks.f.sink.serializer.appendNewLine = false\n",
    );
    let finding = wrong.diagnostics.iter().find(|d| d.code == "unknown-key").expect("the finding");
    assert!(
        finding.help.as_deref().is_some_and(|h| h.contains("sink.serializer.appendNewline")),
        "{finding:?}"
    );
}

#[test]
fn time_escapes_need_a_time() {
    let hdfs = "a.sinks.k.type = hdfs\na.sinks.k.hdfs.path = /x/%Y\n";
    let warned = |extra: &str| codes(&with(&format!("{hdfs}{extra}"))).contains(&"no-timestamp");
    assert!(warned(""));
    assert!(warned(
        "a.sources.s.interceptors = i\na.sources.s.interceptors.i.type = timestamp\na.sources.s.interceptors.i.headerName = t\n"
    ));
    assert!(!warned("a.sources.s.interceptors = i\na.sources.s.interceptors.i.type = timestamp\n"));
    assert!(!warned(
        "a.sources.s.interceptors = i\na.sources.s.interceptors.i.type = static\na.sources.s.interceptors.i.key = timestamp\n"
    ));
    assert!(!warned(
        "a.sources.s.interceptors = i\na.sources.s.interceptors.i.type = org.example.Mine$Builder\n"
    ));
    assert!(!warned("a.sinks.k.hdfs.useLocalTimeStamp = true\n"));
    assert!(!warned("a.sources.s.type = syslogtcp\n"));
    assert!(!warned("a.sources.s.type = org.example.Source\n"));
    assert!(!warned("a.sinks.k.hdfs.path = /x/%{day}\n"));
    assert!(warned(
        "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\na.sinks.k.hdfs.path = /\na.sinks.k.kafka.topic = t-%m\n"
    ));
}

#[test]
fn without_a_catalog_nothing_is_ready_and_nothing_is_dropped() {
    let input = Input::Text { name: "t".to_owned(), text: BASE.as_bytes().to_vec() };
    let loaded = load(&[input], &LoadOptions::default(), &Catalog::default());
    assert_eq!(kept(&loaded), row("s", "c", "k", ""));
    assert!(loaded.agents[0].components().all(|c| c.resolution == Resolution::Planned));
    assert_eq!(codes(&loaded), ["type-planned"; 3]);
}
