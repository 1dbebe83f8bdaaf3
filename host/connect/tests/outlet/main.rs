//! The outlet's promises: all or nothing, best effort where asked for, and a ledger that balances at every
//! step, whatever refuses, drops or stops.

mod basics;
mod budget;
mod cancel;
mod front;
mod ledger;
mod optional;
mod plugins;
mod world;
