//! Any bytes as a .properties file are loaded and every finding is rendered: nothing panics.
#![no_main]

mod loading;

libfuzzer_sys::fuzz_target!(|data: &[u8]| loading::load_as("fuzz.properties", data));
