//! From options and global settings to a plan, with everything that is wrong with them.

use std::path::{Path, PathBuf};

use flumen_config::options::{Secret, Words};
use flumen_config::{Diagnostic, Diagnostics, Options, Settings};
use flumen_keystore::Password;
use flumen_regex::JavaRegex;
use flumen_tls::{
    ClientAuth, ClientTls, Limits, NameCheck, NameFinding, NameList, Names, ServerTls, StoreFile, StoreKind,
    Trust, suite_names,
};

use super::globals::{Global, GlobalStore, Globals, globals};
use super::options::{
    CheckOptions, ClientAuthOptions, DeprecatedOptions, KeyOptions, NameOptions, Switch, TrustOptions,
};

/// TLS of a source that listens: outside `None` after an error that was reported, inside if `ssl` is off.
pub fn server(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Option<ServerTls>> {
    Plan { settings, globals: globals() }.server(diagnostics)
}

/// As [`server`], with the older names of the http source.
pub fn http_server(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Option<ServerTls>> {
    DeprecatedOptions::read(settings, diagnostics)?;
    let mut renamed = settings.clone();
    for (old, new) in [
        ("enableSSL", "ssl"),
        ("keystorePassword", "keystore-password"),
        ("excludeProtocols", "exclude-protocols"),
    ] {
        let Some(setting) = settings.get(old) else { continue };
        let advice = if settings.get(new).is_some() {
            format!("`{old}` is the older name of `{new}`, which is set too and counts")
        } else {
            renamed.insert(new, setting.clone());
            format!("`{old}` is the older name of `{new}`")
        };
        diagnostics.push(
            Diagnostic::note("deprecated-key", advice).on(settings.path()).at(&settings.key_origin(old)),
        );
    }
    server(&renamed, diagnostics)
}

/// TLS of a sink that connects: outside `None` after an error that was reported, inside if `ssl` is off.
pub fn client(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Option<ClientTls>> {
    let is_on = Switch::read(settings, diagnostics)?.ssl;
    let plan = Plan { settings, globals: globals() };
    if is_on { plan.client(diagnostics).map(Some) } else { Some(None) }
}

/// TLS of a client whose address says so (`https://…`): no `ssl` switch, and, as in a JVM, the key store that is
/// set for all is shown to servers that ask for a certificate. `None` after an error that was reported.
pub fn https_client(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<ClientTls> {
    let plan = Plan { settings, globals: globals() };
    let mut tls = plan.client(diagnostics)?;
    if tls.keystore.is_none() && plan.globals.keystore.path.is_some() {
        let own = KeyOptions::read(settings, diagnostics)?;
        tls.keystore = plan.key_store(&own, &plan.globals.keystore, diagnostics)?;
    }
    Some(tls)
}

/// What is read, and what holds where it is silent.
pub(super) struct Plan<'a> {
    pub settings: &'a Settings,
    pub globals: &'a Globals,
}

impl Plan<'_> {
    pub(super) fn server(&self, diagnostics: &mut Diagnostics) -> Option<Option<ServerTls>> {
        if !Switch::read(self.settings, diagnostics)?.ssl {
            return Some(None);
        }
        let keys = KeyOptions::read(self.settings, diagnostics)?;
        let keystore = self.key_store(&keys, &self.globals.keystore, diagnostics);
        if matches!(keystore, Some(None)) {
            diagnostics.push(
                self.error("ssl", "`ssl = true` needs a key store, and none is set".to_owned()).help(
                    format!(
                        "add `{0}.keystore = <file>` and `{0}.keystore-password = …`, or set it for all: \
                     -Djavax.net.ssl.keyStore=<file>, FLUME_SSL_KEYSTORE_PATH",
                        self.settings.path()
                    ),
                ),
            );
        }
        let limits = self.limits(diagnostics);
        let client_auth = self.client_auth(diagnostics);
        Some(Some(ServerTls {
            keystore: keystore??,
            alias: keys.alias,
            client_auth: client_auth?,
            limits: limits?,
        }))
    }

    pub(super) fn client(&self, diagnostics: &mut Diagnostics) -> Option<ClientTls> {
        let checks = CheckOptions::read(self.settings, diagnostics)?;
        let keys = KeyOptions::read(self.settings, diagnostics)?;
        // Flume's sinks show no certificate, whatever key store is set for all; only one of their own counts.
        let keystore = self.key_store(&keys, &GlobalStore::default(), diagnostics);
        let truststore = self.trust_store(diagnostics);
        let limits = self.limits(diagnostics);
        let trust = match (checks.trust_all, truststore?) {
            (true, _) => Trust::All,
            (false, Some(store)) => Trust::Store(store),
            (false, None) => Trust::System,
        };
        if checks.trust_all && self.settings.get("truststore").is_some() {
            let text = "`trust-all-certs = true` believes everyone: the trust store is not used".to_owned();
            diagnostics.push(
                Diagnostic::warning("tls", text)
                    .on(self.settings.path())
                    .at(&self.settings.origin("trust-all-certs")),
            );
        }
        let name_check = if checks.verify_hostname { NameCheck::On } else { NameCheck::Off };
        Some(ClientTls { trust, name_check, keystore: keystore?, alias: keys.alias, limits: limits? })
    }

    fn key_store(
        &self,
        own: &KeyOptions,
        global: &GlobalStore,
        diagnostics: &mut Diagnostics,
    ) -> Option<Option<StoreFile>> {
        let store = self.store(Keys::KEY, (&own.keystore, &own.password, &own.kind), global, diagnostics)?;
        let Some(store) = store else { return Some(None) };
        if store.password.is_none() && !may_be_pem(&store) {
            diagnostics.push(
                self.error("keystore", "the key store needs a password, and none is set".to_owned()).help(
                    format!(
                        "add `{}.keystore-password = …`, or set it for all: FLUME_SSL_KEYSTORE_PASSWORD; \
                     if it is a PEM file, say `keystore-type = PEM`",
                        self.settings.path()
                    ),
                ),
            );
            return None;
        }
        Some(Some(store))
    }

    fn trust_store(&self, diagnostics: &mut Diagnostics) -> Option<Option<StoreFile>> {
        let own = TrustOptions::read(self.settings, diagnostics)?;
        let values = (&own.truststore, &own.password, &own.kind);
        self.store(Keys::TRUST, values, &self.globals.truststore, diagnostics)
    }

    fn store(
        &self,
        keys: Keys,
        (path, password, kind): (&Option<String>, &Option<Secret>, &Option<String>),
        global: &GlobalStore,
        diagnostics: &mut Diagnostics,
    ) -> Option<Option<StoreFile>> {
        let kind_name = kind.clone().or_else(|| global.kind.as_ref().map(|found| found.value.clone()));
        let kind = match kind_name.as_deref().map(|name| (name, StoreKind::named(name))) {
            None => None,
            Some((_, Some(kind))) => Some(kind),
            Some((name, None)) => {
                diagnostics.push(
                    self.error(keys.kind, format!("`{name}` is no type of store that can be read"))
                        .help("use JKS, PKCS12 or PEM, or leave it out: the file's content tells".to_owned()),
                );
                return None;
            }
        };
        let Some(path) = path.clone().or_else(|| global.path.as_ref().map(|found| found.value.clone()))
        else {
            return Some(None);
        };
        let password = password.as_ref().map(|secret| Password::new(secret.0.clone()));
        let password = password.or_else(|| global.password.as_ref().map(|found| found.value.clone()));
        Some(Some(StoreFile { path: PathBuf::from(path), password, kind, password_key: keys.password }))
    }

    fn client_auth(&self, diagnostics: &mut Diagnostics) -> Option<ClientAuth> {
        let wanted = ClientAuthOptions::read(self.settings, diagnostics)?.client_auth;
        let make = match wanted.to_ascii_lowercase().as_str() {
            "none" => return Some(ClientAuth::None),
            "want" => ClientAuth::Want,
            "need" => ClientAuth::Need,
            _ => {
                diagnostics.push(
                    self.error("client-auth", format!("`client-auth = {wanted}` is not known"))
                        .help("use none, want or need".to_owned()),
                );
                return None;
            }
        };
        let Some(store) = self.trust_store(diagnostics)? else {
            diagnostics.push(
                self.error("client-auth", format!("`client-auth = {wanted}` needs a trust store, and none is set"))
                    .help(format!(
                        "add `{}.truststore = <file>` with the certificates of your clients, or of who signs them",
                        self.settings.path()
                    )),
            );
            return None;
        };
        Some(make(store))
    }

    fn limits(&self, diagnostics: &mut Diagnostics) -> Option<Limits> {
        let own = NameOptions::read(self.settings, diagnostics)?;
        let list = |own: Option<Words>, global: &Option<Global<Vec<String>>>| {
            own.map(|words| words.0).or_else(|| global.as_ref().map(|found| found.value.clone()))
        };
        // An empty list of what is included includes everything, as in Flume.
        let included = |names: Option<Vec<String>>| names.filter(|names| !names.is_empty());
        let before = diagnostics.error_count();
        let mut suites = |key: &str, names: Option<Vec<String>>| {
            names.map(|names| names.iter().flat_map(|name| self.suites_of(key, name, diagnostics)).collect())
        };
        let include_cipher_suites = suites(
            "include-cipher-suites",
            included(list(own.include_cipher_suites, &self.globals.include_cipher_suites)),
        );
        let exclude_cipher_suites = suites(
            "exclude-cipher-suites",
            list(own.exclude_cipher_suites, &self.globals.exclude_cipher_suites),
        );
        if diagnostics.error_count() > before {
            return None;
        }
        let names = Names {
            include_protocols: included(list(own.include_protocols, &self.globals.include_protocols)),
            exclude_protocols: list(own.exclude_protocols, &self.globals.exclude_protocols)
                .unwrap_or_default(),
            include_cipher_suites,
            exclude_cipher_suites: exclude_cipher_suites.unwrap_or_default(),
        };
        let (limits, findings) = names.limits();
        for finding in findings {
            diagnostics.push(self.name_finding(finding));
        }
        limits
    }

    /// A name of a suite, or those that a pattern means: Jetty, under Flume's http source, takes both.
    fn suites_of(&self, key: &str, name: &str, diagnostics: &mut Diagnostics) -> Vec<String> {
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return vec![name.to_owned()];
        }
        match JavaRegex::new(name) {
            Ok(pattern) => {
                // What takes too long to compare is no name of a suite.
                let is_meant = |suite: &&str| pattern.matches(suite.as_bytes()).unwrap_or(false);
                suite_names().filter(is_meant).map(str::to_owned).collect()
            }
            Err(error) => {
                diagnostics.push(
                    self.error(key, format!("`{name}` is neither a cipher suite nor a pattern: {error}"))
                        .help("write Java's names, for example TLS_AES_128_GCM_SHA256".to_owned()),
                );
                Vec::new()
            }
        }
    }

    fn name_finding(&self, found: NameFinding) -> Diagnostic {
        let (key, global) = match found.list {
            NameList::IncludeProtocols => ("include-protocols", &self.globals.include_protocols),
            NameList::ExcludeProtocols => ("exclude-protocols", &self.globals.exclude_protocols),
            NameList::IncludeCipherSuites => ("include-cipher-suites", &self.globals.include_cipher_suites),
            NameList::ExcludeCipherSuites => ("exclude-cipher-suites", &self.globals.exclude_cipher_suites),
        };
        let place = match (self.settings.get(key), global) {
            (None, Some(global)) => global.name,
            _ => key,
        };
        let text = format!("`{place}`: {}", found.text);
        let finding =
            if found.is_error { Diagnostic::error("tls", text) } else { Diagnostic::warning("tls", text) };
        finding.on(self.settings.path()).at(&self.settings.origin(key)).help(found.help)
    }

    fn error(&self, key: &str, text: String) -> Diagnostic {
        Diagnostic::error("tls", text).on(self.settings.path()).at(&self.settings.origin(key))
    }
}

/// The keys of a store that messages name.
#[derive(Clone, Copy)]
struct Keys {
    password: &'static str,
    kind: &'static str,
}

impl Keys {
    const KEY: Self = Self { password: "keystore-password", kind: "keystore-type" };
    const TRUST: Self = Self { password: "truststore-password", kind: "truststore-type" };
}

/// Whether a store may be a PEM file, which needs no password; only reading it would tell for certain.
fn may_be_pem(store: &StoreFile) -> bool {
    let extension = Path::new(&store.path).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let looks_so = ["pem", "crt", "cer", "key"].iter().any(|known| known.eq_ignore_ascii_case(extension));
    store.kind == Some(StoreKind::Pem) || store.kind.is_none() && looks_so
}
