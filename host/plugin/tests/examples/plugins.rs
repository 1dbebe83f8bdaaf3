//! A host, and what a configuration would say of an example.

use std::sync::{Arc, OnceLock};

use flumen_event::{Batch, BatchBuilder};
use flumen_plugin::spec::{Grants, Kind, Limits, OnError, PluginSpec};
use flumen_plugin::{Host, HostOptions};

/// A host with a cache that all tests share: each guest is compiled once.
pub fn host() -> &'static Arc<Host> {
    static HOST: OnceLock<Arc<Host>> = OnceLock::new();
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    HOST.get_or_init(|| {
        let cache = CACHE.get_or_init(|| tempfile::tempdir().expect("a folder")).path().join("cache");
        let options = HostOptions {
            cache_dir: Some(cache),
            compute_instances_max: 20,
            io_instances_max: 10,
            ..HostOptions::default()
        };
        Host::new(options).expect("threads can be started")
    })
}

/// The settings of an example.
pub fn spec(kind: Kind, guest: &str, options: &[(&str, &str)]) -> PluginSpec {
    PluginSpec {
        path: format!("a1.{guest}"),
        agent: "a1".to_owned(),
        kind,
        component: flumen_guests::component(guest),
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        limits: Limits::default(),
        grants: Grants::default(),
        on_error: OnError::Retry,
        instances: Some(1),
    }
}

/// An event: its body, its headers.
pub type Event = (Vec<u8>, Vec<(String, String)>);

/// Events as a batch.
pub fn batch(events: &[Event]) -> Batch {
    let mut builder = BatchBuilder::default();
    for (body, headers) in events {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        builder.push(body, headers).expect("it is small");
    }
    builder.finish()
}

/// An event from texts.
pub fn event(body: &str, headers: &[(&str, &str)]) -> Event {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    (body.as_bytes().to_vec(), headers.collect())
}

/// A batch as events, each one's headers sorted.
pub fn events(batch: &Batch) -> Vec<Event> {
    let event = |event: flumen_event::EventRef<'_>| {
        let mut headers: Vec<(String, String)> =
            event.headers().map(|(name, value)| (name.to_string(), value.to_owned())).collect();
        headers.sort();
        (event.body().to_vec(), headers)
    };
    batch.iter().map(event).collect()
}
