//! From `driver.url` to a database.

use std::path::PathBuf;

use flumen_channel::sql::{Database, PostgresOptions};
use flumen_config::{Diagnostic, Diagnostics, Settings};

use super::{JdbcOptions, SERVER_ANSWER, SERVER_RETRY, embedded};

/// The database that the options choose; nothing, with an error, if there is none of that kind.
pub(super) fn database(
    options: &JdbcOptions,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Option<Database> {
    let url = options.url.as_deref().map(str::trim).filter(|url| !url.is_empty());
    let plain = url.map(|url| url.strip_prefix("jdbc:").unwrap_or(url));
    let scheme = plain.map(|url| url.split_once(':').map_or(url, |(scheme, _)| scheme));
    let rest = plain.and_then(|url| url.split_once(':')).map_or("", |(_, rest)| rest);
    let is_server = matches!(scheme, Some("postgresql" | "postgres"));
    check_type(options, is_server, settings, diagnostics)?;
    match scheme {
        None => Some(embedded(home(settings).join(".flume/jdbc-channel"), settings)),
        Some("sqlite") => sqlite(rest, settings, diagnostics),
        Some("derby") => derby(rest, settings, diagnostics),
        Some(_) if is_server => postgres(rest, options, settings, diagnostics),
        Some(other) => {
            diagnostics.push(refused(settings, format!("there is no database of the kind `{other}` here")).help(
                "leave `driver.url` out for an embedded database, or name a PostgreSQL server: `postgresql://host:5432/database`",
            ));
            None
        }
    }
}

/// Flume's `db.type` has values that only other drivers could serve.
fn check_type(
    options: &JdbcOptions,
    is_server: bool,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Option<()> {
    let text = options.db_type.as_deref().unwrap_or_default().trim();
    let fits = match text.to_ascii_uppercase().as_str() {
        "" | "OTHER" => true,
        "DERBY" => !is_server,
        "POSTGRESQL" => is_server,
        _ => false,
    };
    if fits {
        return Some(());
    }
    let found = if is_server { "a PostgreSQL server" } else { "an embedded database" };
    let message = format!("`db.type = {text}` does not go with {found}, which `driver.url` means");
    diagnostics.push(
        Diagnostic::error("bad-value", message)
            .on(settings.path())
            .at(&settings.origin("db.type"))
            .help("leave `db.type` out: `driver.url` says it all"),
    );
    None
}

fn sqlite(path: &str, settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Database> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(":memory:") || path.contains('?') {
        diagnostics.push(
            refused(settings, "the URL names no file that could keep events".to_owned())
                .help("write `jdbc:sqlite:/path/to/file`"),
        );
        return None;
    }
    Some(Database::Sqlite(path.into()))
}

/// Derby's databases are folders of its own format. Ours lies beside, and whoever reads the log is told.
fn derby(rest: &str, settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Database> {
    let folder = rest.split(';').next().unwrap_or_default();
    let folder = folder.strip_prefix("directory:").unwrap_or(folder);
    if folder.is_empty() || folder.starts_with("//") || folder.starts_with("memory:") {
        diagnostics.push(
            refused(settings, "a Derby server, or a Derby database in memory, cannot be used".to_owned())
                .help("leave `driver.url` out for an embedded database"),
        );
        return None;
    }
    let database = embedded(PathBuf::from(format!("{folder}.flumen")), settings);
    let Database::Sqlite(file) = &database else { return None };
    let message =
        format!("there is no Derby here: the events are in a SQLite database in `{}`", file.display());
    diagnostics.push(
        Diagnostic::warning("other-database", message)
            .on(settings.path())
            .at(&settings.origin("driver.url"))
            .help("if Flume has left events in the Derby database, let Flume deliver them before you change over"),
    );
    Some(database)
}

fn postgres(
    rest: &str,
    options: &JdbcOptions,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Option<Database> {
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    // JDBC allows the name of a database alone, on this machine.
    let address =
        if address.starts_with("//") { address.to_owned() } else { format!("//localhost/{address}") };
    let address = if address.starts_with("///") { address.replacen("//", "//localhost", 1) } else { address };
    let query = known_parameters(query, settings, diagnostics)?;
    let mut server: tokio_postgres::Config = match format!("postgresql:{address}?{query}").parse() {
        Ok(server) => server,
        Err(error) => {
            diagnostics.push(
                refused(settings, format!("the URL cannot be read: {}", said(&error)))
                    .help("write `postgresql://host:5432/database?user=…&password=…`"),
            );
            return None;
        }
    };
    if server.get_user().is_none()
        && let Some(user) = &options.username
    {
        server.user(user);
    }
    if server.get_password().is_none()
        && let Some(password) = &options.password
    {
        server.password(password);
    }
    server.connect_timeout(SERVER_RETRY).tcp_user_timeout(SERVER_RETRY);
    Some(Database::Postgres(Box::new(PostgresOptions {
        server,
        channel: settings.name().to_owned(),
        retry: SERVER_RETRY,
        answer_within: SERVER_ANSWER,
    })))
}

/// What stands behind the question mark, without what only Java's driver knows.
fn known_parameters(query: &str, settings: &Settings, diagnostics: &mut Diagnostics) -> Option<String> {
    const KNOWN: [&str; 8] =
        ["user", "password", "host", "port", "dbname", "options", "application_name", "keepalives"];
    let mut known = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let wants_tls = match key {
            "ssl" => !value.eq_ignore_ascii_case("false"),
            "sslmode" => !matches!(value, "disable" | "allow" | "prefer"),
            _ => false,
        };
        if wants_tls {
            diagnostics.push(
                refused(
                    settings,
                    format!("`{pair}` asks for encryption, which is not there yet for this channel"),
                )
                .help("leave it out if the network may be trusted, or reach the server through a tunnel"),
            );
            return None;
        }
        if KNOWN.contains(&key) {
            known.push(pair);
        } else if !key.starts_with("ssl") {
            let message = format!("the parameter `{key}` of the URL has no effect here");
            diagnostics.push(
                Diagnostic::warning("no-effect", message)
                    .on(settings.path())
                    .at(&settings.origin("driver.url")),
            );
        }
    }
    Some(known.join("&"))
}

fn refused(settings: &Settings, cause: String) -> Diagnostic {
    let shown = settings.shown("driver.url").unwrap_or_default();
    // A password may also stand behind the question mark.
    let shown = shown.split('?').next().unwrap_or_default().to_owned();
    Diagnostic::error("bad-value", format!("`driver.url = {shown}`: {cause}"))
        .on(settings.path())
        .at(&settings.origin("driver.url"))
}

fn said(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn home(settings: &Settings) -> PathBuf {
    let given = settings.text("sysprop.user.home").map(str::to_owned);
    let home = given.or_else(|| std::env::var("HOME").ok()).filter(|home| !home.is_empty());
    home.map_or_else(|| PathBuf::from("/"), PathBuf::from)
}
