//! What sealing and opening a record costs, by size. `cargo bench -p flumen-cipher`.

use divan::counter::BytesCount;
use flumen_channel::file::cipher::{RecordCipher, RecordNonce};
use flumen_cipher::{AesRecordCipher, Keys, Mode};
use flumen_keystore::SecretKey;

fn main() {
    divan::main();
}

const NONCE: RecordNonce = RecordNonce { segment: [9; 16], record: 1 };
const SIZES: [usize; 3] = [200, 20_000, 200_000];

fn cipher(mode: Mode) -> AesRecordCipher {
    let keys = vec![("key-0".to_owned(), SecretKey::new("AES", vec![3; 16]))];
    AesRecordCipher::new(mode, Keys::new("key-0", keys).expect("a good key"))
}

fn seal(bencher: divan::Bencher, mode: Mode, bytes: usize) {
    let (cipher, plain) = (cipher(mode), vec![b'x'; bytes]);
    let mut out = Vec::with_capacity(bytes + 16);
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        out.clear();
        cipher.seal(NONCE, &plain, &mut out)
    });
}

#[divan::bench(args = SIZES)]
fn seal_ctr(bencher: divan::Bencher, bytes: usize) {
    seal(bencher, Mode::Ctr, bytes);
}
#[divan::bench(args = SIZES)]
fn seal_gcm(bencher: divan::Bencher, bytes: usize) {
    seal(bencher, Mode::Gcm, bytes);
}
#[divan::bench(args = SIZES)]
fn open_gcm(bencher: divan::Bencher, bytes: usize) {
    let cipher = cipher(Mode::Gcm);
    let mut sealed = Vec::new();
    cipher.seal(NONCE, &vec![b'x'; bytes], &mut sealed).expect("sealed");
    bencher
        .counter(BytesCount::new(bytes))
        .bench_local(|| cipher.open(cipher.name(), "key-0", NONCE, &sealed));
}
