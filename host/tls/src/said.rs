//! What is said once: stores are read whenever a component starts, and a component that cannot start tries again
//! every few seconds.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use rustls::pki_types::{CertificateDer, UnixTime};

use crate::certificate::Facts;
use crate::error::StoreRole;

/// So many different things; then nothing more is said, since peers choose some of the words.
const SAID_MAX: usize = 1000;
const DAY_S: u64 = 24 * 3600;
/// Time enough to have a certificate renewed.
const WARN_BEFORE_S: u64 = 30 * DAY_S;

/// Says it, unless it was said before in this process.
pub(crate) fn say_once(what: String, say: impl FnOnce()) {
    static SAID: OnceLock<Mutex<HashSet<String>>> = OnceLock::new();
    let mut said = SAID.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if said.len() < SAID_MAX && said.insert(what) {
        drop(said);
        say();
    }
}

/// Warns of a certificate that has expired, will within a month, or is not valid yet.
pub(crate) fn warn_of_validity(role: StoreRole, path: &Path, certificate: &CertificateDer<'_>) {
    let Some(facts) = Facts::of(certificate) else { return };
    let now = UnixTime::now();
    let left_s = facts.not_after_s().saturating_sub(now.as_secs());
    let state = if facts.not_before_s() > now.as_secs() {
        "is not valid yet: is the clock of this host right?".to_owned()
    } else if left_s == 0 {
        format!("expired on {}: have it renewed, other sides may refuse it", facts.not_after())
    } else if left_s < WARN_BEFORE_S && role == StoreRole::Key {
        format!("expires on {}, in {} days: have it renewed", facts.not_after(), left_s / DAY_S)
    } else {
        return;
    };
    let subject = facts.subject();
    say_once(format!("{} {subject} {state}", path.display()), || {
        tracing::warn!("{role} `{}`: the certificate of {subject} {state}", path.display());
    });
}
