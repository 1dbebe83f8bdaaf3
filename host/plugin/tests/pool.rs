//! What a thousand instances hold. A program of its own, because memory is counted for the whole process.

#[path = "core/guest.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod guest;

use flumen_plugin::call::block_on;
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::{AnyPlugin as _, Host, HostOptions};

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: usize =
        text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("it is a number");
    pages * rustix::param::page_size()
}

#[test]
fn a_thousand_instances_of_a_small_plugin_hold_less_than_200_mb() {
    let options = HostOptions { compute_instances_max: 1001, ..guest::options() };
    let host = Host::new(options).expect("it starts");
    let plugin = InterceptorPlugin::new(&host, guest::spec("header"));
    block_on(plugin.load()).expect("it loads");
    let before = resident_bytes();
    let mut leases: Vec<_> = (0..1000).map(|_| plugin.plugin().lease()).collect();
    for lease in &mut leases {
        block_on(lease.ready()).expect("there is a slot for each");
    }
    let held = resident_bytes() - before;
    println!("1,000 instances hold {} KiB, {} KiB each", held >> 10, held >> 20);
    assert_eq!(plugin.plugin().status().instances, 1001);
    assert!(held < 200 << 20, "{held} bytes");

    // The engine's slots are all taken now: one more is refused, and says why.
    let error = block_on(plugin.plugin().lease().ready()).expect_err("there is no slot");
    assert!(error.to_string().contains("no instance to be had"), "{error}");
    leases.clear();
    block_on(plugin.plugin().lease().ready()).expect("slots are given back");
}
