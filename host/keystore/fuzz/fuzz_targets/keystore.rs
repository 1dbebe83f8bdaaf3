//! `cargo +nightly fuzz run keystore fuzz/corpus/keystore tests/fixtures`: no bytes make a panic, a hang or a
//! large allocation. Each input is tried as it is, and (JKS, JCEKS) with a valid digest behind it.
#![no_main]

use flumen_keystore::{KeyStore, Password, open_encrypted_pkcs8};
use libfuzzer_sys::fuzz_target;
use sha1::Digest;

fuzz_target!(|data: &[u8]| {
    let password = Password::new("store-secret");
    let _ = open_encrypted_pkcs8(data, &password);
    let utf16: Vec<u8> = "store-secret".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let digest = sha1::Sha1::new().chain_update(utf16).chain_update("Mighty Aphrodite").chain_update(data);
    let sealed = [data, &digest.finalize()[..]].concat();
    for bytes in [data, &sealed] {
        if let Ok(store) = KeyStore::from_bytes_unchecked(bytes) {
            let _ = (store.certificates().count(), store.certificates_of_keys().count());
        }
        let Ok(store) = KeyStore::from_bytes(bytes, &password) else { continue };
        let names: Vec<String> = store.entries().map(|(alias, _)| alias.to_owned()).collect();
        for name in names {
            let _ = store.secret_key(&name, &password);
            let _ = store.private_key(&name, &password);
        }
    }
});
