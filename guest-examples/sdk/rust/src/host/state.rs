//! A small store of the plugin's own: shared by its instances; survives traps, restarts and new versions.
//!
//! At most 1 KiB for a key, 64 KiB for a value, 16 MiB in all. A write is in the operating system's hands when it
//! returns, and on disk within a second. Each call crosses to the host: keep what is read often in memory, and take
//! the memory for what it is, a cache.

use std::fmt;

use crate::error::Error;

/// Why the store did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// The key or the value is over its size.
    TooLarge,
    /// The store is full.
    Full,
    /// The disk failed; the agent's log says how.
    Io,
}

impl fmt::Display for StateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::TooLarge => "the key (1 KiB) or the value (64 KiB) is too large for the plugin's state",
            Self::Full => "the plugin's state is full (16 MiB)",
            Self::Io => "the plugin's state could not be read or written; the agent's log says why",
        })
    }
}
impl std::error::Error for StateError {}

impl From<StateError> for Error {
    /// A failed disk may come back; what is too large stays so.
    fn from(error: StateError) -> Self {
        match error {
            StateError::Io => Self::retry(error),
            StateError::TooLarge | StateError::Full => Self::invalid(error),
        }
    }
}

/// The value of a key.
///
/// # Errors
/// If the store cannot be read.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, StateError> {
    imp::get(key)
}
/// Stores a value.
///
/// # Errors
/// If it is too large, the store is full, or it cannot be written.
pub fn set(key: &str, value: &[u8]) -> Result<(), StateError> {
    imp::set(key, value)
}
/// Forgets a key. That it is not there is no error.
///
/// # Errors
/// If the store cannot be written.
pub fn delete(key: &str) -> Result<(), StateError> {
    imp::delete(key)
}
/// The keys that begin with `prefix`, in the order of their bytes, asked for in pieces.
pub fn keys(prefix: &str) -> impl Iterator<Item = Result<String, StateError>> {
    const PIECE: u32 = 256;
    let (prefix, mut piece, mut after, mut over) = (prefix.to_owned(), Vec::new().into_iter(), None, false);
    std::iter::from_fn(move || {
        if piece.len() == 0 && !over {
            let next = match imp::keys(&prefix, after.as_deref(), PIECE) {
                Ok(next) => next,
                Err(error) => {
                    over = true;
                    return Some(Err(error));
                }
            };
            over = next.len() < PIECE as usize;
            after = next.last().cloned();
            piece = next.into_iter();
        }
        piece.next().map(Ok)
    })
}

#[cfg(target_arch = "wasm32")]
mod imp {
    use super::StateError;
    use crate::bindings::flumen::plugin::state as host;

    fn friendly(error: host::StateError) -> StateError {
        match error {
            host::StateError::TooLarge => StateError::TooLarge,
            host::StateError::Full => StateError::Full,
            host::StateError::Io => StateError::Io,
        }
    }
    pub fn get(key: &str) -> Result<Option<Vec<u8>>, StateError> {
        host::get(key).map_err(friendly)
    }
    pub fn set(key: &str, value: &[u8]) -> Result<(), StateError> {
        host::set(key, value).map_err(friendly)
    }
    pub fn delete(key: &str) -> Result<(), StateError> {
        host::delete(key).map_err(friendly)
    }
    pub fn keys(prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StateError> {
        host::keys(prefix, after, max).map_err(friendly)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use super::StateError;
    use crate::testing::with_host;

    pub fn get(key: &str) -> Result<Option<Vec<u8>>, StateError> {
        with_host(|host| host.state_error().map(|()| host.state.get(key).cloned()))
    }
    pub fn set(key: &str, value: &[u8]) -> Result<(), StateError> {
        with_host(|host| {
            host.state_error()?;
            if key.len() > 1 << 10 || value.len() > 64 << 10 {
                return Err(StateError::TooLarge);
            }
            let used: usize =
                host.state.iter().filter(|(k, _)| *k != key).map(|(k, v)| k.len() + v.len()).sum();
            if used + key.len() + value.len() > 16 << 20 {
                return Err(StateError::Full);
            }
            host.state.insert(key.to_owned(), value.to_vec());
            Ok(())
        })
    }
    pub fn delete(key: &str) -> Result<(), StateError> {
        with_host(|host| {
            host.state_error()?;
            host.state.remove(key);
            Ok(())
        })
    }
    pub fn keys(prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, StateError> {
        with_host(|host| {
            host.state_error()?;
            let found = host.state.keys().filter(|key| key.starts_with(prefix));
            let behind = found.filter(|key| after.is_none_or(|after| key.as_str() > after));
            Ok(behind.take(max as usize).cloned().collect())
        })
    }
}
