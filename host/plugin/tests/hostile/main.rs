//! Guests that try to do harm. Each is one test: the host lives, memory stays in its budget, the error names plugin,
//! limit and value, the instance is discarded, the next good batch is processed, and a victim of another tenant
//! loses nothing.

mod answers;
mod egress;
mod files;
mod floods;
mod guest;
mod room;
mod running;
