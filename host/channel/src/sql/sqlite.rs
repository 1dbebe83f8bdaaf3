//! Rows in a SQLite file.
//!
//! ```text
//! batch (id, events, body_bytes, put_ms, crc, content)      a batch each
//! gone  (batch, first, past)                                parts of it that were taken
//! damaged                                                   as batch: rows whose content is none
//! ```
//! Write-ahead log with `synchronous = FULL`: a transaction is on disk when it returns, with one fsync. The file
//! is locked for this process as long as it is open. What is deleted leaves free pages that new rows use; the
//! file does not shrink. Version and ownership are in `user_version` and `application_id`.

use std::ops::Range;
use std::path::PathBuf;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};

use super::ranges::left_of;
use super::store::{Read, Row, Store, StoreError, Write, unpack};

/// "Flum", so that another program's database is not taken for ours.
const APPLICATION_ID: i32 = 0x466C_756D;
const VERSION: i32 = 1;
const IDS: i64 = 1 << 20;
const SCHEMA: &str = "
    CREATE TABLE batch (
        id INTEGER PRIMARY KEY, events INTEGER NOT NULL, body_bytes INTEGER NOT NULL,
        put_ms INTEGER NOT NULL, crc INTEGER NOT NULL, content BLOB NOT NULL);
    CREATE TABLE gone (
        batch INTEGER NOT NULL, first INTEGER NOT NULL, past INTEGER NOT NULL,
        PRIMARY KEY (batch, first)) WITHOUT ROWID;
    CREATE TABLE damaged AS SELECT * FROM batch;";

/// The store; closed until it is opened.
pub struct Sqlite {
    path: PathBuf,
    create_schema: bool,
    connection: Option<Connection>,
    next_id: i64,
}

impl Sqlite {
    pub fn new(path: PathBuf, create_schema: bool) -> Self {
        Self { path, create_schema, connection: None, next_id: 1 }
    }
    fn name(&self) -> String {
        format!("the database `{}`", self.path.display())
    }
    fn error(&self, error: rusqlite::Error) -> StoreError {
        let (database, cause) = (self.name(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::InUse { database },
            Some(ErrorCode::CannotOpen) => StoreError::Away { database, cause },
            _ => StoreError::Refused { database, cause },
        }
    }
    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let Some(mut connection) = self.connection.take() else {
            return Err(StoreError::Away { database: self.name(), cause: "it is not open".into() });
        };
        let done = work(&mut connection);
        self.connection = Some(connection);
        done.map_err(|error| self.error(error))
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let io = |error: std::io::Error| StoreError::Away { database: self.name(), cause: error.to_string() };
        let is_new = !self.path.exists();
        if let Some(dir) = self.path.parent().filter(|dir| is_new && !dir.as_os_str().is_empty()) {
            std::fs::create_dir_all(dir).map_err(io)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(|e| self.error(e))?;
        configure(&connection).map_err(|e| self.error(e))?;
        self.check_schema(&connection)?;
        if let Some(dir) = self.path.parent().filter(|dir| is_new && !dir.as_os_str().is_empty()) {
            // The file's own name must survive a crash as well.
            std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        }
        Ok(connection)
    }

    fn check_schema(&self, connection: &Connection) -> Result<(), StoreError> {
        let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let versions = number("application_id").and_then(|id| Ok((id, number("user_version")?)));
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(|e| self.error(e))?;
        let schema = |cause: &str| StoreError::Schema { database: self.name(), cause: cause.to_owned() };
        match versions.map_err(|e| self.error(e))? {
            (APPLICATION_ID, VERSION) => Ok(()),
            (APPLICATION_ID, _) => Err(schema("it was made by a newer version of Flumen")),
            (0, 0) if tables == 0 && !self.create_schema => {
                Err(schema("it has no tables, and `create.schema` is false"))
            }
            (0, 0) if tables == 0 => connection
                .execute_batch(&format!(
                    "BEGIN EXCLUSIVE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};
                     PRAGMA user_version = {VERSION}; COMMIT;"
                ))
                .map_err(|e| self.error(e)),
            _ => Err(schema("it belongs to another program")),
        }
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Exclusive before the journal's mode: then the log needs no shared memory, and others are kept out.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Larger than a group, so that a checkpoint does not come with every transaction.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.set_prepared_statement_cache_capacity(32);
    // Takes the lock now and not with the first write.
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT;")
}

impl Store for Sqlite {
    fn open(&mut self) -> Result<Vec<Row>, StoreError> {
        self.connection = Some(self.connect()?);
        let rows = self.with(rows)?;
        self.next_id = rows.last().map_or(1, |row| row.id + 1);
        Ok(rows)
    }

    fn close(&mut self) {
        self.connection = None;
    }

    fn new_ids(&mut self) -> Result<Range<i64>, StoreError> {
        let first = self.next_id;
        self.next_id += IDS;
        Ok(first..self.next_id)
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), StoreError> {
        self.with(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for write in writes {
                match write {
                    Write::Insert(row) => {
                        transaction
                            .prepare_cached("INSERT OR IGNORE INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                            .execute(params![
                                row.id,
                                row.events,
                                row.body_bytes,
                                row.put_ms,
                                row.crc,
                                row.content()
                            ])?;
                    }
                    Write::Done { id, events } => done(&transaction, *id, events.clone())?,
                    Write::Forget { id } => {
                        transaction.prepare_cached("DELETE FROM batch WHERE id = ?1")?.execute([id])?;
                    }
                }
            }
            transaction.commit()
        })
    }

