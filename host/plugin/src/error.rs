//! Why a plugin could not be loaded, and why a call of it failed.
//!
//! ```text
//! guest: trap, host function's error ─┐
//! guest: its own `error` variant ─────┼─▶ Failure (inside a call) ─▶ CallError (what the adapter acts on)
//! host: answer breaks the contract ───┘        + limit that was hit, panic text, backtrace
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::world::v0_1_0::bindings::flumen::plugin::types;
use crate::world::v0_1_0::columns::Breach;

/// What a plugin says itself of why a call failed, the same for every version of the package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuestError {
    /// The configuration is wrong; only `configure` should say so.
    #[error("{}{message}", key.as_ref().map(|key| format!("config.{key}: ")).unwrap_or_default())]
    Config {
        /// The option at fault, without `config.`.
        key: Option<String>,
        /// What is wrong with it.
        message: String,
    },
    /// May succeed later.
    #[error("asks to try again later: {0}")]
    Retry(String),
    /// Can never succeed with this input.
    #[error("cannot process this: {0}")]
    Invalid(String),
    /// The instance says that it is broken.
    #[error("says that it is broken: {0}")]
    Fatal(String),
}

impl From<types::Error> for GuestError {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::Config(config) => {
                Self::Config { key: config.key.map(shortened), message: shortened(config.message) }
            }
            types::Error::Retry(text) => Self::Retry(shortened(text)),
            types::Error::Invalid(text) => Self::Invalid(shortened(text)),
            types::Error::Fatal(text) => Self::Fatal(shortened(text)),
        }
    }
}

/// What is kept of a guest's own words: they go into logs, answers to senders and dead letters, and are as long as
/// the guest likes.
const WORDS_BYTES_MAX: usize = 4 << 10;

fn shortened(mut text: String) -> String {
    if text.len() > WORDS_BYTES_MAX {
        let more = text.len() - WORDS_BYTES_MAX;
        text.truncate(text.floor_char_boundary(WORDS_BYTES_MAX));
        text.push_str(&format!("… ({more} more bytes)"));
    }
    text
}

/// How a call ended badly, as seen inside of it. The plugin makes a [`CallError`] of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A trap, or an error of a host function.
    #[error("{0}")]
    Trap(#[from] wasmtime::Error),
    /// The guest's own error.
    #[error("{0}")]
    Guest(#[from] GuestError),
    /// The answer breaks the contract of the world: the instance is not trusted any more.
    #[error("the answer breaks the contract: {0}")]
    Breach(String),
    /// The answer is over a limit: the instance is not trusted any more.
    #[error("{0}")]
    Overrun(Overrun),
}

impl From<types::Error> for Failure {
    fn from(error: types::Error) -> Self {
        Self::Guest(error.into())
    }
}

impl From<Breach> for Failure {
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::Bytes { bytes, bytes_max } => {
                let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
                Self::Overrun(Overrun::Output { wanted, max: bytes_max })
            }
            other => Self::Breach(other.to_string()),
        }
    }
}

/// A limit that was hit, with its value and what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overrun {
    /// The call ran, or waited in a function of the host, for too long.
    #[error("limits.batchTimeMsMax: {} ms are over, the call was ended after {} ms", max.as_millis(), ran.as_millis())]
    Time {
        /// The limit.
        max: Duration,
        /// How long it had run when it was ended.
        ran: Duration,
    },
    /// Too many instructions.
    #[error("limits.fuelPerEvent: all {max} units of the call are used up")]
    Fuel {
        /// What the call had.
        max: u64,
    },
    /// The instance wanted too much memory.
    #[error("limits.memoryBytesMax: wanted {wanted} bytes, {max} are allowed")]
    Memory {
        /// What it would have had.
        wanted: usize,
        /// The limit.
        max: usize,
    },
    /// All plugins of the tenant together wanted too much memory.
    #[error("tenant {tenant}: its plugins wanted {wanted} bytes of memory together, {max} are allowed")]
    TenantMemory {
        /// Whose.
        tenant: String,
        /// What they would have had together.
        wanted: usize,
        /// The ceiling.
        max: usize,
    },
    /// A table grew too large.
    #[error("wanted a table of {wanted} elements, {max} are allowed")]
    Table {
        /// What it would have had.
        wanted: usize,
        /// The limit.
        max: usize,
    },
    /// The answer is too large.
    #[error("limits.outputBytesMax: the answer has {wanted} bytes or more, {max} are allowed")]
    Output {
        /// What it has.
        wanted: usize,
        /// The limit.
        max: usize,
    },
}

