//! Rows in a PostgreSQL server that several agents may share.
//!
//! ```text
//! flumen_batch   (id, channel, holder, events, body_bytes, put_ms, crc, content)     a batch each
//! flumen_gone    (batch, first, past)                                                parts that were taken
//! flumen_damaged as flumen_batch                                                     rows whose content is none
//! flumen_ids     a sequence in steps of IDS: each agent draws numbers by the thousand
//! ```
//!
//! Every row has a holder: the number of the agent's life that put it, and delivers it. A life holds a session
//! lock of its number (`pg_advisory_lock`), which the server releases when the session ends, however it ends. So
//! the rows of a dead agent are told from those of a living one, and the next life of the same channel (or another
//! agent that has a channel of that name) takes them over: at once when it opens, later when it has found the lock
//! free twice. Takes need no row locks and no polling then, and order is kept for each holder.
//!
//! A lost connection is made again, and the transaction done again: all work can be done twice. An agent that is
//! cut off from the server for more than two rounds of `adopt` may find that another has taken its rows over;
//! those events are delivered by both.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use super::ranges::left_of;
use super::store::{PostgresOptions, Read, Row, Store, StoreError, Write, unpack};

const IDS: i64 = 1000;
const VERSION: &str = "flumen 1";
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// Makes schema creation by several agents one after the other.
const SCHEMA_LOCK: i64 = 0x466C_756D_656E;
const SCHEMA: &str = "
    CREATE SEQUENCE flumen_ids INCREMENT 1000;
    CREATE TABLE flumen_batch (
        id bigint PRIMARY KEY, channel text NOT NULL, holder bigint NOT NULL, events int NOT NULL,
        body_bytes bigint NOT NULL, put_ms bigint NOT NULL, crc bigint NOT NULL, content bytea NOT NULL);
    ALTER TABLE flumen_batch ALTER content SET STORAGE EXTERNAL;
    CREATE INDEX flumen_batch_held ON flumen_batch (channel, holder, id);
    CREATE TABLE flumen_gone (
        batch bigint NOT NULL REFERENCES flumen_batch ON DELETE CASCADE,
        first int NOT NULL, past int NOT NULL, PRIMARY KEY (batch, first));
    CREATE TABLE flumen_damaged (LIKE flumen_batch);
    COMMENT ON TABLE flumen_batch IS 'flumen 1'";

/// The store; closed until it is opened. Its connection lives on a thread of its own.
pub struct Postgres {
    options: PostgresOptions,
    create_schema: bool,
    runtime: Option<Runtime>,
    client: Option<Arc<Client>>,
    holder: i64,
    suspects: HashSet<i64>,
}

/// Work that can be sent to the connection's thread, and done again.
enum Owned {
    Insert { id: i64, events: i32, body_bytes: i64, put_ms: i64, crc: i64, content: Vec<u8> },
    Done { id: i64, events: Range<u32> },
    Forget { id: i64 },
}

type PgResult<T> = Result<T, tokio_postgres::Error>;

impl Postgres {
    pub fn new(options: PostgresOptions, create_schema: bool) -> Self {
        Self { options, create_schema, runtime: None, client: None, holder: 0, suspects: HashSet::new() }
    }

