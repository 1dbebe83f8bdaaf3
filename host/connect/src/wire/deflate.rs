//! Compression of a connection: one zlib stream (RFC 1950) in each direction, from the first byte to the last,
//! sync-flushed behind each message.
//!
//! ```text
//! read    inner ─▶ input ─▶ inflate ─▶ the reader's buffer, never more at once than that holds
//! write   the writer's bytes ─▶ deflate or store ─▶ output ─▶ inner
//! ```
//!
//! What is read is never inflated further than somebody asks for, so a stream that inflates to a thousand times its
//! size costs time and no memory.
//!
//! Answers of a server are a few bytes each, and TLS records cannot be compressed: there the stream is written in
//! stored blocks, which every inflater reads, without the 300 KB that a compressor needs for each connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use flumen_config::OptionValue;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Compressed bytes read at once. Held only while they are not used up.
const INPUT_BYTES: usize = 8 * 1024;
/// With so much unsent, no more is compressed.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Room for the compressor's output, at least.
const OUTPUT_STEP: usize = 4 * 1024;
/// Taken from the writer at once.
const WRITE_BYTES_MAX: usize = 32 * 1024;
/// The most that a stored block holds.
const STORED_BYTES_MAX: usize = 0xFFFF;
/// Head of a zlib stream without compression: 32 KiB window, fastest.
const STORED_HEAD: [u8; 2] = [0x78, 0x01];

/// `compression-type` of the avro components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// None.
    None,
    /// A zlib stream in each direction.
    Deflate,
}

impl OptionValue for CompressionType {
    const KIND: &'static str = "none|deflate";
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "none" => Ok(CompressionType::None),
            "deflate" => Ok(CompressionType::Deflate),
            _ => Err("neither `none` nor `deflate`".to_owned()),
        }
    }
    fn show(&self) -> String {
        if *self == CompressionType::None { "none" } else { "deflate" }.to_owned()
    }
}

/// `compression-level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(pub u32);

impl OptionValue for Level {
    const KIND: &'static str = "0 to 9";
    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(level @ 0..=9) => Ok(Self(level)),
            _ => Err("not a whole number from 0 to 9".to_owned()),
        }
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl CompressionType {
    /// The level to compress with, if any.
    #[must_use]
    pub fn level(self, level: Level) -> Option<u32> {
        (self == CompressionType::Deflate).then_some(level.0)
    }
}

/// How what is written is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// Not at all: stored blocks.
    Stored,
    /// At this level, 0 to 9.
    Level(u32),
}

/// A connection whose two directions are compressed.
pub struct Deflated<S> {
    inner: S,
    inflate: Decompress,
    input: Vec<u8>,
    input_at: usize,
    /// The inflater may have more to give without more input.
    has_more: bool,
    /// The peer has ended its stream.
    has_ended: bool,
    /// None: stored blocks.
    deflate: Option<Compress>,
    output: Vec<u8>,
    output_at: usize,
    /// Bytes were written behind the last sync flush.
    is_dirty: bool,
}

impl<S> Deflated<S> {
    /// Over a connection of which `read_already` has been read.
    pub fn new(inner: S, writing: Writing, read_already: Vec<u8>) -> Self {
        let deflate = match writing {
            Writing::Stored => None,
            Writing::Level(level) => Some(Compress::new(Compression::new(level.min(9)), true)),
        };
        let output = if deflate.is_none() { STORED_HEAD.to_vec() } else { Vec::new() };
        Self {
            inner,
            inflate: Decompress::new(true),
            input: read_already,
            input_at: 0,
            has_more: false,
            has_ended: false,
            deflate,
            output,
            output_at: 0,
            is_dirty: false,
        }
    }

