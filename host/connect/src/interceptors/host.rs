//! `host`: which machine took the event in.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use flumen_config::{Diagnostics, Options, Settings, options};
use flumen_event::Batch;

use super::constant::{ConstantHeader, Existing};
use crate::ComponentError;
use crate::catalog::InterceptorType;
use crate::interceptor::{Drops, InterceptError, Interceptor};

options! {
    /// Puts the address or the name of this machine into a header. It is looked up once, when the first events
    /// come: the host name, its address in `/etc/hosts` or DNS, and for the name that address's own name.
    /// If it cannot be found, events go on without the header, and one warning says so.
    pub struct HostOptions {
        /// The header.
        "hostHeader" => host_header: String = "host".to_owned(),
        /// The address if true, the fully qualified name if false.
        "useIP" => use_ip: bool = true,
        /// Whether events that have the header keep theirs.
        "preserveExisting" => preserve_existing: bool = false,
    }
}

pub(super) const HOST: InterceptorType = InterceptorType {
    spec: super::spec::<HostOptions>(
        "host",
        &["org.apache.flume.interceptor.HostInterceptor$Builder"],
        |settings, diagnostics| make(settings, diagnostics).is_some(),
    ),
    build: |settings| super::build(settings, make),
};

type Lookup = fn() -> Result<String, ComponentError>;

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Host> {
    let options = HostOptions::read(settings, diagnostics)?;
    Some(Host {
        name: settings.name().to_owned(),
        header: ConstantHeader::new(&options.host_header, Existing::preserved(options.preserve_existing)),
        lookup: if options.use_ip { address_text } else { canonical_name },
        found: OnceLock::new(),
    })
}

struct Host {
    name: String,
    header: ConstantHeader,
    lookup: Lookup,
    found: OnceLock<Option<Arc<str>>>,
}

impl Interceptor for Host {
    fn intercept(&self, batch: Batch, _: &mut Drops) -> Result<Batch, InterceptError> {
        let found = self.found.get_or_init(|| match (self.lookup)() {
            Ok(host) => Some(host.into()),
            Err(error) => {
                tracing::warn!(interceptor = %self.name, %error, "could not get the local host address: events go on without it");
                None
            }
        });
        Ok(match found {
            Some(host) => self.header.put(batch, host.clone()),
            None => batch,
        })
    }
}

/// `InetAddress.getLocalHost().getHostAddress()`.
fn address_text() -> Result<String, ComponentError> {
    local_address().map(show)
}

/// `InetAddress.getLocalHost().getCanonicalHostName()`: the name of the address, if that name has the address;
/// else the address as text.
fn canonical_name() -> Result<String, ComponentError> {
    let address = local_address()?;
    let name = dns_lookup::lookup_addr(&address).ok();
    let owns_address = |name: &String| {
        dns_lookup::lookup_host(name).is_ok_and(|mut addresses| addresses.any(|found| found == address))
    };
    Ok(name.filter(owns_address).unwrap_or_else(|| show(address)))
}

/// The first address of this machine's name; IPv4 before IPv6, as Java sorts them.
fn local_address() -> Result<IpAddr, ComponentError> {
    let name = dns_lookup::get_hostname()?;
    if name == "localhost" {
        return Ok(IpAddr::from([127, 0, 0, 1]));
    }
    let unknown = |why: String| format!("{name}: {why}");
    let addresses: Vec<IpAddr> =
        dns_lookup::lookup_host(&name).map_err(|e| unknown(std::io::Error::from(e).to_string()))?.collect();
    let first = addresses.iter().find(|a| a.is_ipv4()).or(addresses.first()).copied();
    first.ok_or_else(|| unknown("no address".to_owned()).into())
}

/// As Java prints addresses: IPv6 with all eight groups.
fn show(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments().map(|group| format!("{group:x}")).join(":"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{batch, values};
    use super::*;

    fn host(pairs: &[(&str, &str)], lookup: Lookup) -> Host {
        let settings = Settings::from_pairs("a1.sources.r1.interceptors.i1", pairs.iter().copied());
        let made = make(&settings, &mut Diagnostics::default()).expect("valid");
        Host { lookup, ..made }
    }
    fn pass(host: &Host, input: Batch) -> Batch {
        host.intercept(input, &mut Drops::default()).expect("accepted")
    }

    // Golden cases int_host_ip and int_host_name, with real look-ups.
    #[test]
    fn the_name_of_this_machine_is_a_name_of_its_address() {
        let found = |use_ip| {
            let settings = Settings::from_pairs("i1", [("useIP", use_ip)]);
            let real = make(&settings, &mut Diagnostics::default()).expect("valid");
            let out = pass(&real, batch(&[("a", &[])]));
            values(&out, "host")[0].expect("this machine has an address").to_owned()
        };
        let (address, name) = (found("true"), found("false"));
        let mut addresses = dns_lookup::lookup_host(&name).expect("a name or an address");
        assert!(addresses.any(|a| show(a) == address), "{name} is not {address}");
    }

    #[test]
    fn existing_headers_are_kept_only_if_asked_for() {
        let input = || batch(&[("a", &[("h", "old")]), ("b", &[])]);
        let replace = host(&[("hostHeader", "h")], || Ok("new".to_owned()));
        assert_eq!(values(&pass(&replace, input()), "h"), [Some("new"), Some("new")]);
        let keep = host(&[("hostHeader", "h"), ("preserveExisting", "true")], || Ok("new".to_owned()));
        assert_eq!(values(&pass(&keep, input()), "h"), [Some("old"), Some("new")]);
    }

    #[test]
    fn without_an_address_events_go_on_without_the_header() {
        let lost = host(&[], || Err("no such host".into()));
        assert_eq!(values(&pass(&lost, batch(&[("a", &[])])), "host"), [None]);
    }

    #[test]
    fn addresses_look_as_java_prints_them() {
        assert_eq!(show("::1".parse().expect("valid")), "0:0:0:0:0:0:0:1");
        assert_eq!(show("fe80::Ab12".parse().expect("valid")), "fe80:0:0:0:0:0:0:ab12");
        assert_eq!(show("10.1.2.3".parse().expect("valid")), "10.1.2.3");
    }
}
