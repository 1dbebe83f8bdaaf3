//! What is read of a plugin's settings, and how mistakes read.

use std::sync::Arc;

use flumen_config::Origin;

use super::*;
use crate::spec::{DeadLetter, HttpGrant, OnError};

/// Settings as of a file `/etc/flumen/f.properties`, one line each.
fn settings(pairs: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::new("a1.sources.r1.interceptors.i1");
    settings.set_base_dir(Arc::from(Path::new("/etc/flumen")));
    for (at, (key, value)) in pairs.iter().enumerate() {
        let origin = Origin::File { file: "f.properties".into(), line: at + 1, column: 1, len: 1 };
        settings.insert(*key, flumen_config::Setting { value: (*value).to_owned(), origin });
    }
    settings
}

fn good(pairs: &[(&str, &str)]) -> PluginSpec {
    let mut findings = Diagnostics::default();
    let spec = read(Kind::Interceptor, &settings(pairs), &mut findings);
    spec.unwrap_or_else(|| panic!("{findings:#?}"))
}

/// Line and text of each finding.
fn bad(kind: Kind, pairs: &[(&str, &str)]) -> Vec<(usize, String)> {
    let mut findings = Diagnostics::default();
    assert!(read(kind, &settings(pairs), &mut findings).is_none(), "{pairs:?}");
    let line = |origin: Option<Origin>| match origin {
        Some(Origin::File { line, .. }) => line,
        _ => 0,
    };
    let text = |help: Option<String>| help.unwrap_or_default();
    findings.into_iter().map(|f| (line(f.origin), format!("{} | {}", f.message, text(f.help)))).collect()
}

#[test]
fn the_file_is_the_type_or_the_component_relative_to_the_configuration() {
    let file = |pairs: &[(&str, &str)]| good(pairs).component;
    assert_eq!(file(&[("type", "plugins/mask.wasm")]), Path::new("/etc/flumen/plugins/mask.wasm"));
    assert_eq!(file(&[("type", "wasm"), ("component", "/opt/mask.bin")]), Path::new("/opt/mask.bin"));
    let both = bad(Kind::Interceptor, &[("type", "a.wasm"), ("component", "b.wasm")]);
    assert!(both[0].0 == 2 && both[0].1.contains("names one"), "{both:?}");
    let none = bad(Kind::Interceptor, &[("type", "wasm")]);
    assert!(none[0].1.contains("component = FILE.wasm"), "{none:?}");
}

#[test]
fn options_of_the_guest_keep_the_order_of_their_keys_and_limits_their_units() {
    let spec = good(&[
        ("type", "a.wasm"),
        ("config.b.c", "2"),
        ("config.a", "1"),
        ("limits.memoryBytesMax", "1048576"),
        ("limits.batchTimeMsMax", "250"),
        ("limits.fuelPerEvent", "10000"),
        ("limits.outputBytesMax", "99"),
        ("limits.logBytesPerSecondMax", "98"),
        ("instances", "3"),
    ]);
    assert_eq!(spec.options, [("a".to_owned(), "1".to_owned()), ("b.c".to_owned(), "2".to_owned())]);
    assert_eq!((spec.agent.as_str(), spec.instances), ("a1", Some(3)));
    assert_eq!((spec.limits.memory_bytes_max, spec.limits.batch_time_max.as_millis()), (1 << 20, 250));
    assert_eq!((spec.limits.fuel_per_event, spec.limits.output_bytes_max), (Some(10_000), 99));
    assert_eq!(good(&[("type", "a.wasm")]).limits, Limits::default());
}

#[test]
fn every_grant_is_read_and_paths_are_made_absolute() {
    let spec = good(&[
        ("type", "a.wasm"),
        ("grants.http", "api.example.org:443 127.0.0.1:80"),
        ("grants.files", "geo:ro ../spool/./x:rw"),
        ("grants.env", "PATH"),
        ("grants.clock", "wall"),
        ("grants.secrets.token", "api.example.org:443 Authorization Bearer a b"),
    ]);
    let grants = spec.grants;
    assert_eq!(grants.http.len(), 2);
    let folders: Vec<_> = grants.files.iter().map(|f| (f.guest_path.as_str(), f.writable)).collect();
    assert_eq!(folders, [("/etc/flumen/geo", false), ("/etc/spool/x", true)]);
    assert_eq!(grants.env, [("PATH".to_owned(), std::env::var("PATH").expect("a path"))]);
    assert!(grants.wall_clock);
    let secret = &grants.secrets[0];
    assert_eq!((secret.header.as_str(), secret.value.as_str()), ("authorization", "Bearer a b"));
    assert!(!format!("{secret:?}").contains("Bearer"), "a secret is never shown");
}

