//! Both worlds of interceptors.

use flumen_connect::AsyncInterceptor as _;
use flumen_connect::interceptor::Drops;
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::{Kind, OnError};

use super::fixture::{batch, bodies, host, on_error, package, spec};

#[tokio::test]
async fn every_kind_of_edit_arrives() {
    let plugin = InterceptorPlugin::new(host(), on_error(spec(Kind::Interceptor, &[]), OnError::Drop));
    let input = batch(&["plain", "drop it", "up", "bad", "twice"]).with_constant(&"secret".into(), "s");
    let mut drops = Drops::default();
    let out = plugin.intercept(input, &mut drops).await.expect("it answers");
    assert_eq!(bodies(&out), ["plain", "UP", "twice", "twice"]);
    for event in out.iter() {
        assert_eq!(event.header("seen"), Some("yes"));
        assert_eq!(event.header("from"), Some("web1"));
        assert_eq!(event.header("secret"), None);
    }
    let mut noted: Vec<_> = drops.iter().collect();
    noted.sort_unstable();
    assert_eq!(noted, [("a1.interceptor.p: filtered", 1), ("a1.interceptor.p: invalid", 1)]);
    assert_eq!(drops.made_total(), 1);
}

#[tokio::test]
async fn a_guest_of_lists_sees_and_answers_whole_events() {
    let mut spec = spec(Kind::Interceptor, &[]);
    spec.component = package().join("fixtures/interceptor_simple.wasm");
    let plugin = InterceptorPlugin::new(host(), spec);
    let mut drops = Drops::default();
    let out = plugin.intercept(batch(&["one", "drop", "three"]), &mut drops).await.expect("it answers");
    assert_eq!(bodies(&out), ["one", "three"]);
    assert!(out.iter().all(|e| e.header("seen") == Some("yes") && e.header("host") == Some("web1")));
    assert_eq!(drops.total(), 1);
}
