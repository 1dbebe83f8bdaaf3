//! Handshakes between our own two sides: who believes whom, what is agreed upon, and what is said of a failure.

mod parties;

use flumen_tls::{ClientAuth, NameCheck, StoreRole, TlsError, Trust};
use parties::{Folder, agree, client, client_refuses, only, only_suite, pem, server, shake};
use rcgen::date_time_ymd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_certificate_in_the_trust_store_is_believed() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    let (server, client) =
        (server(pem(&folder.path("web.test.pem"))), client(Trust::Store(pem(&folder.path("web.test.crt")))));
    assert_eq!(agree(&server, &client, "web.test").await.0, "TLSv1.3");
}

#[tokio::test]
async fn a_chain_of_an_authority_in_the_trust_store_is_believed() {
    let folder = Folder::new();
    let authority = folder.authority("authority");
    folder.signed("web.test", &authority, |_| {});
    let (server, client) =
        (server(pem(&folder.path("web.test.pem"))), client(Trust::Store(pem(&folder.path("authority.crt")))));
    agree(&server, &client, "web.test").await;
}

#[tokio::test]
async fn a_stranger_is_refused_and_named() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    folder.self_signed("other.test", |_| {});
    let (server, client) = (
        server(pem(&folder.path("web.test.pem"))),
        client(Trust::Store(pem(&folder.path("other.test.crt")))),
    );
    let (accepted, connected) = shake(&server, &client, "web.test").await;
    let text = connected.expect_err("refused").to_string();
    assert!(text.contains("CN=web.test") && text.contains("keytool -importcert"), "{text}");
    let text = accepted.expect_err("refused").to_string();
    assert!(text.contains("does not believe our certificate"), "{text}");
}

#[tokio::test]
async fn only_authorities_of_the_trust_store_vouch_for_others() {
    let folder = Folder::new();
    // It signs, and is no authority: whoever has the key of a trusted server must not make others.
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec!["plain.test".to_owned()]).expect("a name");
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    let plain = rcgen::CertifiedIssuer::self_signed(params, key).expect("signed");
    folder.write("plain.crt", &plain.pem());
    folder.signed("web.test", &plain, |_| {});
    let (server, client) =
        (server(pem(&folder.path("web.test.pem"))), client(Trust::Store(pem(&folder.path("plain.crt")))));
    let text = client_refuses(&server, &client, "web.test").await;
    assert!(text.contains("nobody in the trust store vouches"), "{text}");
}

#[tokio::test]
async fn another_hosts_certificate_is_refused_unless_names_do_not_count() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    let server = server(pem(&folder.path("web.test.pem")));
    let mut client = client(Trust::Store(pem(&folder.path("web.test.crt"))));
    for host in ["other.test", "127.0.0.1"] {
        let text = client_refuses(&server, &client, host).await;
        assert!(text.contains("is for web.test, not for") && text.contains("verify-hostname"), "{text}");
    }
    client.name_check = NameCheck::Off;
    agree(&server, &client, "other.test").await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_the_day_unless_the_store_has_this_very_one() {
    let folder = Folder::new();
    let authority = folder.authority("authority");
    let expired = |params: &mut rcgen::CertificateParams| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 3, 4);
    };
    folder.signed("web.test", &authority, expired);
    let by_authority = client(Trust::Store(pem(&folder.path("authority.crt"))));
    let text = client_refuses(&server(pem(&folder.path("web.test.pem"))), &by_authority, "web.test").await;
    assert!(text.contains("expired on 2002-03-04"), "{text}");
    folder.self_signed("pinned.test", expired);
    let pinned = client(Trust::Store(pem(&folder.path("pinned.test.crt"))));
    agree(&server(pem(&folder.path("pinned.test.pem"))), &pinned, "pinned.test").await;
}

#[tokio::test]
async fn everyone_is_believed_only_where_the_options_say_so() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    let server = server(pem(&folder.path("web.test.pem")));
    agree(&server, &client(Trust::All), "other.test").await;
    let text = match client(Trust::System).connector() {
        Ok(_) => client_refuses(&server, &client(Trust::System), "web.test").await,
        // A machine without ca-certificates.
        Err(error) => error.to_string(),
    };
    assert!(text.contains("trust store"), "{text}");
}

