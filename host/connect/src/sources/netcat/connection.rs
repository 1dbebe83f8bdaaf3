//! One client: read, deliver, answer, in this order, so that a client that does not read its answers is not
//! read from either, and an `OK` is never sent before the event is stored.

use std::io;

use flumen_event::Batch;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::lines::{LineBuffer, LineRules};
use crate::ledger::add;
use crate::source::SourceContext;
use crate::sources::large_reads::LargeReads;

/// Answers are written in pieces of so many.
const OKS: &[u8] = &OKS_TEXT;
const OKS_TEXT: [u8; 3 * 4096] = {
    let mut text = [b'O'; 3 * 4096];
    let mut at = 0;
    while at < text.len() {
        text[at + 1] = b'K';
        text[at + 2] = b'\n';
        at += 3;
    }
    text
};

/// First read of a connection; grows while the client fills it, shrinks when it does not.
const READ_BYTES_MIN: usize = 4 * 1024;
/// Largest read.
const READ_BYTES_MAX: usize = 256 * 1024;

/// Serves the connection until the client or the agent ends it.
pub(super) async fn serve(
    stream: &TcpStream,
    rules: &LineRules,
    ack: bool,
    large_reads: &LargeReads,
    context: &SourceContext,
) -> io::Result<()> {
    let mut buffer = LineBuffer::new(*rules);
    let mut read_bytes = READ_BYTES_MIN;
    loop {
        tokio::select! {
            () = context.stop.requested() => return Ok(()),
            ready = stream.readable() => ready?,
        }
        // Held until the lines of this read are answered.
        let share = large_reads.share(read_bytes, READ_BYTES_MIN);
        match read(stream, &mut buffer, share.read_bytes(), context) {
            Ok(0) => {
                if buffer.has_unfinished_line() {
                    context.outlet.give_up("netcat: connection closed before the line feed", 1);
                }
                return Ok(());
            }
            Ok(count) => read_bytes = next_read(share.read_bytes(), count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                buffer.release_if_empty();
                continue;
            }
            Err(error) => return Err(error),
        }
        let mut cut = buffer.cut();
        loop {
            if let Some(lines) = cut.lines {
                tokio::select! {
                    // Lines not answered yet are still the client's.
                    () = context.stop.requested() => return Ok(()),
                    served = deliver(stream, lines, ack, context) => served?,
                }
            }
            if !cut.has_more {
                break;
            }
            cut = buffer.cut();
        }
        if cut.too_long {
            context.outlet.refuse(1);
            add(&context.counters.event_read_fail, 1);
            let limit = rules.max_characters;
            let text =
                format!("FAILED: Event exceeds the maximum length ({limit} chars, including newline)\n");
            return answer(stream, text.as_bytes(), context).await;
        }
    }
}

/// The next read's size: four times as much while reads come back full, down again while they are small.
fn next_read(read_bytes: usize, count: usize) -> usize {
    if count >= read_bytes {
        (read_bytes * 4).min(READ_BYTES_MAX)
    } else if count < read_bytes / 8 {
        (read_bytes / 2).max(READ_BYTES_MIN)
    } else {
        read_bytes
    }
}

fn read(
    stream: &TcpStream,
    buffer: &mut LineBuffer,
    read_bytes: usize,
    context: &SourceContext,
) -> io::Result<usize> {
    if !buffer.decodes() {
        return stream.try_read_buf(&mut buffer.text_with_room(read_bytes));
    }
    let mut piece = vec![0; read_bytes];
    let count = stream.try_read(&mut piece)?;
    let malformed = buffer.push_encoded(&piece[..count]);
    if malformed > 0 {
        add(&context.counters.event_read_fail, malformed);
        tracing::debug!(malformed, "bytes outside the configured encoding were replaced by U+FFFD");
    }
    Ok(count)
}

async fn deliver(stream: &TcpStream, lines: Batch, ack: bool, context: &SourceContext) -> io::Result<()> {
    let mut rest = lines;
    while !rest.is_empty() {
        match context.outlet.here().deliver_from_front(&rest).await {
            Ok(stored) => {
                // Not needed for the answer, which may have to wait for the client.
                drop(rest.split_to(stored));
                if ack {
                    answer_ok(stream, stored, context).await?;
                }
            }
            Err(refused) => {
                answer(stream, format!("FAILED: {refused}\n").as_bytes(), context).await?;
                drop(rest.split_to(1));
            }
        }
    }
    Ok(())
}

async fn answer_ok(stream: &TcpStream, count: usize, context: &SourceContext) -> io::Result<()> {
    let mut left = count * 3;
    while left > 0 {
        let piece = left.min(OKS.len());
        answer(stream, &OKS[..piece], context).await?;
        left -= piece;
    }
    Ok(())
}

async fn answer(stream: &TcpStream, mut text: &[u8], context: &SourceContext) -> io::Result<()> {
    while !text.is_empty() {
        match stream.try_write(text) {
            Ok(count) => text = &text[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::select! {
                    () = context.stop.requested() => return Ok(()),
                    ready = stream.ready(Interest::WRITABLE) => drop(ready?),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
