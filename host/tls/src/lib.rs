//! TLS for every component that speaks over a network: from Java's stores and names to rustls.
//!
//! ```text
//! options ──▶ ServerTls ── acceptor() ──▶ Acceptor ── accept(socket, peer) ──▶ Stream
//!             ClientTls ── connector() ─▶ Connector ─ connect(host, socket) ─▶ Stream
//!               │             └ reads the stores now: a certificate that was replaced is used after a restart
//!               └ StoreFile (JKS, PKCS12, PEM), Versions and suites under Java's names: no file is touched
//! ```
//!
//! Invariants: a plan is made without touching the world; whoever accepts or connects has a limit of time;
//! a peer is believed only for a chain that ends in the trust store, unless the plan says otherwise in so many
//! words; no password or key is ever printed.

mod certificate;
mod client;
mod error;
mod keys;
mod names;
mod said;
mod server;
mod store;
mod stream;
mod verify;

pub use client::{ClientTls, Connector, NameCheck, Trust};
pub use error::{StoreProblem, StoreRole, TlsError};
pub use flumen_keystore::Password;
pub use names::{Limits, NameFinding, NameList, Names, suite_names};
pub use server::{Acceptor, ClientAuth, ServerTls};
pub use store::{StoreFile, StoreKind};
pub use stream::Stream;
