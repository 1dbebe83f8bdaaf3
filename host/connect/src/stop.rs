//! How the agent asks its components to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// The agent's end: asks all holders of the signal to stop.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<watch::Sender<bool>>);

/// A component's end.
#[derive(Clone, Debug)]
pub struct StopSignal(watch::Receiver<bool>);

impl Stopper {
    /// A stopper and the signal it controls.
    #[must_use]
    pub fn new() -> (Self, StopSignal) {
        let (send, receive) = watch::channel(false);
        (Self(Arc::new(send)), StopSignal(receive))
    }
    /// Asks to stop. Once asked, it stays asked.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl StopSignal {
    /// Whether stop has been asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
    /// Returns when stop is asked for, or when nobody is left who could ask. Safe to drop and to call again.
    pub async fn requested(&self) {
        let mut asked = self.0.clone();
        // An error means that the agent is gone, which is a reason to stop as well.
        let _gone = asked.wait_for(|asked| *asked).await;
    }
}
