//! All HTTP handlers, and how the `http` source builds its own.

mod blob;
pub mod json;
mod morphline_blob;
mod parameters;

use std::sync::Arc;

use bytes::Bytes;
use flumen_config::{Catalog, ComponentKind, Diagnostic, Diagnostics, Settings};
use flumen_event::{Batch, Span};

use crate::catalog::{HttpHandlerType, by_name, plugins};
use crate::http_handler::{HttpHandler, HttpRequest};

/// All HTTP handlers.
pub static TYPES: &[HttpHandlerType] = &[json::JSON, blob::BLOB, morphline_blob::MORPHLINE_BLOB];

/// What Flume takes where no handler is named.
pub(crate) const DEFAULT: &str = "org.apache.flume.source.http.JSONHandler";

/// Builds the handler that a source's settings name under `handler`, from the settings below it
/// (`handler.maxBlobLength`). Without the key it is the JSON handler.
///
/// # Errors
/// If there is no such handler, or its settings are wrong.
pub fn build_handler(settings: &Settings) -> Result<Arc<dyn HttpHandler>, Diagnostics> {
    let text = settings.text("handler").unwrap_or(DEFAULT);
    if let Some(plugins) = plugins().filter(|_| flumen_config::known::is_plugin(text)) {
        return (plugins.http_handler.build)(&settings.below_type("handler")).map(Arc::from);
    }
    let catalog = Catalog::new(TYPES.iter().map(|t| t.spec));
    let found = catalog.find(ComponentKind::HttpHandler, text).and_then(|spec| by_name(TYPES, spec.name));
    let Some(found) = found else {
        let known: Vec<&str> = TYPES.iter().map(|t| t.spec.name).collect();
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(
            Diagnostic::error("unknown-type", format!("there is no HTTP handler `{text}`"))
                .on(settings.path())
                .at(&settings.origin("handler"))
                .help(format!("known handlers: {}, and WebAssembly components", known.join(", "))),
        );
        return Err(diagnostics);
    };
    (found.build)(&settings.below("handler.")).map(Arc::from)
}

fn content_type(request: &HttpRequest) -> Option<&str> {
    let mut headers = request.headers.iter();
    headers.find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str())
}

/// A body as it is, with headers.
fn one_event(body: Bytes, headers: &[(String, String)]) -> Batch {
    let all = Span::new(0..body.len());
    headers.iter().fold(Batch::from_arena(body, vec![all]), |batch, (name, value)| {
        batch.with_constant(&name.as_str().into(), value.as_str())
    })
}
