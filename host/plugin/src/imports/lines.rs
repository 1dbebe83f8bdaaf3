//! Standard output and standard error of a guest, line by line into its log.
//!
//! The guest writes pieces; a line is logged when its end comes, when it is longer than a message may be, or when
//! the instance goes away. Writing never waits and never fails: what is over the log's limit is cut there, and a
//! guest that prints keeps working.
//!
//! ```text
//! stdout ─▶ info      stderr ─▶ warn      at most 8 KiB are held back, for each stream of each instance
//! ```

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tracing::Level;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::log::{MESSAGE_BYTES_MAX, PluginLog};

/// Bytes that a guest may write in one call.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// What is remembered of a stream's end.
const TAIL_BYTES: usize = 2 << 10;

/// One of the two streams of one instance.
#[derive(Clone)]
pub struct Captured(Arc<Inner>);

struct Inner {
    log: Arc<PluginLog>,
    level: Level,
    text: Mutex<Text>,
}

#[derive(Default)]
struct Text {
    /// The line that has no end yet.
    open: Vec<u8>,
    /// The last bytes of all that was written.
    tail: Vec<u8>,
}

impl Captured {
    /// A stream whose lines get this level.
    #[must_use]
    pub fn new(log: Arc<PluginLog>, level: Level) -> Self {
        Self(Arc::new(Inner { log, level, text: Mutex::default() }))
    }

    /// The last 2 KiB of all that was written: a panic's text, for the error of the call.
    #[must_use]
    pub fn tail(&self) -> String {
        let text = self.0.text.lock().unwrap_or_else(PoisonError::into_inner);
        let from = text.tail.len().saturating_sub(TAIL_BYTES);
        String::from_utf8_lossy(&text.tail[from..]).into_owned()
    }

    fn push(&self, mut bytes: &[u8]) {
        let mut text = self.0.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.keep_tail(bytes);
        let open = &mut text.open;
        while !bytes.is_empty() {
            let room = MESSAGE_BYTES_MAX - open.len();
            let end = bytes.iter().take(room).position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(bytes.len().min(room));
            open.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken + usize::from(end.is_some())..];
            if end.is_some() || open.len() == MESSAGE_BYTES_MAX {
                self.0.log_line(open);
            }
        }
    }
}

impl Text {
    fn keep_tail(&mut self, bytes: &[u8]) {
        // Moved to the front once it has doubled, so that a byte is moved once.
        if self.tail.len() + bytes.len() > 2 * TAIL_BYTES {
            let from = self.tail.len().saturating_sub(TAIL_BYTES);
            self.tail.drain(..from);
        }
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
    }
}

impl Inner {
    fn log_line(&self, open: &mut Vec<u8>) {
        // An empty line says nothing and would cost a frame.
        if !open.is_empty() {
            self.log.write(self.level, &String::from_utf8_lossy(open), &[]);
            open.clear();
        }
    }
}

impl Drop for Inner {
    /// The last words of an instance that trapped often lack their line end: a panic message of a guest must show.
    fn drop(&mut self) {
        let mut text = std::mem::take(self.text.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.log_line(&mut text.open);
    }
}

impl IsTerminal for Captured {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Captured {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Captured {
    async fn ready(&mut self) {}
}

impl OutputStream for Captured {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl tokio::io::AsyncWrite for Captured {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let taken = bytes.len().min(WRITE_BYTES_MAX);
        self.push(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_one_message_is_held_back() {
        let captured = Captured::new(Arc::new(PluginLog::new("p".into(), 1)), Level::INFO);
        captured.push(&vec![b'x'; 100_000]);
        assert_eq!(captured.0.text.lock().expect("text").open.len(), 100_000 % MESSAGE_BYTES_MAX);
        captured.push(b"end\n\n\n");
        assert!(captured.tail().len() == TAIL_BYTES && captured.tail().ends_with("xend\n\n\n"));
        assert_eq!(captured.0.text.lock().expect("text").open.len(), 0);
    }
}