/// Why a call did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin is not loaded, and could not be.
    #[error("{0}")]
    NotLoaded(Arc<LoadError>),
    /// The plugin's own error. After [`GuestError::Fatal`] and [`GuestError::Config`] the instance was discarded,
    /// after the others it goes on.
    #[error("{0}")]
    Guest(GuestError),
    /// The guest trapped. The instance was discarded.
    #[error("trapped: {reason}{}", tail(stderr, trace))]
    Trap {
        /// The cause in a line.
        reason: String,
        /// The guest's functions, innermost first, one a line.
        trace: String,
        /// The end of what it wrote to standard error: a panic's text.
        stderr: String,
    },
    /// A limit was hit. The instance was discarded.
    #[error("{0}")]
    Overrun(Overrun),
    /// The answer breaks the contract. The instance was discarded.
    #[error("the answer breaks the contract: {0}")]
    Breach(String),
    /// It failed so often that it is left alone for now.
    #[error("left alone for {} ms more after {failures} failures in a row, the last: {last}", wait.as_millis())]
    Broken {
        /// Until the next trial.
        wait: Duration,
        /// How many.
        failures: u32,
        /// The last failure.
        last: String,
    },
    /// No instance is to be had now: all of the engine's are in use.
    #[error("no instance to be had: {0}")]
    Busy(String),
    /// The leased instance was discarded after an earlier failure; a call of `ready` makes another.
    #[error("its instance was discarded")]
    Lost,
    /// `onError = stop`: it failed, and takes nothing any more.
    #[error("stopped (onError = stop) until it is reloaded; it failed with: {0}")]
    Stopped(String),
}

fn tail(stderr: &str, trace: &str) -> String {
    let mut text = String::new();
    for part in [stderr.trim(), trace.trim()].into_iter().filter(|part| !part.is_empty()) {
        text.push_str("; ");
        text.push_str(&part.replace('\n', " | "));
    }
    text
}

impl CallError {
    /// Whether the plugin failed at its input, so that `onError` says what becomes of it. The others pass with time,
    /// or with an operator.
    #[must_use]
    pub fn is_of_input(&self) -> bool {
        match self {
            Self::Guest(GuestError::Retry(_))
            | Self::NotLoaded(_)
            | Self::Broken { .. }
            | Self::Busy(_)
            | Self::Lost
            | Self::Stopped(_) => false,
            Self::Guest(_) | Self::Trap { .. } | Self::Overrun(_) | Self::Breach(_) => true,
        }
    }
    /// A word for metrics and the header `flumen.error`'s first part.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotLoaded(_) => "not-loaded",
            Self::Guest(GuestError::Config { .. }) => "config",
            Self::Guest(GuestError::Retry(_)) => "retry",
            Self::Guest(GuestError::Invalid(_)) => "invalid",
            Self::Guest(GuestError::Fatal(_)) => "fatal",
            Self::Trap { .. } => "trap",
            Self::Overrun(Overrun::Time { .. }) => "time",
            Self::Overrun(Overrun::Fuel { .. }) => "fuel",
            Self::Overrun(Overrun::Memory { .. } | Overrun::TenantMemory { .. }) => "memory",
            Self::Overrun(Overrun::Table { .. }) => "table",
            Self::Overrun(Overrun::Output { .. }) => "output",
            Self::Breach(_) => "breach",
            Self::Broken { .. } => "broken",
            Self::Busy(_) => "busy",
            Self::Lost => "lost",
            Self::Stopped(_) => "stopped",
        }
    }
}

/// Why a plugin could not be loaded. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", file.display())]
    Read {
        /// The component's file.
        file: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is no component that can be used here.
    #[error("{}: {reason}; {help}", file.display())]
    Unusable {
        /// The component's file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
        /// What to do.
        help: String,
    },
    /// Compilation failed or hit one of its bounds.
    #[error("cannot compile {}: {reason}", file.display())]
    Compile {
        /// The component's file.
        file: PathBuf,
        /// The bound and its value, or the compiler's word.
        reason: String,
    },
    /// The cache of compiled plugins cannot be trusted or used.
    #[error("the cache of compiled plugins {}: {reason}", folder.display())]
    Cache {
        /// Its folder.
        folder: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// It imports what it was not granted.
    #[error("{}: {reason}", file.display())]
    Imports {
        /// The component's file.
        file: PathBuf,
        /// The import, and the grant that would be needed.
        reason: String,
    },
    /// The tenant may not run this component.
    #[error("tenant {tenant} does not allow {} (sha256 {digest}): add the digest to its `plugins_allowed`", file.display())]
    Forbidden {
        /// Whose ceiling.
        tenant: String,
        /// The component's file.
        file: PathBuf,
        /// Its SHA-256 in hexadecimal.
        digest: String,
    },
    /// `configure` refused the options.
    #[error("{}{message}", key.as_ref().map(|key| format!("config.{key}: ")).unwrap_or_default())]
    Config {
        /// The option at fault, without `config.`; shown at its line.
        key: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// Its key-value state cannot be used.
    #[error("{0}")]
    State(#[from] crate::imports::state::OpenError),
    /// Instantiation or `configure` failed in another way.
    #[error("cannot be configured: {0}")]
    Configure(CallError),
    /// It cannot process an empty batch.
    #[error("failed its self-test, an empty batch: {0}")]
    SelfTest(CallError),
    /// The engine itself cannot be made on this machine.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
}