    fn read(&mut self, ids: &[i64]) -> Result<Vec<Read>, StoreError> {
        self.with(|connection| {
            let mut found = Vec::new();
            let mut select = connection.prepare_cached("SELECT content, crc FROM batch WHERE id = ?1")?;
            for &id in ids {
                let mut rows = select.query([id])?;
                if let Some(row) = rows.next()? {
                    found.push((id, unpack(row.get(0)?, row.get(1)?)));
                }
            }
            Ok(found)
        })
    }

    fn set_aside(&mut self, id: i64) -> Result<(), StoreError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            transaction.execute("INSERT INTO damaged SELECT * FROM batch WHERE id = ?1", [id])?;
            transaction.execute("DELETE FROM batch WHERE id = ?1", [id])?;
            transaction.execute("DELETE FROM gone WHERE batch = ?1", [id])?;
            transaction.commit()
        })
    }

    fn adopt(&mut self) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }
    fn is_shared(&self) -> bool {
        false
    }
}

fn rows(connection: &mut Connection) -> rusqlite::Result<Vec<Row>> {
    let mut gone = connection.prepare("SELECT first, past FROM gone WHERE batch = ?1")?;
    let mut select = connection.prepare(
        "SELECT id, events, body_bytes, put_ms, EXISTS (SELECT 1 FROM gone WHERE batch = id) FROM batch ORDER BY id",
    )?;
    let mut found = select.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let (id, events) = (row.get(0)?, row.get(1)?);
        let mut parts = Vec::new();
        if row.get(4)? {
            let ranges = gone.query_map([id], |row| Ok(row.get::<_, u32>(0)?..row.get::<_, u32>(1)?))?;
            parts = ranges.collect::<rusqlite::Result<_>>()?;
        }
        let left = left_of(events, &mut parts);
        rows.push(Row { id, events, body_bytes: row.get(2)?, put_ms: row.get(3)?, left });
    }
    rows.retain(|row| !row.left.is_empty());
    Ok(rows)
}

fn done(transaction: &Transaction<'_>, id: i64, events: Range<u32>) -> rusqlite::Result<()> {
    // Most takes are whole rows.
    if events.start == 0 {
        let mut whole = transaction.prepare_cached("DELETE FROM batch WHERE id = ?1 AND events = ?2")?;
        if whole.execute(params![id, events.end])? == 1 {
            transaction.prepare_cached("DELETE FROM gone WHERE batch = ?1")?.execute([id])?;
            return Ok(());
        }
    }
    let mut size = transaction.prepare_cached("SELECT events FROM batch WHERE id = ?1")?;
    let mut size = size.query_map([id], |row| row.get::<_, u32>(0))?;
    let Some(size) = size.next().transpose()? else { return Ok(()) };
    let mut select = transaction.prepare_cached("SELECT first, past FROM gone WHERE batch = ?1")?;
    let ranges = select.query_map([id], |row| Ok(row.get::<_, u32>(0)?..row.get::<_, u32>(1)?))?;
    let mut gone = ranges.collect::<rusqlite::Result<Vec<_>>>()?;
    gone.push(events.clone());
    if left_of(size, &mut gone).is_empty() {
        transaction.prepare_cached("DELETE FROM batch WHERE id = ?1")?.execute([id])?;
        transaction.prepare_cached("DELETE FROM gone WHERE batch = ?1")?.execute([id])?;
        return Ok(());
    }
    transaction
        .prepare_cached(
            "INSERT INTO gone VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET past = max(past, excluded.past)",
        )?
        .execute(params![id, events.start, events.end])?;
    Ok(())
}
