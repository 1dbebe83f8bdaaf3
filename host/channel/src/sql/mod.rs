//! The SQL channel: batches as rows of a table, in an embedded SQLite or in a PostgreSQL server.
//!
//! ```text
//! put     persist ──▶ Desk: all puts and takes that wait become one transaction ──▶ Store   (group commit)
//!         commit  ──▶ Queue, or, when much is held in memory already, the backlog: row numbers only
//! take    Queue, filled from the backlog by reading rows when it runs low
//!         commit  ──▶ Desk: the row is deleted, or the part of it that is gone is noted
//! ```
//!
//! One row holds one batch in its packed form, so a put costs one insert whatever its number of events.
//!
//! Invariants: a put returns after its row is on disk; a row leaves the table when all its events were taken
//! and committed, never before; order is that of the commits, after a restart that of the row numbers. A put
//! that is given up after its row was written deletes it again: a crash right in between can leave it, so that
//! an event whose sender was refused may be delivered. In memory: up to [`HELD_BYTES_MAX`] of batches and some 50
//! bytes for each row beyond.
//!
//! [`Store`] is what a database has to do; [`sqlite`] and [`postgres`] do it.

mod backlog;
mod channel;
mod desk;
mod postgres;
mod ranges;
mod sqlite;
mod store;

pub use channel::{SqlChannel, SqlLimits};
pub use store::{Database, PostgresOptions, StoreError};

/// Memory that waiting batches may take before further ones are left in the database.
pub const HELD_BYTES_MAX: usize = 64 << 20;
