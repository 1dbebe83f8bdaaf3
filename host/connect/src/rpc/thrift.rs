//! A connection to a thrift source: made for the thrift sink, and for programs with `client.type = thrift`.

use std::time::Duration;

use async_trait::async_trait;
use flumen_event::Batch;

use super::{RpcClient, RpcError};
use crate::tls::{self, ClientTls};
use crate::wire::thrift::client::{Calls, ClientError, ThriftClient, dial};

/// Where a client sends to, and how.
#[derive(Clone)]
pub struct ThriftTarget {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// To connect in.
    pub connect_timeout: Duration,
    /// Protocol and limits of the calls.
    pub calls: Calls,
    /// TLS.
    pub tls: Option<ClientTls>,
}

impl ThriftTarget {
    /// Connects.
    ///
    /// # Errors
    /// If that fails, or takes too long.
    pub async fn connect(&self) -> Result<ThriftClient, ClientError> {
        let (host, port) = (self.host.as_str(), self.port);
        let no_tls = |cause: tls::TlsError| ClientError::Connect {
            host: host.to_owned(),
            port,
            cause: cause.to_string(),
        };
        // Read for each connection: a certificate that was replaced is used from the next one on.
        let connector = self.tls.as_ref().map(ClientTls::connector).transpose().map_err(no_tls)?;
        let stream = dial(host, port, self.connect_timeout).await?;
        let stream = tls::connect(connector.as_ref(), host, stream).await.map_err(no_tls)?;
        Ok(ThriftClient::over(stream, self.calls))
    }

    fn failed(&self, why: ClientError) -> RpcError {
        let target = format!("{}:{}", self.host, self.port);
        match why {
            ClientError::Connect { cause, .. } => {
                RpcError::Connect { target, error: std::io::Error::other(cause) }
            }
            why => RpcError::Thrift { target, why },
        }
    }
}

/// A client of one host that connects when it must.
pub struct ThriftHost {
    target: ThriftTarget,
    batch_size: usize,
    connection: Option<ThriftClient>,
}

impl ThriftHost {
    /// A client that is not connected yet.
    #[must_use]
    pub fn new(target: ThriftTarget, batch_size: usize) -> Self {
        Self { target, batch_size, connection: None }
    }
}

#[async_trait]
impl RpcClient for ThriftHost {
    fn batch_size(&self) -> usize {
        self.batch_size
    }
    async fn append_batch(&mut self, events: &[Batch]) -> Result<(), RpcError> {
        let failed = |why| self.target.failed(why);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.target.connect().await.map_err(failed)?,
        };
        let sent = connection.append_batch(events).await.map_err(failed)?;
        self.connection = Some(connection);
        if sent.too_large > 0 {
            let bytes_max = self.target.calls.frame_bytes_max;
            return Err(RpcError::TooLarge { events: sent.too_large, bytes_max });
        }
        Ok(())
    }
}
