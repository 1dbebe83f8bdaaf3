//! The handshake of Avro IPC: once for each connection, in front of the first call.
//!
//! ```text
//! request   client's hash, 16 bytes │ union: client's text │ server's hash, 16 bytes │ union: metadata
//! answer    match: BOTH 0, CLIENT 1, NONE 2 │ union: server's text │ union: server's hash │ union: metadata
//! ```

use super::protocol::Hash;
use super::reader::{Malformed, Reader, put_bytes, put_long};

/// What the client knows and claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeRequest<'a> {
    /// Of its own protocol.
    pub client_hash: Hash,
    /// Its own protocol, when it thinks that the server does not know it.
    pub client_text: Option<&'a [u8]>,
    /// Of what it thinks the server's protocol is.
    pub server_hash: Hash,
}

/// Whether call and answer can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Both sides know both protocols.
    Both,
    /// The server knows the client's protocol, the client not the server's.
    Client,
    /// The server does not know the client's protocol: the call was not executed.
    None,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeResponse<'a> {
    /// The result.
    pub matched: Match,
    /// The server's protocol, if the client does not know it.
    pub server: Option<(&'a [u8], Hash)>,
}

fn hash(reader: &mut Reader<'_>) -> Result<Hash, Malformed> {
    let mut hash = Hash::default();
    hash.copy_from_slice(reader.fixed(16, "the hash of a protocol")?);
    Ok(hash)
}

/// Whether the branch of a `[null, …]` union is the other than null.
fn is_there(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    let at = reader.position();
    match reader.long()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed::Impossible("the branch of a union", at)),
    }
}

impl<'a> HandshakeRequest<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let client_hash = hash(reader)?;
        let client_text = if is_there(reader)? { Some(reader.bytes("the client's protocol")?) } else { None };
        let server_hash = hash(reader)?;
        if is_there(reader)? {
            reader.skip_metadata()?;
        }
        Ok(Self { client_hash, client_text, server_hash })
    }
    /// Appends it. Flume's client sends an empty map of metadata, so we do.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.client_hash);
        match self.client_text {
            None => out.push(0),
            Some(text) => {
                put_long(1, out);
                put_bytes(text, out);
            }
        }
        out.extend_from_slice(&self.server_hash);
        put_long(1, out);
        out.push(0);
    }
}

impl<'a> HandshakeResponse<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let at = reader.position();
        let matched = match reader.long()? {
            0 => Match::Both,
            1 => Match::Client,
            2 => Match::None,
            _ => return Err(Malformed::Impossible("the result of a handshake", at)),
        };
        let text = if is_there(reader)? { Some(reader.bytes("the server's protocol")?) } else { None };
        let hash = if is_there(reader)? { Some(hash(reader)?) } else { None };
        if is_there(reader)? {
            reader.skip_metadata()?;
        }
        Ok(Self { matched, server: text.zip(hash) })
    }
    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(match self.matched {
            Match::Both => 0,
            Match::Client => 2,
            Match::None => 4,
        });
        match self.server {
            None => out.extend_from_slice(&[0, 0]),
            Some((text, hash)) => {
                put_long(1, out);
                put_bytes(text, out);
                put_long(1, out);
                out.extend_from_slice(&hash);
            }
        }
        out.push(0);
    }
}
