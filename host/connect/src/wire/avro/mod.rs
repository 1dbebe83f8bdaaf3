//! Flume's Avro protocol: `append` and `appendBatch` of `AvroSourceProtocol`, over Netty's framing of Avro IPC.
//!
//! ```text
//! frame     serial u32 │ buffers u32 │ buffers × ( length u32 │ bytes )           the payload: all bytes in a row
//! request   [handshake] │ metadata map │ method │ parameters                      handshake: once a connection
//! answer    [handshake] │ metadata map │ failed? bool │ status or error text
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`frame`] | cutting a stream into frames, whatever pieces it comes in |
//! | [`reader`] | Avro's numbers, texts, maps |
//! | [`protocol`] | our protocol, and that of a peer who has another: what it calls what |
//! | [`handshake`] | who knows whose protocol |
//! | [`events`] | events to a batch, and back |
//! | [`responder`] | the server's side of a connection |
//! | [`requestor`] | the client's side |
//!
//! All lengths and counts that come from outside are checked against what has really come before anything is
//! allocated for them.

pub mod events;
pub mod frame;
pub mod handshake;
pub mod protocol;
pub mod reader;
pub mod requestor;
pub mod responder;
pub mod schema;
#[cfg(test)]
pub(crate) mod vectors;
