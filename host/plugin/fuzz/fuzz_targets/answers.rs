//! Any bytes, read as a batch and what a guest answers to it: nothing panics, and nothing grows beyond the bounds.
#![no_main]

mod answering;

libfuzzer_sys::fuzz_target!(|data: &[u8]| answering::check(data));
