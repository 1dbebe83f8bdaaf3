//! Names of senders, asked of the resolver once in a while and never on the way of an event that needs none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::client::java_address;

/// How long a name counts, or that there is none.
const VALID_FOR: Duration = Duration::from_secs(300);
/// Most names kept. Senders of datagrams may be made up.
const NAMES_MAX: usize = 10_000;
/// Most questions at a time: each blocks a thread until the resolver answers.
const QUESTIONS_MAX: usize = 32;
/// An answer that takes longer is not waited for; the address stands in the name's place, as if there were none.
const PATIENCE: Duration = Duration::from_secs(2);

type Lookup = fn(IpAddr) -> Option<String>;

/// The names known to a source.
pub(super) struct HostNames {
    names: Mutex<HashMap<IpAddr, (Arc<str>, Instant)>>,
    questions: Arc<Semaphore>,
    lookup: Lookup,
}

impl Default for HostNames {
    fn default() -> Self {
        Self::with(canonical_name)
    }
}

impl HostNames {
    fn with(lookup: Lookup) -> Self {
        Self { names: Mutex::default(), questions: Arc::new(Semaphore::new(QUESTIONS_MAX)), lookup }
    }

    /// The name of an address; the address as text if it has none, or none can be found in time.
    pub async fn of(&self, address: IpAddr) -> Arc<str> {
        if let Some(name) = self.known(address) {
            return name;
        }
        let lookup = self.lookup;
        let asking = async {
            let asked = self.questions.clone().acquire_owned().await.ok()?;
            let answer = tokio::task::spawn_blocking(move || {
                let name = lookup(address);
                drop(asked);
                name
            });
            answer.await.ok()?
        };
        let found = tokio::time::timeout(PATIENCE, asking).await.ok().flatten();
        let name: Arc<str> = found.unwrap_or_else(|| java_address(address)).into();
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX {
            names.retain(|_, (_, since)| since.elapsed() < VALID_FOR);
        }
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(address, (name.clone(), Instant::now()));
        name
    }

    fn known(&self, address: IpAddr) -> Option<Arc<str>> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&address).filter(|(_, since)| since.elapsed() < VALID_FOR).map(|(name, _)| name.clone())
    }
}

/// As Java's `getHostName`: the name of the address, if that name has the address.
fn canonical_name(address: IpAddr) -> Option<String> {
    let name = dns_lookup::lookup_addr(&address).ok()?;
    let mut addresses = dns_lookup::lookup_host(&name).ok()?;
    addresses.any(|found| found == address).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[tokio::test]
    async fn a_name_is_asked_for_once_and_an_address_stands_for_none() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let names = HostNames::with(|address| {
            ASKED.fetch_add(1, Relaxed);
            address.is_ipv4().then(|| "web1".to_owned())
        });
        for _ in 0..3 {
            assert_eq!(&*names.of("10.0.0.1".parse().expect("an address")).await, "web1");
            assert_eq!(&*names.of("::1".parse().expect("an address")).await, "0:0:0:0:0:0:0:1");
        }
        assert_eq!(ASKED.load(Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_hangs_costs_a_limited_time() {
        let names = HostNames::with(|_| None);
        let _all = names.questions.clone().acquire_many_owned(QUESTIONS_MAX as u32).await.expect("open");
        assert_eq!(&*names.of("10.0.0.1".parse().expect("an address")).await, "10.0.0.1");
    }

    #[tokio::test]
    async fn made_up_senders_do_not_fill_the_memory() {
        let names = HostNames::with(|_| None);
        for n in 0..NAMES_MAX as u32 + 5 {
            names.of(IpAddr::from(n.to_be_bytes())).await;
        }
        assert!(names.names.lock().expect("not poisoned").len() <= NAMES_MAX);
    }
}
