//! `/metrics`: the JSON that Flume's `HTTPMetricsServer` gives, for the scripts that read it.
//!
//! Every value is a string. Components that have no metrics in Flume (netcat, logger, …) have theirs here too.
//! With several agents in the process, names are `SOURCE.a1.r1` instead of `SOURCE.r1`.

use serde_json::{Map, Value};

use super::Agents;
use crate::status::{AgentStatus, ChannelEntry, Ledger, SinkStatus, SourceStatus, Unit};
use flumen_connect::ledger::get;

/// The whole document.
pub(super) fn render(agents: &Agents) -> String {
    let mut all = Map::new();
    for agent in agents.iter() {
        let prefix = if agents.len() > 1 { format!("{}.", agent.name) } else { String::new() };
        render_agent(agent, &prefix, &mut all);
    }
    Value::Object(all).to_string()
}

fn render_agent(agent: &AgentStatus, prefix: &str, all: &mut Map<String, Value>) {
    // Held to the end, so that the numbers of all components belong to one moment.
    let still = agent.gate.stillness();
    let ledger = agent.ledger_during(&still);
    for source in &agent.sources {
        all.insert(format!("SOURCE.{prefix}{}", source.unit.name), of_source(source));
    }
    for (channel, status) in agent.channels.iter().zip(&ledger.channels) {
        all.insert(format!("CHANNEL.{prefix}{}", channel.unit.name), of_channel(channel, status.events));
    }
    for sink in &agent.sinks {
        all.insert(format!("SINK.{prefix}{}", sink.unit.name), of_sink(sink));
    }
    all.insert(format!("AGENT.{}", agent.name), of_ledger(&ledger));
}

fn group(kind: &str, unit: &Unit, counters: &[(&str, u64)]) -> Map<String, Value> {
    let (started, stopped) = unit.times_ms();
    let mut group = Map::new();
    group.insert("Type".into(), kind.into());
    group.insert("StartTime".into(), started.to_string().into());
    group.insert("StopTime".into(), stopped.to_string().into());
    for (name, value) in counters {
        group.insert((*name).into(), value.to_string().into());
    }
    group
}

fn of_source(source: &SourceStatus) -> Value {
    let c = &source.counters;
    let counters = [
        ("EventReceivedCount", get(&c.received)),
        ("EventAcceptedCount", get(&c.accepted)),
        ("AppendReceivedCount", get(&c.append_received)),
        ("AppendAcceptedCount", get(&c.append_accepted)),
        ("AppendBatchReceivedCount", get(&c.append_batch_received)),
        ("AppendBatchAcceptedCount", get(&c.append_batch_accepted)),
        ("OpenConnectionCount", get(&c.open_connections)),
        ("EventReadFail", get(&c.event_read_fail)),
        ("ChannelWriteFail", get(&c.channel_write_fail)),
        ("GenericProcessingFail", get(&c.generic_processing_fail)),
    ];
    Value::Object(group("SOURCE", &source.unit, &counters))
}

fn of_channel(entry: &ChannelEntry, events: usize) -> Value {
    let c = entry.channel.counters();
    let capacity = entry.channel.limits().capacity;
    let counters = [
        ("ChannelSize", events as u64),
        ("ChannelCapacity", capacity as u64),
        ("EventPutAttemptCount", get(&c.put_attempt)),
        ("EventPutSuccessCount", get(&c.put_success)),
        ("EventTakeAttemptCount", get(&c.take_attempt)),
        ("EventTakeSuccessCount", get(&c.take_success)),
    ];
    let mut group = group("CHANNEL", &entry.unit, &counters);
    let fill_percent = events as f64 * 100.0 / capacity.max(1) as f64;
    group.insert("ChannelFillPercentage".into(), java_double(fill_percent).into());
    Value::Object(group)
}

/// A number as `Double.toString` gives it in this range: always with a fraction.
fn java_double(number: f64) -> String {
    format!("{number:?}")
}

fn of_sink(sink: &SinkStatus) -> Value {
    let c = &sink.counters;
    let counters = [
        ("ConnectionCreatedCount", get(&c.connection_created)),
        ("ConnectionClosedCount", get(&c.connection_closed)),
        ("ConnectionFailedCount", get(&c.connection_failed)),
        ("BatchEmptyCount", get(&c.batch_empty)),
        ("BatchUnderflowCount", get(&c.batch_underflow)),
        ("BatchCompleteCount", get(&c.batch_complete)),
        ("EventDrainAttemptCount", get(&c.drain_attempt)),
        ("EventDrainSuccessCount", get(&c.drain_success)),
        ("EventWriteFail", get(&c.event_write_fail)),
        ("ChannelReadFail", get(&c.channel_read_fail)),
    ];
    Value::Object(group("SINK", &sink.unit, &counters))
}

fn of_ledger(ledger: &Ledger) -> Value {
    let mut group = Map::new();
    group.insert("Type".into(), "AGENT".into());
    let counters = [
        ("EventReceivedCount", ledger.received),
        ("EventCopiedCount", ledger.copies),
        ("EventMadeCount", ledger.made),
        ("EventDeliveredCount", ledger.delivered),
        ("EventDroppedCount", ledger.dropped_total()),
        ("EventRejectedCount", ledger.rejected),
        ("EventInChannelCount", ledger.in_channels),
        ("EventInDeadLetterFileCount", ledger.in_dead_letter_files),
    ];
    for (name, value) in counters {
        group.insert(name.into(), value.to_string().into());
    }
    group.insert("LedgerBalanced".into(), ledger.balances().to_string().into());
    for ((component, cause), count) in &ledger.dropped {
        group.insert(format!("Dropped.{component}: {cause}"), count.to_string().into());
    }
    Value::Object(group)
}
