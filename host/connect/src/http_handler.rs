//! How HTTP requests become events.

use async_trait::async_trait;
use bytes::Bytes;
use flumen_event::Batch;

/// What a client posted.
#[derive(Clone, Debug, Default)]
pub struct HttpRequest {
    /// `POST`.
    pub method: String,
    /// With the query, as it was sent.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Unpacked where the request was compressed.
    pub body: Bytes,
}

/// The request is not taken.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status}: {message}")]
pub struct Refusal {
    /// An HTTP status from 400 to 599.
    pub status: u16,
    /// For the client.
    pub message: String,
}

/// Turns requests into events. Called from many tasks at once.
#[async_trait]
pub trait HttpHandler: Send + Sync {
    /// The events of a request.
    ///
    /// # Errors
    /// What the client is told instead of "accepted".
    async fn handle(&self, request: HttpRequest) -> Result<Batch, Refusal>;
}
