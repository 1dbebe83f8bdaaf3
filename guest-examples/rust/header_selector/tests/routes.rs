//! Where `header_selector` sends events, natively.

use flumen_plugin_sdk::selector::{Channels, ConfigError, Route, Selector};
use flumen_plugin_sdk::testing::{Event, batch, options};
use header_selector::HeaderSelector;

fn selector(pairs: &[(&str, &str)]) -> Result<HeaderSelector, ConfigError> {
    HeaderSelector::configure(&options(pairs), &["c1", "c2", "c3"].map(str::to_owned))
}

#[test]
fn the_longest_prefix_counts_and_the_rest_goes_to_the_default() {
    let pairs =
        [("header", "host"), ("to.web", "c1"), ("to.web9", "c1 c2"), ("default", "c2"), ("copies", "c3")];
    let mut selector = selector(&pairs).expect("valid");
    let input = ["web1", "web99", "db1"].map(|host| Event::new("").with("host", host));
    let batch = batch(&input, &selector.needs());
    let routes: Vec<Route> = batch.events().map(|event| selector.route(event).expect("routed")).collect();
    let sets = [Channels::at(0), Channels::at(0) | Channels::at(1), Channels::at(1)];
    assert_eq!(routes, sets.map(|required| Route { required, optional: Channels::at(2) }));
}

#[test]
fn a_channel_that_is_not_there_is_an_error_of_that_option() {
    let error = selector(&[("header", "host"), ("to.web", "c9")]).expect_err("refused");
    assert_eq!(error.to_string(), "`to.web`: there is no channel `c9` here; there are: c1, c2, c3");
}
