//! Guests that try to get out through wasi:http. The parts of egress have tests of their own beside the code; here
//! real guests go the whole way, with the machine's own resolver.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::AnyPlugin as _;
use flumen_plugin::grants::egress::EgressCounts;
use flumen_plugin::spec::{HttpGrant, PluginSpec};

use super::guest::Guest;
use super::room::{attack_with, batch, plugin, says};

/// What of wasi:http one request needs; a variant has to be whole.
const WIT: &str = "package wasi:io@0.2.0;
    interface poll {
      resource pollable { block: func(); }
    }
    ----
    package wasi:http@0.2.0;
    interface types {
      use wasi:io/poll@0.2.0.{pollable};
      variant scheme { HTTP, HTTPS, other(string) }
      record DNS-error-payload { rcode: option<string>, info-code: option<u16> }
      record TLS-alert-received-payload { alert-id: option<u8>, alert-message: option<string> }
      record field-size-payload { field-name: option<string>, field-size: option<u32> }
      variant error-code {
        DNS-timeout, DNS-error(DNS-error-payload), destination-not-found, destination-unavailable,
        destination-IP-prohibited, destination-IP-unroutable, connection-refused, connection-terminated,
        connection-timeout, connection-read-timeout, connection-write-timeout, connection-limit-reached,
        TLS-protocol-error, TLS-certificate-error, TLS-alert-received(TLS-alert-received-payload),
        HTTP-request-denied, HTTP-request-length-required, HTTP-request-body-size(option<u64>),
        HTTP-request-method-invalid, HTTP-request-URI-invalid, HTTP-request-URI-too-long,
        HTTP-request-header-section-size(option<u32>), HTTP-request-header-size(option<field-size-payload>),
        HTTP-request-trailer-section-size(option<u32>), HTTP-request-trailer-size(field-size-payload),
        HTTP-response-incomplete, HTTP-response-header-section-size(option<u32>),
        HTTP-response-header-size(field-size-payload), HTTP-response-body-size(option<u64>),
        HTTP-response-trailer-section-size(option<u32>), HTTP-response-trailer-size(field-size-payload),
        HTTP-response-transfer-coding(option<string>), HTTP-response-content-coding(option<string>),
        HTTP-response-timeout, HTTP-upgrade-failed, HTTP-protocol-error, loop-detected, configuration-error,
        internal-error(option<string>)
      }
      resource fields { constructor(); }
      resource request-options;
      resource incoming-response { status: func() -> u16; }
      resource outgoing-request {
        constructor(headers: fields);
        set-scheme: func(scheme: option<scheme>) -> result;
        set-authority: func(authority: option<string>) -> result;
        set-path-with-query: func(path-with-query: option<string>) -> result;
      }
      resource future-incoming-response {
        subscribe: func() -> pollable;
        get: func() -> option<result<result<incoming-response, error-code>>>;
      }
    }
    interface outgoing-handler {
      use types.{outgoing-request, request-options, future-incoming-response, error-code};
      handle: func(request: outgoing-request, options: option<request-options>) -> result<future-incoming-response, error-code>;
    }";

/// Asks for `http://AUTHORITY/`; passes if there is an answer, whatever it is, and traps if there is none.
fn asks(authority: &str) -> Guest {
    let imports = r#"
        (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
        (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
        (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-scheme" (func $scheme (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-authority" (func $authority (param i32 i32 i32 i32) (result i32)))
        (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-path-with-query" (func $path (param i32 i32 i32 i32) (result i32)))
        (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $handle (param i32 i32 i32 i32)))
        (import "wasi:http/types@0.2.0" "[method]future-incoming-response.subscribe" (func $subscribe (param i32) (result i32)))
        (import "wasi:http/types@0.2.0" "[method]future-incoming-response.get" (func $get (param i32 i32)))
        (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;
    let mischief = format!(
        "(local.set $i (call $request (call $fields)))
         (if (call $scheme (local.get $i) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)) (then (unreachable)))
         (if (call $authority (local.get $i) (i32.const 1) (i32.const 4096) (i32.const {})) (then (unreachable)))
         (if (call $path (local.get $i) (i32.const 1) (i32.const 5000) (i32.const 1)) (then (unreachable)))
         (call $handle (local.get $i) (i32.const 0) (i32.const 0) (i32.const 6000))
         (if (i32.load8_u (i32.const 6000)) (then (unreachable)))
         (local.set $i (i32.load (i32.const 6008)))
         (call $block (call $subscribe (local.get $i)))
         (call $get (local.get $i) (i32.const 6400))
         (if (i32.eqz (i32.load8_u (i32.const 6400))) (then (unreachable)))
         (if (i32.load8_u (i32.const 6408)) (then (unreachable)))
         (if (i32.load8_u (i32.const 6416)) (then (unreachable)))
         (i32.const 1024)",
        authority.len()
    );
    Guest::new().imports(imports, WIT).does(&mischief).data(4096, authority.as_bytes()).data(5000, b"/")
}

/// A server that counts who comes, and answers or stays silent.
fn server(answers: bool) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("address").port();
    let came = Arc::new(AtomicUsize::new(0));
    let counted = came.clone();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            counted.fetch_add(1, SeqCst);
            if answers {
                let _head = stream.read(&mut [0; 4096]);
                let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            } else {
                held.push(stream);
            }
        }
    });
    (port, came)
}

