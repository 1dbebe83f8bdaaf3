//! The selector: legs as the guest says, and sets that lie are refused.

use flumen_connect::{AsyncSelector as _, Leg, Rows};
use flumen_plugin::LoadError;
use flumen_plugin::select::SelectorPlugin;
use flumen_plugin::spec::{Kind, OnError};

use super::fixture::{batch, host, on_error, spec};

fn channels(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("c{n}")).collect()
}

fn leg(channel: usize, required: bool, rows: &[u32]) -> Leg {
    Leg { channel, required, rows: Rows::Some(rows.to_vec()) }
}

#[tokio::test]
async fn each_event_goes_where_the_guest_says() {
    let plugin = SelectorPlugin::new(host(), spec(Kind::Selector, &[]), &channels(3));
    let legs = plugin.route(&batch(&["c1", "c2?c3", "nowhere", "c1?c1", "?c1"])).await.expect("it routes");
    let expected = [
        leg(0, true, &[0, 3]),
        // What is required is not put a second time.
        leg(0, false, &[4]),
        leg(1, true, &[1]),
        leg(2, false, &[1]),
    ];
    assert_eq!(legs, expected);
    let legs = plugin.route(&batch(&["c3", "c3"])).await.expect("it routes");
    assert_eq!(legs, [Leg { channel: 2, required: true, rows: Rows::All }]);
    assert_eq!(plugin.route(&batch(&[])).await.expect("nothing"), []);
}

#[tokio::test]
async fn one_set_for_all_needs_no_row_lists() {
    let plugin = SelectorPlugin::new(host(), spec(Kind::Selector, &[("all", "c64")]), &channels(64));
    let legs = plugin.route(&batch(&["a", "b"])).await.expect("it routes");
    assert_eq!(legs, [Leg { channel: 63, required: true, rows: Rows::All }]);
}

#[tokio::test]
async fn sets_that_lie_and_failures_refuse_the_batch() {
    let plugin = SelectorPlugin::new(host(), spec(Kind::Selector, &[]), &channels(2));
    for (body, said) in [
        ("beyond", "required: event 1 goes to channel 40 of 2"),
        ("short", "required: 1 items for 2 rows"),
        ("trap", "trap in route"),
        ("invalid", "it is invalid"),
    ] {
        let error = plugin.route(&batch(&["c1", body])).await.expect_err(body).to_string();
        assert!(error.contains(said) && error.contains("a1.selector.p"), "{error}");
    }
    plugin.route(&batch(&["c1"])).await.expect("a new instance routes");
}

#[tokio::test]
async fn with_drop_failing_batches_go_nowhere_and_with_stop_nothing_passes() {
    let drops = on_error(spec(Kind::Selector, &[]), OnError::Drop);
    let plugin = SelectorPlugin::new(host(), drops, &channels(2));
    assert_eq!(plugin.route(&batch(&["trap"])).await.expect("dropped"), []);
    let stops = on_error(spec(Kind::Selector, &[]), OnError::Stop);
    let plugin = SelectorPlugin::new(host(), stops, &channels(2));
    plugin.route(&batch(&["invalid"])).await.expect_err("invalid");
    let error = plugin.route(&batch(&["c1"])).await.expect_err("stopped").to_string();
    assert!(error.contains("stopped (onError = stop)"), "{error}");
}

#[tokio::test]
async fn more_channels_than_bits_are_refused_when_it_loads() {
    let plugin = SelectorPlugin::new(host(), spec(Kind::Selector, &[]), &channels(65));
    match &*plugin.load().await.expect_err("too many") {
        LoadError::Config { message, .. } => assert!(message.contains("65 channels"), "{message}"),
        other => panic!("{other}"),
    }
}
