//! Logs what a command writes to its standard error, line by line, as Flume does.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::ChildStderr;

/// A longer line is logged in pieces: a command must not fill our memory with one line.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// Reads until the command closes its standard error. Bytes that are no UTF-8 are shown as `U+FFFD`.
pub(super) async fn log(stderr: ChildStderr) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        let mut limited = (&mut reader).take(LINE_BYTES_MAX);
        match limited.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                number += 1;
                let text = String::from_utf8_lossy(&line);
                tracing::info!("StderrLogger[{number}] = '{}'", text.trim_end_matches(['\n', '\r']));
            }
        }
    }
}
