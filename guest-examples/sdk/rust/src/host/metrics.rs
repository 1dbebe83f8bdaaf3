//! Numbers on the agent's `/metrics`, under the plugin's name. At most 256 of them; more end the call.

/// Only ever rises. Made once, in `configure`; the same name and labels give the same counter.
#[derive(Debug)]
pub struct Counter(imp::Counter);

impl Counter {
    /// The counter of this name.
    pub fn new(name: &str) -> Self {
        Self::labelled(name, &[])
    }
    /// The counter of this name and these labels.
    pub fn labelled(name: &str, labels: &[(&str, &str)]) -> Self {
        Self(imp::counter(name, &owned(labels)))
    }
    /// Raises it. A call of the host: once a batch rather than once an event.
    pub fn add(&self, count: u64) {
        imp::add(&self.0, count);
    }
}

/// Whatever was set last.
#[derive(Debug)]
pub struct Gauge(imp::Gauge);

impl Gauge {
    /// The gauge of this name.
    pub fn new(name: &str) -> Self {
        Self::labelled(name, &[])
    }
    /// The gauge of this name and these labels.
    pub fn labelled(name: &str, labels: &[(&str, &str)]) -> Self {
        Self(imp::gauge(name, &owned(labels)))
    }
    /// Sets it.
    pub fn set(&self, value: f64) {
        imp::set(&self.0, value);
    }
}

fn owned(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[cfg(target_arch = "wasm32")]
mod imp {
    pub use crate::bindings::flumen::plugin::metrics::{Counter, Gauge};

    pub fn counter(name: &str, labels: &[(String, String)]) -> Counter {
        Counter::new(name, labels)
    }
    pub fn add(counter: &Counter, count: u64) {
        counter.add(count);
    }
    pub fn gauge(name: &str, labels: &[(String, String)]) -> Gauge {
        Gauge::new(name, labels)
    }
    pub fn set(gauge: &Gauge, value: f64) {
        gauge.set(value);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use crate::testing::with_host;

    pub type Counter = String;
    pub type Gauge = String;

    /// `name{label="value"}`: how the number is found by a test.
    fn path(name: &str, labels: &[(String, String)]) -> String {
        if labels.is_empty() {
            return name.to_owned();
        }
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        format!("{name}{{{}}}", labels.join(","))
    }
    pub fn counter(name: &str, labels: &[(String, String)]) -> Counter {
        let path = path(name, labels);
        with_host(|host| *host.counters.entry(path.clone()).or_default() += 0);
        path
    }
    pub fn add(counter: &Counter, count: u64) {
        with_host(|host| *host.counters.entry(counter.clone()).or_default() += count);
    }
    pub fn gauge(name: &str, labels: &[(String, String)]) -> Gauge {
        path(name, labels)
    }
    pub fn set(gauge: &Gauge, value: f64) {
        with_host(|host| host.gauges.insert(gauge.clone(), value));
    }
}
