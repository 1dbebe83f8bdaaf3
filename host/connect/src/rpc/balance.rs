//! Clients of several hosts.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use flumen_event::Batch;

use super::{RpcClient, RpcError};
use crate::turns::Turns;

/// The first pause of a host that failed, doubled with each failure.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// The pause is doubled this often at most.
const DOUBLED_MAX: u32 = 15;

/// Sends to one host until it fails, then to the next in the list.
pub struct FailoverClient {
    hosts: Vec<Box<dyn RpcClient>>,
    attempts_max: usize,
    present: usize,
}

impl FailoverClient {
    /// A client of these hosts, the first of which is tried first.
    #[must_use]
    pub fn new(hosts: Vec<Box<dyn RpcClient>>, attempts_max: usize) -> Self {
        Self { hosts, attempts_max: attempts_max.max(1), present: 0 }
    }
}

#[async_trait]
impl RpcClient for FailoverClient {
    fn batch_size(&self) -> usize {
        self.hosts.first().map_or(1, |host| host.batch_size())
    }
    async fn append_batch(&mut self, events: &[Batch]) -> Result<(), RpcError> {
        let hosts = self.hosts.len();
        let mut last = None;
        for _ in 0..self.attempts_max {
            match self.hosts[self.present].append_batch(events).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!("{error}; the next host is tried");
                    last = Some(Box::new(error));
                    self.present = (self.present + 1) % hosts;
                }
            }
        }
        last.map_or(Ok(()), |last| Err(RpcError::AllFailed { hosts: self.attempts_max.min(hosts), last }))
    }
}

/// Sends each batch to another host; to the next ones if that fails.
pub struct LoadBalancingClient {
    hosts: Vec<Host>,
    turns: Turns,
    /// The longest pause of a host that failed; none: it is tried again at once.
    pause_max: Option<Duration>,
    next: usize,
}

struct Host {
    client: Box<dyn RpcClient>,
    failures: u32,
    rests_until: Option<Instant>,
}

impl LoadBalancingClient {
    /// A client of these hosts.
    #[must_use]
    pub fn new(hosts: Vec<Box<dyn RpcClient>>, turns: Turns, pause_max: Option<Duration>) -> Self {
        let hosts = hosts.into_iter().map(|client| Host { client, failures: 0, rests_until: None });
        Self { hosts: hosts.collect(), turns, pause_max, next: 0 }
    }

    /// All hosts in the order in which they are to be tried now; those that rest come last.
    fn order(&mut self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.hosts.len()).collect();
        match self.turns {
            Turns::Random => fastrand::shuffle(&mut order),
            Turns::RoundRobin => {
                order.rotate_left(self.next);
                self.next = (self.next + 1) % self.hosts.len();
            }
        }
        let now = Instant::now();
        order.sort_by_key(|&host| self.hosts[host].rests_until.is_some_and(|until| until > now));
        order
    }
}

#[async_trait]
impl RpcClient for LoadBalancingClient {
    fn batch_size(&self) -> usize {
        self.hosts.first().map_or(1, |host| host.client.batch_size())
    }
    async fn append_batch(&mut self, events: &[Batch]) -> Result<(), RpcError> {
        let mut last = None;
        for at in self.order() {
            let host = &mut self.hosts[at];
            match host.client.append_batch(events).await {
                Ok(()) => {
                    host.failures = 0;
                    host.rests_until = None;
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!("{error}; the next host is tried");
                    last = Some(Box::new(error));
                    if let Some(max) = self.pause_max {
                        let pause = PAUSE_MIN.saturating_mul(1 << host.failures.min(DOUBLED_MAX)).min(max);
                        host.failures += 1;
                        host.rests_until = Some(Instant::now() + pause);
                    }
                }
            }
        }
        let hosts = self.hosts.len();
        last.map_or(Ok(()), |last| Err(RpcError::AllFailed { hosts, last }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Scripted {
        name: usize,
        works: Arc<Mutex<Vec<bool>>>,
        asked: Arc<Mutex<Vec<usize>>>,
    }

    #[async_trait]
    impl RpcClient for Scripted {
        fn batch_size(&self) -> usize {
            7
        }
        async fn append_batch(&mut self, _: &[Batch]) -> Result<(), RpcError> {
            self.asked.lock().expect("no panic").push(self.name);
            if self.works.lock().expect("no panic")[self.name] {
                return Ok(());
            }
            Err(RpcError::Closed { target: self.name.to_string() })
        }
    }

    struct World {
        works: Arc<Mutex<Vec<bool>>>,
        asked: Arc<Mutex<Vec<usize>>>,
    }

    impl World {
        fn of(works: &[bool]) -> (Self, Vec<Box<dyn RpcClient>>) {
            let world = Self { works: Arc::new(Mutex::new(works.to_vec())), asked: Arc::default() };
            let host = |name| {
                let (works, asked) = (world.works.clone(), world.asked.clone());
                Box::new(Scripted { name, works, asked }) as Box<dyn RpcClient>
            };
            let hosts = (0..works.len()).map(host).collect();
            (world, hosts)
        }
        fn asked(&self) -> Vec<usize> {
            std::mem::take(&mut self.asked.lock().expect("no panic"))
        }
    }

    #[tokio::test]
    async fn failover_stays_with_the_host_that_works() {
        let (world, hosts) = World::of(&[false, true, true]);
        let mut client = FailoverClient::new(hosts, 3);
        assert_eq!(client.batch_size(), 7);
        for _ in 0..2 {
            client.append_batch(&[]).await.expect("the second works");
        }
        assert_eq!(world.asked(), [0, 1, 1]);
        *world.works.lock().expect("no panic") = vec![true, false, false];
        client.append_batch(&[]).await.expect("the first works again");
        assert_eq!(world.asked(), [1, 2, 0]);
    }

    #[tokio::test]
    async fn failover_gives_up_after_its_attempts() {
        let (world, hosts) = World::of(&[false, false, true]);
        let error = FailoverClient::new(hosts, 2).append_batch(&[]).await.expect_err("two attempts");
        assert!(error.to_string().contains("all 2 hosts failed"), "{error}");
        assert_eq!(world.asked(), [0, 1]);
    }

    #[tokio::test]
    async fn hosts_take_turns_and_those_that_failed_rest() {
        let (world, hosts) = World::of(&[true, false, true]);
        let pause_max = Some(Duration::from_secs(600));
        let mut client = LoadBalancingClient::new(hosts, Turns::RoundRobin, pause_max);
        for _ in 0..6 {
            client.append_batch(&[]).await.expect("others work");
        }
        assert_eq!(world.asked(), [0, 1, 2, 2, 0, 2, 2], "the second is asked once");
        *world.works.lock().expect("no panic") = vec![false; 3];
        client.append_batch(&[]).await.expect_err("nobody works");
        assert_eq!(world.asked().len(), 3, "but before all fails it is asked again");
    }
}
