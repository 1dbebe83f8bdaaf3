//! Agents of one process, and components of one agent, do not fall for each other's failures; what fails is
//! tried again, and can be seen.

mod harness;

use std::net::TcpListener;

use harness::{Agent, Client, Setup, until};
use serde_json::Value;

/// An agent with netcat, memory and null.
fn working(name: &str, port: u16) -> String {
    format!(
        "
        {name}.sources = r1
        {name}.channels = c1
        {name}.sinks = k1
        {name}.sources.r1.type = netcat
        {name}.sources.r1.bind = 127.0.0.1
        {name}.sources.r1.port = {port}
        {name}.sources.r1.channels = c1
        {name}.channels.c1.type = memory
        {name}.channels.c1.keep-alive = 0
        {name}.sinks.k1.type = null
        {name}.sinks.k1.channel = c1
        "
    )
}

fn taken_port() -> (TcpListener, u16) {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("bound").port();
    (taken, port)
}

fn all(config: &str) -> Agent {
    Setup::new(config).args(&["--all"]).start_monitored()
}

/// What `/health` says of a component: its state and the cause.
#[track_caller]
fn health(agent: &Agent, of_agent: &str, component: &str) -> (u16, String, String) {
    let (status, text) = agent.get("/health");
    let health: Value = serde_json::from_str(&text).expect("JSON");
    let agents = health["agents"].as_array().expect("a list");
    let found = agents.iter().find(|a| a["name"] == of_agent).expect("the agent");
    let components = found["components"].as_array().expect("a list");
    let unit = components.iter().find(|c| c["name"] == component).expect("the component");
    let word = |key: &str| unit[key].as_str().unwrap_or_default().to_owned();
    (status, word("state"), word("cause"))
}

#[track_caller]
fn assert_delivers(agent: &Agent, of_agent: &str) {
    assert_eq!(agent.client().say("hello").as_deref(), Some("OK"));
    let sink = format!("SINK.{of_agent}.k1");
    agent.until("delivered", |m| m.count(&sink, "EventDrainSuccessCount") == 1).assert_balanced(of_agent);
}

#[test]
fn an_agent_whose_port_is_taken_does_not_disturb_another_and_listens_once_the_port_is_free() {
    let (taken, port) = taken_port();
    let mut agent = all(&format!("{}{}", working("bad", port), working("good", 0)));
    assert_delivers(&agent, "good");
    let failing = until("a failing source", || {
        Some(health(&agent, "bad", "r1")).filter(|(_, state, _)| state == "failing")
    });
    assert_eq!(failing.0, 503);
    assert!(
        failing.2.contains(&port.to_string()) && failing.2.contains("choose another port"),
        "{failing:?}"
    );
    assert_eq!(agent.get("/health/live").0, 200);
    drop(taken);
    agent.log.nth("Created serverSocket:[", 1);
    assert_eq!(Client::connect(port).say("at last").as_deref(), Some("OK"));
    until("all is well", || (agent.get("/health").0 == 200).then_some(()));
    assert_eq!(health(&agent, "bad", "r1").1, "running");
    assert_eq!(agent.stop().0, Some(0), "all agents were started");
}

#[test]
fn an_agent_whose_sink_fails_does_not_disturb_another_and_delivers_once_it_can() {
    let bad = working("bad", 0)
        .replace(
            "bad.sinks.k1.type = null",
            "bad.sinks.k1.type = file_roll\nbad.sinks.k1.sink.directory = HOME/out",
        )
        .replace(
            "bad.sources.r1.type = netcat",
            "bad.sources.r1.type = seq\nbad.sources.r1.totalEvents = 10",
        );
    let mut agent = all(&format!("{bad}{}", working("good", 0)));
    assert_delivers(&agent, "good");
    let failing = until("a failing sink", || {
        Some(health(&agent, "bad", "k1")).filter(|(_, state, _)| state == "failing")
    });
    assert_eq!(failing.0, 503);
    assert!(failing.2.contains("/out does not exist: create it"), "{failing:?}");
    std::fs::create_dir(agent.home().join("out")).expect("made");
    until("all is well", || (agent.get("/health").0 == 200).then_some(()));
    let metrics = agent.until("delivered", |m| m.count("SINK.bad.k1", "EventDrainSuccessCount") == 10);
    metrics.assert_balanced("bad");
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn an_agent_of_an_unknown_type_does_not_disturb_another_and_shows_in_health_and_exit_status() {
    let bad = working("bad", 0).replace("type = null", "type = com.example.NoSuchSink");
    let mut agent = all(&format!("{bad}{}", working("good", 0)));
    assert_delivers(&agent, "good");
    agent.log.line("flume.properties:11: error[type-unknown]: Java class com.example.NoSuchSink");
    agent.log.line("agent bad does NOT run");
    let (status, text) = agent.get("/health");
    assert!(status == 503 && text.contains("com.example.NoSuchSink"), "{status} {text}");
    assert_eq!(agent.stop().0, Some(1));
}

#[test]
fn an_agent_that_is_removed_for_errors_does_not_disturb_another_and_shows_in_health_and_exit_status() {
    let bad = working("bad", 0).replace("bad.channels = c1", "bad.channels = other");
    let mut agent = all(&format!("{bad}{}", working("good", 0)));
    assert_delivers(&agent, "good");
    agent.log.line("agent bad does NOT run");
    let (status, text) = agent.get("/health");
    assert!(status == 503 && text.contains(r#""name":"bad""#), "{status} {text}");
    assert_eq!(agent.stop().0, Some(1));
}

#[test]
fn a_sink_that_fails_does_not_disturb_another_of_the_same_agent() {
    let config = working("a1", 0)
        .replace("a1.channels = c1", "a1.channels = c1 c2")
        .replace("r1.channels = c1", "r1.channels = c1 c2")
        .replace("a1.sinks = k1", "a1.sinks = k1 k2");
    let config = format!(
        "{config}
        a1.channels.c2.type = memory
        a1.sinks.k2.type = file_roll
        a1.sinks.k2.channel = c2
        a1.sinks.k2.sink.directory = HOME/out
        "
    );
    let mut agent = Setup::new(&config).start();
    assert_eq!(agent.client().say("hello").as_deref(), Some("OK"));
    agent.until("delivered", |m| m.count("SINK.k1", "EventDrainSuccessCount") == 1).assert_balanced("a1");
    until("a failing sink", || (health(&agent, "a1", "k2").1 == "failing").then_some(()));
    std::fs::create_dir(agent.home().join("out")).expect("made");
    agent.until("delivered", |m| m.count("SINK.k2", "EventDrainSuccessCount") == 1).assert_balanced("a1");
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn monitoring_whose_port_is_taken_does_not_keep_the_agent_from_working() {
    let (taken, port) = taken_port();
    let port = format!("-Dflume.monitoring.port={port}");
    let agent = Setup::new(&working("a1", 0))
        .args(&["-n", "a1", "-Dflume.monitoring.type=http", "-Dflume.monitoring.bind=127.0.0.1", &port])
        .start_as_given();
    agent.log.line("monitoring: cannot listen");
    assert_eq!(agent.client().say("hello").as_deref(), Some("OK"));
    drop(taken);
    agent.until("delivered", |m| m.count("SINK.k1", "EventDrainSuccessCount") == 1);
}
