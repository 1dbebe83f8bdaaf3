//! `org.apache.flume.source.http.BLOBHandler`: the body of a request as one event, the query's parameters as headers.

use async_trait::async_trait;
use flumen_config::{ComponentKind, ComponentSpec, Options, options};
use flumen_event::Batch;

use super::{one_event, parameters};
use crate::catalog::HttpHandlerType;
use crate::http_handler::{HttpHandler, HttpRequest, Refusal};

options! {
    /// Makes one event of each request: its body as it is, and the parameters of the query as headers
    /// (`POST /?type=log` gives the header `type=log`). Of several parameters with one name the first counts.
    pub struct BlobHandlerOptions {
        /// Names of parameters, separated by commas, that a request must have; one that lacks one is answered
        /// with 500, as in Flume.
        "mandatoryParameters" => mandatory: String = String::new(),
    }
}

pub(super) const BLOB: HttpHandlerType = HttpHandlerType {
    spec: ComponentSpec::of::<BlobHandlerOptions>(
        ComponentKind::HttpHandler,
        "org.apache.flume.source.http.BLOBHandler",
        &[],
    ),
    build: |settings| {
        let options = BlobHandlerOptions::of(settings)?;
        // Without the option Flume asks for a parameter without a name, and refuses every request.
        let mandatory = options.mandatory.split(',').filter(|name| !name.is_empty());
        Ok(Box::new(BlobHandler { mandatory: mandatory.map(str::to_owned).collect() }))
    },
};

struct BlobHandler {
    mandatory: Vec<String>,
}

#[async_trait]
impl HttpHandler for BlobHandler {
    async fn handle(&self, request: HttpRequest) -> Result<Batch, Refusal> {
        let mut headers = Vec::new();
        parameters::read(parameters::query_of(&request.path), &mut headers)?;
        if let Some(missing) =
            self.mandatory.iter().find(|wanted| headers.iter().all(|(name, _)| name != *wanted))
        {
            let message = format!(
                "Deserializer threw unexpected exception. Please specify {missing} parameter in the request."
            );
            return Err(Refusal { status: 500, message });
        }
        Ok(one_event(request.body, &headers))
    }
}