#[tokio::test]
async fn mutual_tls_serves_whom_the_trust_store_knows() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    folder.self_signed("friend.test", |_| {});
    folder.self_signed("stranger.test", |_| {});
    let trusted = pem(&folder.path("friend.test.crt"));
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let mut server = server(pem(&folder.path("web.test.pem")));
        server.limits = only(protocol);
        let mut client = client(Trust::Store(pem(&folder.path("web.test.crt"))));
        server.client_auth = ClientAuth::Need(trusted.clone());
        let (accepted, connected) = shake(&server, &client, "web.test").await;
        let text = accepted.expect_err("no certificate").to_string();
        assert!(text.contains("client-auth = need"), "{text}");
        assert!(connected.is_err(), "{protocol}");
        client.keystore = Some(pem(&folder.path("stranger.test.pem")));
        let text = shake(&server, &client, "web.test").await.0.expect_err("a stranger").to_string();
        assert!(text.contains("CN=stranger.test"), "{text}");
        client.keystore = Some(pem(&folder.path("friend.test.pem")));
        agree(&server, &client, "web.test").await;
        server.client_auth = ClientAuth::Want(trusted.clone());
        agree(&server, &client, "web.test").await;
        client.keystore = None;
        agree(&server, &client, "web.test").await;
    }
}

#[tokio::test]
async fn clients_of_an_authority_are_served() {
    let folder = Folder::new();
    let authority = folder.authority("authority");
    folder.signed("web.test", &authority, |_| {});
    folder.signed("friend.test", &authority, |_| {});
    let mut server = server(pem(&folder.path("web.test.pem")));
    server.client_auth = ClientAuth::Need(pem(&folder.path("authority.crt")));
    let mut client = client(Trust::Store(pem(&folder.path("authority.crt"))));
    client.keystore = Some(pem(&folder.path("friend.test.pem")));
    agree(&server, &client, "web.test").await;
}

#[tokio::test]
async fn protocols_and_suites_are_agreed_upon_within_the_lists_of_both() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    let mut server = server(pem(&folder.path("web.test.pem")));
    let mut client = client(Trust::Store(pem(&folder.path("web.test.crt"))));
    server.limits = only("TLSv1.2");
    assert_eq!(agree(&server, &client, "web.test").await.0, "TLSv1.2");
    client.limits = only_suite("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    let agreed = agree(&server, &client, "web.test").await;
    assert_eq!(agreed, ("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"));
    client.limits = only("TLSv1.3");
    let (accepted, connected) = shake(&server, &client, "web.test").await;
    let (accepted, connected) =
        (accepted.expect_err("nothing in common"), connected.expect_err("nothing in common"));
    for text in [accepted.to_string(), connected.to_string()] {
        assert!(text.contains("common to both sides"), "{text}");
    }
}

#[tokio::test]
async fn plain_text_is_said_to_be_plain_text() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    let acceptor = server(pem(&folder.path("web.test.pem"))).acceptor().expect("ready");
    for hello in [&b"POST / HTTP/1.1\r\nHost: web.test\r\n\r\n"[..], b"<13>Oct 11 22:14:15 host su: failed\n"]
    {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        far.write_all(hello).await.expect("written");
        let refused = acceptor.try_accept(near).await.expect_err("no TLS");
        assert!(matches!(refused, TlsError::PlainText), "{refused:?}");
        assert!(refused.to_string().contains("speaks plainly"), "{refused}");
    }
    let connector = client(Trust::All).connector().expect("ready");
    let (near, mut far) = tokio::io::duplex(1 << 16);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    let refused = connector.connect("web.test", near).await.expect_err("no TLS");
    assert!(matches!(refused, TlsError::PlainText), "{refused:?}");
}

