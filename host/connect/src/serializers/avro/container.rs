//! Avro object container files.
//!
//! ```text
//! file   = header block*
//! header = "Obj" 01, map { avro.schema, avro.codec }, sync (16 random bytes)
//! block  = count (long), length (long), packed datums, sync
//! ```
//! Invariant: a block is handed to `out` whole or, if `out` fails, the caller cuts the file back and calls
//! [`discard`](ContainerWriter::discard); a writer never goes on behind a broken block.

use std::io;

use super::codec::Codec;
use super::datum::{encode_bytes, encode_len};

const MAGIC: &[u8; 4] = b"Obj\x01";

/// Writes the blocks of one file.
#[derive(Debug)]
pub(crate) struct ContainerWriter {
    codec: Codec,
    sync: [u8; 16],
    block_bytes: usize,
    count: usize,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl ContainerWriter {
    /// A writer for a new file, whose blocks end as soon as they hold `block_bytes` before compression.
    pub(crate) fn new(codec: Codec, block_bytes: usize) -> Self {
        let sync = fastrand::u128(..).to_ne_bytes();
        Self { codec, sync, block_bytes, count: 0, plain: Vec::new(), packed: Vec::new() }
    }

    /// The header. Its metadata stand in the order in which Flume's files have them.
    pub(crate) fn write_header(&self, schema: &str, out: &mut dyn io::Write) -> io::Result<()> {
        let mut header = MAGIC.to_vec();
        encode_len(2, &mut header);
        for (key, value) in [("avro.schema", schema), ("avro.codec", self.codec.name())] {
            encode_bytes(key.as_bytes(), &mut header);
            encode_bytes(value.as_bytes(), &mut header);
        }
        header.push(0);
        header.extend_from_slice(&self.sync);
        out.write_all(&header)
    }

    /// Adds the datum that `encode` appends; ends the block if it is full.
    pub(crate) fn append(
        &mut self,
        out: &mut dyn io::Write,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        encode(&mut self.plain);
        self.count += 1;
        if self.plain.len() >= self.block_bytes { self.end_block(out) } else { Ok(()) }
    }

    /// Writes the block in the making, if there is anything in it.
    pub(crate) fn end_block(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let data = if self.codec == Codec::Null {
            &self.plain
        } else {
            self.codec.pack(&self.plain, &mut self.packed)?;
            &self.packed
        };
        let mut head = Vec::with_capacity(20);
        encode_len(self.count, &mut head);
        encode_len(data.len(), &mut head);
        out.write_all(&head)?;
        out.write_all(data)?;
        out.write_all(&self.sync)?;
        self.discard();
        Ok(())
    }

    /// Forgets the block in the making.
    pub(crate) fn discard(&mut self) {
        self.count = 0;
        self.plain.clear();
    }
}
