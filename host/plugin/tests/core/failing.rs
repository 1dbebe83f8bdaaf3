//! What becomes of input that a plugin cannot process.

use std::sync::Arc;

use flumen_channel::Channel;
use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_event::Batch;
use flumen_plugin::AnyPlugin as _;
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::{DeadLetter, OnError};

use super::guest::{batch, bodies, host, spec};

fn failing(what: &str, on_error: OnError) -> InterceptorPlugin {
    let mut spec = spec(what);
    spec.limits.batch_time_max = std::time::Duration::from_millis(100);
    spec.on_error = on_error;
    InterceptorPlugin::new(host(), spec)
}
async fn run(plugin: &InterceptorPlugin, bodies: &[&str]) -> (Result<Batch, String>, Drops) {
    let mut drops = Drops::default();
    let result = plugin.intercept(batch(bodies), &mut drops).await;
    (result.map_err(|error| error.to_string()), drops)
}

#[tokio::test]
async fn poison_is_found_and_the_rest_goes_on_in_order() {
    for poison in ["trap", "invalid", "fatal", "loop"] {
        let plugin = failing("poison", OnError::Drop);
        let mut events: Vec<String> = (0..100).map(|n| format!("event {n}")).collect();
        events[37] = poison.to_owned();
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let (out, drops) = run(&plugin, &events).await;
        let expected: Vec<&str> = events.iter().copied().filter(|body| *body != poison).collect();
        assert_eq!(bodies(&out.expect("the rest goes on")), expected, "{poison}");
        assert_eq!(drops.total(), 1, "{poison}");
        assert_eq!(
            plugin.plugin().status().breaker,
            "closed",
            "a plugin that got events through works: {poison}"
        );
    }
}

#[tokio::test]
async fn an_event_that_the_plugin_calls_invalid_is_not_tried_twice() {
    let plugin = failing("poison", OnError::Drop);
    let (out, drops) = run(&plugin, &["invalid"]).await;
    assert_eq!((out.expect("it goes on").len(), drops.total()), (0, 1));
    assert_eq!(plugin.plugin().status().calls, 2, "the self-test and one");
    let (_, _) = run(&plugin, &["trap"]).await;
    assert_eq!(plugin.plugin().status().calls, 4, "a trap is tried once more");
}

#[tokio::test]
async fn the_search_for_poison_is_bounded() {
    let plugin = failing("poison", OnError::Drop);
    let events: Vec<&str> = (0..1000).map(|n| if n % 3 == 0 { "trap" } else { "fine" }).collect();
    let (out, drops) = run(&plugin, &events).await;
    let out = out.expect("it goes on");
    assert_eq!(out.len() + drops.total(), 1000, "every event is somewhere");
    assert!(plugin.plugin().status().calls <= 66, "{:?}", plugin.plugin().status());
}

#[tokio::test]
async fn dead_letters_say_who_what_and_when() {
    let target = DeadLetter::Channel("dead".to_owned());
    let channel: Arc<dyn Channel> = Arc::new(super::guest::channel());
    host().dead_letters().set("a1", target.clone(), channel.clone());
    let plugin = failing("poison", OnError::DeadLetter(target.clone()));
    let (out, drops) = run(&plugin, &["fine", "trap", "good"]).await;
    assert_eq!(bodies(&out.expect("the rest goes on")), ["fine", "good"]);
    assert_eq!(drops.total(), 0);
    let [(to, letters)] = drops.dead_letters() else { panic!("{drops:?}") };
    assert!(Arc::ptr_eq(to, &channel));
    assert_eq!(bodies(letters), ["trap"]);
    let letter = letters.event(0);
    assert_eq!(letter.header("flumen.plugin"), Some("a1.sources.r1.interceptors.poison"));
    assert_eq!(letter.header("flumen.digest"), Some(plugin.plugin().digest().as_str()));
    assert!(letter.header("flumen.error").is_some_and(|error| error.contains("poisoned on purpose")));
    assert!(
        letter
            .header("flumen.time")
            .is_some_and(|time| time.parse::<u64>().is_ok_and(|ms| ms > 1_700_000_000_000))
    );
    assert_eq!(letter.header("host"), Some("web1"), "its own headers stay");
}

