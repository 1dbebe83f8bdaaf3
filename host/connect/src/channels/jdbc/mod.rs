//! `jdbc`: Flume's options for the SQL channel, and how they choose a database.
//!
//! Flume's own has one database, Derby; what only Derby or a pool of connections has a use for is accepted, and
//! a note says that it changes nothing.

mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flumen_channel::sql::{Database, SqlChannel, SqlLimits};
use flumen_channel::{Channel, Gate};
use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};

use super::ChannelType;
use flumen_config::options::Below;

/// Flume's has no transaction capacity, as each event is a transaction of the database. A take is bounded all
/// the same, by far above any sink's batch.
const TRANSACTION_EVENTS_MAX: usize = 100_000;
/// The prefix of the days before Flume 1.0.
const OLD_PREFIX: &str = "org.apache.flume.channel.jdbc.";
/// How long puts and takes wait for a server that is away before they are refused.
const SERVER_RETRY: Duration = Duration::from_secs(10);
/// A server that is connected and does not answer for so long counts as away. The largest group has 16 MiB.
const SERVER_ANSWER: Duration = Duration::from_secs(30);
const WITHOUT_EFFECT: [&str; 6] = [
    "driver.class",
    "connection.properties.file",
    "create.index",
    "create.foreignkey",
    "transaction.isolation",
    "maximum.connections",
];

options! {
    /// Holds events in a database: an embedded SQLite file, or a PostgreSQL server that several agents may share.
    /// A put is on disk when it is acknowledged. One row holds a whole batch, and puts that wait together share
    /// one sync. The `file` channel is faster; this one is for events that must lie in a database server, and for
    /// configurations that name it. Flume's Derby databases cannot be read: let Flume deliver what they hold.
    pub struct JdbcOptions {
        /// Most events in the channel; 0 for no limit but the disk's. A put beyond it is refused at once, as in
        /// Flume. On a shared server each agent counts the events that it holds.
        "maximum.capacity" => maximum_capacity: u64 = 0, lenient;
        /// Where the events are. `jdbc:sqlite:/path/to/file` is a SQLite database. `postgresql://host:port/db`,
        /// with or without `jdbc:` in front, is a server: its agents keep to their own events, in order, and those
        /// of one that died are taken over by the next that opens a channel of the same name, or by another agent
        /// that has one, after ten seconds. The connection is not encrypted: `sslmode=require` is refused.
        /// `jdbc:derby:DIR` becomes a SQLite database in the folder `DIR.flumen`, with a warning. Default:
        /// `.flume/jdbc-channel/CHANNEL.sqlite` in the home folder.
        "driver.url" => url: Option<String>,
        /// User of the server, unless the URL names one.
        "db.username" => username: Option<String>,
        /// Password of the server, unless the URL has one.
        "db.password" => password: Option<String>,
        /// `DERBY` (which stands for the embedded database) or `POSTGRESQL`. The URL decides; this must not
        /// contradict it.
        "db.type" => db_type: Option<String>,
        /// Whether tables are made where there are none. If not, the channel does not open without them.
        "create.schema" => create_schema: bool = true,
        /// `sysprop.user.home` is the home folder that the default place lies in. No other property has an effect.
        "sysprop." => system_properties: Below,
        /// No effect: there are no drivers to load.
        "driver.class" => driver_class: Option<String>,
        /// No effect: user and password are `db.username` and `db.password`, all else is in the URL.
        "connection.properties.file" => properties_file: Option<String>,
        /// No effect: the indexes are needed, and always made.
        "create.index" => create_index: bool = true,
        /// No effect: the foreign keys are needed, and always made.
        "create.foreignkey" => create_foreignkey: bool = true,
        /// No effect: one connection does one transaction after the other, which is SERIALIZABLE.
        "transaction.isolation" => transaction_isolation: String = "READ_COMMITTED".to_owned(),
        /// No effect: a channel has one connection, and transactions are grouped instead.
        "maximum.connections" => maximum_connections: u32 = 10, lenient;
        /// The same keys with the prefix of old versions. The short ones count where both are set.
        "org.apache.flume.channel.jdbc." => old: Below,
    }
}

pub(super) const JDBC: ChannelType = ChannelType {
    spec: ComponentSpec {
        check: |settings, diagnostics| limits(settings, diagnostics).is_some(),
        ..ComponentSpec::of::<JdbcOptions>(
            ComponentKind::Channel,
            "jdbc",
            &["org.apache.flume.channel.jdbc.JdbcChannel"],
        )
    },
    build: |settings, gate| build(settings, gate),
};

fn build(settings: &Settings, gate: Arc<Gate>) -> Result<Arc<dyn Channel>, Diagnostics> {
    let limits = Diagnostics::or(|diagnostics| limits(settings, diagnostics))?;
    Ok(Arc::new(SqlChannel::new(limits, gate)))
}

fn limits(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<SqlLimits> {
    let settings = &with_old_keys(settings, diagnostics);
    let options = JdbcOptions::read(settings, diagnostics)?;
    for key in WITHOUT_EFFECT.into_iter().filter(|key| settings.get(key).is_some()) {
        diagnostics.push(
            Diagnostic::note("no-effect", format!("`{key}` has no effect here"))
                .on(settings.path())
                .at(&settings.key_origin(key)),
        );
    }
    let database = url::database(&options, settings, diagnostics)?;
    Some(SqlLimits {
        capacity: usize::try_from(options.maximum_capacity).unwrap_or(usize::MAX / 2),
        transaction_capacity: TRANSACTION_EVENTS_MAX,
        keep_alive: Duration::ZERO,
        database,
        create_schema: options.create_schema,
    })
}

/// The settings with what only the old prefix names under the short keys, each with a warning.
fn with_old_keys(settings: &Settings, diagnostics: &mut Diagnostics) -> Settings {
    let mut merged = settings.clone();
    for (key, setting) in settings.below(OLD_PREFIX).iter() {
        diagnostics.push(
            Diagnostic::warning("old-key", format!("`{OLD_PREFIX}{key}` is the old name of `{key}`"))
                .on(settings.path())
                .at(&setting.origin)
                .help(format!("write `{}.{key}`", settings.path())),
        );
        if settings.get(key).is_none() {
            merged.insert(key, setting.clone());
        }
    }
    merged
}

/// The file of the embedded database: one for each channel, so that several of an agent do not share a lock.
fn embedded(folder: PathBuf, settings: &Settings) -> Database {
    Database::Sqlite(folder.join(format!("{}.sqlite", settings.name())))
}

#[cfg(test)]
mod tests;
