//! `org.apache.flume.sink.solr.morphline.BlobHandler`: as `BLOBHandler`, with a limit, the content type, and HTML forms.

use async_trait::async_trait;
use bytes::Bytes;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use flumen_event::Batch;

use super::{content_type, one_event, parameters};
use crate::catalog::HttpHandlerType;
use crate::http_handler::{HttpHandler, HttpRequest, Refusal};

options! {
    /// Makes one event of each request: its body, and as headers its parameters and its `Content-Type`. The fields of
    /// an HTML form (`application/x-www-form-urlencoded`) are parameters, and the event's body is then empty.
    pub struct MorphlineBlobHandlerOptions {
        /// Longest body in bytes. What is longer is cut there, with a warning, as in Flume. The source's own
        /// `bodyBytesMax` comes first, and refuses instead.
        "maxBlobLength" => max_blob_length: Count = Count(100_000_000),
    }
}

pub(super) const MORPHLINE_BLOB: HttpHandlerType = HttpHandlerType {
    spec: ComponentSpec::of::<MorphlineBlobHandlerOptions>(
        ComponentKind::HttpHandler,
        "org.apache.flume.sink.solr.morphline.BlobHandler",
        &[],
    ),
    build: |settings| {
        let options = MorphlineBlobHandlerOptions::of(settings)?;
        Ok(Box::new(BlobHandler { bytes_max: options.max_blob_length.0 }))
    },
};

struct BlobHandler {
    bytes_max: usize,
}

#[async_trait]
impl HttpHandler for BlobHandler {
    async fn handle(&self, request: HttpRequest) -> Result<Batch, Refusal> {
        let content_type = content_type(&request);
        let is_form = request.method == "POST" && content_type.is_some_and(parameters::is_form);
        let mut found = Vec::new();
        parameters::read(parameters::query_of(&request.path), &mut found)?;
        if is_form {
            parameters::read(&request.body, &mut found)?;
        }
        let mut headers = Vec::with_capacity(found.len() + 1);
        if let Some(text) = content_type.filter(|_| found.iter().all(|(name, _)| name != "Content-Type")) {
            headers.push(("Content-Type".to_owned(), text.to_owned()));
        }
        headers.extend(found);
        let mut body = if is_form { Bytes::new() } else { request.body };
        if body.len() > self.bytes_max {
            tracing::warn!(
                bytes = body.len(),
                max = self.bytes_max,
                "a request is longer than maxBlobLength: its event is cut"
            );
            body.truncate(self.bytes_max);
        }
        Ok(one_event(body, &headers))
    }
}
