//! The `http` sink against a real server, Python's, that fails in every way that servers fail.

#[path = "../sink_fixtures/mod.rs"]
mod fixtures;
#[path = "../../../../tests/harness/ports.rs"]
mod ports;
mod server;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use flumen_connect::{ComponentError, Delivery, Sink, SinkCounters};
use flumen_event::BatchBuilder;
use ports::free_port;
use server::Server;

async fn open(endpoint: &str, more: &[(&str, &str)]) -> (Box<dyn Sink>, Arc<SinkCounters>) {
    let options = [&[("endpoint", endpoint)], more].concat();
    let mut sink = fixtures::sink("http", &options);
    let counters = Arc::<SinkCounters>::default();
    sink.attach(counters.clone());
    sink.open().await.expect("opens");
    (sink, counters)
}

async fn deliver(sink: &mut Box<dyn Sink>, body: &str) -> Result<Delivery, ComponentError> {
    sink.deliver(&[fixtures::batch(&[body], &[("k", "v")])]).await
}

fn causes(delivery: &Delivery) -> Vec<(String, usize)> {
    delivery.dropped.iter().map(|(cause, events)| (cause.to_owned(), events)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_a_request_over_one_connection() {
    let mut server = Server::start(0, &["200"]);
    let options = [("contentTypeHeader", "application/json"), ("acceptHeader", "*/*")];
    let endpoint = server.url("/in?x=1").replace("://", "://me:pw@");
    let (mut sink, counters) = open(&endpoint, &options).await;
    assert_eq!(sink.batch_size(), 1);
    let mut builder = BatchBuilder::default();
    for body in ["{\"n\":1}", "zwei ü", "three"] {
        builder.push(body.as_bytes(), [("k", "v")]).expect("fits");
    }
    let delivery = sink.deliver(&[builder.finish()]).await.expect("delivered");
    assert!(causes(&delivery).is_empty());
    let seen = server.requests(3);
    let bodies: Vec<&str> = seen.iter().map(|request| request["body"].as_str().expect("text")).collect();
    assert_eq!(bodies, ["{\"n\":1}", "zwei ü", "three"]);
    assert!(seen.iter().all(|request| request["client"] == seen[0]["client"]), "one connection");
    assert_eq!(seen[0]["path"], "/in?x=1");
    let headers = &seen[0]["headers"];
    assert_eq!((&headers["content-type"], &headers["accept"]), (&"application/json".into(), &"*/*".into()));
    assert_eq!(headers["host"], format!("127.0.0.1:{}", server.port));
    assert_eq!(headers["authorization"], "Basic bWU6cHc=");
    assert_eq!(counters.connection_created.load(Relaxed), 1);
    sink.close().await.expect("closes");
    assert_eq!(counters.connection_closed.load(Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_keeps_the_event_and_a_success_does_not() {
    let server = Server::start(0, &["503", "404", "301", "200", "204", "201"]);
    let (mut sink, _) = open(&server.url("/"), &[]).await;
    for status in ["503", "404", "301"] {
        let error = deliver(&mut sink, "x").await.expect_err(status).to_string();
        assert!(error.contains(&format!("answered {status}: the event stays")), "{error}");
    }
    for _ in 0..3 {
        assert!(causes(&deliver(&mut sink, "x").await.expect("delivered")).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_say_what_is_removed_and_how_it_counts() {
    let server = Server::start(0, &["404", "400", "500", "301", "200"]);
    let rules = [
        ("rollback.4XX", "false"),
        ("rollback.301", "false"),
        ("backoff.4XX", "false"),
        ("backoff.301", "false"),
        ("incrementMetrics.400", "true"),
    ];
    let (mut sink, _) = open(&server.url("/"), &rules).await;
    let gone = causes(&deliver(&mut sink, "x").await.expect("removed"));
    assert_eq!(gone, [("http: status 404".to_owned(), 1)]);
    assert!(causes(&deliver(&mut sink, "x").await.expect("delivered")).is_empty());
    deliver(&mut sink, "x").await.expect_err("500 has no rule");
    let gone = causes(&deliver(&mut sink, "x").await.expect("removed"));
    assert_eq!(gone, [("http: status 301".to_owned(), 1)]);
    assert!(causes(&deliver(&mut sink, "x").await.expect("delivered")).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_backoff_an_event_is_sent_again_at_once() {
    let mut server = Server::start(0, &["503", "503", "200"]);
    let (mut sink, _) = open(&server.url("/"), &[("backoff.503", "false")]).await;
    deliver(&mut sink, "again").await.expect("delivered");
    assert_eq!(server.requests(3).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_body_is_dropped_and_counted() {
    let server = Server::start(0, &["200"]);
    let (mut sink, _) = open(&server.url("/"), &[]).await;
    assert_eq!(causes(&deliver(&mut sink, "").await.expect("dropped")), [("http: no body".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_come_late_and_be_killed() {
    let port = free_port();
    let (mut sink, counters) = open(&format!("http://127.0.0.1:{port}/"), &[]).await;
    let error = deliver(&mut sink, "early").await.expect_err("nobody listens").to_string();
    assert!(error.contains("cannot connect to") && error.contains("Connection refused"), "{error}");
    assert_eq!(counters.connection_failed.load(Relaxed), 1);
    for round in ["first", "second"] {
        let mut server = Server::start(port, &["200"]);
        deliver(&mut sink, round).await.expect("delivered");
        assert_eq!(server.requests(1)[0]["body"], round);
        drop(server);
        deliver(&mut sink, "lost?").await.expect_err("the server is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_kept_connections_is_not_an_error() {
    let mut server = Server::start(0, &["200", "close", "drop", "drop", "200"]);
    let (mut sink, _) = open(&server.url("/"), &[]).await;
    for body in ["1", "2", "3", "4", "5"] {
        deliver(&mut sink, body).await.expect(body);
    }
    let bodies: Vec<_> = server.requests(5).into_iter().map(|request| request["body"].clone()).collect();
    assert_eq!(bodies, ["1", "2", "3", "4", "5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_do_not_come_keep_the_event() {
    for (step, words) in [("hang", "within 300 ms (`requestTimeout`)"), ("garbage", "has not answered")] {
        let server = Server::start(0, &[step, "200"]);
        let (mut sink, _) = open(&server.url("/"), &[("requestTimeout", "300")]).await;
        let error = deliver(&mut sink, "x").await.expect_err(step).to_string();
        assert!(error.contains(words), "{step}: {error}");
        deliver(&mut sink, "x").await.expect("the next request has a connection of its own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_does_not_come_does_not_change_the_status() {
    let mut server = Server::start(0, &["half", "200"]);
    let (mut sink, counters) = open(&server.url("/"), &[("requestTimeout", "300")]).await;
    deliver(&mut sink, "x").await.expect("200 was answered");
    deliver(&mut sink, "y").await.expect("over a connection of its own");
    assert_eq!((server.requests(2).len(), counters.connection_created.load(Relaxed)), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_spoken_with_those_whom_the_trust_store_vouches_for() {
    let home = tempfile::TempDir::new().expect("a directory");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (both, public) = (home.path().join("server.pem"), home.path().join("ca.pem"));
    std::fs::write(&both, made.signing_key.serialize_pem() + &made.cert.pem()).expect("written");
    std::fs::write(&public, made.cert.pem()).expect("written");
    let mut server = Server::with_tls(both.to_str().expect("UTF-8"), &["200"]);
    let endpoint = format!("https://localhost:{}/", server.port);
    let trust = [("truststore", public.to_str().expect("UTF-8")), ("truststore-type", "PEM")];
    let (mut sink, _) = open(&endpoint, &trust).await;
    deliver(&mut sink, "secret").await.expect("delivered");
    assert_eq!(server.requests(1)[0]["body"], "secret");
    let (mut stranger, _) = open(&endpoint, &[]).await;
    let error = deliver(&mut stranger, "x").await.expect_err("nobody vouches").to_string();
    assert!(error.contains("https://localhost"), "{error}");
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    for (key, value) in [
        ("endpoint", "localhost:80"),
        ("connectTimeout", "0"),
        ("requestTimeout", "-1"),
        ("contentTypeHeader", "a\nb"),
        ("rollback.2xx", "false"),
    ] {
        let mut pairs = vec![("endpoint", "http://localhost/")];
        pairs.retain(|(known, _)| *known != key);
        pairs.push((key, value));
        let mut findings = flumen_config::Diagnostics::default();
        assert!(!(fixtures::spec("http").check)(&fixtures::settings(&pairs), &mut findings), "{key}");
        assert_eq!(findings.error_count(), 1, "{key}: {findings:?}");
    }
}
