//! What the channel asks of a database.

use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flumen_event::{Batch, Packed};

/// Where the rows are.
#[derive(Clone, Debug)]
pub enum Database {
    /// A SQLite database in this file, for one process at a time. Folders are made as needed.
    Sqlite(PathBuf),
    /// A PostgreSQL server, for as many as want it.
    Postgres(Box<PostgresOptions>),
}

/// A PostgreSQL server and the channel's name in it.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Host, port, database, user, password.
    pub server: tokio_postgres::Config,
    /// Rows of other channels in the same database are left alone.
    pub channel: String,
    /// How long work waits for a server that is away, before puts and takes are refused.
    pub retry: Duration,
    /// How long an answer may take. A server that is connected and says nothing for so long counts as away.
    pub answer_within: Duration,
}

impl std::fmt::Debug for PostgresOptions {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts = self.server.get_hosts();
        f.debug_struct("PostgresOptions").field("hosts", &hosts).field("channel", &self.channel).finish()
    }
}

/// Why the database did not do what was asked. Nothing of the transaction was done then, unless the connection
/// was lost while it was committed: that cannot be known, and all work can be done twice without harm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database is away, or stays busy. Retry later.
    #[error("{database} cannot be reached: {cause}")]
    Away {
        /// File, or host and port.
        database: String,
        /// What it said.
        cause: String,
    },
    /// Another process has it open. Stop that one, or give this channel a database of its own.
    #[error("{database} is in use by another process")]
    InUse {
        /// The file.
        database: String,
    },
    /// The tables are not there and may not be created, or are of a version that is not known.
    #[error("{database}: {cause}")]
    Schema {
        /// File, or host and port.
        database: String,
        /// What is wrong.
        cause: String,
    },
    /// The database refused, for a reason of its own: full disk, too large a row, missing rights.
    #[error("{database} refused: {cause}")]
    Refused {
        /// File, or host and port.
        database: String,
        /// What it said.
        cause: String,
    },
}

/// A batch as a row.
#[derive(Debug)]
pub struct NewRow {
    pub id: i64,
    pub events: u32,
    pub body_bytes: i64,
    pub put_ms: i64,
    pub content: Packed,
    /// CRC-32 of the content, which neither database checks by itself.
    pub crc: u32,
}

impl NewRow {
    /// `None` if the batch is larger than any source makes.
    pub fn of(id: i64, batch: &Batch) -> Option<Self> {
        let content = batch.pack()?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&content.head);
        crc.update(&content.bodies);
        Some(Self {
            id,
            events: u32::try_from(batch.len()).ok()?,
            body_bytes: i64::try_from(batch.body_bytes()).ok()?,
            put_ms: now_ms(),
            crc: crc.finalize(),
            content,
        })
    }
    pub fn content(&self) -> Vec<u8> {
        [&self.content.head[..], &self.content.bodies].concat()
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A row that is there, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: i64,
    pub events: u32,
    pub body_bytes: i64,
    pub put_ms: i64,
    /// What of it has not been taken; never empty.
    pub left: Vec<Range<u32>>,
}

/// A row's number and its batch, or why its content is none.
pub type Read = (i64, Result<Batch, String>);

/// Something to be done in a transaction. Doing it twice is doing it once.
#[derive(Debug)]
pub enum Write<'a> {
    Insert(&'a NewRow),
    /// These events were delivered. The row goes with the last of them.
    Done {
        id: i64,
        events: Range<u32>,
    },
    /// The row was never committed.
    Forget {
        id: i64,
    },
}

/// A database. Called by one thread at a time, which it may block.
pub trait Store: Send {
    /// Connects, makes what is missing, and claims this channel's rows, which it returns by number. Called until
    /// it succeeds.
    fn open(&mut self) -> Result<Vec<Row>, StoreError>;
    /// Gives the database back to others. Called once, at the end.
    fn close(&mut self);
    /// Numbers for new rows, above all that this store has given out or returned before.
    fn new_ids(&mut self) -> Result<Range<i64>, StoreError>;
    /// Does all of this, or nothing, and returns when it is durable.
    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), StoreError>;
    /// The batches of rows. Missing rows are left out.
    fn read(&mut self, ids: &[i64]) -> Result<Vec<Read>, StoreError>;
    /// Sets a row aside whose content is damaged, so that nobody stumbles over it again.
    fn set_aside(&mut self, id: i64) -> Result<(), StoreError>;
    /// Claims rows of others that are gone for good.
    fn adopt(&mut self) -> Result<Vec<Row>, StoreError>;
    /// Whether [`adopt`](Self::adopt) may ever find any.
    fn is_shared(&self) -> bool;
}

/// The batch in a row's content.
pub fn unpack(content: Vec<u8>, crc: u32) -> Result<Batch, String> {
    if crc32fast::hash(&content) != crc {
        return Err("its checksum does not match".to_owned());
    }
    Batch::unpack(&Bytes::from(content)).map_err(|error| error.to_string())
}
