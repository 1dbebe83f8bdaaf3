//! Any bytes as the body of a request to the JSON handler are read or refused; nothing panics. What is read holds
//! text, and is read the same with white space behind it.
#![no_main]

use bytes::Bytes;
use flumen_connect::http_handlers::json;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data).into_owned();
    let Ok(batch) = json::read(&Bytes::from(text.clone())) else { return };
    for event in batch.iter() {
        assert!(std::str::from_utf8(event.body()).is_ok(), "a body is text");
        assert!(event.headers().count() <= batch.headers().len());
    }
    let padded = json::read(&Bytes::from(text + " \r\n\t")).expect("white space may follow");
    assert_eq!(padded.len(), batch.len());
});
