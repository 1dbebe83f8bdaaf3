//! The queue as Flume last wrote it down.
//!
//! ```text
//! checkpoint      longs: version 3, write order, …, [4] 0 = complete; from [1029] on a ring of packed pointers
//! checkpoint.meta delimited Checkpoint { 1 version, 2 write order, 3 size, 4 head, 5 logs in use … }
//! inflightputs    MD5 16 │ longs: transaction, count, count pointers …      puts without commit so far
//! inflighttakes   the same for takes, whose events are not in the ring
//! ```
//! Numbers are big-endian, except in the message. A checkpoint that is incomplete or contradicts itself is not
//! used, as in Flume: then the logs are read from their beginning, which finds the same events (and, where
//! logs were deleted, perhaps some that had been delivered).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use md5::{Digest, Md5};

use crate::error::FlumeLogError;
use crate::proto::{Fields, delimited};
use crate::record::Pointer;

const HEAD_LONGS: u64 = 1029;
const VERSION_AT: usize = 0;
const ORDER_AT: usize = 1;
const MARKER_AT: usize = 4;

/// A queue, and the transactions that were under way beside it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Records up to this write order are part of it.
    pub order: i64,
    pub queue: Vec<Pointer>,
    pub puts: Vec<(i64, Vec<Pointer>)>,
    pub takes: Vec<(i64, Vec<Pointer>)>,
}

/// What `checkpoint.meta` says.
#[derive(Debug, PartialEq, Eq)]
pub struct CheckpointMeta {
    version: i32,
    order: i64,
    size: u64,
    head: u64,
}

impl Checkpoint {
    /// Reads the checkpoint in a folder.
    ///
    /// # Errors
    /// An inner one says why it is not to be used; the outer one is for formats and disks that need a person.
    pub fn read(dir: &Path) -> Result<Result<Self, String>, FlumeLogError> {
        let path = dir.join("checkpoint");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Err(format!("there is no `{}`", path.display())));
            }
            Err(source) => return Err(FlumeLogError::Io { path, source }),
        };
        let mut head = [0; 8 * (MARKER_AT + 1)];
        if file.read_exact_at(&mut head, 0).is_err() {
            return Ok(Err("it is empty or cut off".to_owned()));
        }
        let head = longs(&head);
        if head[VERSION_AT] == 2 {
            return Err(FlumeLogError::OldVersion { path, version: 2 });
        }
        let meta = std::fs::read(dir.join("checkpoint.meta")).unwrap_or_default();
        let Some(meta) = parse_meta(&meta) else {
            return Ok(Err("`checkpoint.meta` is missing or damaged".to_owned()));
        };
        if let Err(cause) = check(&head, &meta) {
            return Ok(Err(cause.to_owned()));
        }
        let queue = ring(&file, &meta).map_err(FlumeLogError::io(&path))?;
        Ok(queue.map_err(str::to_owned).and_then(|queue| {
            Ok(Self {
                order: meta.order,
                queue,
                puts: inflight(dir, "inflightputs")?,
                takes: inflight(dir, "inflighttakes")?,
            })
        }))
    }
}

fn check(head: &[i64], meta: &CheckpointMeta) -> Result<(), &'static str> {
    match () {
        () if head[MARKER_AT] != 0 => Err("Flume was stopped while it wrote it"),
        () if head[VERSION_AT] != 3 || meta.version != 3 => Err("its version is not known"),
        () if head[ORDER_AT] != meta.order => {
            Err("`checkpoint` and `checkpoint.meta` are of different moments")
        }
        () => Ok(()),
    }
}

/// The pointers in the ring; an inner error if they are none.
fn ring(file: &File, meta: &CheckpointMeta) -> io::Result<Result<Vec<Pointer>, &'static str>> {
    let capacity = (file.metadata()?.len() / 8).saturating_sub(HEAD_LONGS);
    if meta.size > capacity || (meta.head >= capacity && meta.size > 0) {
        return Ok(Err("its queue is larger than itself"));
    }
    // Both are below the file's size now, so what is allocated is, too.
    let first = meta.size.min(capacity - meta.head.min(capacity));
    let mut queue = Vec::new();
    for (from, count) in [(meta.head, first), (0, meta.size - first)] {
        let mut bytes = vec![0; usize::try_from(count * 8).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, (HEAD_LONGS + from) * 8)?;
        for packed in longs(&bytes) {
            match Pointer::unpack(packed) {
                Some(pointer) => queue.push(pointer),
                None => return Ok(Err("its queue has a hole")),
            }
        }
    }
    Ok(Ok(queue))
}

fn inflight(dir: &Path, name: &str) -> Result<Vec<(i64, Vec<Pointer>)>, String> {
    match std::fs::read(dir.join(name)) {
        Ok(bytes) => parse_inflight(&bytes).ok_or_else(|| format!("`{name}` is damaged")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("`{name}` cannot be read: {error}")),
    }
}

/// Transactions under way and their pointers; `None` if the digest does not match or the counts do not.
pub fn parse_inflight(bytes: &[u8]) -> Option<Vec<(i64, Vec<Pointer>)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (digest, content) = bytes.split_at_checked(16)?;
    if Md5::digest(content)[..] != *digest {
        return None;
    }
    let mut left = &longs(content)[..];
    let mut transactions = Vec::new();
    // Flume leaves room for a checksum behind the last transaction: zeros.
    while let [transaction, count, rest @ ..] = left {
        if (*transaction, *count) == (0, 0) {
            break;
        }
        let (pointers, rest) = rest.split_at_checked(usize::try_from(*count).ok()?)?;
        let pointers: Option<Vec<Pointer>> = pointers.iter().map(|p| Pointer::unpack(*p)).collect();
        transactions.push((*transaction, pointers?));
        left = rest;
    }
    Some(transactions)
}

/// `checkpoint.meta`; `None` if it is no such message.
pub fn parse_meta(mut bytes: &[u8]) -> Option<CheckpointMeta> {
    let [mut version, mut size, mut head] = [None; 3];
    let mut order = None;
    for field in Fields::of(delimited(&mut bytes)?) {
        match field? {
            (1, value) => version = value.i32(),
            (2, value) => order = value.i64(),
            (3, value) => size = value.i32(),
            (4, value) => head = value.i32(),
            _ => {}
        }
    }
    let (size, head) = (u64::try_from(size?).ok()?, u64::try_from(head?).ok()?);
    Some(CheckpointMeta { version: version?, order: order?, size, head })
}

fn longs(bytes: &[u8]) -> Vec<i64> {
    bytes.chunks_exact(8).map(|long| i64::from_be_bytes(long.try_into().unwrap_or_default())).collect()
}
