//! Which database the options choose, and what is said about it.

use flumen_channel::sql::Database;

use super::*;

fn read(pairs: &[(&str, &str)]) -> (Option<SqlLimits>, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let settings = Settings::from_pairs("a1.channels.c1", pairs.iter().copied());
    let limits = limits(&settings, &mut diagnostics);
    (limits, diagnostics.iter().map(|d| d.message.clone()).collect())
}
fn file(limits: Option<SqlLimits>) -> String {
    match limits.expect("valid").database {
        Database::Sqlite(path) => path.display().to_string(),
        Database::Postgres(options) => panic!("{options:?}"),
    }
}
fn server(pairs: &[(&str, &str)]) -> (tokio_postgres::Config, Vec<String>) {
    let (limits, messages) = read(pairs);
    match limits.unwrap_or_else(|| panic!("{messages:?}")).database {
        Database::Sqlite(path) => panic!("{}", path.display()),
        Database::Postgres(options) => (options.server, messages),
    }
}

#[test]
fn the_default_is_a_file_in_the_home_folder_without_a_limit() {
    let (limits, messages) = read(&[("sysprop.user.home", "/home/flume")]);
    assert!(messages.is_empty(), "{messages:?}");
    let limits = limits.expect("valid");
    assert_eq!((limits.capacity, limits.create_schema, limits.keep_alive), (0, true, Duration::ZERO));
    assert_eq!(file(Some(limits)), "/home/flume/.flume/jdbc-channel/c1.sqlite");
}

#[test]
fn a_sqlite_url_names_its_file() {
    for url in ["jdbc:sqlite:/data/q.db", "sqlite:/data/q.db", "sqlite:///data/q.db"] {
        assert_eq!(file(read(&[("driver.url", url)]).0), "/data/q.db", "{url}");
    }
    for url in ["jdbc:sqlite:", "jdbc:sqlite::memory:", "sqlite:/x?mode=memory"] {
        let (limits, messages) = read(&[("driver.url", url)]);
        assert!(limits.is_none() && messages[0].contains("no file"), "{url}: {messages:?}");
    }
}

#[test]
fn a_derby_url_becomes_a_file_beside_it_and_that_is_said_with_its_place() {
    let (limits, messages) =
        read(&[("driver.url", "jdbc:derby:/var/flume/db;create=true"), ("db.type", "DERBY")]);
    assert_eq!(file(limits), "/var/flume/db.flumen/c1.sqlite");
    assert!(
        messages[0].contains("there is no Derby") && messages[0].contains("/var/flume/db.flumen"),
        "{messages:?}"
    );
    let (limits, messages) = read(&[("driver.url", "jdbc:derby://host:1527/db")]);
    assert!(limits.is_none() && messages[0].contains("Derby server"), "{messages:?}");
}

#[test]
fn a_server_is_read_from_both_kinds_of_url() {
    use tokio_postgres::config::Host;
    for url in ["jdbc:postgresql://db1:5433/flume?user=u&password=p", "postgresql://u:p@db1:5433/flume"] {
        let (server, messages) = server(&[("driver.url", url)]);
        assert!(messages.is_empty(), "{messages:?}");
        assert_eq!(server.get_hosts(), [Host::Tcp("db1".into())]);
        assert_eq!((server.get_ports(), server.get_dbname()), (&[5433][..], Some("flume")));
        assert_eq!((server.get_user(), server.get_password()), (Some("u"), Some(&b"p"[..])));
    }
    let given = [("driver.url", "jdbc:postgresql:flume"), ("db.username", "u"), ("db.password", "p")];
    let (server, _) = server(&given);
    assert_eq!(
        (server.get_hosts(), server.get_dbname()),
        (&[Host::Tcp("localhost".into())][..], Some("flume"))
    );
    assert_eq!((server.get_user(), server.get_password()), (Some("u"), Some(&b"p"[..])));
}

#[test]
fn encryption_that_is_asked_for_is_refused_and_what_only_java_knows_is_warned_of() {
    for parameter in ["ssl=true", "sslmode=verify-full"] {
        let (limits, messages) = read(&[("driver.url", &format!("jdbc:postgresql://h/d?{parameter}"))]);
        assert!(limits.is_none() && messages[0].contains("encryption"), "{messages:?}");
    }
    let (_, messages) = server(&[("driver.url", "jdbc:postgresql://h/d?user=u&tcpKeepAlive=true&ssl=false")]);
    assert_eq!(messages, ["the parameter `tcpKeepAlive` of the URL has no effect here"]);
}

#[test]
fn no_message_has_the_password() {
    for url in ["jdbc:postgresql://h:x/d?password=hunter2", "mysql://root:hunter2@h/d?password=hunter2"] {
        let (limits, messages) = read(&[("driver.url", url)]);
        assert!(limits.is_none() && !messages.is_empty());
        assert!(!messages.concat().contains("hunter2"), "{messages:?}");
    }
}

#[test]
fn a_type_that_contradicts_the_url_and_a_database_that_is_not_there_are_errors() {
    for (url, kind) in [("jdbc:postgresql://h/d", "DERBY"), ("jdbc:sqlite:/x", "POSTGRESQL"), ("", "MYSQL")] {
        let (limits, messages) = read(&[("driver.url", url), ("db.type", kind)]);
        assert!(limits.is_none() && messages[0].contains(kind), "{messages:?}");
    }
    let (limits, messages) = read(&[("driver.url", "jdbc:mysql://h/d")]);
    assert!(limits.is_none() && messages[0].contains("`mysql`"), "{messages:?}");
}

#[test]
fn old_keys_count_where_the_new_one_is_not_set_and_are_warned_of() {
    let old = "org.apache.flume.channel.jdbc.maximum.capacity";
    let (limits, messages) = read(&[(old, "5")]);
    assert_eq!(limits.map(|l| l.capacity), Some(5));
    assert!(messages[0].contains("is the old name of `maximum.capacity`"), "{messages:?}");
    assert_eq!(read(&[(old, "5"), ("maximum.capacity", "6")]).0.map(|l| l.capacity), Some(6));
}

#[test]
fn what_has_no_effect_is_said_and_a_bad_capacity_is_no_limit_as_in_flume() {
    let (limits, messages) = read(&[("maximum.connections", "20"), ("maximum.capacity", "many")]);
    assert_eq!(limits.map(|l| l.capacity), Some(0));
    assert!(messages.iter().any(|m| m == "`maximum.connections` has no effect here"), "{messages:?}");
    assert!(messages.iter().any(|m| m.contains("the default 0 is used")), "{messages:?}");
}
