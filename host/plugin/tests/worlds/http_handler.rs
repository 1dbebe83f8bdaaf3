//! The HTTP handler.

use flumen_connect::{HttpHandler as _, HttpRequest};
use flumen_plugin::handle::HandlerPlugin;
use flumen_plugin::spec::{Kind, Limits};

use super::fixture::{bodies, host, spec};

fn request(path: &str, body: &'static str) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        path: path.into(),
        headers: vec![("user-agent".into(), "curl".into())],
        body: body.into(),
    }
}

#[tokio::test]
async fn a_request_becomes_events() {
    let plugin = HandlerPlugin::new(host(), spec(Kind::HttpHandler, &[]));
    let batch = plugin.handle(request("/logs?x=1", "one\ntwo\n\nthree")).await.expect("accepted");
    assert_eq!(bodies(&batch), ["one", "two", "three"]);
    let headers: Vec<_> = batch.event(2).headers().collect();
    assert_eq!(headers, [("method", "POST"), ("path", "/logs?x=1"), ("agent", "curl")]);
    assert!(plugin.handle(request("/", "")).await.expect("accepted").is_empty());
}

#[tokio::test]
async fn refusals_reach_the_client_and_failures_do_not_tell_it_why() {
    let plugin = HandlerPlugin::new(host(), spec(Kind::HttpHandler, &[]));
    let refusal = plugin.handle(request("/refuse", "x")).await.expect_err("refused");
    assert_eq!((refusal.status, refusal.message.as_str()), (422, "not like this"));
    for path in ["/trap", "/lie"] {
        let refusal = plugin.handle(request(path, "x")).await.expect_err(path);
        assert_eq!((refusal.status, refusal.message.as_str()), (500, "the request could not be processed"));
    }
    plugin.handle(request("/", "x")).await.expect("a new instance takes it");
}

#[tokio::test]
async fn a_plugin_that_fails_again_and_again_asks_clients_to_come_later() {
    let plugin = HandlerPlugin::new(host(), spec(Kind::HttpHandler, &[]));
    for _ in 0..5 {
        assert_eq!(plugin.handle(request("/trap", "x")).await.expect_err("a trap").status, 500);
    }
    assert_eq!(plugin.handle(request("/", "x")).await.expect_err("left alone").status, 503);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused() {
    let mut spec = spec(Kind::HttpHandler, &[]);
    spec.limits = Limits { output_bytes_max: 100, ..spec.limits };
    let plugin = HandlerPlugin::new(host(), spec);
    // 4 events of 1 byte: each has 8 bytes for its place and three headers of more than 10.
    assert_eq!(plugin.handle(request("/", "1\n2\n3\n4")).await.expect_err("too large").status, 500);
    assert_eq!(plugin.handle(request("/", "1")).await.expect("small").len(), 1);
}