fn granted(grants: &[String]) -> impl FnOnce(&mut PluginSpec) {
    let http = grants.iter().map(|text| HttpGrant::parse(text).expect(text)).collect();
    move |spec| {
        spec.grants.http = http;
        spec.limits.batch_time_max = Duration::from_secs(2);
    }
}

/// The attack fails, for this reason, and nobody came to the server.
async fn refused(name: &str, authority: &str, grants: &[String], why: Option<&'static str>) {
    let met = attack_with(name, &asks(authority), granted(grants)).await;
    says(&met.error, &["trapped", "unreachable"]);
    let counts = met.plugin.plugin().status().egress.unwrap_or_else(EgressCounts::default);
    assert_eq!(counts.refused.keys().copied().next(), why, "{name}: {counts:?}");
    assert_eq!((counts.allowed == 0, counts.bytes_in), (why != Some("address"), 0), "{name}: {counts:?}");
}

#[tokio::test]
async fn a_granted_address_is_reached() {
    let (port, came) = server(true);
    let authority = format!("127.0.0.1:{port}");
    let (plugin, _folder) = plugin("egress-granted", &asks(&authority).component(), granted(&[authority]));
    let out = plugin.intercept(batch(&["X"]), &mut Drops::default()).await.expect("it was answered");
    assert_eq!((out.len(), came.load(SeqCst)), (1, 1));
    assert_eq!(plugin.plugin().status().egress.expect("counts").allowed, 1);
}

#[tokio::test]
async fn loopback_is_not_reached_without_its_own_grant() {
    let (port, came) = server(true);
    refused("egress-none", &format!("127.0.0.1:{port}"), &[], None).await;
    refused("egress-other", &format!("127.0.0.1:{port}"), &["example.org:80".into()], Some("not_granted"))
        .await;
    refused(
        "egress-mapped",
        &format!("[::ffff:127.0.0.1]:{port}"),
        &["example.org:80".into()],
        Some("not_granted"),
    )
    .await;
    // The machine's resolver: the name is granted, what it leads to is not.
    let named = format!("localhost:{port}");
    refused("egress-localhost", &named, std::slice::from_ref(&named), Some("address")).await;
    assert_eq!(came.load(SeqCst), 0);
}

#[tokio::test]
async fn metadata_addresses_are_not_reached() {
    for (name, authority) in
        [("egress-metadata", "169.254.169.254"), ("egress-metadata-6", "[fd00:ec2::254]")]
    {
        refused(name, authority, &["example.org:80".into()], Some("not_granted")).await;
    }
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_calls_time() {
    let (port, came) = server(false);
    let authority = format!("127.0.0.1:{port}");
    let met = attack_with("egress-silent", &asks(&authority), |spec| {
        spec.grants.http = vec![HttpGrant::parse(&authority).expect("grant")];
    })
    .await;
    // Whichever of both ends first: the request's own time, and then the guest traps, or the call's.
    assert!(
        met.error.contains("limits.batchTimeMsMax") || met.error.contains("unreachable"),
        "{}",
        met.error
    );
    assert!(came.load(SeqCst) >= 1);
}
