//! Between what the bindings call and what an author writes. Used by the `export!` macros only.

use std::cell::RefCell;

use crate::bindings::flumen::plugin::types as wire;
use crate::error::{ConfigError, Error};
use crate::options::Options;

/// Where a component keeps its one plugin. A component has one thread, and no call enters it during another.
#[derive(Debug)]
pub struct Slot<T>(RefCell<Option<T>>);

impl<T> Slot<T> {
    /// Before `configure`.
    pub const fn empty() -> Self {
        Self(RefCell::new(None))
    }
    /// Makes the plugin, and refuses options that it did not ask for.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn configure(
        &self,
        options: wire::Options,
        make: impl FnOnce(&Options) -> Result<T, ConfigError>,
    ) -> Result<(), wire::Error> {
        let options = Options::new(options);
        let made = make(&options)?;
        options.refuse_unread()?;
        self.0.replace(Some(made));
        Ok(())
    }
    /// Calls the plugin.
    ///
    /// # Errors
    /// What the call answered; `fatal` before `configure`.
    pub fn call<R>(&self, call: impl FnOnce(&mut T) -> Result<R, Error>) -> Result<R, wire::Error> {
        match self.0.borrow_mut().as_mut() {
            Some(plugin) => Ok(call(plugin)?),
            None => Err(wire::Error::Fatal("called before `configure`".to_owned())),
        }
    }
    /// Calls the plugin, when a call cannot fail.
    ///
    /// # Panics
    /// Before `configure`.
    pub fn with<R>(&self, call: impl FnOnce(&mut T) -> R) -> R {
        let mut slot = self.0.borrow_mut();
        call(slot.as_mut().expect("the host calls `configure` before anything else"))
    }
}
