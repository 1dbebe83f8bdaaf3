//! Headers about the sender and the port: `clientIPHeader`, `clientHostnameHeader`, `portHeader`.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use flumen_config::{Diagnostic, Diagnostics, Settings};
use flumen_event::{Batch, Column, ColumnBuilder, HeaderName};
use tokio::task::JoinSet;

use super::host_names::HostNames;
use super::rows::Names;

/// Which of them are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientHeaders {
    pub port: Option<HeaderName>,
    pub address: Option<HeaderName>,
    pub host_name: Option<HeaderName>,
}

/// How many ports a source may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// One: there is no header for it.
    One,
    /// Several.
    Many,
}

/// The headers of a connection.
pub(super) type Constants = Vec<(HeaderName, Option<Column>)>;

impl ClientHeaders {
    /// Reads the names, none of which may be one that the parser itself uses.
    pub fn read(
        settings: &Settings,
        names: &Names,
        ports: Ports,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let mut failed = false;
        let mut used: HashMap<&str, &str> = HashMap::new();
        let mut header = |key: &'static str| {
            let name = settings.text(key).filter(|name| !name.is_empty())?;
            let built_in = names.all().contains(&name);
            if built_in || used.contains_key(name) {
                failed = true;
                let whose = used.get(name).map_or("syslog messages".to_owned(), |other| format!("`{other}`"));
                let message = format!("`{key} = {name}`: a header of this name is set already, by {whose}");
                let finding =
                    Diagnostic::error("bad-value", message).on(settings.path()).at(&settings.origin(key));
                diagnostics.push(finding.help("choose another name, such as `client`"));
            }
            used.insert(name, key);
            Some(HeaderName::from(name))
        };
        let headers = Self {
            port: if ports == Ports::Many { header("portHeader") } else { None },
            address: header("clientIPHeader"),
            host_name: header("clientHostnameHeader"),
        };
        (!failed).then_some(headers)
    }

    /// The headers of a connection. Asks for the name of the sender if it is wanted.
    pub async fn of_connection(&self, peer: SocketAddr, port: u16, names: &HostNames) -> Constants {
        let peer = peer.ip().to_canonical();
        let constant = |name: &HeaderName, value: Arc<str>| (name.clone(), Some(Column::Constant(value)));
        let mut constants = Vec::new();
        if let Some(name) = &self.port {
            constants.push(constant(name, port.to_string().into()));
        }
        if let Some(name) = &self.address {
            constants.push(constant(name, java_address(peer).into()));
        }
        if let Some(name) = &self.host_name {
            constants.push(constant(name, names.of(peer).await));
        }
        constants
    }

    /// Whether anything has to be known of the senders of datagrams.
    pub fn needs_senders(&self) -> bool {
        self.address.is_some() || self.host_name.is_some()
    }

    /// A batch of datagrams with the headers of their senders, one for each event.
    pub async fn on_datagrams(&self, batch: Batch, senders: Vec<IpAddr>, names: &Arc<HostNames>) -> Batch {
        let mut batch = batch;
        if let Some(header) = &self.address {
            batch = with_each(batch, header, &senders, |sender| java_address(sender).into());
        }
        if let Some(header) = &self.host_name {
            // All at once: one resolver that hangs must not hold up the batch for each of many senders.
            let mut asking = JoinSet::new();
            for sender in senders.iter().copied().collect::<HashSet<IpAddr>>() {
                let names = names.clone();
                asking.spawn(async move { (sender, names.of(sender).await) });
            }
            let known: HashMap<IpAddr, Arc<str>> = asking.join_all().await.into_iter().collect();
            batch = with_each(batch, header, &senders, |sender| known[&sender].clone());
        }
        batch
    }
}

fn with_each(
    batch: Batch,
    header: &HeaderName,
    senders: &[IpAddr],
    value: impl Fn(IpAddr) -> Arc<str>,
) -> Batch {
    match senders.first() {
        None => batch,
        Some(&first) if senders.iter().all(|sender| *sender == first) => {
            batch.with_constant(header, value(first))
        }
        Some(_) => {
            let mut column = ColumnBuilder::default();
            senders.iter().for_each(|sender| column.push(Some(&value(*sender))));
            batch.with_column(header, column)
        }
    }
}

/// An address as `InetAddress.getHostAddress` writes it: IPv6 with all eight groups.
pub(super) fn java_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments().map(|group| format!("{group:x}")).join(":"),
    }
}
