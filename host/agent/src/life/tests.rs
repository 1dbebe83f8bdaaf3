//! Stopping an agent whose components do not play along.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flumen_channel::{Channel, Gate, MemoryChannel, MemoryLimits};
use flumen_config::Settings;
use flumen_connect::ledger::{DropCounts, SinkCounters, SourceCounters, get};
use flumen_connect::outlet::NamedChannel;
use flumen_connect::{
    ComponentError, Delivery, Outlet, Sink, Source, SourceContext, SourceEnd, Stopper, processors, selectors,
};
use flumen_event::{Batch, BatchBuilder};

use super::runner::{Group, GroupSink};
use super::supervisor::SourceUnit;
use super::{Agent, Signals, StopLimits, runner, supervisor};
use crate::status::{AgentStatus, ChannelEntry, SinkStatus, SourceStatus, State, Unit};

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: StopLimits = StopLimits {
    sources: Duration::from_millis(200),
    drain: Duration::from_millis(200),
    sinks: Duration::from_millis(200),
};

/// What a sink does in `deliver`.
#[derive(Clone, Copy, Debug)]
enum Bad {
    /// A bug.
    Panicking,
    /// As in a system call that does not return.
    Blocked,
    /// As on a peer that does not answer.
    Waiting,
}

#[async_trait]
impl Sink for Bad {
    fn batch_size(&self) -> usize {
        3
    }
    async fn open(&mut self) -> Result<(), ComponentError> {
        Ok(())
    }
    async fn deliver(&mut self, _: &[Batch]) -> Result<Delivery, ComponentError> {
        match self {
            Bad::Panicking => panic!("a bug in a sink"),
            Bad::Blocked => loop {
                std::thread::park();
            },
            Bad::Waiting => pending().await,
        }
    }
    async fn close(&mut self) -> Result<(), ComponentError> {
        Ok(())
    }
}

/// A source that does not look at the signal to stop.
struct Deaf;

#[async_trait]
impl Source for Deaf {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        context.ready();
        pending().await
    }
}

fn five_events() -> Batch {
    let mut builder = BatchBuilder::default();
    for body in [b"1", b"2", b"3", b"4", b"5"] {
        builder.push(body, std::iter::empty::<(&str, &str)>()).expect("within limits");
    }
    builder.finish()
}

/// An agent with a deaf source, a channel with five events, and sinks that hang.
async fn start(sinks: &[Bad]) -> Agent {
    let gate = Arc::new(Gate::default());
    let limits = MemoryLimits {
        capacity: 100,
        transaction_capacity: 100,
        keep_alive: Duration::ZERO,
        body_bytes_max: 0,
    };
    let channel: Arc<dyn Channel> = Arc::new(MemoryChannel::new(limits, gate.clone()));
    let source = Arc::new(SourceStatus { unit: Unit::new("r1", "deaf"), counters: Arc::default() });
    let outlet = outlet(&channel, &gate, &source.counters);
    outlet.deliver(five_events()).await.expect("room");
    let sinks: Vec<_> = sinks.iter().enumerate().map(|(n, sink)| (*sink, sink_status(n))).collect();
    let status = Arc::new(AgentStatus {
        name: "a1".to_owned(),
        gate,
        sources: vec![source.clone()],
        channels: vec![Arc::new(ChannelEntry {
            unit: Unit::new("c1", "memory"),
            channel: channel.clone(),
            dropped: DropCounts::default(),
        })],
        sinks: sinks.iter().map(|(_, status)| status.clone()).collect(),
        dead_letters: Vec::new(),
        budget: None,
        removed: Vec::new(),
    });
    let (stop_sources, sources) = Stopper::new();
    let (drain, drain_signal) = Stopper::new();
    let (stop_sinks, sinks_signal) = Stopper::new();
    let signals = Signals { sources, drain: drain_signal, sinks: sinks_signal };
    let runners = sinks
        .into_iter()
        .map(|(sink, status)| runner::spawn(group(sink, status, channel.clone()), signals.clone()))
        .collect();
    let unit = SourceUnit { source: Box::new(Deaf), rebuild: Box::new(|| None), outlet, status: source };
    let sources = vec![supervisor::spawn(unit, &signals.sources)];
    Agent { status, sources, runners, stop_sources, drain, stop_sinks }
}

