//! A plugin's numbers: counters and gauges that live with the plugin, not with an instance.
//!
//! Invariants: at most [`SERIES_MAX`] series; the same name and labels are the same series for ever; a counter
//! only rises; names and labels are ones that Prometheus accepts, so that no guest can break `/metrics`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Series of one plugin.
pub const SERIES_MAX: usize = 256;
/// Counters and gauges that one instance holds at a time.
pub const HANDLES_MAX: usize = 1024;
/// Labels of one series.
pub const LABELS_MAX: usize = 16;
/// Bytes of a name of a metric or a label.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of a label's value.
pub const VALUE_BYTES_MAX: usize = 256;

/// Why a guest did not get its counter or gauge. The call traps with this text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MetricError {
    /// Over [`SERIES_MAX`].
    #[error("metric `{name}`: a plugin may have {SERIES_MAX} series")]
    TooManySeries {
        /// The metric.
        name: String,
    },
    /// Over [`HANDLES_MAX`].
    #[error(
        "metric `{name}`: an instance may hold {HANDLES_MAX} counters and gauges; make each once, in configure"
    )]
    TooManyHandles {
        /// The metric.
        name: String,
    },
    /// Not `[a-zA-Z_][a-zA-Z0-9_]*`, or too long.
    #[error(
        "`{name}` is no name for a metric or label: letters, digits and _, at most {NAME_BYTES_MAX} of them"
    )]
    BadName {
        /// As given, shortened.
        name: String,
    },
    /// Too many labels, one twice, or a value over its size.
    #[error(
        "metric `{name}`: at most {LABELS_MAX} labels, no name twice, values of at most {VALUE_BYTES_MAX} bytes"
    )]
    BadLabels {
        /// The metric.
        name: String,
    },
    /// Exists as the other kind.
    #[error("metric `{name}` is a counter and a gauge at once")]
    OtherKind {
        /// The metric.
        name: String,
    },
}

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// Only rises.
    Counter,
    /// Whatever was set last.
    Gauge,
}

/// Labels, sorted by name.
pub type Labels = Vec<(String, String)>;

/// One number. A gauge's bits are those of its `f64`.
#[derive(Debug)]
pub struct Series {
    kind: SeriesKind,
    bits: AtomicU64,
}

impl Series {
    /// Adds to a counter; saturates, since "only ever rises" would not survive a wrap.
    pub fn add(&self, count: u64) {
        let _before = self.bits.fetch_update(Relaxed, Relaxed, |now| Some(now.saturating_add(count)));
    }
    /// Sets a gauge.
    pub fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Relaxed);
    }
}

/// One number as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The metric's name, as the guest gave it.
    pub name: String,
    /// Its labels, sorted by name.
    pub labels: Labels,
    /// The number.
    pub value: Value,
}

/// The number of a reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge.
    Gauge(f64),
}

/// All numbers of one plugin.
#[derive(Debug, Default)]
pub struct PluginMetrics(Mutex<BTreeMap<(String, Labels), Arc<Series>>>);

impl PluginMetrics {
    /// The series of this name and these labels, made if it is new.
    ///
    /// # Errors
    /// For a name or labels that Prometheus would not take, a change of kind, or one series too many.
    pub fn series(&self, kind: SeriesKind, name: String, labels: Labels) -> Result<Arc<Series>, MetricError> {
        check_name(&name)?;
        let labels = checked_labels(&name, labels)?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().any(|((known, _), series)| *known == name && series.kind != kind) {
            return Err(MetricError::OtherKind { name });
        }
        let key = (name, labels);
        if let Some(series) = all.get(&key) {
            return Ok(series.clone());
        }
        if all.len() >= SERIES_MAX {
            return Err(MetricError::TooManySeries { name: key.0 });
        }
        let series = Arc::new(Series { kind, bits: AtomicU64::new(0) });
        all.insert(key, series.clone());
        Ok(series)
    }

    /// All numbers as they are now, by name.
    #[must_use]
    pub fn read(&self) -> Vec<Reading> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = |((name, labels), series): (&(String, Labels), &Arc<Series>)| {
            let bits = series.bits.load(Relaxed);
            let value = match series.kind {
                SeriesKind::Counter => Value::Counter(bits),
                SeriesKind::Gauge => Value::Gauge(f64::from_bits(bits)),
            };
            Reading { name: name.clone(), labels: labels.clone(), value }
        };
        all.iter().map(reading).collect()
    }
}

fn check_name(name: &str) -> Result<(), MetricError> {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let good = name.len() <= NAME_BYTES_MAX
        && name.starts_with(letter)
        && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    if good { Ok(()) } else { Err(MetricError::BadName { name: shortened(name) }) }
}

fn shortened(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_default).collect()
}

fn checked_labels(name: &str, mut labels: Labels) -> Result<Labels, MetricError> {
    let bad = || MetricError::BadLabels { name: name.to_owned() };
    if labels.len() > LABELS_MAX || labels.iter().any(|(_, value)| value.len() > VALUE_BYTES_MAX) {
        return Err(bad());
    }
    for (label, _) in &labels {
        check_name(label)?;
    }
    labels.sort();
    if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(bad());
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(all: &PluginMetrics, name: &str, labels: &[(&str, &str)]) -> Result<Arc<Series>, MetricError> {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        all.series(SeriesKind::Counter, name.to_owned(), labels)
    }

    #[test]
    fn the_same_name_and_labels_are_one_series() {
        let all = PluginMetrics::default();
        counter(&all, "seen", &[("a", "1"), ("b", "2")]).expect("made").add(3);
        counter(&all, "seen", &[("b", "2"), ("a", "1")]).expect("the same").add(4);
        let read = all.read();
        assert_eq!((read.len(), read[0].value), (1, Value::Counter(7)));
        counter(&all, "seen", &[("b", "2"), ("a", "1")]).expect("the same").add(u64::MAX);
        assert_eq!(all.read()[0].value, Value::Counter(u64::MAX));
    }

    #[test]
    fn a_flood_of_series_ends_at_the_limit() {
        let all = PluginMetrics::default();
        let made = (0..10_000).filter(|n| counter(&all, "n", &[("n", &n.to_string())]).is_ok()).count();
        assert_eq!((made, all.read().len()), (SERIES_MAX, SERIES_MAX));
        assert!(counter(&all, "n", &[("n", "0")]).is_ok(), "what exists can still be had");
    }

    #[test]
    fn names_that_would_break_the_page_are_refused() {
        let all = PluginMetrics::default();
        for name in ["", "9a", "a b", "a\n", "ä", &"a".repeat(129)] {
            assert!(matches!(counter(&all, name, &[]), Err(MetricError::BadName { .. })), "{name}");
        }
        assert!(counter(&all, "ok", &[("l", "1"), ("l", "2")]).is_err());
        assert!(counter(&all, "ok", &[("l", &"v".repeat(257))]).is_err());
        assert!(counter(&all, "ok", &[]).is_ok());
        let gauge = all.series(SeriesKind::Gauge, "ok".into(), vec![("x".into(), "y".into())]);
        assert_eq!(gauge.err(), Some(MetricError::OtherKind { name: "ok".into() }));
    }
}
