//! An instance for one user alone, for kinds whose calls build on each other: source, sink, serializer, deserializer.
//!
//! ```text
//! ready ─▶ incarnation 1 ─ call ─ call ─ trap ─▶ (none) ─ ready ─▶ incarnation 2: begin again (`start`, `constructor`)
//!                                    └ ready (no call failed, but there is another version) ─▶ incarnation 2
//! ```

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Plugin, Trial, World};
use crate::error::{CallError, Failure};
use crate::instance::Live;

/// An instance that nobody else uses. Dropping it drops the instance.
pub struct Lease<W: World> {
    plugin: Arc<Plugin<W>>,
    live: Option<Live<W>>,
    incarnation: u64,
}

impl<W: World> Plugin<W> {
    /// An instance for one user, made by the first [`Lease::ready`].
    #[must_use]
    pub fn lease(self: &Arc<Self>) -> Lease<W> {
        Lease { plugin: self.clone(), live: None, incarnation: 0 }
    }
}

impl<W: World> Lease<W> {
    /// Called where the work may begin again on another instance. Makes an instance if there is none, and replaces the
    /// present one if another version of the component is in use by now, or if its memory comes near to its limit. The answer is different from the last one
    /// if the instance is another: the caller then starts again, with `start` or a new resource.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn ready(&mut self) -> Result<u64, CallError> {
        let version = self.plugin.loaded().await?;
        if self.live.as_ref().is_some_and(|live| live.version != version.number) {
            self.live = None;
        }
        if self.live.as_ref().is_some_and(|live| live.is_worn(self.plugin.limits())) {
            self.plugin.counters.worn();
            self.live = None;
        }
        if self.live.is_none() {
            self.plugin.breaker.admit()?;
            let undecided = Trial(&self.plugin.breaker);
            let made = self.plugin.make(&version).await;
            undecided.decided();
            if let Err(error) = &made {
                self.plugin.fail(error, super::BREAK_AFTER);
            }
            self.live = Some(made?);
            self.incarnation += 1;
        }
        Ok(self.incarnation)
    }
    /// Which instance it is, counted from 1; 0 before the first.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }
    /// What `configure` of the present instance answered; none if there is no instance.
    #[must_use]
    pub fn answer(&self) -> Option<Arc<W::Answer>> {
        self.live.as_ref().map(|live| live.answer.clone())
    }
    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Arc<Plugin<W>> {
        &self.plugin
    }
    /// Gives the instance up: the next `ready` makes another.
    pub fn discard(&mut self) {
        self.live = None;
    }

    /// Calls the instance. `events`: how many the call is about, for its fuel. After an error other than
    /// [`Guest`](CallError::Guest) with `retry` or `invalid` the instance is gone, and after a dropped future as well.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::Lost`] if there is no instance.
    pub async fn call<T, F>(&mut self, events: usize, call: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(Live<W>) -> BoxFuture<'static, (Live<W>, Result<T, Failure>)> + Send,
    {
        let live = self.live.take().ok_or(CallError::Lost)?;
        let (live, result) = self.plugin.run(live, events, call).await;
        self.live = live;
        self.plugin.conclude(&result);
        result
    }
}
