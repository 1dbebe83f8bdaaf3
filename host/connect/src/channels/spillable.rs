//! `spillablememory`: Flume's options for the memory channel that overflows to disk.

use std::sync::Arc;
use std::time::Duration;

use flumen_channel::file::FileLimits;
use flumen_channel::{Channel, Gate, SpillLimits};
use flumen_config::{
    ComponentKind, ComponentSpec, Diagnostic, Diagnostics, OptionSpec, Options, Settings, options,
};

use super::ChannelType;
use super::file::{self, FileOptions};
use super::memory::heap_bytes;

options! {
    /// Holds events in memory, and those that do not fit there on disk, as the `file` channel does. Order is kept.
    /// What is in memory only is gone when the process dies; an orderly stop delivers it, or writes it to disk.
    ///
    /// All options of `file` count for the part on disk, but for two: its `capacity` is `overflowCapacity`, and its
    /// `keep-alive` is `overflowTimeout`.
    pub struct OverflowOptions {
        /// Most events in memory. `0`: all events go to disk.
        "memoryCapacity" => memory_capacity: usize = 10_000, lenient;
        /// Most events on disk. `0`: nothing goes to disk.
        "overflowCapacity" => overflow_capacity: usize = 100_000_000, lenient;
        /// Seconds that a put waits for room in memory before it goes to disk. `0`: it does not wait.
        "overflowTimeout" => overflow_timeout_s: u64 = 3, lenient;
        /// Percent of `memoryCapacity` that must be free before memory is used again after an overflow.
        "overflowDeactivationThreshold" => deactivation_percent: u32 = 5, lenient;
        /// Most bytes of the events in memory. Default: four fifths of what a JVM would take as its heap here.
        "byteCapacity" => byte_capacity: Option<u64>,
        /// Percent of `byteCapacity` set aside for headers, which are not counted.
        "byteCapacityBufferPercentage" => byte_capacity_buffer_percentage: u32 = 20, lenient;
        /// Bodies are counted in units of this many bytes, each rounded up.
        "avgEventSize" => avg_event_bytes: u64 = 500, lenient;
    }
}

/// The options of both parts.
struct SpillableOptions;

const OWN: usize = OverflowOptions::OPTIONS.len();
const ALL: usize = OWN + FileOptions::OPTIONS.len();

const fn both() -> [OptionSpec; ALL] {
    let mut all = [OverflowOptions::OPTIONS[0]; ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < OWN { OverflowOptions::OPTIONS[at] } else { FileOptions::OPTIONS[at - OWN] };
        at += 1;
    }
    all
}

impl Options for SpillableOptions {
    const OPTIONS: &'static [OptionSpec] = &both();
    const DOC: &'static str = OverflowOptions::DOC;
    fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Self> {
        limits(settings, diagnostics).map(|_| Self)
    }
}

pub(super) const SPILLABLE: ChannelType = ChannelType {
    spec: ComponentSpec {
        check: |settings, diagnostics| limits(settings, diagnostics).is_some(),
        transaction_capacity: Some(|settings| {
            limits(settings, &mut Diagnostics::default()).map(|l| l.transaction_capacity)
        }),
        ..ComponentSpec::of::<SpillableOptions>(
            ComponentKind::Channel,
            "spillablememory",
            &["org.apache.flume.channel.SpillableMemoryChannel"],
        )
    },
    build,
};

fn build(settings: &Settings, gate: Arc<Gate>) -> Result<Arc<dyn Channel>, Diagnostics> {
    let limits = Diagnostics::or(|diagnostics| limits(settings, diagnostics))?;
    file::build_with(settings, limits, gate)
}

fn limits(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<FileLimits> {
    let own = OverflowOptions::read(settings, diagnostics)?;
    let on_disk = file::check(settings, diagnostics)?;
    let capacity = own.memory_capacity.saturating_add(own.overflow_capacity);
    if capacity == 0 {
        diagnostics.push(
            Diagnostic::error("no-capacity", "`memoryCapacity` and `overflowCapacity` are both 0".to_owned())
                .on(settings.path())
                .at(&settings.origin("overflowCapacity"))
                .help("the channel could not hold any event".to_owned()),
        );
        return None;
    }
    let buffer_percent = u128::from(own.byte_capacity_buffer_percentage.min(100));
    let bytes =
        u128::from(own.byte_capacity.unwrap_or_else(|| heap_bytes() / 10 * 8)) * (100 - buffer_percent) / 100;
    let slot_bytes = own.avg_event_bytes.max(1);
    let slots_max = usize::try_from(bytes / u128::from(slot_bytes)).unwrap_or(usize::MAX);
    let overflow_timeout = Duration::from_secs(own.overflow_timeout_s);
    Some(FileLimits {
        capacity,
        transaction_capacity: on_disk.transaction_capacity.min(capacity),
        keep_alive: overflow_timeout,
        // Without a part on disk everything is in memory, however large the events are.
        spill: Some(match own.overflow_capacity {
            0 => SpillLimits {
                events_max: own.memory_capacity,
                slots_max: usize::MAX,
                slot_bytes: 1,
                overflow_timeout,
                resume_free_percent: 0,
            },
            _ => SpillLimits {
                events_max: own.memory_capacity,
                slots_max,
                slot_bytes: slot_bytes as usize,
                overflow_timeout,
                resume_free_percent: own.deactivation_percent.min(100) as usize,
            },
        }),
        // What has overflowed is to be in memory only when its turn has come.
        log: flumen_channel::file::LogOptions { window_bytes: 0, ..on_disk.log },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Option<FileLimits>, Vec<String>) {
        let mut diagnostics = Diagnostics::default();
        let settings = Settings::from_pairs("a1.channels.c1", pairs.iter().copied());
        let limits = limits(&settings, &mut diagnostics);
        (limits, diagnostics.iter().map(|d| d.message.clone()).collect())
    }

    #[test]
    fn defaults_are_flumes() {
        let (limits, messages) = read(&[]);
        let limits = limits.expect("valid");
        let spill = limits.spill.expect("memory");
        assert!(messages.is_empty(), "{messages:?}");
        assert_eq!((limits.capacity, limits.transaction_capacity), (100_010_000, 10_000));
        assert_eq!((spill.events_max, spill.slot_bytes, spill.resume_free_percent), (10_000, 500, 5));
        assert_eq!(spill.overflow_timeout, Duration::from_secs(3));
    }

    #[test]
    fn either_part_may_be_left_out_but_not_both() {
        let (limits, _) = read(&[("memoryCapacity", "0"), ("overflowTimeout", "0")]);
        assert_eq!(limits.and_then(|l| l.spill).map(|s| s.events_max), Some(0));
        let (limits, _) = read(&[("overflowCapacity", "0"), ("memoryCapacity", "20000")]);
        assert_eq!(limits.map(|l| l.capacity), Some(20_000));
        let (limits, messages) = read(&[("memoryCapacity", "0"), ("overflowCapacity", "0")]);
        assert!(limits.is_none() && messages[0].contains("both 0"), "{messages:?}");
    }

    #[test]
    fn the_reference_knows_the_options_of_both_parts() {
        let keys: Vec<&str> = SpillableOptions::OPTIONS.iter().map(|o| o.key).collect();
        assert!(keys.contains(&"memoryCapacity") && keys.contains(&"dataDirs"), "{keys:?}");
    }
}
