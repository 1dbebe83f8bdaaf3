//! `flumen`, also as `flume-ng`.

use std::process::ExitCode;

/// Keeps freed pages: with the system's allocator every fresh arena would be zeroed by the kernel. Built without
/// transparent huge pages, which make an idle agent twice as large and save nothing that could be measured on the
/// way of an event (`tests/bench/run S0 S2 S3`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    flumen::cli::main(std::env::args_os())
}
