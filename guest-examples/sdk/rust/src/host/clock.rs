//! Time.

use std::time::Duration;

/// Time since an arbitrary start; never goes back.
pub fn monotonic() -> Duration {
    imp::monotonic()
}

/// Milliseconds since 1970-01-01T00:00:00Z; none without `grants.clock = wall`.
pub fn wall_millis() -> Option<u64> {
    imp::wall_millis()
}

#[cfg(target_arch = "wasm32")]
mod imp {
    use std::time::Duration;

    use crate::bindings::flumen::plugin::clock as host;

    pub fn monotonic() -> Duration {
        Duration::from_nanos(host::monotonic_nanos())
    }
    pub fn wall_millis() -> Option<u64> {
        host::wall_millis()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use std::time::Duration;

    use crate::testing::with_host;

    pub fn monotonic() -> Duration {
        with_host(|host| host.monotonic)
    }
    pub fn wall_millis() -> Option<u64> {
        with_host(|host| host.wall_millis)
    }
}
