//! `flumen`, also as `flume-ng`.

use std::process::ExitCode;

/// Keeps freed pages: with the system's allocator every fresh arena would be zeroed by the kernel.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    small_pages_only();
    flumen::cli::main(std::env::args_os())
}

/// The allocator asks the kernel for huge pages. They make an idle agent twice as large (15 instead of 7 MiB) and
/// save nothing that could be measured on the way of an event (`tests/bench/run S2 S3`).
fn small_pages_only() {
    // Where the kernel does not know the switch, memory is used a little more generously.
    let _kept = rustix::thread::disable_transparent_huge_pages(true);
}
