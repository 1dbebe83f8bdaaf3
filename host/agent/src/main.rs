//! `flumen`, also as `flume-ng`.

use std::process::ExitCode;

/// Keeps freed pages: with the system's allocator every fresh arena would be zeroed by the kernel.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    flumen::cli::main(std::env::args_os())
}
