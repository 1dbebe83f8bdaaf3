//! The components: what takes events in, changes, routes and delivers them.
//!
//! ```text
//! Source ──▶ Outlet ───────────────────────────────▶ Channel ──▶ Sink
//!            interceptors ▶ selector ▶ put_all                    (Serializer)
//! ```
//!
//! A component knows its options, how it is built, its run loop and its errors. It does not know the
//! topology, other components, or how channels work inside. Every one has the same moments:
//! `check` (options, no side effects) → `build` (no side effects) → `run` or `open`/`deliver` → `close`.
//!
//! [`catalog`] lists all of them; the place to start when adding one.

pub mod budget;
pub mod catalog;
pub mod channels;
pub mod charset;
pub mod dead_letter;
pub mod deserializer;
pub mod http_handler;
pub mod http_handlers;
pub mod interceptor;
pub mod interceptors;
pub mod ledger;
pub mod listen;
pub mod outlet;
pub mod processors;
pub mod rpc;
pub mod selector;
pub mod selectors;
pub mod serializer;
pub mod serializers;
pub mod serve;
pub mod sink;
pub mod sinks;
pub mod source;
pub mod sources;
pub mod stop;
pub mod tls;
pub mod turns;
pub mod wire;

pub use deserializer::{Decoded, Deserializer, DeserializerFactory};
pub use http_handler::{HttpHandler, HttpRequest, Refusal};
pub use interceptor::{AnyInterceptor, AsyncInterceptor, Drops, InterceptError, Interceptor};
pub use ledger::{SinkCounters, SourceCounters};
pub use outlet::{Outlet, Rejected};
pub use selector::{AnySelector, AsyncSelector, Leg, Rows, Selector};
pub use serializer::{Serializer, SerializerFactory};
pub use sink::{Delivery, Sink};
pub use source::{Source, SourceContext, SourceEnd};
pub use stop::{StopSignal, Stopper};

/// Why a component's work failed, for logs. What to do about it is said by the trait method that returns it.
pub type ComponentError = Box<dyn std::error::Error + Send + Sync>;
