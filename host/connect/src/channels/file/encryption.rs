//! `encryption.*`: from key store files to the cipher of the log.

use std::path::PathBuf;
use std::sync::Arc;

use flumen_channel::file::cipher::RecordCipher;
use flumen_channel::file::record::NAMES_BYTES_MAX;
use flumen_cipher::{AesRecordCipher, Keys, Mode};
use flumen_config::{Diagnostic, Diagnostics, Settings};
use flumen_keystore::KeyFiles;

const ACTIVE: &str = "encryption.activeKey";
const CIPHER: &str = "encryption.cipherProvider";
const PROVIDER: &str = "encryption.keyProvider";
const STORE: &str = "encryption.keyProvider.keyStoreFile";
const STORE_PASSWORD: &str = "encryption.keyProvider.keyStorePasswordFile";
const KEYS: &str = "encryption.keyProvider.keys";
/// Flume's name for keys in a file, and its class.
const FILE_PROVIDERS: [&str; 2] =
    ["JCEKSFILE", "org.apache.flume.channel.file.encryption.JCEFileKeyProvider$Builder"];

/// What is to be encrypted with what.
pub(super) struct Plan {
    active: String,
    mode: Mode,
    files: KeyFiles,
}

/// Reads the options; outside `None` if they are wrong, inside if nothing is to be encrypted. No file is touched.
pub(super) fn check(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Option<Plan>> {
    let Some(active) = settings.text(ACTIVE) else { return Some(None) };
    let before = diagnostics.error_count();
    let mut required = |key: &str| {
        let text = settings.text(key).map(str::to_owned);
        if text.is_none() {
            diagnostics.push(
                error(settings, ACTIVE, format!("`{ACTIVE}` needs `{key}`"))
                    .help(format!("add `{}.{key} = …`", settings.path())),
            );
        }
        text.unwrap_or_default()
    };
    let (cipher, provider) = (required(CIPHER), required(PROVIDER));
    let files = KeyFiles {
        store: PathBuf::from(required(STORE)),
        store_password: PathBuf::from(required(STORE_PASSWORD)),
        keys: key_files(settings, &required(KEYS)),
    };
    let mode = Mode::of(&cipher);
    if mode.is_none() && !cipher.is_empty() {
        diagnostics.push(
            error(settings, CIPHER, format!("the cipher `{cipher}` is not known")).help(format!(
                "use {} (Flume's) or {} (better)",
                Mode::Ctr.name(),
                Mode::Gcm.name()
            )),
        );
    }
    let known = FILE_PROVIDERS.iter().any(|known| provider.eq_ignore_ascii_case(known));
    if !known && !provider.is_empty() {
        diagnostics.push(
            error(settings, PROVIDER, format!("the key provider `{provider}` is not known"))
                .help("use JCEKSFILE: keys in a key store file".to_owned()),
        );
    }
    let names: Vec<&str> = files.keys.iter().map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() && !names.contains(&active) {
        diagnostics.push(
            error(settings, ACTIVE, format!("the active key `{active}` is not among `{KEYS}`"))
                .help(format!("add it: `{}.{KEYS} = {} {active}`", settings.path(), names.join(" "))),
        );
    }
    if active.len() + cipher.len() > NAMES_BYTES_MAX {
        diagnostics.push(error(settings, ACTIVE, "the name of the key is too long".to_owned()));
    }
    if diagnostics.error_count() > before {
        return None;
    }
    Some(Some(Plan { active: active.to_owned(), mode: mode?, files }))
}

fn error(settings: &Settings, key: &str, text: String) -> Diagnostic {
    Diagnostic::error("encryption", text).on(settings.path()).at(&settings.origin(key))
}

fn key_files(settings: &Settings, names: &str) -> Vec<(String, Option<PathBuf>)> {
    let password_file = |name: &str| settings.text(&format!("{KEYS}.{name}.passwordFile")).map(PathBuf::from);
    names.split_whitespace().map(|name| (name.to_owned(), password_file(name))).collect()
}

/// Reads the keys and makes the cipher, if there is to be one.
pub(super) fn cipher(settings: &Settings) -> Result<Option<Arc<dyn RecordCipher>>, Diagnostics> {
    let Some(plan) = Diagnostics::or(|diagnostics| check(settings, diagnostics))? else { return Ok(None) };
    for (key, path) in plan.files.missing_password_files() {
        tracing::warn!(key, path = %path.display(), "the key's password file is not there: the key store's password is tried");
    }
    let refused = |key: &str, text: String| {
        let mut findings = Diagnostics::default();
        findings.push(error(settings, key, text));
        findings
    };
    let keys = plan.files.load().map_err(|e| refused(STORE, e.to_string()))?;
    let keys = Keys::new(&plan.active, keys).map_err(|e| refused(ACTIVE, e.to_string()))?;
    Ok(Some(Arc::new(AesRecordCipher::new(plan.mode, keys))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(pairs: &[(&str, &str)]) -> Vec<String> {
        let mut diagnostics = Diagnostics::default();
        let settings = Settings::from_pairs("a1.channels.c1", pairs.iter().copied());
        let plan = check(&settings, &mut diagnostics);
        assert_eq!(plan.is_none(), diagnostics.error_count() > 0);
        diagnostics.iter().map(|d| d.message.clone()).collect()
    }
    const GOOD: [(&str, &str); 6] = [
        (ACTIVE, "new"),
        (CIPHER, "aesctrnopadding"),
        (PROVIDER, "JCEKSFILE"),
        (STORE, "/keys.jceks"),
        (STORE_PASSWORD, "/keys.pw"),
        (KEYS, "old new"),
    ];

    #[test]
    fn flumes_options_are_understood() {
        assert_eq!(findings(&GOOD), Vec::<String>::new());
        assert_eq!(findings(&[]), Vec::<String>::new());
    }
    #[test]
    fn everything_that_is_missing_is_said_at_once() {
        let missing = findings(&GOOD[..1]);
        assert_eq!(missing.len(), 5, "{missing:?}");
    }
    #[test]
    fn unknown_names_are_errors() {
        let with = |key: &'static str, text: &'static str| {
            findings(&GOOD.map(|(k, v)| if k == key { (k, text) } else { (k, v) }))
        };
        assert!(with(CIPHER, "ROT13")[0].contains("`ROT13` is not known"));
        assert!(with(PROVIDER, "vault")[0].contains("`vault` is not known"));
        assert!(with(ACTIVE, "newer")[0].contains("`newer` is not among"));
    }
}
