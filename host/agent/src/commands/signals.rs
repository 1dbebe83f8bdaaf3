//! The signals that end the process, watched for on a thread of their own.
//!
//! ```text
//! first    ─▶ orderly stop, which has limits       second ─▶ end at once
//!              └── not over well after them ─▶ exit            └── not over soon ─▶ exit
//! ```
//! This thread logs nothing and waits for nobody. A log that nobody reads (a paused terminal, a full pipe)
//! blocks every thread that writes to it, the logger sink's first, and the process must end all the same.

use std::io;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

/// How long an end "at once" may take to end the commands of exec sources and to say so.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The signals that have come.
pub(super) struct Signals(UnboundedReceiver<&'static str>);

impl Signals {
    /// Watches from now on. An orderly stop has this much time before the process ends without it.
    pub(super) fn watch(stop_within: Duration) -> io::Result<Self> {
        let (send, receive) = unbounded_channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let watched = {
            let _inside = runtime.enter();
            Watched::register()?
        };
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || {
            runtime.block_on(watched.see_to_the_end(&send, stop_within));
            std::process::exit(1);
        })?;
        Ok(Self(receive))
    }

    /// The next signal's name.
    pub(super) async fn next(&mut self) -> &'static str {
        match self.0.recv().await {
            Some(name) => name,
            // The thread ends together with the process.
            None => std::future::pending().await,
        }
    }
}

struct Watched {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// A write beyond the limit of file sizes (`ulimit -f`) sends this; if nobody watches for it, it kills the
    /// process and what its channels hold. Watched for, the write fails and the sink deals with that.
    _file_too_large: Signal,
}

impl Watched {
    fn register() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_too_large: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }

    /// Passes two signals on. Returns when there is no time left.
    async fn see_to_the_end(mut self, to: &UnboundedSender<&'static str>, stop_within: Duration) {
        // If nobody receives any more, the process is about to end.
        let _unheard = to.send(self.next().await);
        tokio::select! {
            name = self.next() => {
                let _unheard = to.send(name);
                sleep(AT_ONCE).await;
            }
            () = sleep(stop_within) => {}
        }
    }
}
