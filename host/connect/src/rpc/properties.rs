//! The properties of Flume's RPC clients: a file for `flumen avro-client --rpcProps`.

use std::time::Duration;

use flumen_config::options::{Below, Count, Words};
use flumen_config::{
    ComponentKind, ComponentSpec, Diagnostic, Diagnostics, OptionValue, Options, Settings, join_options,
    options,
};

use super::RpcClient;
use super::avro::{AvroClient, AvroTarget};
use super::balance::{FailoverClient, LoadBalancingClient};
use super::thrift::{ThriftHost, ThriftTarget};
use crate::tls;
use crate::turns::Turns;
use crate::wire::deflate::{CompressionType, Level};
use crate::wire::thrift::Protocol;
use crate::wire::thrift::client::Calls;

/// Flume's, in milliseconds.
pub const TIMEOUT_MS: u64 = 20_000;
/// Below it a timeout is taken for a mistake, as in Flume.
const TIMEOUT_MS_MIN: u64 = 1000;

/// A timeout in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutMs(pub u64);

impl OptionValue for TimeoutMs {
    const KIND: &'static str = "integer from 1000";
    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(ms) if ms >= TIMEOUT_MS_MIN => Ok(Self(ms)),
            Ok(_) => Err(format!("less than {TIMEOUT_MS_MIN} ms")),
            Err(_) => Err("not a whole number of milliseconds".to_owned()),
        }
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl TimeoutMs {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientType {
    /// One host.
    Default,
    /// The first that works.
    Failover,
    /// In turns.
    LoadBalance,
    /// One host, over Thrift.
    Thrift,
}

impl OptionValue for ClientType {
    const KIND: &'static str = "default|default_failover|default_loadbalance|thrift";
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "default" | "org.apache.flume.api.nettyavrorpcclient" => Ok(ClientType::Default),
            "default_failover" | "org.apache.flume.api.failoverrpcclient" => Ok(ClientType::Failover),
            "default_loadbalance" | "org.apache.flume.api.loadbalancingrpcclient" => {
                Ok(ClientType::LoadBalance)
            }
            "thrift" | "org.apache.flume.api.thriftrpcclient" => Ok(ClientType::Thrift),
            _ => Err("no type of client; Java classes cannot be loaded".to_owned()),
        }
    }
    fn show(&self) -> String {
        match self {
            ClientType::Default => "default",
            ClientType::Failover => "default_failover",
            ClientType::LoadBalance => "default_loadbalance",
            ClientType::Thrift => "thrift",
        }
        .to_owned()
    }
}

options! {
    /// The file of `flumen avro-client --rpcProps`, as Flume's `RpcClientFactory` reads it: these keys stand alone, without
    /// an agent's name in front.
    pub struct RpcOptions {
        /// `default`: the first of the hosts. `default_failover`: one host until it fails, then the next.
        /// `default_loadbalance`: the hosts in turns. All of these speak Avro, as in Flume. `thrift`: the first of the
        /// hosts, over Thrift.
        "client.type" => client_type: ClientType = ClientType::Default,
        /// Names of the hosts, separated by blanks.
        "hosts" => hosts: Words,
        /// `hosts.NAME = host:port`.
        "hosts." => targets: Below,
        /// Most events in one request.
        "batch-size" => batch_size: Count = Count(100), lenient;
        /// Milliseconds to connect in, at least 1000.
        "connect-timeout" => connect_timeout: TimeoutMs = TimeoutMs(TIMEOUT_MS), lenient;
        /// Milliseconds for a request to be answered in, at least 1000.
        "request-timeout" => request_timeout: TimeoutMs = TimeoutMs(TIMEOUT_MS), lenient;
        /// `default_failover`: attempts for each request; as many as there are hosts if it is not set.
        "max-attempts" => max_attempts: Option<Count>,
        /// `default_loadbalance`: `round_robin` or `random`.
        "host-selector" => host_selector: Turns = Turns::RoundRobin,
        /// `default_loadbalance`: whether a host that failed is left alone for a while, 2 s at first, and twice as
        /// long with each failure.
        "backoff" => backoff: bool = false,
        /// The longest time that a host is left alone, in milliseconds.
        "maxBackoff" => max_backoff_ms: u64 = 30_000,
        /// `thrift`: `compact` or `binary`; the source must use the same.
        "protocol" => protocol: Protocol = Protocol::Compact,
        /// `none` or `deflate`; not with `thrift`.
        "compression-type" => compression: CompressionType = CompressionType::None,
        /// 0 (none) to 9 (best).
        "compression-level" => compression_level: Level = Level(6),
        /// With `ssl = true` and `compression-type = deflate`: which is outside on the wire. False: TLS, as Flume 1.9 and
        /// Flumen have it. True: the compression, as Flume 1.10 and later have it; a source of those understands nothing
        /// else. Flumen's own source understands both. Flumen only.
        "compressionOutside" => compresses_outside: bool = false,
        /// Accepted without effect: a client needs no threads of its own.
        "maxIoWorkers" => max_io_workers: Option<String>,
        /// Accepted without effect: in Flume the most connections of a `thrift` client that several threads use at the
        /// same time. Here one request is under way at a time, over one connection.
        "maxConnections" => max_connections: Option<String>,
    }
}

