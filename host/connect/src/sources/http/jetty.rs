//! Setters of Jetty's beans (`HttpConfiguration.requestHeaderSize`), which Flume passes on: what of them has a
//! meaning here, and what is wrong with the others.
//!
//! Names are exact, as in Flume: the first letter is small. Flume passes over a name that it does not find, and finds
//! a bad number out when the source starts; here both are findings of the check.

use std::str::FromStr;
use std::time::Duration;

use flumen_config::settings::Setting;
use flumen_config::{Diagnostic, Diagnostics, Settings};

use Effect::{Honoured, Nothing};
use Kind::{Boolean, Number, Text, Words};

/// Longest time that is waited for anything; what is configured beyond it, or as "for ever", ends here.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What Jetty's setters say, with Jetty's defaults.
#[derive(Clone, Debug)]
pub(super) struct Jetty {
    /// Instead of `bind`.
    pub host: Option<String>,
    /// Instead of `port`.
    pub port: Option<u16>,
    pub accept_queue: Option<u32>,
    pub idle_timeout: Duration,
    pub request_header_bytes_max: usize,
    /// Bytes per second.
    pub min_request_data_rate: u64,
    pub requests_max: Option<usize>,
    pub keeps_connections: bool,
    pub sends_date: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Boolean,
    Text,
    Words,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Honoured,
    Nothing,
}