#[test]
fn mistakes_in_grants_are_found_at_their_lines_and_show_no_secret() {
    let found = bad(
        Kind::Interceptor,
        &[
            ("type", "a.wasm"),
            ("grants.http", "https://x.org x.org"),
            ("grants.files", "/data /:ro a:ro ./a:rw"),
            ("grants.clock", "real"),
            ("grants.env", "A=1"),
            ("grants.secrets.a", "api.example.org:443 authorization hidden"),
            ("grants.secrets.b", "hidden"),
            ("grants.secrets.c", "x.org:1 host hidden"),
        ],
    );
    let mut lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 2, 3, 3, 3, 4, 5, 6, 7, 8], "{found:#?}");
    assert!(found.iter().all(|(_, text)| !text.contains("hidden")), "{found:#?}");
    assert!(found.iter().any(|(_, text)| text.contains("add `api.example.org:443` to `grants.http`")));
}

#[test]
fn what_cannot_be_done_with_an_error_is_said_by_kind() {
    let letters = |target: &str| {
        good(&[("type", "a.wasm"), ("onError", "dead-letter"), ("deadLetter", target)]).on_error
    };
    assert_eq!(letters("channel dead"), OnError::DeadLetter(DeadLetter::Channel("dead".to_owned())));
    let file = OnError::DeadLetter(DeadLetter::File("/etc/flumen/my dead.jsonl".into()));
    assert_eq!(letters("file my dead.jsonl"), file);
    assert_eq!(good(&[("type", "a.wasm"), ("onError", "drop")]).on_error, OnError::Drop);
    for (kind, pairs, expected) in [
        (Kind::Interceptor, &[("onError", "ignore")][..], "possible here: retry, dead-letter, drop, stop"),
        (Kind::Source, &[("onError", "drop")], "possible here: retry, stop"),
        (Kind::HttpHandler, &[("onError", "retry")], "take it out"),
        (
            Kind::Selector,
            &[("onError", "dead-letter"), ("deadLetter", "file x")],
            "possible here: retry, drop, stop",
        ),
        (Kind::Sink, &[("onError", "dead-letter")], "deadLetter = channel NAME"),
        (Kind::Sink, &[("deadLetter", "file x")], "no effect without"),
        (Kind::Sink, &[("onError", "dead-letter"), ("deadLetter", "c1")], "`channel NAME` or `file PATH`"),
        (
            Kind::Sink,
            &[("onError", "dead-letter"), ("deadLetter", "channel a b")],
            "`channel NAME` or `file PATH`",
        ),
    ] {
        let pairs: Vec<_> = std::iter::once(("type", "a.wasm")).chain(pairs.iter().copied()).collect();
        let found = bad(kind, &pairs);
        assert!(found.len() == 1 && found[0].1.contains(expected), "{pairs:?}: {found:?}");
    }
}

#[test]
fn what_is_above_the_tenants_ceiling_is_an_error_with_both_places() {
    let text = "[tenant.t]\nagents = [\"ceil\"]\negress_hosts = [\"*.example.org:443\"]\n[tenant.t.plugin]\n\
                memory_bytes_max = 1000\nbatch_time_ms_max = 10\ninstances_max = 1\n";
    let mut findings = Diagnostics::default();
    let read_tenants = tenants::Tenants::read(&flumen_config::SourceText::new("t.toml", text), &mut findings);
    tenants::install(read_tenants.unwrap_or_else(|| panic!("{findings:?}")));
    let plugin = |pairs: &[(&str, &str)]| {
        let mut settings = Settings::from_pairs("ceil.sources.r1.interceptors.i1", pairs.iter().copied());
        settings.set_base_dir(Arc::from(Path::new("/etc/flumen")));
        let mut findings = Diagnostics::default();
        let spec = read(Kind::Interceptor, &settings, &mut findings);
        (spec, findings.into_iter().map(|f| f.message).collect::<Vec<_>>())
    };
    let (spec, found) = plugin(&[("type", "a.wasm"), ("grants.http", "a.example.org:443")]);
    let spec = spec.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!((spec.limits.memory_bytes_max, spec.limits.batch_time_max.as_millis()), (1000, 10));
    assert_eq!(spec.instances, Some(1));
    let (spec, found) = plugin(&[
        ("type", "a.wasm"),
        ("limits.memoryBytesMax", "1001"),
        ("limits.batchTimeMsMax", "11"),
        ("instances", "2"),
        ("grants.http", "a.example.com:443"),
    ]);
    assert!(spec.is_none() && found.len() == 4, "{found:#?}");
    assert!(found[0].contains("tenant `t`") && found[0].contains("(t.toml:5)"), "{found:#?}");
    assert!(found[3].contains("`egress_hosts` (t.toml:3)"), "{found:#?}");
    let granted = HttpGrant::parse("a.example.org:443").expect("a destination");
    assert!(
        plugin(&[("type", "a.wasm"), ("grants.http", "a.example.org:443")])
            .0
            .is_some_and(|s| s.grants.http == [granted])
    );
}
