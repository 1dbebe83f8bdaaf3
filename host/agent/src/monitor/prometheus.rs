//! `/metrics/prometheus`: the text exposition format 0.0.4. All metric names of Flumen stand in this file and, those
//! of plugins and tenants, in `plugins.rs`.
//!
//! Written here because a registry would want to own the counters, which have to be read together, at a
//! moment at which no event moves.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;

use flumen_channel::Stillness;
use flumen_channel::file::metrics::{LogMetrics, SYNC_BUCKETS_US};
use flumen_connect::ledger::get;

use super::{Agents, plugins};
use crate::status::{AgentStatus, Ledger, State};

/// One family of samples.
pub(super) struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    pub(super) samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// The whole document.
pub(super) fn render(agents: &Agents) -> String {
    // Held until everything is read, so that the numbers of all components belong to one moment.
    let still: Vec<Stillness<'_>> = agents.iter().map(|a| a.gate.stillness()).collect();
    let seen: Vec<(&AgentStatus, Ledger)> =
        agents.iter().zip(&still).map(|(a, still)| (&**a, a.ledger_during(still))).collect();
    let mut families = ledger_families(&seen);
    families.extend(source_families(&seen));
    families.extend(channel_families(&seen));
    families.extend(log_families(&seen));
    families.extend(sink_families(&seen));
    families.push(state_family(&seen));
    families.extend(plugins::families(agents));
    drop(still);
    let mut text = String::new();
    for family in families.iter().filter(|f| !f.samples.is_empty()) {
        write_family(&mut text, family);
    }
    text
}

fn write_family(text: &mut String, family: &Family) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(text, "# HELP {0} {1}\n# TYPE {0} {2}", family.name, family.help, family.kind);
    for (labels, value) in &family.samples {
        let labels: Vec<String> = labels.iter().map(|(n, v)| format!("{n}=\"{}\"", escaped(v))).collect();
        let _infallible = writeln!(text, "{}{{{}}} {value}", family.name, labels.join(","));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

pub(super) fn family(name: &'static str, kind: &'static str, help: &'static str) -> Family {
    Family { name, kind, help, samples: Vec::new() }
}

type Seen<'a> = [(&'a AgentStatus, Ledger)];

