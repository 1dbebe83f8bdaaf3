//! Looks at the plugins' files and reloads those that changed.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;

use crate::host::Host;

/// How often the files are looked at. A file is read when two looks in a row saw it changed, and so no longer than
/// this after its last write.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Runs until the host is gone. Reload says in the log what became of a new component.
pub(crate) async fn watch(host: Weak<Host>) {
    let mut changing: HashSet<String> = HashSet::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(plugins) = host.upgrade().map(|host| host.plugins()) else { return };
        let mut seen = HashSet::new();
        for plugin in plugins {
            let path = plugin.spec().path.clone();
            if !plugin.file_changed() {
                continue;
            }
            if changing.contains(&path) {
                let _said_in_the_log = plugin.reload().await;
            } else {
                seen.insert(path);
            }
        }
        changing = seen;
    }
}