/// The page of the reference.
pub const REFERENCE: ComponentSpec = ComponentSpec {
    options: join_options!(RpcOptions::OPTIONS, tls::CLIENT_OPTIONS),
    check: |settings, diagnostics| client(settings, diagnostics).is_some(),
    ..ComponentSpec::of::<RpcOptions>(ComponentKind::RpcClient, "rpcProps", &[])
};

/// The client that the properties describe. It is not connected yet.
pub fn client(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Box<dyn RpcClient>> {
    let options = RpcOptions::read(settings, diagnostics)?;
    let mut addresses = addresses(settings, &options, diagnostics)?;
    let several = matches!(options.client_type, ClientType::Failover | ClientType::LoadBalance);
    let wants = if several { 2 } else { 1 };
    let kind = options.client_type.show();
    if addresses.len() < wants {
        let text = format!("`hosts`: {kind} needs {wants} or more, there are {}", addresses.len());
        diagnostics.push(finding(settings, "hosts", text));
        return None;
    }
    let mut no_effect = |key: &str, text: String| {
        let warning = Diagnostic::warning("no-effect", text).on(settings.path());
        diagnostics.push(warning.at(&settings.origin(key)));
    };
    if !several && addresses.len() > 1 {
        no_effect("hosts", format!("`hosts`: the {kind} client uses the first only"));
    }
    if options.client_type == ClientType::Thrift && options.compression == CompressionType::Deflate {
        no_effect("compression-type", "`compression-type`: Thrift is not compressed".to_owned());
    }
    let tls = tls::client(settings, diagnostics)?;
    let batch_size = options.batch_size.0;
    if options.client_type == ClientType::Thrift {
        let (host, port) = addresses.swap_remove(0);
        let connect_timeout = options.connect_timeout.duration();
        let request_timeout = options.request_timeout.duration();
        let calls = Calls { protocol: options.protocol, request_timeout, ..Calls::default() };
        let target = ThriftTarget { host, port, connect_timeout, calls, tls };
        return Some(Box::new(ThriftHost::new(target, batch_size)));
    }
    let client = |(host, port)| {
        let target = AvroTarget {
            host,
            port,
            connect_timeout: options.connect_timeout.duration(),
            request_timeout: options.request_timeout.duration(),
            compression_level: options.compression.level(options.compression_level),
            tls: tls.clone(),
            compresses_outside: options.compresses_outside,
        };
        Box::new(AvroClient::new(target, batch_size)) as Box<dyn RpcClient>
    };
    if !several {
        return Some(client(addresses.swap_remove(0)));
    }
    let hosts: Vec<Box<dyn RpcClient>> = addresses.into_iter().map(client).collect();
    if options.client_type == ClientType::Failover {
        let attempts_max = options.max_attempts.map_or(hosts.len(), |count| count.0);
        return Some(Box::new(FailoverClient::new(hosts, attempts_max)));
    }
    let pause_max = options.backoff.then(|| Duration::from_millis(options.max_backoff_ms));
    Some(Box::new(LoadBalancingClient::new(hosts, options.host_selector, pause_max)))
}

fn finding(settings: &Settings, key: &str, text: String) -> Diagnostic {
    Diagnostic::error("bad-value", text).on(settings.path()).at(&settings.origin(key))
}

/// Hosts and ports.
fn addresses(
    settings: &Settings,
    options: &RpcOptions,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<(String, u16)>> {
    let mut addresses = Vec::new();
    let errors = diagnostics.error_count();
    for name in &options.hosts.0 {
        let key = format!("hosts.{name}");
        let Some(address) = settings.text(&key) else {
            diagnostics.push(finding(settings, "hosts", format!("`{key}` is not set: it is `host:port`")));
            continue;
        };
        let parts = address.trim().rsplit_once(':');
        let parts = parts.and_then(|(host, port)| Some((host.trim(), port.trim().parse::<u16>().ok()?)));
        let Some((host, port)) = parts.filter(|(host, _)| !host.is_empty()) else {
            diagnostics.push(finding(settings, &key, format!("`{key} = {address}` is not `host:port`")));
            continue;
        };
        addresses.push((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port));
    }
    (diagnostics.error_count() == errors).then_some(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Option<usize>, Vec<String>) {
        let mut diagnostics = Diagnostics::default();
        let settings = Settings::from_pairs("rpc", pairs.iter().copied());
        let client = client(&settings, &mut diagnostics);
        let texts = diagnostics.iter().map(|finding| finding.message.clone()).collect();
        (client.map(|client| client.batch_size()), texts)
    }

    #[test]
    fn every_type_is_built_from_flumes_properties() {
        let hosts = [("hosts", "a b"), ("hosts.a", "localhost:1"), ("hosts.b", "[::1]:2")];
        for kind in ["default_failover", "DEFAULT_LOADBALANCE", "org.apache.flume.api.FailoverRpcClient"] {
            let pairs = [&hosts[..], &[("client.type", kind), ("batch-size", "7")]].concat();
            assert_eq!(read(&pairs), (Some(7), vec![]), "{kind}");
        }
        for kind in ["default", "thrift", "org.apache.flume.api.ThriftRpcClient"] {
            let (client, texts) = read(&[&hosts[..], &[("client.type", kind)]].concat());
            assert_eq!(client, Some(100));
            assert!(texts[0].contains("the first only"), "{texts:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (pairs, wanted) in [
            (&[][..], "`hosts` is not set"),
            (&[("hosts", "a")][..], "`hosts.a` is not set"),
            (&[("hosts", "a"), ("hosts.a", "x")][..], "`hosts.a = x` is not `host:port`"),
            (
                &[("client.type", "thrift"), ("hosts", "a"), ("hosts.a", "x:1"), ("protocol", "json")][..],
                "compact",
            ),
            (&[("hosts", "a"), ("hosts.a", "x:1"), ("client.type", "mine")][..], "Java classes"),
            (&[("hosts", "a"), ("hosts.a", "x:1"), ("client.type", "default_loadbalance")][..], "needs 2"),
        ] {
            let (client, texts) = read(pairs);
            assert_eq!(client, None);
            assert!(texts.iter().any(|text| text.contains(wanted)), "{texts:?}");
        }
    }

    #[test]
    fn what_thrift_cannot_do_is_said() {
        let thrift = [("client.type", "thrift"), ("hosts", "a"), ("hosts.a", "x:1")];
        let (client, texts) = read(&[&thrift[..], &[("compression-type", "deflate")]].concat());
        assert_eq!(client, Some(100));
        assert!(texts[0].contains("not compressed"), "{texts:?}");
    }

    #[test]
    fn short_timeouts_are_replaced_with_a_warning() {
        let (client, texts) = read(&[("hosts", "a"), ("hosts.a", "x:1"), ("request-timeout", "5")]);
        assert_eq!(client, Some(100));
        assert!(texts[0].contains("the default 20000 is used"), "{texts:?}");
    }
}
