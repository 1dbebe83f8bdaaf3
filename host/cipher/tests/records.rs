//! What the record ciphers promise, and their bytes as pinned vectors: what is on disk must open for ever.

use flumen_channel::file::cipher::{CipherError, RecordCipher, RecordNonce};
use flumen_cipher::{AesRecordCipher, Keys, KeysError, Mode};
use flumen_keystore::SecretKey;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const NONCE: RecordNonce = RecordNonce { segment: *b"segment-0123456!", record: 7 };

fn key(bytes: usize, first: u8) -> SecretKey {
    SecretKey::new("AES", (0..bytes).map(|n| first.wrapping_add(n as u8)).collect())
}
fn cipher(mode: Mode, active: &str, bytes: usize) -> AesRecordCipher {
    let keys = vec![("old".to_owned(), key(16, 100)), ("new".to_owned(), key(bytes, 1))];
    AesRecordCipher::new(mode, Keys::new(active, keys).expect("good keys"))
}
fn seal(cipher: &AesRecordCipher, nonce: RecordNonce, plain: &[u8]) -> Vec<u8> {
    let mut out = b"before".to_vec();
    cipher.seal(nonce, plain, &mut out).expect("sealed");
    out.split_off(6)
}
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn a_sealed_record_opens_to_what_it_was() {
    for mode in Mode::ALL {
        for bytes in [16, 24, 32] {
            let cipher = cipher(mode, "new", bytes);
            for plain in [&b""[..], b"x", &[7; 100_000]] {
                let sealed = seal(&cipher, NONCE, plain);
                assert!(plain.len() < 16 || !sealed.windows(16).any(|w| w == &plain[..16]), "in the clear");
                assert_eq!(cipher.open(cipher.name(), "new", NONCE, &sealed).expect("opens"), plain);
            }
        }
    }
}

#[test]
fn the_bytes_on_disk_are_the_pinned_ones() {
    // Computed independently with Python's `cryptography` (tests/vectors.py).
    let vectors = include_str!("vectors.tsv").lines().filter(|l| !l.starts_with('#'));
    // What is long goes another way through a cipher: many blocks at a time.
    let long: Vec<u8> = (0..100_007).map(|n| (n * 7 + n / 251) as u8).collect();
    let mut count = 0;
    for line in vectors {
        let [mode, bytes, sealed, digest] =
            line.split('\t').collect::<Vec<_>>().try_into().expect("four columns");
        let cipher = cipher(Mode::of(mode).expect("a mode"), "new", bytes.parse().expect("a number"));
        assert_eq!(
            hex(&seal(&cipher, NONCE, b"a record of some bytes, longer than a block")),
            sealed,
            "{line}"
        );
        let sealed = seal(&cipher, NONCE, &long);
        assert_eq!(hex(&Sha256::digest(&sealed)), digest, "{line}");
        assert_eq!(cipher.open(mode, "new", NONCE, &sealed).expect("opens"), long);
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn no_two_records_and_no_two_segments_are_sealed_alike() {
    for mode in Mode::ALL {
        let cipher = cipher(mode, "new", 32);
        let other_record = RecordNonce { record: 8, ..NONCE };
        let other_segment = RecordNonce { segment: *b"segment-0123456?", ..NONCE };
        let all =
            [NONCE, other_record, other_segment].map(|nonce| seal(&cipher, nonce, &[0; 64])[..64].to_vec());
        for (at, one) in all.iter().enumerate() {
            // Streams that are the same but shifted would show as equal blocks.
            for other in &all[at + 1..] {
                assert!(one.chunks(16).all(|block| other.chunks(16).all(|b| b != block)));
            }
        }
    }
}

#[test]
fn old_keys_open_what_they_sealed_and_the_active_one_seals() {
    for mode in Mode::ALL {
        let before = cipher(mode, "old", 32);
        let after = cipher(mode, "new", 32);
        assert_eq!((before.active_key(), after.active_key()), ("old", "new"));
        let sealed = seal(&before, NONCE, b"event");
        assert_eq!(after.open(before.name(), "old", NONCE, &sealed).expect("opens"), b"event");
        assert_ne!(sealed, seal(&after, NONCE, b"event"));
    }
}

#[test]
fn either_mode_opens_what_the_other_sealed() {
    let (ctr, gcm) = (cipher(Mode::Ctr, "new", 32), cipher(Mode::Gcm, "new", 32));
    assert!(
        gcm.check(ctr.name(), gcm.active_key()).is_ok() && ctr.check(gcm.name(), ctr.active_key()).is_ok()
    );
    assert!(ctr.check("ROT13", ctr.active_key()).is_err() && ctr.check(ctr.name(), "no such key").is_err());
    assert_eq!(gcm.open(ctr.name(), "new", NONCE, &seal(&ctr, NONCE, b"event")).expect("opens"), b"event");
    assert_eq!(ctr.open(gcm.name(), "new", NONCE, &seal(&gcm, NONCE, b"event")).expect("opens"), b"event");
}

#[test]
fn a_missing_key_is_named_with_those_that_are_there() {
    let refused =
        cipher(Mode::Gcm, "new", 32).open("AESGCMNOPADDING", "lost", NONCE, &[0; 32]).expect_err("no key");
    assert_eq!(refused.to_string(), "the key `lost` is not among the configured keys (old, new)");
}

#[test]
fn gcm_refuses_what_was_changed_moved_or_cut() {
    let cipher = cipher(Mode::Gcm, "new", 32);
    let sealed = seal(&cipher, NONCE, b"event");
    let refused = |key: &str, nonce, sealed: &[u8]| {
        let opened = cipher.open(cipher.name(), key, nonce, sealed);
        assert!(matches!(opened, Err(CipherError::NotAuthentic { .. })), "{opened:?}");
    };
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        refused("new", NONCE, &changed);
    }
    for len in 0..sealed.len() {
        refused("new", NONCE, &sealed[..len]);
    }
    refused("old", NONCE, &sealed);
    refused("new", RecordNonce { record: 8, ..NONCE }, &sealed);
    refused("new", RecordNonce { segment: [0; 16], ..NONCE }, &sealed);
}

#[test]
fn keys_of_a_wrong_length_or_name_are_refused_by_name() {
    let keys = |bytes| vec![("k".to_owned(), key(bytes, 1))];
    let refused = Keys::new("k", keys(8)).expect_err("64 bits");
    assert_eq!(refused, KeysError::WrongLength { key: "k".into(), bits: 64 });
    let refused = Keys::new("other", keys(16)).expect_err("no such key");
    assert_eq!(refused.to_string(), "the active key `other` is not among the configured keys (k)");
}

proptest! {
    #[test]
    fn more_segments_than_are_kept_ready_open_in_any_order(order in proptest::collection::vec(0u8..20, 1..60)) {
        for mode in Mode::ALL {
            let cipher = cipher(mode, "new", 16);
            for &segment in &order {
                let nonce = RecordNonce { segment: [segment; 16], record: u32::from(segment) };
                let sealed = seal(&cipher, nonce, &[segment; 33]);
                prop_assert_eq!(cipher.open(cipher.name(), "new", nonce, &sealed).expect("opens"), [segment; 33]);
            }
        }
    }
}
