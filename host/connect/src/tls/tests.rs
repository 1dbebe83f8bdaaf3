//! What the options and the settings for all come to, and what is said of mistakes.

use std::collections::HashMap;

use flumen_config::{Diagnostics, OptionSpec, Settings};
use flumen_tls::{ClientAuth, ClientTls, NameCheck, ServerTls, StoreKind, Trust};

use super::globals::Globals;
use super::read::Plan;
use super::{CLIENT_OPTIONS, HTTP_SERVER_OPTIONS, SERVER_OPTIONS, http_server};

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::from_pairs("a1.sources.r1", pairs.iter().copied())
}
fn globals(properties: &[(&str, &str)], environment: &[(&str, &str)]) -> Globals {
    let map = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let (properties, environment) = (map(properties), map(environment));
    Globals::read(|name| properties.get(name).cloned(), |name| environment.get(name).cloned())
}
fn texts(diagnostics: &Diagnostics) -> Vec<String> {
    diagnostics.iter().map(|d| format!("{} | {}", d.message, d.help.clone().unwrap_or_default())).collect()
}
fn server(pairs: &[(&str, &str)], globals: &Globals) -> (Option<Option<ServerTls>>, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let made = Plan { settings: &settings(pairs), globals }.server(&mut diagnostics);
    (made, texts(&diagnostics))
}
fn client(pairs: &[(&str, &str)], globals: &Globals) -> (Option<ClientTls>, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let made = Plan { settings: &settings(pairs), globals }.client(&mut diagnostics);
    (made, texts(&diagnostics))
}
fn password(store: &flumen_tls::StoreFile) -> Option<&str> {
    store.password.as_ref().map(flumen_tls::Password::expose)
}

#[test]
fn without_ssl_nothing_is_read() {
    let (made, texts) = server(&[("keystore-type", "nonsense")], &Globals::default());
    assert!(matches!(made, Some(None)) && texts.is_empty(), "{texts:?}");
}

#[test]
fn ssl_without_a_key_store_is_an_error_that_says_what_to_set() {
    let (made, texts) = server(&[("ssl", "true")], &Globals::default());
    assert!(made.is_none());
    for words in ["needs a key store", "a1.sources.r1.keystore", "FLUME_SSL_KEYSTORE_PATH"] {
        assert!(texts[0].contains(words), "{texts:?}");
    }
    let (made, texts) = server(&[("ssl", "true"), ("keystore", "k.jks")], &Globals::default());
    assert!(made.is_none() && texts[0].contains("a1.sources.r1.keystore-password"), "{texts:?}");
    for pem in [("keystore", "k.pem"), ("keystore-type", "PEM")] {
        let (made, texts) = server(&[("ssl", "true"), ("keystore", "k"), pem], &Globals::default());
        assert!(matches!(made, Some(Some(_))), "{texts:?}");
    }
}

#[test]
fn a_components_own_key_comes_before_the_property_and_the_property_before_the_environment() {
    let globals = globals(
        &[("javax.net.ssl.keyStore", "property.jks"), ("flume.ssl.exclude.protocols", "SSLv3,TLSv1.3")],
        &[
            ("FLUME_SSL_KEYSTORE_PATH", "environment.jks"),
            ("FLUME_SSL_KEYSTORE_PASSWORD", "from-environment"),
            ("FLUME_SSL_KEYSTORE_TYPE", "pkcs12"),
        ],
    );
    let (made, _) = server(&[("ssl", "true")], &globals);
    let store = made.expect("valid").expect("on").keystore;
    assert_eq!(store.path.to_str(), Some("property.jks"));
    assert_eq!((password(&store), store.kind), (Some("from-environment"), Some(StoreKind::Pkcs12)));
    let own = [("ssl", "true"), ("keystore", "own.jks"), ("keystore-type", "JKS")];
    let store = server(&own, &globals).0.expect("valid").expect("on").keystore;
    assert_eq!((store.path.to_str(), password(&store)), (Some("own.jks"), Some("from-environment")));
    assert_eq!(store.kind, Some(StoreKind::Jks));
    let conflict = [("ssl", "true"), ("include-protocols", "TLSv1.3")];
    let (made, texts) = server(&conflict, &globals);
    assert!(made.is_none() && texts[0].contains("no protocol is left"), "{texts:?}");
    let own = [("ssl", "true"), ("include-protocols", "TLSv1.3"), ("exclude-protocols", "SSLv3")];
    assert!(server(&own, &globals).0.is_some(), "the component's own list replaces the one for all");
}

#[test]
fn a_mistake_in_a_setting_for_all_names_it() {
    let globals =
        globals(&[("javax.net.ssl.keyStore", "k.pem")], &[("FLUME_SSL_INCLUDE_PROTOCOLS", "TLS1.2")]);
    let (made, texts) = server(&[("ssl", "true")], &globals);
    assert!(
        made.is_none() && texts[0].contains("`FLUME_SSL_INCLUDE_PROTOCOLS`: `TLS1.2` is no protocol"),
        "{texts:?}"
    );
}

