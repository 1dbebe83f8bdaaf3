//! The budgets of tenants: one for each, shared by the sources of all its agents in the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use flumen_connect::budget::Budget;

use crate::status::ChannelEntry;

static BUDGETS: Mutex<BTreeMap<Arc<str>, Weak<Budget>>> = Mutex::new(BTreeMap::new());

/// The budget that an agent's sources share, if its tenant has a ceiling for what comes in. The agent's channels
/// count in it from now on.
pub(super) fn of_agent(agent: &str, channels: &[Arc<ChannelEntry>]) -> Option<Arc<Budget>> {
    let tenant = flumen_plugin::tenants::of_agent(agent);
    let events = tenant.ceilings.events_per_second_max.as_ref().map(|max| max.value);
    let bytes = tenant.ceilings.channel_bytes_max.as_ref().map(|max| max.value);
    if events.is_none() && bytes.is_none() {
        return None;
    }
    let mut budgets = BUDGETS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = budgets.get(&tenant.name).and_then(Weak::upgrade);
    let budget = known.unwrap_or_else(|| {
        let budget = Arc::new(Budget::new(tenant.name.clone(), events, bytes));
        budgets.insert(tenant.name.clone(), Arc::downgrade(&budget));
        budget
    });
    channels.iter().for_each(|entry| budget.watch(&entry.channel));
    Some(budget)
}
