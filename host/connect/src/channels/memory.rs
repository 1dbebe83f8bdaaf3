//! `memory` and `PseudoTxnMemoryChannel`: Flume's options for the memory channel.

use std::sync::Arc;
use std::time::Duration;

use flumen_channel::{Channel, Gate, MemoryChannel, MemoryLimits};
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};

use super::ChannelType;

options! {
    /// Holds events in memory: the fastest channel. What it holds is gone when the process dies; on an
    /// orderly stop its events are drained into the sinks first, within a time limit.
    pub struct MemoryOptions {
        /// Most events in the channel, taken but uncommitted ones included.
        "capacity" => capacity: Count = Count(100), lenient;
        /// Most events a sink takes at once. Not above `capacity`.
        "transactionCapacity" => transaction_capacity: Count = Count(100), lenient;
        /// Seconds that a put waits for room before it is refused.
        "keep-alive" => keep_alive_s: u64 = 3, lenient;
        /// Most bytes of all events together. Default: four fifths of what a JVM would take as its heap here,
        /// which is a quarter of the memory that the machine or the control group allows.
        "byteCapacity" => byte_capacity: Option<u64>,
        /// Percent of `byteCapacity` set aside for headers, which are not counted.
        "byteCapacityBufferPercentage" => byte_capacity_buffer_percentage: u32 = 20, lenient;
    }
}

options! {
    /// Flume's channel for its own tests, kept for configurations that name it. Unlike Flume's, it has real
    /// transactions: it is the memory channel with other defaults.
    pub struct PseudoOptions {
        /// Most events in the channel.
        "capacity" => capacity: Count = Count(50), lenient;
        /// Seconds that a put waits for room before it is refused.
        "keep-alive" => keep_alive_s: u64 = 3, lenient;
    }
}

pub(super) const MEMORY: ChannelType = ChannelType {
    spec: ComponentSpec {
        check: |settings, diagnostics| memory_limits(settings, diagnostics).is_some(),
        transaction_capacity: Some(|settings| {
            memory_limits(settings, &mut Diagnostics::default()).map(|l| l.transaction_capacity)
        }),
        ..ComponentSpec::of::<MemoryOptions>(
            ComponentKind::Channel,
            "memory",
            &["org.apache.flume.channel.MemoryChannel"],
        )
    },
    build: |settings, gate| build(settings, gate, memory_limits),
};

pub(super) const PSEUDO_TRANSACTIONAL: ChannelType = ChannelType {
    spec: ComponentSpec {
        check: |settings, diagnostics| pseudo_limits(settings, diagnostics).is_some(),
        transaction_capacity: Some(|settings| {
            pseudo_limits(settings, &mut Diagnostics::default()).map(|l| l.transaction_capacity)
        }),
        ..ComponentSpec::of::<PseudoOptions>(
            ComponentKind::Channel,
            "org.apache.flume.channel.PseudoTxnMemoryChannel",
            &[],
        )
    },
    build: |settings, gate| build(settings, gate, pseudo_limits),
};

type ReadLimits = fn(&Settings, &mut Diagnostics) -> Option<MemoryLimits>;

fn build(settings: &Settings, gate: Arc<Gate>, read: ReadLimits) -> Result<Arc<dyn Channel>, Diagnostics> {
    let limits = Diagnostics::or(|diagnostics| read(settings, diagnostics))?;
    Ok(Arc::new(MemoryChannel::new(limits, gate)))
}

fn memory_limits(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<MemoryLimits> {
    let options = MemoryOptions::read(settings, diagnostics)?;
    let (capacity, transaction_capacity) = (options.capacity.0, options.transaction_capacity.0);
    if transaction_capacity > capacity {
        let origin =
            if settings.get("transactionCapacity").is_some() { "transactionCapacity" } else { "capacity" };
        diagnostics.push(
            Diagnostic::error(
                "transaction-capacity",
                format!(
                    "`transactionCapacity` ({transaction_capacity}) is higher than `capacity` ({capacity})"
                ),
            )
            .on(settings.path())
            .at(&settings.origin(origin))
            .help(format!(
                "set `capacity` to at least {transaction_capacity}, or lower `transactionCapacity`"
            )),
        );
        return None;
    }
    let buffer_percent = u64::from(options.byte_capacity_buffer_percentage.min(100));
    let byte_capacity = options.byte_capacity.unwrap_or_else(|| heap_bytes() / 10 * 8);
    Some(MemoryLimits {
        capacity,
        transaction_capacity,
        keep_alive: Duration::from_secs(options.keep_alive_s),
        body_bytes_max: usize::try_from(u128::from(byte_capacity) * u128::from(100 - buffer_percent) / 100)
            .unwrap_or(usize::MAX),
    })
}

fn pseudo_limits(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<MemoryLimits> {
    let options = PseudoOptions::read(settings, diagnostics)?;
    Some(MemoryLimits {
        capacity: options.capacity.0,
        transaction_capacity: options.capacity.0,
        keep_alive: Duration::from_secs(options.keep_alive_s),
        body_bytes_max: 0,
    })
}

/// What a JVM without `-Xmx` would take as its largest heap: a quarter of the memory it may use.
pub(super) fn heap_bytes() -> u64 {
    let physical = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let kib: u64 = text
            .lines()
            .find_map(|l| l.strip_prefix("MemTotal:"))?
            .trim()
            .strip_suffix(" kB")?
            .parse()
            .ok()?;
        Some(kib * 1024)
    });
    let limit = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let group =
        limit("/sys/fs/cgroup/memory.max").or_else(|| limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    physical.into_iter().chain(group).min().unwrap_or(1 << 30) / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Option<MemoryLimits>, Vec<String>) {
        let mut diagnostics = Diagnostics::default();
        let settings = Settings::from_pairs("a1.channels.c1", pairs.iter().copied());
        let limits = memory_limits(&settings, &mut diagnostics);
        (limits, diagnostics.iter().map(|d| d.message.clone()).collect())
    }

    #[test]
    fn defaults_are_flumes() {
        let (limits, messages) = read(&[]);
        let limits = limits.expect("valid");
        assert_eq!((limits.capacity, limits.transaction_capacity), (100, 100));
        assert_eq!(limits.keep_alive, Duration::from_secs(3));
        assert!(messages.is_empty() && limits.body_bytes_max > 1 << 20);
    }

    #[test]
    fn bad_numbers_fall_back_to_defaults_with_a_warning() {
        let (limits, messages) = read(&[("capacity", "0"), ("transactionCapacity", "many")]);
        assert_eq!(limits.map(|l| (l.capacity, l.transaction_capacity)), Some((100, 100)));
        assert_eq!(messages.len(), 2);
    }

    #[test]
    fn a_transaction_larger_than_the_channel_is_an_error() {
        let (limits, messages) = read(&[("capacity", "10"), ("transactionCapacity", "11")]);
        assert!(limits.is_none() && messages[0].contains("higher than `capacity`"), "{messages:?}");
    }

    #[test]
    fn header_share_is_taken_off_the_byte_capacity() {
        let (limits, _) = read(&[("byteCapacity", "1000"), ("byteCapacityBufferPercentage", "30")]);
        assert_eq!(limits.map(|l| l.body_bytes_max), Some(700));
    }
}