type Setter = (&'static str, Kind, Effect);

/// Every setter of Jetty 9.4 that takes a number, a truth value, a text or a list of words.
const BEANS: [(&str, &[Setter]); 4] = [
    (
        "QueuedThreadPool.",
        &[
            ("maxThreads", Number, Honoured),
            ("minThreads", Number, Nothing),
            ("idleTimeout", Number, Nothing),
            ("lowThreadsThreshold", Number, Nothing),
            ("reservedThreads", Number, Nothing),
            ("stopTimeout", Number, Nothing),
            ("threadsPriority", Number, Nothing),
            ("daemon", Boolean, Nothing),
            ("detailedDump", Boolean, Nothing),
            ("name", Text, Nothing),
        ],
    ),
    (
        "HttpConfiguration.",
        &[
            ("requestHeaderSize", Number, Honoured),
            ("idleTimeout", Number, Honoured),
            ("minRequestDataRate", Number, Honoured),
            ("persistentConnectionsEnabled", Boolean, Honoured),
            ("sendDateHeader", Boolean, Honoured),
            ("blockingTimeout", Number, Nothing),
            ("headerCacheSize", Number, Nothing),
            ("maxErrorDispatches", Number, Nothing),
            ("minResponseDataRate", Number, Nothing),
            ("outputAggregationSize", Number, Nothing),
            ("outputBufferSize", Number, Nothing),
            ("responseHeaderSize", Number, Nothing),
            ("securePort", Number, Nothing),
            ("delayDispatchUntilContent", Boolean, Nothing),
            ("notifyRemoteAsyncErrors", Boolean, Nothing),
            ("relativeRedirectAllowed", Boolean, Nothing),
            ("sendServerVersion", Boolean, Nothing),
            ("sendXPoweredBy", Boolean, Nothing),
            ("secureScheme", Text, Nothing),
            ("formEncodedMethods", Words, Nothing),
        ],
    ),
    (
        "SslContextFactory.",
        &[
            ("includeProtocols", Words, Honoured),
            ("excludeProtocols", Words, Honoured),
            ("includeCipherSuites", Words, Honoured),
            ("excludeCipherSuites", Words, Honoured),
            ("needClientAuth", Boolean, Honoured),
            ("wantClientAuth", Boolean, Honoured),
            ("certAlias", Text, Nothing),
            ("crlPath", Text, Nothing),
            ("enableCRLDP", Boolean, Nothing),
            ("enableOCSP", Boolean, Nothing),
            ("endpointIdentificationAlgorithm", Text, Nothing),
            ("keyManagerFactoryAlgorithm", Text, Nothing),
            ("keyManagerPassword", Text, Nothing),
            ("keyStorePassword", Text, Nothing),
            ("keyStorePath", Text, Nothing),
            ("keyStoreProvider", Text, Nothing),
            ("keyStoreType", Text, Nothing),
            ("maxCertPathLength", Number, Nothing),
            ("ocspResponderURL", Text, Nothing),
            ("protocol", Text, Nothing),
            ("provider", Text, Nothing),
            ("renegotiationAllowed", Boolean, Nothing),
            ("renegotiationLimit", Number, Nothing),
            ("secureRandomAlgorithm", Text, Nothing),
            ("sessionCachingEnabled", Boolean, Nothing),
            ("sslSessionCacheSize", Number, Nothing),
            ("sslSessionTimeout", Number, Nothing),
            ("stopTimeout", Number, Nothing),
            ("trustAll", Boolean, Nothing),
            ("trustManagerFactoryAlgorithm", Text, Nothing),
            ("trustStorePassword", Text, Nothing),
            ("trustStorePath", Text, Nothing),
            ("trustStoreProvider", Text, Nothing),
            ("trustStoreType", Text, Nothing),
            ("useCipherSuitesOrder", Boolean, Nothing),
            ("validateCerts", Boolean, Nothing),
            ("validatePeerCerts", Boolean, Nothing),
        ],
    ),
    (
        "ServerConnector.",
        &[
            ("host", Text, Honoured),
            ("port", Number, Honoured),
            ("acceptQueueSize", Number, Honoured),
            ("idleTimeout", Number, Honoured),
            ("acceptedReceiveBufferSize", Number, Nothing),
            ("acceptedSendBufferSize", Number, Nothing),
            ("acceptorPriorityDelta", Number, Nothing),
            ("soLingerTime", Number, Nothing),
            ("stopTimeout", Number, Nothing),
            ("accepting", Boolean, Nothing),
            ("acceptedTcpNoDelay", Boolean, Nothing),
            ("inheritChannel", Boolean, Nothing),
            ("reuseAddress", Boolean, Nothing),
            ("defaultProtocol", Text, Nothing),
            ("name", Text, Nothing),
        ],
    ),
];

/// Reads all setters. `None` after an error that was reported.
pub(super) fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Jetty> {
    let mut good = true;
    for (bean, setters) in BEANS {
        let below = settings.below(bean);
        for (name, _) in below.iter() {
            good &= check(settings, bean, setters, name, diagnostics);
        }
    }
    if !good {
        return None;
    }
    let port = number::<i64>(settings, "ServerConnector.port");
    let port = match port.map(u16::try_from) {
        None => None,
        Some(Ok(port)) => Some(port),
        Some(Err(_)) => {
            let text = "`ServerConnector.port` is not a port".to_owned();
            diagnostics.push(
                Diagnostic::error("bad-value", text)
                    .on(settings.path())
                    .at(&settings.origin("ServerConnector.port")),
            );
            return None;
        }
    };
    let idle = ["HttpConfiguration.idleTimeout", "ServerConnector.idleTimeout"];
    let idle = idle.iter().filter_map(|key| number::<i64>(settings, key)).find(|ms| *ms > 0);
    let is_on = |key: &str| settings.text(key).is_none_or(|text| text.eq_ignore_ascii_case("true"));
    let above_0 = |key: &str| number::<usize>(settings, key).filter(|count| *count > 0);
    Some(Jetty {
        host: settings.text("ServerConnector.host").map(str::to_owned),
        port,
        accept_queue: number::<u32>(settings, "ServerConnector.acceptQueueSize").filter(|count| *count > 0),
        idle_timeout: idle
            .map_or(Duration::from_secs(30), |ms| Duration::from_millis(ms.unsigned_abs()))
            .min(LONGEST),
        request_header_bytes_max: above_0("HttpConfiguration.requestHeaderSize").unwrap_or(8192),
        min_request_data_rate: number(settings, "HttpConfiguration.minRequestDataRate").unwrap_or(0),
        requests_max: above_0("QueuedThreadPool.maxThreads"),
        keeps_connections: is_on("HttpConfiguration.persistentConnectionsEnabled"),
        sends_date: is_on("HttpConfiguration.sendDateHeader"),
    })
}

/// The settings with what `SslContextFactory` says about TLS in the place of the source's own keys, as Flume applies
/// it last.
pub(super) fn with_tls(settings: &Settings) -> Settings {
    let mut renamed = settings.clone();
    for (setter, key) in [
        ("SslContextFactory.includeProtocols", "include-protocols"),
        ("SslContextFactory.excludeProtocols", "exclude-protocols"),
        ("SslContextFactory.includeCipherSuites", "include-cipher-suites"),
        ("SslContextFactory.excludeCipherSuites", "exclude-cipher-suites"),
    ] {
        if let Some(setting) = settings.get(setter) {
            renamed.insert(key, setting.clone());
        }
    }
    for (setter, value) in
        [("SslContextFactory.wantClientAuth", "want"), ("SslContextFactory.needClientAuth", "need")]
    {
        if let Some(setting) = settings.get(setter).filter(|s| s.value.eq_ignore_ascii_case("true")) {
            let origin = setting.origin.clone();
            renamed.insert("client-auth", Setting { value: value.to_owned(), origin });
        }
    }
    renamed
}

fn number<N: FromStr>(settings: &Settings, key: &str) -> Option<N> {
    settings.text(key).and_then(|text| text.parse().ok())
}

fn check(
    settings: &Settings,
    bean: &str,
    setters: &[Setter],
    name: &str,
    diagnostics: &mut Diagnostics,
) -> bool {
    let key = format!("{bean}{name}");
    let path = format!("{}.{key}", settings.path());
    let Some((_, kind, effect)) = setters.iter().find(|(known, ..)| *known == name) else {
        let class = bean.trim_end_matches('.');
        let mut finding = Diagnostic::warning(
            "unknown-key",
            format!("`{name}` is no property of Jetty's {class}, so it is ignored"),
        )
        .at(&settings.key_origin(&key))
        .on(path);
        let near = setters.iter().map(|(known, ..)| *known).find(|known| known.eq_ignore_ascii_case(name));
        let near =
            near.or_else(|| flumen_config::suggest::nearest(name, setters.iter().map(|(known, ..)| *known)));
        if let Some(near) = near {
            finding = finding.help(format!("did you mean `{}.{bean}{near}`?", settings.path()));
        }
        diagnostics.push(finding);
        return true;
    };
    let value = settings.text(&key).unwrap_or_default();
    if *kind == Number && value.parse::<i64>().is_err() {
        let shown = settings.shown(&key).unwrap_or_default();
        diagnostics.push(
            Diagnostic::error("bad-value", format!("`{key} = {shown}`: not a whole number"))
                .on(path)
                .at(&settings.origin(&key)),
        );
        return false;
    }
    if *effect == Nothing {
        let finding = Diagnostic::note("no-effect", format!("`{key}` has no effect here"));
        let mut finding = finding.on(path).at(&settings.key_origin(&key));
        if bean == "SslContextFactory." {
            finding = finding.help("TLS is set up by `keystore`, `truststore` and their like");
        }
        diagnostics.push(finding);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(pairs: &[(&str, &str)]) -> (Option<Jetty>, Vec<String>) {
        let mut diagnostics = Diagnostics::default();
        let jetty = read(&Settings::from_pairs("a1.sources.r1", pairs.iter().copied()), &mut diagnostics);
        let texts =
            diagnostics.iter().map(|d| format!("{} / {}", d.message, d.help.clone().unwrap_or_default()));
        (jetty, texts.collect())
    }

    #[test]
    fn setters_with_a_meaning_are_obeyed() {
        let (jetty, texts) = findings(&[
            ("HttpConfiguration.requestHeaderSize", "16384"),
            ("HttpConfiguration.idleTimeout", "-1"),
            ("ServerConnector.idleTimeout", "5000"),
            ("ServerConnector.acceptQueueSize", "7"),
            ("ServerConnector.port", "8080"),
            ("QueuedThreadPool.maxThreads", "20"),
            ("HttpConfiguration.sendDateHeader", "false"),
        ]);
        let jetty = jetty.expect("all are good");
        assert_eq!(texts, Vec::<String>::new());
        assert_eq!((jetty.request_header_bytes_max, jetty.idle_timeout), (16384, Duration::from_secs(5)));
        assert_eq!((jetty.accept_queue, jetty.port, jetty.requests_max), (Some(7), Some(8080), Some(20)));
        assert!(!jetty.sends_date && jetty.keeps_connections);
    }

    #[test]
    fn others_are_noted_misspelt_ones_corrected_and_bad_numbers_refused() {
        let (jetty, texts) =
            findings(&[("QueuedThreadPool.minThreads", "4"), ("QueuedThreadPool.MaxThreads", "4")]);
        assert!(jetty.is_some_and(|jetty| jetty.requests_max.is_none()));
        assert_eq!(
            texts,
            [
                "`MaxThreads` is no property of Jetty's QueuedThreadPool, so it is ignored / did you mean `a1.sources.r1.QueuedThreadPool.maxThreads`?",
                "`QueuedThreadPool.minThreads` has no effect here / "
            ]
        );
        let (jetty, texts) = findings(&[("ServerConnector.idleTimeout", "30s")]);
        assert!(jetty.is_none());
        assert_eq!(texts, ["`ServerConnector.idleTimeout = 30s`: not a whole number / "]);
        assert!(findings(&[("ServerConnector.port", "70000")]).0.is_none());
    }

    #[test]
    fn jettys_words_about_tls_take_the_place_of_the_sources() {
        let settings = Settings::from_pairs(
            "a1.sources.r1",
            [
                ("include-protocols", "TLSv1.2"),
                ("SslContextFactory.includeProtocols", "TLSv1.3"),
                ("SslContextFactory.needClientAuth", "true"),
            ],
        );
        let renamed = with_tls(&settings);
        assert_eq!(
            (renamed.text("include-protocols"), renamed.text("client-auth")),
            (Some("TLSv1.3"), Some("need"))
        );
    }
}