    /// Inflates into the buffer what the input has; whether something came.
    fn inflate(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
        let room = buffer.initialize_unfilled();
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(&self.input[self.input_at..], room, FlushDecompress::None)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("not zlib: {error}")))?;
        self.input_at += (self.inflate.total_in() - before_in) as usize;
        let count = (self.inflate.total_out() - before_out) as usize;
        let used = self.inflate.total_in() - before_in;
        if status != Status::StreamEnd && count == 0 && used == 0 && self.input_at < self.input.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not zlib: it cannot be inflated"));
        }
        self.has_more = count == room.len();
        self.has_ended = status == Status::StreamEnd;
        buffer.advance(count);
        if self.input_at == self.input.len() {
            // Nothing is held while the peer is silent.
            self.input = Vec::new();
            self.input_at = 0;
        }
        Ok(count > 0)
    }

    fn compress(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(deflate) = &mut self.deflate else {
            for block in bytes.chunks(STORED_BYTES_MAX) {
                let length = block.len() as u16;
                self.output.push(0);
                self.output.extend_from_slice(&length.to_le_bytes());
                self.output.extend_from_slice(&(!length).to_le_bytes());
                self.output.extend_from_slice(block);
            }
            return Ok(());
        };
        let start = deflate.total_in();
        loop {
            let used = (deflate.total_in() - start) as usize;
            if used == bytes.len() {
                return Ok(());
            }
            self.output.reserve(OUTPUT_STEP);
            deflate
                .compress_vec(&bytes[used..], &mut self.output, FlushCompress::None)
                .map_err(io::Error::other)?;
        }
    }

    /// Ends the present block at a byte border, so that the peer can read all that was written.
    fn sync(&mut self) -> io::Result<()> {
        let Some(deflate) = &mut self.deflate else { return Ok(()) };
        loop {
            self.output.reserve(OUTPUT_STEP);
            let room = self.output.capacity() - self.output.len();
            let before = deflate.total_out();
            deflate.compress_vec(&[], &mut self.output, FlushCompress::Sync).map_err(io::Error::other)?;
            if ((deflate.total_out() - before) as usize) < room {
                return Ok(());
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Deflated<S> {
    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.output_at < self.output.len() {
            let rest = &self.output[self.output_at..];
            let count = ready!(Pin::new(&mut self.inner).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output_at += count;
        }
        self.output.clear();
        self.output.shrink_to(OUTPUT_BYTES_MAX);
        self.output_at = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deflated<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.has_ended || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if (this.has_more || this.input_at < this.input.len()) && this.inflate(buffer)? {
                return Poll::Ready(Ok(()));
            }
            if this.has_ended || this.input_at < this.input.len() {
                // Ended without another byte; or the inflater wants room, which the next call has.
                continue;
            }
            let mut input = vec![0; INPUT_BYTES];
            let mut piece = ReadBuf::new(&mut input);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut piece))?;
            let count = piece.filled().len();
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            input.truncate(count);
            this.input = input;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deflated<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.output.len() - this.output_at >= OUTPUT_BYTES_MAX {
            ready!(this.poll_output(context))?;
        }
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        this.compress(bytes)?;
        this.is_dirty |= !bytes.is_empty();
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_dirty {
            this.sync()?;
            this.is_dirty = false;
        }
        ready!(this.poll_output(context))?;
        Pin::new(&mut this.inner).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::super::avro::vectors;
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_flumes_client_compresses_is_read_piece_by_piece() {
        for step in [1, 7, 1000] {
            let (mut peer, ours) = tokio::io::duplex(4);
            let mut ours = Deflated::new(ours, Writing::Stored, Vec::new());
            let sender = tokio::spawn(async move {
                for piece in vectors::bytes(vectors::DEFLATED).chunks(step) {
                    peer.write_all(piece).await.expect("taken");
                }
                peer
            });
            let mut read = vec![0; 71];
            ours.read_exact(&mut read).await.expect("all of it");
            assert_eq!(read, vectors::bytes(vectors::APPEND));
            drop(sender.await.expect("no panic"));
            assert_eq!(ours.read(&mut read).await.expect("the end"), 0);
            assert!(ours.input.is_empty(), "nothing is held");
        }
    }

    #[tokio::test]
    async fn both_ways_of_writing_can_be_read_at_once_after_a_flush() {
        for writing in [Writing::Stored, Writing::Level(0), Writing::Level(6), Writing::Level(9)] {
            let (theirs, ours) = tokio::io::duplex(1 << 20);
            let mut ours = Deflated::new(ours, writing, Vec::new());
            let mut theirs = Deflated::new(theirs, Writing::Stored, Vec::new());
            let long: Vec<u8> = (0..200_000u32).flat_map(|n| (n / 3).to_be_bytes()).collect();
            for message in [&b"hello"[..], b"", &long, b"x"] {
                ours.write_all(message).await.expect("taken");
                ours.flush().await.expect("sent");
                let mut read = vec![0; message.len()];
                theirs.read_exact(&mut read).await.expect("all of it");
                assert!(read == message, "{writing:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_stream_that_inflates_a_thousandfold_is_inflated_as_asked_for() {
        let mut bomb = Vec::new();
        let mut deflate = Compress::new(Compression::best(), true);
        let zeros = vec![0; 1 << 20];
        for _ in 0..64 {
            let start = deflate.total_in();
            while ((deflate.total_in() - start) as usize) < zeros.len() {
                bomb.reserve(OUTPUT_STEP);
                let used = (deflate.total_in() - start) as usize;
                deflate.compress_vec(&zeros[used..], &mut bomb, FlushCompress::None).expect("works");
            }
        }
        let mut stream = Deflated::new(&bomb[..], Writing::Stored, Vec::new());
        let mut read = vec![0; 1000];
        for _ in 0..1000 {
            stream.read_exact(&mut read).await.expect("zeros");
            assert!(stream.input.len() <= INPUT_BYTES);
        }
    }

    #[tokio::test]
    async fn what_is_no_zlib_is_an_error() {
        let mut stream = Deflated::new(&b"GET / HTTP/1.1"[..], Writing::Stored, Vec::new());
        let error = stream.read(&mut [0; 10]).await.expect_err("no zlib");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn bytes_read_before_are_the_start() {
        let stream = vectors::bytes(vectors::DEFLATED);
        let mut read = vec![0; 71];
        let mut deflated = Deflated::new(&stream[1..], Writing::Stored, stream[..1].to_vec());
        deflated.read_exact(&mut read).await.expect("all of it");
        assert_eq!(read, vectors::bytes(vectors::APPEND));
    }
}