fn outlet(channel: &Arc<dyn Channel>, gate: &Arc<Gate>, counters: &Arc<SourceCounters>) -> Outlet {
    let found = selectors::TYPES.iter().find(|t| t.spec.name == "replicating").expect("a type");
    let selector = (found.build)(&Settings::new("s"), &["c1".to_owned()]).expect("built");
    let named = NamedChannel { name: "c1".into(), channel: channel.clone() };
    Outlet::new(vec![], selector, vec![named], gate.clone(), counters.clone())
}

fn sink_status(n: usize) -> Arc<SinkStatus> {
    Arc::new(SinkStatus {
        unit: Unit::new(&format!("k{n}"), "hanging"),
        counters: Arc::<SinkCounters>::default(),
    })
}

fn group(sink: Bad, status: Arc<SinkStatus>, channel: Arc<dyn Channel>) -> Group {
    let name = status.unit.name.clone();
    let found = processors::TYPES.iter().find(|t| t.spec.name == "default").expect("a type");
    let processor = (found.build)(&Settings::new("g"), std::slice::from_ref(&name)).expect("built");
    Group {
        name,
        sinks: vec![GroupSink::new(Box::new(sink), Box::new(move || Some(Box::new(sink))), channel, status)],
        processor,
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

#[tokio::test]
async fn a_sink_that_hangs_and_a_source_that_does_not_listen_do_not_hold_up_the_stop() {
    for sink in [Bad::Blocked, Bad::Waiting] {
        let agent = start(&[sink]).await;
        let status = agent.status().clone();
        until("the sink has taken events", || get(&status.sinks[0].counters.drain_attempt) == 3).await;
        let stopped = tokio::time::timeout(PATIENCE, agent.stop(SHORT)).await;
        assert!(stopped.is_ok(), "{sink:?}: the stop is not bounded");
        let ledger = status.ledger();
        assert!(ledger.balances(), "{ledger:?}");
        assert_eq!((ledger.dropped_total(), ledger.in_channels), (2, 3), "{sink:?}: the sink holds three");
    }
}

#[tokio::test]
async fn many_sinks_that_hang_share_one_limit() {
    let agent = start(&[Bad::Waiting; 50]).await;
    let status = agent.status().clone();
    let limits = StopLimits { sinks: Duration::from_secs(5), ..SHORT };
    // One after the other they would take 250 s.
    tokio::time::timeout(PATIENCE, agent.stop(limits)).await.expect("they share the limit");
    assert!(status.ledger().balances());
}

#[tokio::test]
async fn an_agent_that_is_dropped_takes_its_sources_with_it() {
    let agent = start(&[]).await;
    let source = Arc::downgrade(&agent.status().sources[0]);
    until("the source runs", || agent.status().sources[0].unit.state() == State::Running).await;
    drop(agent);
    until("the source is gone", || source.strong_count() == 0).await;
}

#[tokio::test]
async fn a_sink_that_panics_is_failing_and_tried_again_and_its_events_stay_in_the_channel() {
    let agent = start(&[Bad::Panicking]).await;
    let status = agent.status().clone();
    until("it was tried again", || status.sinks[0].unit.failures() >= 2).await;
    assert_eq!(status.sinks[0].unit.state(), State::Failing("internal error: a bug in a sink".to_owned()));
    assert_eq!(status.ledger().in_channels, 5);
    tokio::time::timeout(PATIENCE, agent.stop(SHORT)).await.expect("an end");
    assert_eq!(status.ledger().dropped_total(), 5);
}
