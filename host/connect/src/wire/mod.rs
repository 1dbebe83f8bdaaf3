//! Protocols that several components speak: what goes over the wire, without the components' rules.
//!
//! | module | what |
//! |---|---|
//! | [`avro`] | Flume's Avro protocol: frames, handshake, calls, both sides |
//! | [`deflate`] | one compressed stream for each direction of a connection |
//! | [`thrift`] | Thrift's two protocols, frames, Flume's events in them, both sides |

pub mod avro;
pub mod deflate;
pub mod thrift;

use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, with whatever lies between it and the socket: TLS, compression, both in either order.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

/// Any connection.
pub type AnyWire = Box<dyn Wire>;
