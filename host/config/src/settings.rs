//! The keys and values of one component, with the place each was written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::Origin;

/// One value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The text, trimmed, after substitution.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
}

/// The settings of one component, keyed by what follows the component's own prefix
/// (`bind`, `interceptors.i1.type`, …).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    path: String,
    base_dir: Option<Arc<Path>>,
    values: BTreeMap<String, Setting>,
    keys_at: BTreeMap<String, Origin>,
    secrets: BTreeSet<String>,
    unknown: BTreeSet<String>,
}

impl Settings {
    /// Empty settings of the component at `path` (`a1.sources.r1`).
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }
    /// Settings from plain pairs without a file, for tests and for components built by other components.
    pub fn from_pairs<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut settings = Self::new(path);
        for (key, value) in pairs {
            settings.insert(key, Setting { value: value.to_owned(), origin: Origin::Default });
        }
        settings
    }
    /// Sets the folder that relative paths of plugins are relative to (the configuration file's).
    pub fn set_base_dir(&mut self, dir: Arc<Path>) {
        self.base_dir = Some(dir);
    }
    /// The folder that relative plugin paths are relative to.
    pub fn base_dir(&self) -> PathBuf {
        self.base_dir.as_deref().map(Path::to_path_buf).unwrap_or_default()
    }
    /// Adds or replaces a value.
    pub fn insert(&mut self, key: impl Into<String>, setting: Setting) {
        self.values.insert(key.into(), setting);
    }
    /// Says that the value of a key must not be shown, whatever the key is called.
    pub fn mark_secret(&mut self, key: &str) {
        self.secrets.insert(key.to_owned());
    }
    /// Whether the value of a key must not be shown: it was marked, or the key is called a password or the like.
    pub fn is_secret(&self, key: &str) -> bool {
        self.secrets.contains(key) || crate::secret::is_secret_key(key)
    }
    /// Says that a key has a value that is not known now, because its config filter was not run.
    pub fn mark_unknown(&mut self, key: &str) {
        self.unknown.insert(key.to_owned());
    }
    /// Whether a key has a value that is not known now.
    pub fn is_unknown(&self, key: &str) -> bool {
        self.unknown.contains(key)
    }
    /// The value of a key as it may be shown to people.
    pub fn shown(&self, key: &str) -> Option<String> {
        let value = self.text(key)?;
        let hidden = self.is_secret(key).then(|| crate::secret::HIDDEN.to_owned());
        Some(hidden.unwrap_or_else(|| crate::secret::shown(key, value)))
    }
    /// Says where a key itself was written; its value's place is that of the [`Setting`].
    pub fn set_key_origin(&mut self, key: &str, origin: Origin) {
        self.keys_at.insert(key.to_owned(), origin);
    }
    /// Where a key itself was written: what a finding about the key, not the value, should mark.
    pub fn key_origin(&self, key: &str) -> Origin {
        self.keys_at.get(key).cloned().unwrap_or_else(|| self.origin(key))
    }
    /// The dotted path of the component: `a1.sources.r1`, `a1.sources.r1.interceptors.i1`.
    pub fn path(&self) -> &str {
        &self.path
    }
    /// The last part of the path: the component's name.
    pub fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }
    /// The setting of a key.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.values.get(key)
    }
    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|s| s.value.as_str())
    }
    /// Where a key was written, or the default origin.
    pub fn origin(&self, key: &str) -> Origin {
        self.values.get(key).map_or(Origin::Default, |s| s.origin.clone())
    }
    /// All keys and settings, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.values.iter().map(|(k, v)| (k.as_str(), v))
    }
    /// The settings below `prefix` (which ends in a dot), with the prefix removed.
    #[must_use]
    pub fn below(&self, prefix: &str) -> Settings {
        let mut sub = Settings {
            path: format!("{}.{}", self.path, prefix.trim_end_matches('.')),
            base_dir: self.base_dir.clone(),
            ..Settings::default()
        };
        let start = prefix.to_owned();
        for (key, setting) in self.values.range(start..) {
            let Some(rest) = key.strip_prefix(prefix) else { break };
            if rest.is_empty() {
                continue;
            }
            sub.values.insert(rest.to_owned(), setting.clone());
            if let Some(origin) = self.keys_at.get(key) {
                sub.keys_at.insert(rest.to_owned(), origin.clone());
            }
            if self.is_secret(key) {
                sub.secrets.insert(rest.to_owned());
            }
            if self.is_unknown(key) {
                sub.unknown.insert(rest.to_owned());
            }
        }
        sub
    }
    /// The settings below `key` (`sink.serializer`), whose own value is a type: it becomes their `type`.
    #[must_use]
    pub fn below_type(&self, key: &str) -> Settings {
        let mut sub = self.below(&format!("{key}."));
        if let Some(setting) = self.get(key) {
            sub.values.entry("type".to_owned()).or_insert_with(|| setting.clone());
        }
        sub
    }
    /// The words of a list value, split on white space as Flume splits component lists.
    pub fn words(&self, key: &str) -> Vec<&str> {
        self.text(key).map(|t| t.split_whitespace().collect()).unwrap_or_default()
    }
}
