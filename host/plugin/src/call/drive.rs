//! One call from its first slice to its end.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::account::Account;
use crate::call::{Control, Fair, LONG, Ticker};
use crate::error::Overrun;

/// What it takes to run a call.
#[derive(Clone)]
pub(crate) struct Driver {
    pub(crate) fair: Arc<Fair>,
    pub(crate) ticker: Arc<Ticker>,
    /// Timers and sockets of host functions belong to this runtime, on whatever thread the guest runs.
    pub(crate) runtime: Handle,
}

/// A call that was ended from outside; its instance is gone.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Its time was over while it waited in a function of the host.
    Overrun(Overrun),
    /// A host function panicked.
    Panicked,
}

impl Driver {
    /// Runs the future to its end. `hurried`: the first slice is given at once, on this thread.
    /// Dropping the answer drops the future, now or at the end of the slice that runs.
    pub(crate) async fn drive<T: Send + 'static>(
        &self,
        tenant: &Arc<Account>,
        control: &Arc<Control>,
        hurried: bool,
        mut future: BoxFuture<'static, T>,
    ) -> Result<T, Ended> {
        if hurried
            && tenant.delayed_until().is_none()
            && let Poll::Ready(value) = self.first_slice((tenant, control), &mut future)
        {
            return Ok(value);
        }
        self.fair.run(tenant, control, future).await
    }

    /// The waker does nothing: who is not done goes to the fair pool, and is polled again there.
    fn first_slice<T>(
        &self,
        (tenant, control): (&Account, &Control),
        future: &mut BoxFuture<'static, T>,
    ) -> Poll<T> {
        let _ticking = self.ticker.enter();
        let _runtime = self.runtime.enter();
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let used = control.end_first();
        tenant.charge(used);
        if used >= LONG {
            self.ticker.hurry();
        }
        polled
    }
}