#[test]
fn suites_may_be_patterns_as_jettys_are() {
    let on = |more: (&'static str, &'static str)| {
        server(&[("ssl", "true"), ("keystore", "k.pem"), more], &Globals::default())
    };
    assert!(on(("exclude-cipher-suites", "^.*_(MD5|SHA|SHA1)$ ^TLS_RSA_.*$")).0.is_some());
    let (made, texts) = on(("exclude-cipher-suites", "^TLS_.*$"));
    assert!(made.is_none() && texts[0].contains("no cipher suite is left"), "{texts:?}");
    let (made, texts) = on(("include-cipher-suites", "TLS_(["));
    assert!(made.is_none() && texts[0].contains("neither a cipher suite nor a pattern"), "{texts:?}");
}

#[test]
fn mutual_tls_needs_a_trust_store() {
    let base = [("ssl", "true"), ("keystore", "k.pem"), ("client-auth", "need")];
    let (made, texts) = server(&base, &Globals::default());
    assert!(made.is_none() && texts[0].contains("needs a trust store"), "{texts:?}");
    let with = [base[0], base[1], base[2], ("truststore", "t.jks")];
    let made = server(&with, &Globals::default()).0.expect("valid").expect("on");
    assert!(matches!(made.client_auth, ClientAuth::Need(_)));
    let (made, texts) = server(&[base[0], base[1], ("client-auth", "yes")], &Globals::default());
    assert!(made.is_none() && texts[0].contains("use none, want or need"), "{texts:?}");
}

#[test]
fn a_client_trusts_its_store_the_one_for_all_or_the_machine() {
    let for_all =
        globals(&[], &[("FLUME_SSL_TRUSTSTORE_PATH", "all.jks"), ("FLUME_SSL_KEYSTORE_PATH", "k.jks")]);
    let (made, _) = client(&[], &for_all);
    let made = made.expect("valid");
    assert!(matches!(&made.trust, Trust::Store(store) if store.path.to_str() == Some("all.jks")));
    assert!(
        made.keystore.is_none() && made.name_check == NameCheck::On,
        "no key unless it is the sink's own"
    );
    assert!(matches!(client(&[], &Globals::default()).0.expect("valid").trust, Trust::System));
    let all = [("trust-all-certs", "true"), ("truststore", "t.jks")];
    let (made, texts) = client(&all, &Globals::default());
    assert!(matches!(made.expect("valid").trust, Trust::All) && texts[0].contains("not used"), "{texts:?}");
    let made = client(&[("verify-hostname", "false")], &Globals::default()).0.expect("valid");
    assert_eq!(made.name_check, NameCheck::Off);
}

#[test]
fn the_older_names_of_the_http_source_are_understood() {
    let old = [
        ("enableSSL", "true"),
        ("keystore", "k.jks"),
        ("keystorePassword", "old"),
        ("excludeProtocols", "TLSv1.2"),
    ];
    let mut diagnostics = Diagnostics::default();
    let made = http_server(&settings(&old), &mut diagnostics).expect("valid").expect("on");
    assert_eq!(password(&made.keystore), Some("old"));
    assert!(
        texts(&diagnostics)[0].contains("`enableSSL` is the older name of `ssl`"),
        "{:?}",
        texts(&diagnostics)
    );
    let both = [old[0], old[1], old[2], ("keystore-password", "new")];
    let made = http_server(&settings(&both), &mut Diagnostics::default()).expect("valid").expect("on");
    assert_eq!(password(&made.keystore), Some("new"));
}

#[test]
fn passwords_are_in_no_debug_output_and_no_default() {
    let pairs = [
        ("ssl", "true"),
        ("keystore", "k.jks"),
        ("keystore-password", "s3cr3t"),
        ("truststore", "t"),
        ("truststore-password", "s3cr3t"),
        ("client-auth", "want"),
    ];
    let globals = globals(&[("javax.net.ssl.keyStorePassword", "s3cr3t")], &[]);
    let made = server(&pairs, &globals).0.expect("valid");
    assert!(!format!("{made:?} {globals:?}").contains("s3cr3t"));
    for key in ["keystore-password", "truststore-password", "keystorePassword"] {
        assert!(
            settings(&[(key, "s3cr3t")]).shown(key).is_some_and(|shown| !shown.contains("s3cr3t")),
            "{key}"
        );
    }
}

#[test]
fn no_key_stands_twice_in_the_rows() {
    for rows in [SERVER_OPTIONS, HTTP_SERVER_OPTIONS, CLIENT_OPTIONS] {
        let mut keys: Vec<&str> = rows.iter().map(|row: &OptionSpec| row.key).collect();
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert!(keys.contains(&"ssl") && keys.contains(&"keystore-password"));
    }
}
