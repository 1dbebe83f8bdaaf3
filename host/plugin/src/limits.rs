//! What one instance may hold, and what it asked for beyond that.
//!
//! A refused growth is not an error by itself: `memory.grow` answers -1, and most guests then trap. The refusal is
//! kept, so that the trap's message can name the limit and its value.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use crate::account::Account;
use crate::error::Overrun;

/// Elements of one table. A table element is a word on the host's side; real plugins have some thousands.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Core instances in one component: a component of the usual toolchains has 4.
pub(crate) const CORE_INSTANCES_MAX: usize = 32;
/// Linear memories in one component: the usual toolchains make 1.
pub(crate) const MEMORIES_MAX: usize = 4;
/// Tables in one component.
pub(crate) const TABLES_MAX: usize = 32;

/// Counts one instance's memory against its own limit and the tenant's ceiling. Gives it back when dropped.
#[derive(Debug)]
pub(crate) struct Limiter {
    tenant: Arc<Account>,
    memory_bytes_max: usize,
    memory_bytes: usize,
    refused: Option<Overrun>,
}

impl Limiter {
    pub(crate) fn new(tenant: Arc<Account>, memory_bytes_max: usize) -> Self {
        Self { tenant, memory_bytes_max, memory_bytes: 0, refused: None }
    }
    /// What the instance holds. Linear memories only grow.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
    /// The first refusal since this was last asked.
    pub(crate) fn take_refused(&mut self) -> Option<Overrun> {
        self.refused.take()
    }
    fn refuse(&mut self, what: Overrun) -> bool {
        self.refused.get_or_insert(what);
        false
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        let wanted = self.memory_bytes.saturating_add(more);
        if wanted > self.memory_bytes_max {
            return Ok(self.refuse(Overrun::Memory { wanted, max: self.memory_bytes_max }));
        }
        if let Err((wanted, max)) = self.tenant.take_memory(more) {
            let tenant = self.tenant.name().to_owned();
            return Ok(self.refuse(Overrun::TenantMemory { tenant, wanted, max }));
        }
        self.memory_bytes = wanted;
        Ok(true)
    }
    fn table_growing(&mut self, _current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired <= TABLE_ELEMENTS_MAX {
            return Ok(true);
        }
        Ok(self.refuse(Overrun::Table { wanted: desired, max: TABLE_ELEMENTS_MAX }))
    }
    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }
    fn tables(&self) -> usize {
        TABLES_MAX
    }
    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.tenant.give_memory_back(self.memory_bytes);
    }
}
