//! What the null and the logger sink log.

#[path = "sink_fixtures/mod.rs"]
mod fixtures;

use std::sync::{Arc, Mutex};

use fixtures::{batch, settings, sink, spec};
use flumen_connect::Sink;
use flumen_event::Batch;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Collects `target: message` lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        let mut line = format!("{} {}: ", event.metadata().level(), event.metadata().target());
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                line.push_str(&format!("{value:?}"));
            }
        });
        self.0.lock().expect("not poisoned").push(line);
    }
}

async fn logged(sink: &mut dyn Sink, deliveries: &[Vec<Batch>]) -> Vec<String> {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
    sink.open().await.expect("opens");
    for events in deliveries {
        assert_eq!(sink.deliver(events).await.expect("delivers").dropped.total(), 0);
    }
    sink.close().await.expect("closes");
    lines.0.lock().expect("not poisoned").clone()
}

#[tokio::test]
async fn the_logger_logs_each_event_as_flume_does() {
    let mut sink = sink("logger", &[]);
    let headers = [("env", "prod"), ("datacenter", "NYC")];
    let lines = logged(&mut *sink, &[vec![batch(&["hello"], &headers)], vec![batch(&["a", ""], &[])]]).await;
    let target = "INFO org.apache.flume.sink.LoggerSink: Event: ";
    // The first line is that of the golden case logger_headers.
    assert_eq!(
        lines,
        [
            "{ headers:{datacenter=NYC, env=prod} body: 68 65 6C 6C 6F                                  hello }",
            "{ headers:{} body: 61                                              a }",
            "{ headers:{} body: }",
        ]
        .map(|text| format!("{target}{text}"))
    );
}

#[tokio::test]
async fn the_null_sink_logs_at_each_multiple_of_its_count() {
    let mut sink = sink("null", &[("logEveryNEvents", "3"), ("batchSize", "7")]);
    assert_eq!(sink.batch_size(), 7);
    let one_two = vec![batch(&["a"], &[]), batch(&["b", "c"], &[])];
    let lines = logged(&mut *sink, &[one_two.clone(), vec![batch(&["a"; 7], &[])], vec![]]).await;
    assert_eq!(
        lines,
        [3, 6, 9].map(|n| format!(
            "INFO org.apache.flume.sink.NullSink: Null sink k1 successful processed {n} events."
        ))
    );
}

#[test]
fn sinks_go_by_flumes_class_names() {
    let catalog = flumen_connect::catalog::catalog();
    for (text, name) in [
        ("NULL", "null"),
        ("Logger", "logger"),
        ("org.apache.flume.sink.NullSink", "null"),
        ("org.apache.flume.sink.LoggerSink", "logger"),
        ("org.apache.flume.sink.RollingFileSink", "file_roll"),
    ] {
        let spec = catalog.find(flumen_config::ComponentKind::Sink, text).expect("known");
        assert_eq!(spec.name, name);
    }
    let kind = flumen_config::ComponentKind::PathManager;
    assert!(catalog.find(kind, "ROLLTIME").is_some() && catalog.find(kind, "DEFAULT").is_some());
}

#[test]
fn batch_sizes_are_known_to_the_checks() {
    for (name, key) in [("null", "batchSize"), ("file_roll", "sink.batchSize")] {
        let size = spec(name).batch_size.expect("has one");
        let directory = ("sink.directory", "/tmp");
        assert_eq!(size(&settings(&[directory])), 100, "{name}");
        assert_eq!(size(&settings(&[directory, (key, "5")])), 5, "{name}");
    }
}