#[tokio::test]
async fn rejected_rows_leave_the_batch_with_their_reason() {
    let target = DeadLetter::Channel("rejects".to_owned());
    let channel: Arc<dyn Channel> = Arc::new(super::guest::channel());
    host().dead_letters().set("a1", target.clone(), channel);
    let plugin = failing("reject", OnError::DeadLetter(target));
    let (out, drops) = run(&plugin, &["a", "bad 1", "c", "bad 2"]).await;
    assert_eq!(bodies(&out.expect("the rest goes on")), ["a", "c"]);
    let letters = &drops.dead_letters()[0].1;
    assert_eq!(bodies(letters), ["bad 1", "bad 2"]);
    let reasons: Vec<_> =
        letters.iter().map(|event| event.header("flumen.error").map(str::to_owned)).collect();
    assert_eq!(reasons, [Some("row 1 is bad".to_owned()), Some("row 3 is bad".to_owned())]);
}

#[tokio::test]
async fn dead_letters_without_a_target_refuse_the_batch() {
    let plugin = failing("poison", OnError::DeadLetter(DeadLetter::Channel("nowhere".to_owned())));
    let (out, drops) = run(&plugin, &["fine", "trap"]).await;
    assert!(out.expect_err("nothing may be lost").contains("nowhere"));
    assert_eq!((drops.total(), drops.dead_letters().len()), (0, 0));
}

#[tokio::test]
async fn retry_refuses_and_does_not_call_a_broken_plugin_in_a_hot_loop() {
    let plugin = failing("poison", OnError::Retry);
    let mut left_alone = 0;
    for _ in 0..1000 {
        let (out, drops) = run(&plugin, &["trap"]).await;
        assert_eq!(drops.total(), 0);
        left_alone += usize::from(out.expect_err("it is refused").contains("left alone"));
    }
    let status = plugin.plugin().status();
    assert!(left_alone > 900 && status.calls < 50, "{left_alone} of 1000 without a call; {status:?}");
    assert!(matches!(status.breaker, "open" | "trial"), "{status:?}");
    super::guest::eventually("it works again once its input does", || {
        let out = flumen_plugin::call::block_on(run(&plugin, &["fine"])).0;
        out.is_ok()
    })
    .await;
    assert_eq!(plugin.plugin().status().breaker, "closed");
}

#[tokio::test]
async fn a_plugin_that_asks_for_a_retry_gets_one_whatever_on_error_says() {
    let plugin = failing("retry", OnError::Drop);
    let (out, drops) = run(&plugin, &["x"]).await;
    assert!(out.expect_err("it is refused").contains("not now"));
    assert_eq!(drops.total(), 0);
}

#[tokio::test]
async fn a_plugin_that_gets_nothing_through_is_left_alone_and_its_input_goes_as_configured() {
    let plugin = failing("breach", OnError::Drop);
    for _ in 0..5 {
        let (out, drops) = run(&plugin, &["x"]).await;
        assert_eq!((out.expect("it goes on").len(), drops.total()), (0, 1));
    }
    let calls = plugin.plugin().status().calls;
    let (out, drops) = run(&plugin, &["x", "y"]).await;
    assert_eq!(out.expect("it goes on").len(), 0);
    assert_eq!(drops.iter().collect::<Vec<_>>(), [("a1.sources.r1.interceptors.breach: broken", 2)]);
    assert_eq!(plugin.plugin().status().calls, calls, "it was not called");
}

#[tokio::test]
async fn a_stopped_plugin_takes_nothing_until_it_is_reloaded() {
    let plugin = failing("poison", OnError::Stop);
    let (out, _) = run(&plugin, &["trap"]).await;
    assert!(out.expect_err("it is refused").contains("poisoned on purpose"));
    let calls = plugin.plugin().status().calls;
    let (out, _) = run(&plugin, &["fine"]).await;
    assert!(out.expect_err("it is stopped").contains("onError = stop"));
    assert_eq!((plugin.plugin().status().calls, plugin.plugin().status().breaker), (calls, "stopped"));
    plugin.plugin().reload().await.expect("it is the same component");
    let (out, _) = run(&plugin, &["fine"]).await;
    assert_eq!(out.expect("it goes on").len(), 1);
}
