//! What holds for all components: Java's and Flume's system properties, and the environment.
//!
//! Order: a component's own key, the system property (`-D…`), the environment variable. Each value is looked up by
//! itself, so a component may name its own store and take the password from the environment, as in Flume.

use std::sync::OnceLock;

use flumen_keystore::Password;

/// A value, and what it was called where it was set.
#[derive(Clone, Debug)]
pub(super) struct Global<T> {
    pub name: &'static str,
    pub value: T,
}

/// A store that is set for all.
#[derive(Clone, Debug, Default)]
pub(super) struct GlobalStore {
    pub path: Option<Global<String>>,
    pub password: Option<Global<Password>>,
    pub kind: Option<Global<String>>,
}

/// The settings for all components of this process.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    pub(super) keystore: GlobalStore,
    pub(super) truststore: GlobalStore,
    pub(super) include_protocols: Option<Global<Vec<String>>>,
    pub(super) exclude_protocols: Option<Global<Vec<String>>>,
    pub(super) include_cipher_suites: Option<Global<Vec<String>>>,
    pub(super) exclude_cipher_suites: Option<Global<Vec<String>>>,
}

impl Globals {
    /// Looks all of them up: system properties first, then the environment.
    pub fn read(
        property: impl Fn(&str) -> Option<String>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let text = |key: &'static str, variable: &'static str| {
            let of_property = property(key).map(|value| Global { name: key, value });
            of_property.or_else(|| environment(variable).map(|value| Global { name: variable, value }))
        };
        let store = |keys: [&'static str; 3], variables: [&'static str; 3]| GlobalStore {
            path: text(keys[0], variables[0]),
            password: text(keys[1], variables[1])
                .map(|found| Global { name: found.name, value: Password::new(found.value) }),
            kind: text(keys[2], variables[2]),
        };
        let list = |key: &'static str, variable: &'static str| {
            let found = text(key, variable)?;
            let names = found.value.split(|c: char| c == ',' || c.is_whitespace());
            let names = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
            Some(Global { name: found.name, value: names })
        };
        Self {
            keystore: store(
                ["javax.net.ssl.keyStore", "javax.net.ssl.keyStorePassword", "javax.net.ssl.keyStoreType"],
                ["FLUME_SSL_KEYSTORE_PATH", "FLUME_SSL_KEYSTORE_PASSWORD", "FLUME_SSL_KEYSTORE_TYPE"],
            ),
            truststore: store(
                [
                    "javax.net.ssl.trustStore",
                    "javax.net.ssl.trustStorePassword",
                    "javax.net.ssl.trustStoreType",
                ],
                ["FLUME_SSL_TRUSTSTORE_PATH", "FLUME_SSL_TRUSTSTORE_PASSWORD", "FLUME_SSL_TRUSTSTORE_TYPE"],
            ),
            include_protocols: list("flume.ssl.include.protocols", "FLUME_SSL_INCLUDE_PROTOCOLS"),
            exclude_protocols: list("flume.ssl.exclude.protocols", "FLUME_SSL_EXCLUDE_PROTOCOLS"),
            include_cipher_suites: list("flume.ssl.include.cipherSuites", "FLUME_SSL_INCLUDE_CIPHERSUITES"),
            exclude_cipher_suites: list("flume.ssl.exclude.cipherSuites", "FLUME_SSL_EXCLUDE_CIPHERSUITES"),
        }
    }
}

static GLOBALS: OnceLock<Globals> = OnceLock::new();

/// Sets them, once, before any configuration is read; a second call changes nothing.
pub fn set_globals(globals: Globals) {
    GLOBALS.get_or_init(|| globals);
}

/// Those that were set; nothing is set for all otherwise.
pub(super) fn globals() -> &'static Globals {
    static NOTHING: OnceLock<Globals> = OnceLock::new();
    GLOBALS.get().unwrap_or_else(|| NOTHING.get_or_init(Globals::default))
}
