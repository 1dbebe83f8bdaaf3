//! Stores made by the real `keytool`, against what Java itself reads from them (`fixtures/expected.tsv`).

use std::path::{Path, PathBuf};
use std::process::Command;

use flumen_keystore::{EntryKind, KeyStore, KeyStoreError, Password};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}
fn store_password() -> Password {
    Password::new("store-secret")
}
fn open(name: &str) -> KeyStore {
    KeyStore::open(&fixtures().join(name), &store_password()).expect("a good store")
}
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Compares every entry that Java found in the stores of a folder with ours; returns how many there were.
fn same_as_java(dir: &Path) -> usize {
    let expected = std::fs::read_to_string(dir.join("expected.tsv")).expect("expected.tsv");
    let mut entries = 0;
    for line in expected.lines() {
        let [file, alias, kind, algorithm, password, bytes] =
            line.split('\t').collect::<Vec<_>>().try_into().expect("six columns");
        let store = KeyStore::open(&dir.join(file), &store_password()).expect(file);
        let password = Password::new(password);
        match kind {
            "secret" => {
                let key = store.secret_key(alias, &password).expect(alias);
                assert_eq!(hex(key.bytes()), bytes, "{file} {alias}");
                let unnamed = file.ends_with(".p12") && key.algorithm.is_empty();
                assert!(key.algorithm == algorithm || unnamed, "{file} {alias} {}", key.algorithm);
            }
            "private" => {
                let key = store.private_key(alias, &password).expect(alias);
                assert_eq!(hex(key.pkcs8()), bytes, "{file} {alias}");
                assert_eq!(key.chain.len(), 1, "{file} {alias}");
            }
            "chain" => {
                let key = store.private_key(alias, &password).expect(alias);
                assert!(key.chain.iter().any(|der| hex(der) == bytes), "{file} {alias}");
            }
            "certificate" => {
                assert!(store.certificates().any(|der| hex(der) == bytes), "{file} {alias}");
                assert!(store.entries().any(|(a, k)| a == alias && k == EntryKind::Certificate), "{alias}");
            }
            other => panic!("kind {other}"),
        }
        entries += usize::from(kind != "chain");
    }
    entries
}

#[test]
fn every_entry_of_keytools_stores_reads_as_java_reads_it() {
    assert_eq!(same_as_java(&fixtures()), 6 + 3 + 3 + 3);
}

#[test]
fn stores_made_by_the_keytool_of_this_machine_read_as_java_reads_them() {
    let dir = tempfile::tempdir().expect("a folder");
    if ["keytool", "java"].iter().any(|tool| Command::new(tool).arg("--help").output().is_err()) {
        eprintln!("SKIPPED: no keytool or java on PATH; the pinned stores were tested");
        return;
    }
    let made = Command::new(fixtures().join("make")).arg(dir.path()).output().expect("sh");
    if String::from_utf8_lossy(&made.stderr).contains("jdk.compiler") {
        eprintln!("SKIPPED: this java is no JDK; the pinned stores were tested");
        return;
    }
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(same_as_java(dir.path()), 6 + 3 + 3 + 3);
}

#[test]
fn names_are_found_without_regard_to_case() {
    let store = open("keys.jceks");
    let key = store.secret_key("KEY-1", &Password::new("other-secret")).expect("key-1");
    assert_eq!((key.algorithm.as_str(), key.bytes().len()), ("AES", 32));
}

#[test]
fn a_wrong_store_password_is_said_as_such() {
    for name in ["keys.jceks", "server.jks", "modern.p12", "legacy.p12"] {
        for wrong in ["", "Store-secret", "store-secret "] {
            let refused = KeyStore::open(&fixtures().join(name), &Password::new(wrong)).expect_err("refused");
            assert!(matches!(refused, KeyStoreError::WrongStorePassword), "{name} {wrong:?}: {refused:?}");
        }
    }
}

#[test]
fn a_wrong_key_password_names_the_key() {
    let (jceks, jks) = (open("keys.jceks"), open("server.jks"));
    for wrong in ["", "other-secret ", "store-secret"].map(Password::new) {
        let refused = jceks.secret_key("key-1", &wrong).expect_err("refused");
        assert!(
            matches!(&refused, KeyStoreError::WrongKeyPassword { alias } if alias == "key-1"),
            "{refused:?}"
        );
        let refused = jks.private_key("server", &wrong).expect_err("refused");
        assert!(
            matches!(&refused, KeyStoreError::WrongKeyPassword { alias } if alias == "server"),
            "{refused:?}"
        );
    }
    let refused = jceks.secret_key("key-1", &Password::new("größer")).expect_err("no ASCII");
    assert!(matches!(refused, KeyStoreError::WrongKeyPassword { .. }), "{refused:?}");
}

#[test]
fn a_missing_key_is_said_with_the_keys_that_are_there() {
    let refused = open("keys.jceks").secret_key("key-9", &store_password()).expect_err("no such key");
    let text = refused.to_string();
    assert!(text.contains("`key-9`") && text.contains("key-0") && text.contains("key-1"), "{text}");
}

#[test]
fn an_entry_of_another_kind_is_said_as_such() {
    let store = open("keys.jceks");
    let refused = store.secret_key("server", &store_password()).expect_err("a private key").to_string();
    assert_eq!(refused, "the entry `server` is a private key, not a secret key");
    let refused = store.private_key("trusted", &store_password()).expect_err("a certificate").to_string();
    assert_eq!(refused, "the entry `trusted` is a trusted certificate, not a private key");
}

#[test]
fn keys_are_never_printed() {
    let store = open("keys.jceks");
    let key = store.secret_key("key-0", &store_password()).expect("key-0");
    assert_eq!(format!("{key:?}"), "SecretKey(AES, 128 bits)");
    assert!(!format!("{store:?}").contains(&hex(key.bytes())));
}
