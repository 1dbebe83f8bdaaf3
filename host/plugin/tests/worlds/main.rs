//! Every world with a real guest: the fixtures of version 0.1.0, as they lie in `wit/0.1.0/fixtures`.
//!
//! Their sources are `tests/guests-worlds/examples`. They are not built here: the binaries stand for all guests that
//! were built for 0.1.0, and every later build must run them.

mod deserializer;
mod fixture;
mod frozen;
mod http_handler;
mod interceptor;
mod selector;
mod serializer;
mod sink;
mod source;
