//! Stores that are cut off, changed or made up: an error each time, never a panic, never a key.

use std::path::Path;

use flumen_keystore::{KeyStore, KeyStoreError, Password};
use proptest::prelude::*;

const STORES: [&str; 4] = ["keys.jceks", "server.jks", "modern.p12", "legacy.p12"];

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).expect("fixture")
}
fn password() -> Password {
    Password::new("store-secret")
}

/// The digest of a JKS or JCEKS store, so that changed content is believed and its structure tested.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    use sha1::Digest;
    let password: Vec<u8> = "store-secret".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let digest = sha1::Sha1::new().chain_update(password).chain_update("Mighty Aphrodite");
    let digest = digest.chain_update(&content).finalize();
    content.extend_from_slice(&digest);
    content
}

/// Tries every entry with both passwords.
fn ask_for_everything(store: &KeyStore) {
    let names: Vec<String> = store.entries().map(|(alias, _)| alias.to_owned()).collect();
    for password in ["store-secret", "other-secret"].map(Password::new) {
        for name in &names {
            let _ = store.secret_key(name, &password);
            let _ = store.private_key(name, &password);
        }
    }
}

#[test]
fn a_store_cut_off_anywhere_is_refused() {
    for name in ["keys.jceks", "server.jks"] {
        let whole = fixture(name);
        for len in 0..whole.len() {
            KeyStore::from_bytes(&whole[..len], &password()).expect_err(name);
        }
    }
    let whole = fixture("modern.p12");
    for len in (0..whole.len()).step_by(17) {
        KeyStore::from_bytes(&whole[..len], &password()).expect_err("modern.p12");
    }
}

#[test]
fn a_store_cut_off_is_said_to_be_cut_off() {
    let whole = fixture("keys.jceks");
    let refused = KeyStore::from_bytes(&whole[..whole.len() / 2], &password()).expect_err("half a store");
    assert!(matches!(refused, KeyStoreError::Truncated { .. }), "{refused:?}");
}

#[test]
fn every_changed_byte_is_noticed() {
    for name in ["keys.jceks", "server.jks"] {
        let whole = fixture(name);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x40;
            KeyStore::from_bytes(&changed, &password()).expect_err("a changed byte");
        }
    }
}

#[test]
fn changes_behind_a_valid_digest_end_in_an_error_or_a_store() {
    for name in ["keys.jceks", "server.jks"] {
        let content = fixture(name);
        let content = &content[..content.len() - 20];
        for at in 0..content.len() {
            // Iterations of the key protection are what takes long; a few hostile values are enough.
            for change in [0x01, 0x80] {
                let mut changed = content.to_vec();
                changed[at] ^= change;
                drop(KeyStore::from_bytes(&sealed(changed), &password()));
            }
        }
    }
}

#[test]
fn announced_sizes_are_compared_with_the_file() {
    // A JCEKS store with one private key of 2 GiB, and one with four billion entries.
    let huge_key =
        [&[0xCE; 4][..], &[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, b'a'], &[0; 8], &[0x7F; 4]].concat();
    let refused = KeyStore::from_bytes(&sealed(huge_key), &password()).expect_err("refused");
    assert!(matches!(refused, KeyStoreError::Truncated { wanted: 0x7F7F_7F7F, .. }), "{refused:?}");
    let many = [&[0xCE; 4][..], &[0, 0, 0, 2], &[0xFF; 4]].concat();
    let refused = KeyStore::from_bytes(&sealed(many), &password()).expect_err("refused");
    assert!(matches!(refused, KeyStoreError::Truncated { .. }), "{refused:?}");
}

#[test]
fn java_objects_that_nest_without_end_are_refused() {
    // Class descriptions whose first field's type is an object of such a class, and so on.
    let mut nested = vec![0xAC, 0xED, 0, 5];
    for _ in 0..10_000 {
        nested
            .extend_from_slice(&[0x73, 0x72, 0, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, b'L', 0, 1, b'f']);
    }
    let head = [&[0xCE; 4][..], &[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 1, b'a'], &[0; 8]].concat();
    let refused = KeyStore::from_bytes(&sealed([head, nested].concat()), &password()).expect_err("refused");
    assert!(refused.to_string().contains("nested too deeply"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), magic in 0..4) {
        let magic: &[u8] = match magic { 0 => &[0xCE; 4], 1 => &[0xFE, 0xED, 0xFE, 0xED], 2 => &[0x30, 0x82], _ => &[] };
        bytes.splice(0..0, magic.iter().copied());
        drop(flumen_keystore::open_encrypted_pkcs8(&bytes, &password()));
        if let Ok(store) = KeyStore::from_bytes_unchecked(&bytes) {
            assert!(store.certificates().chain(store.certificates_of_keys()).all(|der| der.len() < 400));
        }
        if let Ok(store) = KeyStore::from_bytes(&sealed(bytes), &password()) {
            ask_for_everything(&store);
        }
    }

    #[test]
    fn no_mutation_makes_it_panic(store in 0..4usize, at in any::<prop::sample::Index>(), with in any::<[u8; 3]>()) {
        let mut bytes = fixture(STORES[store]);
        let at = at.index(bytes.len() - 3);
        bytes[at..at + 3].copy_from_slice(&with);
        // PKCS#12 derives keys with 10,000 rounds and more: too slow for thousands of cases of a debug build.
        if store < 2 {
            bytes.truncate(bytes.len() - 20);
            drop(KeyStore::from_bytes(&sealed(bytes), &password()));
        }
    }
}
