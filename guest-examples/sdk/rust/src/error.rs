//! Why a call failed, and with that what the host does next.

use std::fmt;

use crate::bindings::flumen::plugin::types as wire;

/// What the calls of a plugin answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The same call may succeed later. The host gives the same input again, after a pause that grows.
    Retry(String),
    /// This input can never succeed. The host treats it as `onError` says and goes on with the next.
    Invalid(String),
    /// The instance is broken: it is discarded, and a fresh one is configured.
    Fatal(String),
}

impl Error {
    /// An [`Error::Retry`].
    pub fn retry(why: impl fmt::Display) -> Self {
        Self::Retry(why.to_string())
    }
    /// An [`Error::Invalid`].
    pub fn invalid(why: impl fmt::Display) -> Self {
        Self::Invalid(why.to_string())
    }
    /// An [`Error::Fatal`].
    pub fn fatal(why: impl fmt::Display) -> Self {
        Self::Fatal(why.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry(why) => write!(out, "{why} (may succeed later)"),
            Self::Invalid(why) => write!(out, "{why} (can never succeed)"),
            Self::Fatal(why) => write!(out, "{why} (the instance is broken)"),
        }
    }
}
impl std::error::Error for Error {}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Retry(why) => Self::Retry(why),
            Error::Invalid(why) => Self::Invalid(why),
            Error::Fatal(why) => Self::Fatal(why),
        }
    }
}

/// What is wrong with the configuration. The operator sees it at the line of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The option at fault; none when it is a combination of several.
    pub key: Option<String>,
    /// What is wrong, what would be right.
    pub message: String,
}

impl ConfigError {
    /// An error of one option.
    pub fn at(key: &str, message: impl fmt::Display) -> Self {
        Self { key: Some(key.to_owned()), message: message.to_string() }
    }
    /// An error of several options together.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { key: None, message: message.to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(out, "`{key}`: {}", self.message),
            None => out.write_str(&self.message),
        }
    }
}
impl std::error::Error for ConfigError {}

impl From<ConfigError> for wire::Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(wire::ConfigError { key: error.key, message: error.message })
    }
}