fn ledger_families(seen: &Seen<'_>) -> Vec<Family> {
    let mut dropped =
        family("flumen_events_dropped_total", "counter", "Events dropped, by component and cause.");
    let mut balanced = family(
        "flumen_ledger_balanced",
        "gauge",
        "1 if received + copies + made + recovered = delivered + dropped + rejected + in channels + in dead-letter files.",
    );
    type Count = fn(&Ledger) -> u64;
    let parts: [(&'static str, &'static str, &'static str, Count); 8] = [
        ("flumen_agent_events_received_total", "counter", "Events that reached the sources.", |l| l.received),
        ("flumen_agent_events_copied_total", "counter", "Copies added by fan-out.", |l| l.copies),
        ("flumen_agent_events_made_total", "counter", "Events that plugins made.", |l| l.made),
        ("flumen_agent_events_delivered_total", "counter", "Events delivered by the sinks.", |l| l.delivered),
        (
            "flumen_agent_events_rejected_total",
            "counter",
            "Events whose sender was told they were not accepted.",
            |l| l.rejected,
        ),
        (
            "flumen_agent_events_recovered_total",
            "counter",
            "Events that durable channels held at the start.",
            |l| l.recovered,
        ),
        ("flumen_agent_events_in_channels", "gauge", "Events in the channels.", |l| l.in_channels),
        (
            "flumen_agent_events_in_dead_letter_files_total",
            "counter",
            "Events that this process has put into dead-letter files.",
            |l| l.in_dead_letter_files,
        ),
    ];
    let mut families: Vec<Family> = Vec::new();
    for (name, kind, help, count) in parts {
        let mut part = family(name, kind, help);
        for (agent, ledger) in seen {
            part.samples.push((vec![("agent", agent.name.clone())], count(ledger) as f64));
        }
        families.push(part);
    }
    for (agent, ledger) in seen {
        balanced.samples.push((vec![("agent", agent.name.clone())], f64::from(u8::from(ledger.balances()))));
        for ((component, cause), count) in &ledger.dropped {
            let labels = vec![
                ("agent", agent.name.clone()),
                ("component", component.clone()),
                ("cause", cause.clone()),
            ];
            dropped.samples.push((labels, *count as f64));
        }
    }
    families.extend([dropped, balanced]);
    families
}

fn source_families(seen: &Seen<'_>) -> Vec<Family> {
    let mut received =
        family("flumen_source_events_received_total", "counter", "Events that reached the source.");
    let mut accepted =
        family("flumen_source_events_accepted_total", "counter", "Events stored, or dropped on purpose.");
    let mut rejected = family("flumen_source_events_rejected_total", "counter", "Events not accepted.");
    let mut connections = family("flumen_source_open_connections", "gauge", "Open connections.");
    let mut refused = family(
        "flumen_source_connections_refused_total",
        "counter",
        "Connections closed at once: there were `connectionsMax` already.",
    );
    let mut lost = family(
        "flumen_source_datagrams_lost_total",
        "counter",
        "Datagrams that the kernel lost: they came faster than they were read.",
    );
    let mut unreadable =
        family("flumen_source_read_failures_total", "counter", "Input that could not be decoded.");
    let mut letters = family(
        "flumen_source_dead_letters_total",
        "counter",
        "Events that interceptors could not process and that were stored as dead letters.",
    );
    let mut pressure = family(
        "flumen_source_back_pressure_seconds_total",
        "counter",
        "Time spent on waiting for room in channels.",
    );
    for (agent, _) in seen {
        for source in &agent.sources {
            let labels = || vec![("agent", agent.name.clone()), ("source", source.unit.name.clone())];
            let c = &source.counters;
            received.samples.push((labels(), get(&c.received) as f64));
            accepted.samples.push((labels(), get(&c.accepted) as f64));
            rejected.samples.push((labels(), get(&c.rejected) as f64));
            connections.samples.push((labels(), get(&c.open_connections) as f64));
            refused.samples.push((labels(), get(&c.connections_refused) as f64));
            lost.samples.push((labels(), get(&c.datagrams_lost) as f64));
            unreadable.samples.push((labels(), get(&c.event_read_fail) as f64));
            letters.samples.push((labels(), get(&c.dead_letters) as f64));
            pressure.samples.push((labels(), get(&c.back_pressure_ms) as f64 / 1000.0));
        }
    }
    vec![received, accepted, rejected, letters, connections, refused, lost, unreadable, pressure]
}

fn channel_families(seen: &Seen<'_>) -> Vec<Family> {
    let mut events = family("flumen_channel_events", "gauge", "Events in the channel.");
    let mut capacity = family("flumen_channel_capacity_events", "gauge", "Most events in the channel.");
    let mut bytes = family("flumen_channel_body_bytes", "gauge", "Bytes of bodies that wait in the channel.");
    let mut age =
        family("flumen_channel_oldest_event_age_seconds", "gauge", "Time since the oldest event was put.");
    let mut waited =
        family("flumen_channel_put_wait_seconds_total", "counter", "Time that puts waited for room.");
    for (agent, ledger) in seen {
        for (channel, status) in agent.channels.iter().zip(&ledger.channels) {
            let labels = || vec![("agent", agent.name.clone()), ("channel", channel.unit.name.clone())];
            let oldest_s = status.oldest_age.map_or(0.0, |age| age.as_secs_f64());
            events.samples.push((labels(), status.events as f64));
            capacity.samples.push((labels(), channel.channel.limits().capacity as f64));
            bytes.samples.push((labels(), status.bytes as f64));
            age.samples.push((labels(), oldest_s));
            waited.samples.push((labels(), get(&channel.channel.counters().put_wait_ms) as f64 / 1000.0));
        }
    }
    vec![events, capacity, bytes, age, waited]
}

/// What channels on disk count besides.
fn log_families(seen: &Seen<'_>) -> Vec<Family> {
    type Count = fn(&LogMetrics) -> f64;
    let counts: [(&'static str, &'static str, &'static str, Count); 14] = [
        ("flumen_channel_syncs_total", "counter", "Groups made durable.", |l| count(&l.syncs)),
        ("flumen_channel_sync_seconds_total", "counter", "Time spent in fdatasync.", |l| {
            count(&l.sync_us) / 1e6
        }),
        ("flumen_channel_group_records_total", "counter", "Records in all groups.", |l| {
            count(&l.group_records)
        }),
        ("flumen_channel_written_bytes_total", "counter", "Bytes written.", |l| count(&l.written_bytes)),
        ("flumen_channel_disk_bytes", "gauge", "Bytes of the segments.", |l| count(&l.disk_bytes)),
        ("flumen_channel_segments", "gauge", "Number of segments.", |l| count(&l.segments)),
        ("flumen_channel_recovery_seconds", "gauge", "Time that the opening took.", |l| {
            count(&l.recovery_ms) / 1e3
        }),
        ("flumen_channel_quarantined_records_total", "counter", "Damaged records set aside.", |l| {
            count(&l.quarantined_records)
        }),
        ("flumen_channel_quarantined_events_total", "counter", "Events in them.", |l| {
            count(&l.quarantined_events)
        }),
        ("flumen_channel_torn_records_total", "counter", "Unfinished writes that a crash left.", |l| {
            count(&l.torn_records)
        }),
        ("flumen_channel_storage_failures_total", "counter", "Writes and syncs that failed.", |l| {
            count(&l.storage_failures)
        }),
        ("flumen_channel_refused_puts_total", "counter", "Puts that the storage refused.", |l| {
            count(&l.put_errors)
        }),
        (
            "flumen_channel_checkpoint_failures_total",
            "counter",
            "Checkpoints that could not be written.",
            |l| count(&l.checkpoint_errors) + count(&l.backup_checkpoint_errors),
        ),
        ("flumen_channel_unhealthy", "gauge", "1 while the channel cannot be written to.", |l| {
            count(&l.unhealthy)
        }),
    ];
    let mut families: Vec<Family> =
        counts.iter().map(|(name, kind, help, _)| family(name, kind, help)).collect();
    let mut buckets = family(
        "flumen_channel_sync_seconds_bucket",
        "counter",
        "Syncs by duration: the buckets of a histogram, cumulative.",
    );
    for (agent, _) in seen {
        for channel in &agent.channels {
            let Some(log) = channel.channel.log_metrics() else { continue };
            let labels = || vec![("agent", agent.name.clone()), ("channel", channel.unit.name.clone())];
            for (family, (.., count)) in families.iter_mut().zip(&counts) {
                family.samples.push((labels(), count(log)));
            }
            let bounds = SYNC_BUCKETS_US.iter().map(|us| (*us as f64 / 1e6).to_string());
            let mut so_far = 0.0;
            for (bucket, bound) in log.sync_buckets.iter().zip(bounds.chain(["+Inf".to_owned()])) {
                so_far += count(bucket);
                let labels = [labels(), vec![("le", bound)]].concat();
                buckets.samples.push((labels, so_far));
            }
        }
    }
    families.push(buckets);
    families
}

fn count(counter: &AtomicU64) -> f64 {
    LogMetrics::get(counter) as f64
}

fn sink_families(seen: &Seen<'_>) -> Vec<Family> {
    let mut delivered = family("flumen_sink_events_delivered_total", "counter", "Events delivered.");
    let mut attempted = family("flumen_sink_events_attempted_total", "counter", "Events taken for delivery.");
    let mut letters = family(
        "flumen_sink_dead_letters_total",
        "counter",
        "Events that the sink could not process and that were stored as dead letters.",
    );
    let mut failures = family("flumen_sink_delivery_failures_total", "counter", "Deliveries that failed.");
    for (agent, _) in seen {
        for sink in &agent.sinks {
            let labels = || vec![("agent", agent.name.clone()), ("sink", sink.unit.name.clone())];
            let c = &sink.counters;
            delivered.samples.push((labels(), get(&c.drain_success) as f64));
            attempted.samples.push((labels(), get(&c.drain_attempt) as f64));
            letters.samples.push((labels(), get(&c.dead_letters) as f64));
            failures.samples.push((labels(), get(&c.event_write_fail) as f64));
        }
    }
    vec![delivered, attempted, letters, failures]
}

fn state_family(seen: &Seen<'_>) -> Family {
    let mut up =
        family("flumen_component_up", "gauge", "1 if the component is at work or has finished, else 0.");
    for (agent, _) in seen {
        for (kind, unit) in agent.units() {
            let is_up = matches!(unit.state(), State::Running | State::Finished);
            let labels = vec![
                ("agent", agent.name.clone()),
                ("kind", kind.to_owned()),
                ("component", unit.name.clone()),
            ];
            up.samples.push((labels, f64::from(u8::from(is_up))));
        }
    }
    up
}
