//! Passwords, and the files they lie in.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A password file larger than this is a mistake (a wrong path), not a password.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A password. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a password file gave no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file could not be read.
    #[error("password file `{path}` cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no text of a password's size.
    #[error("password file `{path}` is not a text of at most {} bytes", FILE_BYTES_MAX)]
    NotAText {
        /// The file.
        path: PathBuf,
    },
}

impl Password {
    /// A password as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The content of a password file, without the white space and control characters (everything up to
    /// U+0020) at both ends, as Flume's `JCEFileKeyProvider` reads it (`String.trim`).
    ///
    /// # Errors
    /// If there is no such file, or it is no text.
    pub fn from_file(path: &Path) -> Result<Self, PasswordError> {
        let io = |source| PasswordError::Io { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(io)?.len() > FILE_BYTES_MAX {
            return Err(PasswordError::NotAText { path: path.to_owned() });
        }
        let bytes = Zeroizing::new(std::fs::read(path).map_err(io)?);
        let text = str::from_utf8(&bytes).map_err(|_| PasswordError::NotAText { path: path.to_owned() })?;
        Ok(Self::new(text.trim_matches(|c| c <= ' ')))
    }

    /// The password itself, for libraries that take one.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// UTF-16, most significant byte first, as Sun's digests take it.
    pub(crate) fn utf16_be(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.encode_utf16().flat_map(u16::to_be_bytes).collect())
    }
    /// One byte a character, as PBEWithMD5AndTripleDES takes it; the JDK allows ASCII only there.
    pub(crate) fn ascii(&self) -> Option<&[u8]> {
        self.0.bytes().all(|b| (0x20..0x7F).contains(&b)).then(|| self.0.as_bytes())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_trimmed_as_java_trims() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("pw");
        std::fs::write(&path, "\u{1}\t a pass\u{a0}word\u{a0} \r\n").expect("written");
        let password = Password::from_file(&path).expect("a password");
        assert_eq!(password.expose(), "a pass\u{a0}word\u{a0}");
    }

    #[test]
    fn a_wrong_path_is_said_with_its_name() {
        let missing = Password::from_file(Path::new("/no/such/file")).expect_err("no file").to_string();
        assert!(missing.contains("/no/such/file"), "{missing}");
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("binary");
        std::fs::write(&path, [0xFF, 0xFE]).expect("written");
        assert!(matches!(Password::from_file(&path), Err(PasswordError::NotAText { .. })));
    }

    #[test]
    fn a_password_is_never_printed() {
        assert!(!format!("{:?}", Password::new("secret")).contains("secret"));
    }
}
