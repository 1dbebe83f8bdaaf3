//! The sink: what is pending comes again, what is rejected follows `onError`, and after a failure it is started again.

use flumen_connect::Sink as _;
use flumen_connect::interceptor::Drops;
use flumen_event::Batch;
use flumen_plugin::deliver::SinkPlugin;
use flumen_plugin::spec::{DeadLetter, Kind, OnError};

use super::fixture::{batch, bodies, channel, host, letters, on_error, spec};

/// A sink whose rejected events can be looked at.
fn plugin() -> SinkPlugin {
    host().dead_letters().set("a1", DeadLetter::Channel("dead".into()), channel(100));
    SinkPlugin::new(host(), on_error(spec(Kind::Sink, &[]), letters("dead")), 100)
}

async fn deliver(plugin: &mut SinkPlugin, bodies: &[&str]) -> Drops {
    plugin.deliver(&[batch(bodies)]).await.expect("it delivers").dropped
}

/// The dead letters with their reasons.
fn dead(drops: &Drops) -> Vec<(String, String)> {
    let events = drops.dead_letters().iter().flat_map(|(_, batch)| batch.iter());
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    events.map(|e| (text(e.body()), e.header("flumen.error").unwrap_or_default().to_owned())).collect()
}

/// What the instance says of itself: its calls, and what it has stored.
async fn report(plugin: &mut SinkPlugin) -> String {
    dead(&deliver(plugin, &["report"]).await).remove(0).1
}

#[tokio::test]
async fn what_is_stored_is_stored_once() {
    let mut plugin = plugin();
    plugin.open().await.expect("it opens");
    let delivery = plugin.deliver(&[batch(&["a", "b"]), batch(&["c"])]).await.expect("it delivers");
    assert_eq!((delivery.dropped.total(), delivery.dropped.dead_letters().len()), (0, 0));
    assert_eq!(report(&mut plugin).await, "start deliver(2) deliver(1) deliver(1) | a b c");
    plugin.close().await.expect("it closes");
}

#[tokio::test]
async fn pending_events_come_again_and_the_others_do_not() {
    let mut plugin = plugin();
    let drops = deliver(&mut plugin, &["a", "later-2", "b", "later-1"]).await;
    assert_eq!(drops.dead_letters().len(), 0);
    let expected = "start deliver(4) deliver(2) deliver(1) deliver(1) | a b later-1 later-2";
    assert_eq!(report(&mut plugin).await, expected);
}

#[tokio::test]
async fn rejected_events_follow_on_error_and_the_others_are_stored() {
    let mut keeps = plugin();
    let drops = deliver(&mut keeps, &["a", "bad", "b"]).await;
    assert_eq!(dead(&drops), [("bad".into(), "it is bad".into())]);
    let letter = drops.dead_letters()[0].1.event(0);
    assert_eq!(letter.header("flumen.plugin"), Some("a1.sink.p"));
    assert_eq!(letter.header("flumen.digest").map(str::len), Some(64));
    assert_eq!(letter.header("host"), Some("web1"));
    assert_eq!(report(&mut keeps).await, "start deliver(3) deliver(1) | a b");

    let mut drops_them = SinkPlugin::new(host(), on_error(spec(Kind::Sink, &[]), OnError::Drop), 100);
    let drops = deliver(&mut drops_them, &["a", "bad", "b"]).await;
    assert_eq!(drops.iter().collect::<Vec<_>>(), [("a1.sink.p: rejected", 1)]);

    let mut stops = SinkPlugin::new(host(), on_error(spec(Kind::Sink, &[]), OnError::Stop), 100);
    for _ in 0..2 {
        let error = stops.deliver(&[batch(&["bad"])]).await.expect_err("stopped").to_string();
        assert!(error.contains("stopped (onError = stop)"), "{error}");
    }
}

#[tokio::test]
async fn with_retry_a_rejected_event_holds_the_delivery_up_and_fails_it() {
    let mut plugin = SinkPlugin::new(host(), spec(Kind::Sink, &[]), 100);
    let error = plugin.deliver(&[batch(&["a", "bad"])]).await.expect_err("it cannot be stored").to_string();
    assert!(error.contains("1 events are pending after"), "{error}");
    assert_eq!(plugin.deliver(&[batch(&["b"])]).await.expect("it goes on").dropped.total(), 0);
}

#[tokio::test]
async fn after_its_own_error_everything_stays_and_it_is_started_again() {
    let mut plugin = plugin();
    let error = plugin.deliver(&[batch(&["a", "retry"])]).await.expect_err("not now").to_string();
    assert!(error.contains("not now"), "{error}");
    deliver(&mut plugin, &["a", "retry"]).await;
    assert_eq!(report(&mut plugin).await, "start deliver(2) start deliver(2) deliver(1) | a retry");
}

#[tokio::test]
async fn what_traps_every_time_follows_on_error() {
    for poison in ["trap", "invalid", "both", "loop"] {
        let mut plugin = plugin();
        let drops = deliver(&mut plugin, &["a", poison]).await;
        let letters: Vec<String> = dead(&drops).into_iter().map(|(body, _)| body).collect();
        assert_eq!(letters, ["a", poison], "{poison}: the call failed as a whole");
        let said = match poison {
            "trap" => "trap in deliver",
            "invalid" => "it is invalid",
            "both" => "event 1 is rejected and pending",
            _ => "limits.batchTimeMsMax",
        };
        assert!(dead(&drops)[0].1.contains(said), "{:?}", dead(&drops));
        let now = report(&mut plugin).await;
        assert!(now.ends_with("start deliver(1) | "), "{poison}: started again: {now}");
    }
}

#[tokio::test]
async fn with_retry_a_trap_leaves_everything_in_the_channel() {
    let mut plugin = SinkPlugin::new(host(), spec(Kind::Sink, &[]), 100);
    let error = plugin.deliver(&[batch(&["trap"])]).await.expect_err("a trap").to_string();
    assert!(error.starts_with("sink a1.sink.p: trapped"), "{error}");
    let delivery = plugin.deliver(&[batch(&["a"])]).await.expect("a new instance delivers");
    assert_eq!(delivery.dropped.total(), 0);
}

#[tokio::test]
async fn an_empty_delivery_is_no_call() {
    let mut plugin = plugin();
    plugin.deliver(&[Batch::default()]).await.expect("nothing to do");
    assert_eq!(report(&mut plugin).await, "start deliver(1) | ");
    assert_eq!(bodies(&Batch::default()), Vec::<String>::new());
}
