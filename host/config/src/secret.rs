//! Which values may never be shown: told by the key's name.

/// What is shown instead of a secret.
pub const HIDDEN: &str = "******";

/// Whether the value of a key of this name is most likely a secret (`keystore-password`, `accessToken`, …).
///
/// The name of a file that holds a secret (`passwordFile`) is none.
pub fn is_secret_key(key: &str) -> bool {
    // What a plugin's requests carry, whatever the secret is called.
    if key.contains("grants.secrets.") {
        return true;
    }
    let words = words(key);
    if words.last().is_some_and(|w| matches!(w.as_str(), "file" | "path" | "header" | "url")) {
        return false;
    }
    let alone = |w: &String| {
        ["password", "passwd", "passphrase", "secret", "token", "credential"].iter().any(|s| w.contains(s))
            || matches!(w.as_str(), "pass" | "pwd")
    };
    let paired = |pair: &[String]| {
        pair[1] == "key"
            && matches!(pair[0].as_str(), "access" | "consumer" | "api" | "private" | "account" | "shared")
            || pair[0] == "jaas" && pair[1] == "config"
    };
    words.iter().any(alone) || words.windows(2).any(paired)
}

/// The value as it may be shown: hidden wholly if the key is that of a secret, else with the password of a URL hidden.
pub fn shown(key: &str, value: &str) -> String {
    if is_secret_key(key) {
        return HIDDEN.to_owned();
    }
    match url_password(value) {
        Some(range) => format!("{}{HIDDEN}{}", &value[..range.start], &value[range.end..]),
        None => value.to_owned(),
    }
}

/// Where the password in `scheme://user:password@host` lies.
pub(crate) fn url_password(value: &str) -> Option<std::ops::Range<usize>> {
    let start = value.find("://")? + 3;
    let authority =
        &value[start..start + value[start..].find(['/', '?', '#', ' ']).unwrap_or(value.len() - start)];
    let at = authority.rfind('@')?;
    let colon = authority[..at].find(':')?;
    Some(start + colon + 1..start + at)
}

/// The words of a key in lower case: split at dots, dashes, underscores and capitals.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_lower = false;
    for c in key.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before_lower) {
            words.push(String::new());
        }
        before_lower = c.is_lowercase();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_keys_are_recognised_and_others_are_not() {
        for key in [
            "keystore-password",
            "keystorePassword",
            "accessToken",
            "consumerKey",
            "consumerSecret",
            "db.password",
            "serializer.hPass",
            "credential",
            "kafka.producer.sasl.jaas.config",
            "a1.sinks.k1.fs.s3a.secret.key",
            "fs.s3a.access.key",
            "a1.sources.r1.grants.secrets.url",
        ] {
            assert!(is_secret_key(key), "{key}");
        }
        for key in [
            "port",
            "passwordFile",
            "encryption.keyProvider.keys",
            "key",
            "compass",
            "tokenFile",
            "hdfs.path",
        ] {
            assert!(!is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn the_password_of_a_url_is_hidden() {
        assert_eq!(shown("uri", "amqp://guest:pa@ss@host:1/x@y"), "amqp://guest:******@host:1/x@y");
        assert_eq!(shown("uri", "http://host:80/a@b"), "http://host:80/a@b");
        assert_eq!(shown("uri", "plain"), "plain");
        assert_eq!(shown("password", "plain"), HIDDEN);
    }
}