    fn name(&self) -> String {
        let host = self.options.server.get_hosts().first().map(|host| match host {
            tokio_postgres::config::Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
        });
        let port = self.options.server.get_ports().first().copied().unwrap_or(5432);
        format!("the PostgreSQL server {}:{port}", host.unwrap_or_default())
    }
    fn away(&self, cause: impl std::fmt::Display) -> StoreError {
        StoreError::Away { database: self.name(), cause: cause.to_string() }
    }
    fn schema_error(&self, cause: &str) -> StoreError {
        StoreError::Schema { database: self.name(), cause: cause.to_owned() }
    }
    fn error(&self, error: &tokio_postgres::Error) -> StoreError {
        let cause = error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned());
        // Class 08 is the connection, 57P the server's stop and start, 53300 too many connections.
        let code = error.code().map_or("", |code| code.code());
        let is_away =
            error.is_closed() || code.starts_with("08") || code.starts_with("57P") || code == "53300";
        let is_away = is_away || (code.is_empty() && self.client.as_ref().is_none_or(|c| c.is_closed()));
        match is_away {
            true => self.away(cause),
            false => StoreError::Refused { database: self.name(), cause },
        }
    }

    /// Runs a future on the connection's thread and blocks this one until it is done.
    fn block_on<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.runtime.is_none() {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("flumen-postgres")
                .enable_all()
                .build();
            self.runtime = Some(runtime.map_err(|error| self.away(error))?);
        }
        let Some(runtime) = &self.runtime else { return Err(self.away("no thread")) };
        let (answer, answered) = mpsc::sync_channel(1);
        let within = self.options.answer_within;
        runtime.spawn(async move { drop(answer.send(tokio::time::timeout(within, work).await)) });
        let done = answered.recv().map_err(|error| self.away(error))?;
        // What was under way may be done or not: it is done again over another connection, or refused.
        done.map_err(|_| {
            self.client = None;
            self.away(format!("no answer within {} s", within.as_secs_f32()))
        })
    }

    /// The connection, made again if it was lost, with this life's lock held.
    fn client(&mut self) -> Result<Arc<Client>, StoreError> {
        if let Some(client) = self.client.as_ref().filter(|client| !client.is_closed()) {
            return Ok(client.clone());
        }
        self.client = None;
        let mut server = self.options.server.clone();
        server.application_name("flumen");
        let connected = self.block_on(async move {
            let (client, connection) = server.connect(NoTls).await?;
            tokio::spawn(connection);
            // A server that is set to answer before it has written would make our acknowledgements untrue.
            client
                .batch_execute("SET synchronous_commit = on; SET idle_in_transaction_session_timeout = 0")
                .await?;
            PgResult::Ok(client)
        })?;
        let client = Arc::new(connected.map_err(|error| match self.error(&error) {
            StoreError::Refused { database, cause } if error.as_db_error().is_none() => {
                StoreError::Away { database, cause }
            }
            other => other,
        })?);
        if self.holder != 0 {
            self.hold(&client)?;
        }
        self.client = Some(client.clone());
        Ok(client)
    }

    /// Locks this life's number; refused as long as the session before is still being ended.
    fn hold(&mut self, client: &Arc<Client>) -> Result<(), StoreError> {
        let (client, holder) = (client.clone(), self.holder);
        let locked = self.block_on(async move {
            client
                .query_one("SELECT pg_try_advisory_lock($1)", &[&holder])
                .await
                .map(|row| row.get::<_, bool>(0))
        })?;
        match locked {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.away("the session before this one has not ended yet")),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// Does something that may be done twice; again after a lost connection, until the options' patience ends.
    fn with_retries<T: Send + 'static, F>(&mut self, work: impl Fn(Arc<Client>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = PgResult<T>> + Send + 'static,
    {
        let since = Instant::now();
        loop {
            let error = match self.client() {
                Ok(client) => match self.block_on(work(client)) {
                    Ok(Ok(value)) => return Ok(value),
                    Ok(Err(error)) => self.error(&error),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if !matches!(error, StoreError::Away { .. }) || since.elapsed() >= self.options.retry {
                return Err(error);
            }
            tracing::warn!(%error, "the database is away; trying again");
            self.client = None;
            std::thread::sleep(AGAIN_AFTER);
        }
    }

    /// The session, and with it this life's lock, ends with its thread. Nobody waits for that: a channel may be
    /// dropped by a task, which must not block.
    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    fn prepare_schema(&mut self) -> Result<(), StoreError> {
        let create = self.create_schema;
        let client = self.client()?;
        let found = self.block_on(async move {
            const FOUND: &str = "SELECT obj_description(to_regclass('flumen_batch')), to_regclass('flumen_batch') IS NOT NULL";
            client.batch_execute("BEGIN").await?;
            client.execute("SELECT pg_advisory_xact_lock($1)", &[&SCHEMA_LOCK]).await?;
            let row = client.query_one(FOUND, &[]).await?;
            let (version, is_there): (Option<String>, bool) = (row.get(0), row.get(1));
            if !is_there && create {
                client.batch_execute(SCHEMA).await?;
            }
            client.batch_execute("COMMIT").await?;
            PgResult::Ok((version, is_there))
        })?;
        match found {
            Ok((_, false)) if !create => {
                Err(self.schema_error("it has no tables of ours, and `create.schema` is false"))
            }
            Ok((version, true)) if version.as_deref() != Some(VERSION) => {
                Err(self.schema_error("its table `flumen_batch` is of a version that is not known"))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// Lives whose rows wait and whose session is gone: their locks are ours now, until they are released.
    fn lock_dead(&mut self) -> Result<Vec<i64>, StoreError> {
        let (channel, holder) = (self.options.channel.clone(), self.holder);
        let client = self.client()?;
        let dead = self.block_on(async move {
            const DEAD: &str = "SELECT holder FROM (SELECT DISTINCT holder FROM flumen_batch
                WHERE channel = $1 AND holder <> $2) others WHERE pg_try_advisory_lock(holder)";
            let rows = client.query(DEAD, &[&channel, &holder]).await?;
            PgResult::Ok(rows.iter().map(|row| row.get(0)).collect())
        })?;
        dead.map_err(|error| self.error(&error))
    }

    /// Claims the rows of these lives, whose locks are held, and releases the locks of all `locked`.
    fn claim(&mut self, dead: Vec<i64>, locked: Vec<i64>) -> Result<Vec<Row>, StoreError> {
        let (channel, holder) = (self.options.channel.clone(), self.holder);
        let client = self.client()?;
        let claimed = self.block_on(async move {
            const CLAIM: &str = "UPDATE flumen_batch SET holder = $2 WHERE channel = $1 AND holder = ANY($3)
                RETURNING id, events, body_bytes, put_ms";
            let rows = client.query(CLAIM, &[&channel, &holder, &dead]).await?;
            client.execute("SELECT pg_advisory_unlock(l) FROM unnest($1::bigint[]) l", &[&locked]).await?;
            let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
            let gone = client
                .query("SELECT batch, first, past FROM flumen_gone WHERE batch = ANY($1)", &[&ids])
                .await?;
            PgResult::Ok((rows, gone))
        })?;
        let (rows, gone) = claimed.map_err(|error| self.error(&error))?;
        let mut parts = std::collections::HashMap::<i64, Vec<Range<u32>>>::new();
        for part in gone {
            parts.entry(part.get(0)).or_default().push(range(part.get(1), part.get(2)));
        }
        let row = |row: tokio_postgres::Row| {
            let (id, events) = (row.get(0), u32::try_from(row.get::<_, i32>(1)).unwrap_or_default());
            let left = left_of(events, &mut parts.remove(&id).unwrap_or_default());
            Row { id, events, body_bytes: row.get(2), put_ms: row.get(3), left }
        };
        let mut rows: Vec<Row> = rows.into_iter().map(row).filter(|row| !row.left.is_empty()).collect();
        rows.sort_by_key(|row| row.id);
        Ok(rows)
    }
}

fn range(first: i32, past: i32) -> Range<u32> {
    u32::try_from(first).unwrap_or_default()..u32::try_from(past).unwrap_or_default()
}

impl Store for Postgres {
    fn open(&mut self) -> Result<Vec<Row>, StoreError> {
        self.client()?;
        self.prepare_schema()?;
        if self.holder == 0 {
            let mut number = [0; 8];
            getrandom::fill(&mut number).map_err(|error| self.away(error))?;
            self.holder = i64::from_le_bytes(number) | 1;
            let client = self.client()?;
            self.hold(&client)?;
        }
        let dead = self.lock_dead()?;
        self.claim(dead.clone(), dead)
    }

    fn close(&mut self) {
        self.client = None;
        self.end();
    }

    fn new_ids(&mut self) -> Result<Range<i64>, StoreError> {
        let first: i64 = self.with_retries(|client| async move {
            client.query_one("SELECT nextval('flumen_ids')", &[]).await.map(|row| row.get(0))
        })?;
        Ok(first..first + IDS)
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), StoreError> {
        let owned: Arc<Vec<Owned>> = Arc::new(writes.iter().map(own).collect());
        let (channel, holder) = (Arc::new(self.options.channel.clone()), self.holder);
        self.with_retries(|client| {
            let (owned, channel) = (owned.clone(), channel.clone());
            async move {
                client.batch_execute("BEGIN").await?;
                match transact(&client, &owned, &channel, holder).await {
                    Ok(()) => client.batch_execute("COMMIT").await,
                    Err(error) => {
                        // If this fails, too, the connection is gone, and the transaction with it.
                        drop(client.batch_execute("ROLLBACK").await);
                        Err(error)
                    }
                }
            }
        })
    }

    fn read(&mut self, ids: &[i64]) -> Result<Vec<Read>, StoreError> {
        let ids = Arc::new(ids.to_vec());
        let rows = self.with_retries(|client| {
            let ids = ids.clone();
            async move {
                client.query("SELECT id, crc, content FROM flumen_batch WHERE id = ANY($1)", &[&*ids]).await
            }
        })?;
        let batch = |row: &tokio_postgres::Row| {
            let crc = u32::try_from(row.get::<_, i64>(1)).map_err(|error| error.to_string());
            (row.get(0), crc.and_then(|crc| unpack(row.get(2), crc)))
        };
        Ok(rows.iter().map(batch).collect())
    }

    fn set_aside(&mut self, id: i64) -> Result<(), StoreError> {
        self.with_retries(|client| async move {
            const MOVE: &str = "WITH moved AS (DELETE FROM flumen_batch WHERE id = $1 RETURNING *)
                INSERT INTO flumen_damaged SELECT * FROM moved";
            client.execute(MOVE, &[&id]).await.map(|_| ())
        })
    }

    fn adopt(&mut self) -> Result<Vec<Row>, StoreError> {
        let locked = self.lock_dead()?;
        if locked.is_empty() {
            self.suspects.clear();
            return Ok(Vec::new());
        }
        // An agent that makes its connection again is without its lock for a moment.
        let dead = locked.iter().copied().filter(|holder| self.suspects.contains(holder)).collect();
        self.suspects = locked.iter().copied().collect();
        self.claim(dead, locked)
    }
    fn is_shared(&self) -> bool {
        true
    }
}

fn own(write: &Write<'_>) -> Owned {
    match write {
        Write::Insert(row) => Owned::Insert {
            id: row.id,
            events: i32::try_from(row.events).unwrap_or(i32::MAX),
            body_bytes: row.body_bytes,
            put_ms: row.put_ms,
            crc: row.crc.into(),
            content: row.content(),
        },
        Write::Done { id, events } => Owned::Done { id: *id, events: events.clone() },
        Write::Forget { id } => Owned::Forget { id: *id },
    }
}

/// All inserts in one statement, all deletes of whole rows in another. No two kinds ever concern the same row in
/// one group: a row is taken or forgotten only after its insert was answered.
async fn transact(client: &Client, writes: &[Owned], channel: &str, holder: i64) -> PgResult<()> {
    const INSERT: &str = "INSERT INTO flumen_batch
        SELECT id, $7, $8, events, body_bytes, put_ms, crc, content FROM unnest($1::bigint[], $2::int[],
            $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[]) new(id, events, body_bytes, put_ms, crc, content)
        ON CONFLICT (id) DO NOTHING";
    const WHOLE: &str = "DELETE FROM flumen_batch b USING unnest($1::bigint[], $2::int[]) done(id, events)
        WHERE b.id = done.id AND b.events = done.events RETURNING b.id";
    let (mut ids, mut events, mut bodies, mut times, mut crcs) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut contents, mut done, mut forgotten) = (Vec::<&[u8]>::new(), vec![], vec![]);
    for write in writes {
        match write {
            Owned::Insert { id, events: count, body_bytes, put_ms, crc, content } => {
                ids.push(*id);
                events.push(*count);
                bodies.push(*body_bytes);
                times.push(*put_ms);
                crcs.push(*crc);
                contents.push(content);
            }
            Owned::Done { id, events } => done.push((*id, events.clone())),
            Owned::Forget { id } => forgotten.push(*id),
        }
    }
    if !ids.is_empty() {
        client
            .execute(INSERT, &[&ids, &events, &bodies, &times, &crcs, &contents, &channel, &holder])
            .await?;
    }
    if !done.is_empty() {
        let whole = done.iter().filter(|(_, events)| events.start == 0);
        let (ids, counts): (Vec<i64>, Vec<i32>) = whole.map(|(id, events)| (*id, events.end as i32)).unzip();
        let deleted = client.query(WHOLE, &[&ids, &counts]).await?;
        let deleted: HashSet<i64> = deleted.iter().map(|row| row.get(0)).collect();
        for (id, events) in done.into_iter().filter(|(id, _)| !deleted.contains(id)) {
            part_done(client, id, events).await?;
        }
    }
    if !forgotten.is_empty() {
        client.execute("DELETE FROM flumen_batch WHERE id = ANY($1)", &[&forgotten]).await?;
    }
    Ok(())
}

async fn part_done(client: &Client, id: i64, events: Range<u32>) -> PgResult<()> {
    const NOTE: &str = "INSERT INTO flumen_gone VALUES ($1, $2, $3)
        ON CONFLICT (batch, first) DO UPDATE SET past = greatest(flumen_gone.past, excluded.past)";
    let row = client.query_opt("SELECT events FROM flumen_batch WHERE id = $1", &[&id]).await?;
    let Some(row) = row else { return Ok(()) };
    let size = u32::try_from(row.get::<_, i32>(0)).unwrap_or_default();
    let gone = client.query("SELECT first, past FROM flumen_gone WHERE batch = $1", &[&id]).await?;
    let mut gone: Vec<Range<u32>> = gone.iter().map(|row| range(row.get(0), row.get(1))).collect();
    gone.push(events.clone());
    if left_of(size, &mut gone).is_empty() {
        client.execute("DELETE FROM flumen_batch WHERE id = $1", &[&id]).await?;
    } else {
        client.execute(NOTE, &[&id, &(events.start as i32), &(events.end as i32)]).await?;
    }
    Ok(())
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end();
    }
}
