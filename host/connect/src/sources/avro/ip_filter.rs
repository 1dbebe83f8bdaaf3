//! Which peers may connect: Netty's pattern rules, as Flume's `ipFilterRules` writes them.
//!
//! ```text
//! allow:ip:127.*, allow:name:localhost, deny:ip:*
//!   │    │    └ pattern: `*` any characters, `?` one
//!   │    └ what is compared: the address as text, or the name that it has
//!   └ what the first rule that matches says; a peer that none matches is allowed
//! ```

use std::net::IpAddr;

/// All rules of a source, in order.
#[derive(Clone, Debug)]
pub(super) struct IpFilter(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    allows: bool,
    compares: Compares,
}

#[derive(Clone, Debug)]
enum Compares {
    Address(Pattern),
    Name(Pattern),
    /// `name:localhost`: this machine.
    Localhost,
}

/// A text with wildcards.
#[derive(Clone, Debug)]
struct Pattern(Vec<char>);

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        let (pattern, text): (&[char], Vec<char>) = (&self.0, text.chars().collect());
        let (mut at, mut seen) = (0, 0);
        // Where the last `*` stands, and how much of the text it has been given so far.
        let mut star: Option<(usize, usize)> = None;
        while seen < text.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, seen));
                    at += 1;
                }
                Some(&c) if c == '?' || c == text[seen] => {
                    at += 1;
                    seen += 1;
                }
                _ => {
                    let Some((star_at, given)) = star else { return false };
                    star = Some((star_at, given + 1));
                    at = star_at + 1;
                    seen = given + 1;
                }
            }
        }
        pattern[at..].iter().all(|&c| c == '*')
    }
}

impl IpFilter {
    /// Reads the rules.
    ///
    /// # Errors
    /// Names the rule that is none and what one looks like.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let rules: Result<Vec<Rule>, String> = text.split(',').map(|rule| Rule::read(rule.trim())).collect();
        rules.map(Self)
    }

    /// Whether a peer may connect. `own` is this machine's address on the connection. Names are only looked up
    /// when a rule asks for one.
    pub(super) async fn allows(&self, peer: IpAddr, own: Option<IpAddr>) -> bool {
        let peer = peer.to_canonical();
        let is_own = peer.is_loopback() || own.is_some_and(|own| own.to_canonical() == peer);
        let mut name: Option<String> = None;
        for rule in &self.0 {
            let matches = match &rule.compares {
                Compares::Address(pattern) => pattern.matches(&as_java_prints(peer)),
                Compares::Localhost => is_own,
                Compares::Name(pattern) => {
                    if name.is_none() {
                        name = Some(name_of(peer).await);
                    }
                    name.as_deref().is_some_and(|name| pattern.matches(name))
                }
            };
            if matches {
                return rule.allows;
            }
        }
        true
    }
}

impl Rule {
    fn read(text: &str) -> Result<Self, String> {
        let form =
            || format!("`{text}` is no rule; one looks like `allow:ip:10.0.*` or `deny:name:*.example.com`");
        let mut parts = text.splitn(3, ':');
        let (Some(access), Some(kind), Some(pattern)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form());
        };
        let allows = match access {
            "allow" => true,
            "deny" => false,
            _ => return Err(format!("{}: it begins with neither `allow` nor `deny`", form())),
        };
        if pattern.is_empty() {
            return Err(format!("{}: it has no pattern (`*` matches all)", form()));
        }
        let compares = match kind {
            "ip" => Compares::Address(Pattern(pattern.chars().collect())),
            "name" if pattern == "localhost" => Compares::Localhost,
            "name" => Compares::Name(Pattern(pattern.chars().collect())),
            _ => return Err(format!("{}: it compares neither `ip` nor `name`", form())),
        };
        Ok(Self { allows, compares })
    }
}

/// The name of an address, if that name has the address: a peer can make its address point to any name. Without
/// one it is the address as text, as in Java.
async fn name_of(address: IpAddr) -> String {
    let found = tokio::task::spawn_blocking(move || {
        let name = dns_lookup::lookup_addr(&address).ok()?;
        let mut addresses = dns_lookup::lookup_host(&name).ok()?;
        addresses.any(|found| found.to_canonical() == address).then_some(name)
    });
    found.await.ok().flatten().unwrap_or_else(|| as_java_prints(address))
}

/// `InetAddress.getHostAddress`.
fn as_java_prints(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments().map(|group| format!("{group:x}")).join(":"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn allows(rules: &str, peer: &str) -> bool {
        let own = "192.168.7.7".parse().ok();
        IpFilter::read(rules).expect("rules").allows(peer.parse().expect("an address"), own).await
    }

    #[tokio::test]
    async fn the_first_rule_that_matches_decides_and_none_allows() {
        let rules = "allow:ip:127.*, deny:ip:127.0.0.1,deny:ip:10.?.0.1,allow:name:localhost,deny:ip:*.9";
        for (peer, allowed) in [
            ("127.0.0.1", true),
            ("10.1.0.1", false),
            ("10.11.0.1", true),
            ("10.1.0.9", false),
            ("192.168.7.7", true),
            ("8.8.8.8", true),
            ("::ffff:10.1.0.9", false),
        ] {
            assert_eq!(allows(rules, peer).await, allowed, "{peer}");
        }
    }

    #[tokio::test]
    async fn this_machine_is_localhost_by_any_of_its_addresses() {
        let rules = "allow:name:localhost,deny:ip:*";
        for (peer, allowed) in [
            ("127.0.0.1", true),
            ("127.3.3.3", true),
            ("::1", true),
            ("192.168.7.7", true),
            ("192.168.7.8", false),
        ] {
            assert_eq!(allows(rules, peer).await, allowed, "{peer}");
        }
    }

    #[tokio::test]
    async fn ipv6_addresses_are_compared_as_java_prints_them() {
        assert!(!allows("deny:ip:2001:db8:0:*", "2001:db8::1").await);
        assert!(allows("deny:ip:2001:db8::*", "2001:db8::1").await);
    }

    #[tokio::test]
    async fn an_address_without_a_name_is_its_text() {
        // TEST-NET-1 has no names.
        assert!(!allows("deny:name:192.0.2.*", "192.0.2.1").await);
    }

    #[test]
    fn wildcards_stand_for_any_and_for_one() {
        let matches = |pattern: &str, text: &str| Pattern(pattern.chars().collect()).matches(text);
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("?", "", false),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a*b*c", "aXbXbc", true),
            ("a.c", "abc", false),
            ("??", "ab", true),
            ("**b", "ab", true),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_named() {
        for (rules, why) in [
            ("allow:ip:*,", "`` is no rule"),
            ("permit:ip:*", "neither `allow` nor `deny`"),
            ("allow:host:*", "neither `ip` nor `name`"),
            ("allow:ip", "is no rule"),
            ("deny:ip:", "no pattern"),
        ] {
            let error = IpFilter::read(rules).expect_err("no rules");
            assert!(error.contains(why), "{error}");
        }
    }
}