#[tokio::test]
async fn garbage_and_a_peer_that_goes_away_end_the_handshake() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    let acceptor = server(pem(&folder.path("web.test.pem"))).acceptor().expect("ready");
    // A record of a handshake, and nonsense in it.
    let (near, mut far) = tokio::io::duplex(1 << 16);
    far.write_all(&[0x16, 3, 1, 0, 8, 1, 0, 0, 4, 9, 9, 9, 9]).await.expect("written");
    let refused = acceptor.try_accept(near).await.expect_err("garbage");
    assert_eq!(refused.cause(), "handshake", "{refused}");
    let (near, far) = tokio::io::duplex(1 << 16);
    drop(far);
    let refused = acceptor.try_accept(near).await.expect_err("gone");
    assert_eq!(refused.cause(), "closed", "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_given_ten_seconds() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    let acceptor = server(pem(&folder.path("web.test.pem"))).acceptor().expect("ready");
    let connector = client(Trust::All).connector().expect("ready");
    let (near, mut far) = tokio::io::duplex(1 << 16);
    // The first bytes of a record, and no more.
    far.write_all(&[0x16, 3, 1]).await.expect("written");
    let refused = acceptor.try_accept(near).await.expect_err("slow");
    assert_eq!(refused.to_string(), "the TLS handshake was not done within 10 s");
    let (near, _far) = tokio::io::duplex(1 << 16);
    let refused = connector.connect("web.test", near).await.expect_err("slow");
    assert_eq!(refused.cause(), "slow handshake");
}

#[tokio::test]
async fn a_pem_file_may_have_its_certificates_in_any_order() {
    let folder = Folder::new();
    let authority = folder.authority("authority");
    folder.signed("web.test", &authority, |_| {});
    let own = std::fs::read_to_string(folder.path("web.test.pem")).expect("written");
    let turned = authority.pem() + &own;
    let server = server(pem(&folder.write("turned.pem", &turned)));
    let client = client(Trust::Store(pem(&folder.path("authority.crt"))));
    agree(&server, &client, "web.test").await;
}

#[tokio::test]
async fn what_is_written_arrives_whole() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    let server = server(pem(&folder.path("web.test.pem")));
    let client = client(Trust::Store(pem(&folder.path("web.test.crt"))));
    let (accepted, connected) = shake(&server, &client, "web.test").await;
    let (mut accepted, mut connected) = (accepted.expect("accepted"), connected.expect("connected"));
    let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut received = Vec::new();
    let write = async {
        connected.write_all(&sent).await.expect("written");
        connected.shutdown().await.expect("closed");
    };
    tokio::join!(write, async { accepted.read_to_end(&mut received).await.expect("read") });
    assert!(received == sent);
}

#[test]
fn a_store_that_cannot_be_used_is_named_with_what_to_do() {
    let folder = Folder::new();
    folder.self_signed("web.test", |_| {});
    let refused = |path: &str| server(pem(&folder.path(path))).acceptor().expect_err("refused").to_string();
    let text = refused("none.pem");
    assert!(
        text.contains("key store `") && text.contains("none.pem") && text.contains("No such file"),
        "{text}"
    );
    assert!(refused("web.test.crt").contains("there is no private key in it"));
    folder.write("empty.pem", "-----BEGIN NOTHING-----\n-----END NOTHING-----\n");
    assert!(refused("empty.pem").contains("no trusted certificate"));
    folder.write("text.txt", "hello");
    assert!(refused("text.txt").contains("no key store of the types"), "{}", refused("text.txt"));
    let trust = client(Trust::Store(pem(&folder.path("none.pem")))).connector().expect_err("refused");
    assert!(matches!(trust, TlsError::Store { role: StoreRole::Trust, .. }), "{trust:?}");
    folder.self_signed("a.test", |_| {});
    let key = std::fs::read_to_string(folder.path("a.test.pem")).expect("written");
    let other = std::fs::read_to_string(folder.path("web.test.crt")).expect("written");
    let key_only = key.split("-----BEGIN CERTIFICATE").next().expect("a key").to_owned();
    folder.write("mixed.pem", &(key_only + &other));
    assert!(
        refused("mixed.pem").contains("the certificate is not that of the key"),
        "{}",
        refused("mixed.pem")
    );
}
