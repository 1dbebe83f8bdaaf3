//! What `enrich` does, natively.

use enrich::Enrich;
use flumen_plugin_sdk::interceptor::Error;
use flumen_plugin_sdk::testing::{Event, Tested, with_host};

fn plugin() -> Tested<Enrich> {
    Tested::configured(&[("by", "host"), ("into", "team")]).expect("valid")
}

#[test]
fn a_table_filled_by_events_enriches_others_also_in_another_instance() {
    let of = |host| Event::new("x").with("host", host);
    let out = plugin().intercept(&[of("web1"), Event::new("SET web1 red team"), of("web1"), Event::new("y")]);
    let red = of("web1").with("team", "red team");
    assert_eq!(out.expect("accepted").events, [of("web1"), red.clone(), Event::new("y")]);
    let out = plugin().intercept(&[of("web1"), of("web2")]).expect("accepted");
    assert_eq!(out.events, [red, of("web2")]);
    assert_eq!(with_host(|host| host.counters["misses"]), 2);
}

#[test]
fn a_row_without_a_value_is_rejected_alone() {
    let out = plugin().intercept(&[Event::new("SET web1"), Event::new("y")]).expect("accepted");
    assert_eq!((out.events.len(), out.rejected.keys().copied().collect::<Vec<_>>()), (1, vec![0]));
}

#[test]
fn a_failing_disk_asks_for_another_try() {
    with_host(|host| host.state_fails = true);
    let error = plugin().intercept(&[Event::new("SET a b")]).expect_err("no disk");
    assert!(matches!(error, Error::Retry(_)), "{error}");
}
